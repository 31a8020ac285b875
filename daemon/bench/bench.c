/* memaed bench: measures how fast this machine runs this code. Prints JSON or a table. */
#include "daemon/commands.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/kernels/kernels.h"
#include "core/kernels/peak/peak.h"
#include "daemon/base/blas.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/bench/bench_peak.h"
#include "daemon/bench/bench_plan.h"
#include "daemon/bench/bench_survey.h"
#include "daemon/bench/bench_train.h"
#include "io/model/model_file.h"

struct bench {
    const char *arch_name, *model_path;
    int precision;              /* of enum precision; -1: not given */
    int threads;
    int stride, batch;          /* 0: not given */
    double seconds, rate;       /* 0: not given */
    bool train, all, table;
};

/* x, or `otherwise` if x was not given. */
static double or_else(double x, double otherwise)
{
    return x > 0 ? x : otherwise;
}

/* Prints and frees json. NULL: memory was short. Returns the exit status. */
static int print_json(json_t *json)
{
    int failed = !json || json_dumpf(json, stdout, JSON_REAL_PRECISION(9)) < 0 || putchar('\n') == EOF;

    if (failed)
        fprintf(stderr, "memaed bench: standard output: %s\n", json ? strerror(errno) : "out of memory");
    json_decref(json);
    return failed;
}

static int bench_all(const struct bench *b)
{
    struct error err;
    json_t *survey;
    int r = bench_survey(&survey, &(struct bench_survey_options){b->arch_name, b->model_path, b->threads, or_else(b->rate, 5),
                                                                 or_else(b->seconds, 2)}, &err);

    if (r < 0)
        return command_failed(&bench_command, &err);
    if (!b->table)
        return print_json(survey);
    bench_survey_table(stdout, survey);
    json_decref(survey);
    return 0;
}

/* Measures cubes in one precision on b->threads threads. NULL: out of memory. */
static json_t *measure(const struct bench *b, struct bench_plan *plan, const struct parallel *p)
{
    struct bench_rate cubes;
    double seconds = or_else(b->seconds, 10), latency_s = bench_plan_latency_s(plan, seconds / 5);
    double peak = bench_peak(p, b->threads, (enum precision)b->precision) * 1e-9, gflop = bench_plan_gflop(plan);
    char cpu[128];

    bench_plan_cubes(plan, b->threads, seconds, &cubes);
    double each = bench_seconds_each(&cubes);
    bench_cpu_name(cpu, sizeof cpu);
    return json_pack(
        "{s:s?, s:s?, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:f, s:s, s:s, s:s?, s:I, s:s, s:s}", "arch",
        b->arch_name, "model", b->model_path, "precision", precision_name((enum precision)b->precision), "threads", b->threads,
        "seconds_per_cube", each, "latency_s", latency_s, "gflop_per_cube", gflop, "gflops", gflop / each, "peak_gflops", peak,
        "share_of_peak", peak > 0 ? json_real(gflop / each / peak) : json_null(), "cubes", (json_int_t)cubes.n, "seconds",
        cubes.seconds, "kernels", b->precision == PRECISION_INT8 ? int8_kernels->name : kernels->name, "blas", blas_kernels(),
        "peak_kernel", peak_of((enum precision)b->precision).kernel, "workspace_bytes",
        (json_int_t)plan_workspace_size(bench_plan_plan(plan)), "cpu", cpu, "version", MEMAED_VERSION);
}

/* Measures sliding windows and adds their figures to json. */
static int measure_windows(const struct bench *b, struct bench_plan *plan, json_t *json, struct error *err)
{
    struct bench_rate windows;
    size_t kept;

    if (!bench_plan_takes_pictures(plan))
        return error_set(err, -EINVAL, "--stride: expected a network of gray pictures, got another; leave out --stride");
    int r = bench_plan_windows(plan, b->threads, b->stride, 1, or_else(b->seconds, 10), &windows, &kept);
    if (r < 0)
        return error_set(err, r, "out of memory");
    double each = bench_seconds_each(&windows), cube = json_number_value(json_object_get(json, "seconds_per_cube"));
    json_t *more = json_pack("{s:i, s:f, s:f, s:I}", "stride", b->stride, "seconds_per_window", each, "share_of_cube",
                             each / cube, "history_bytes", (json_int_t)kept);
    r = more && json_object_update(json, more) == 0 ? 0 : error_set(err, -ENOMEM, "out of memory");
    json_decref(more);
    return r;
}

static int bench_one(const struct bench *b)
{
    struct parallel_threads *threads = NULL;
    struct bench_plan *plan = NULL;
    struct error err;
    json_t *json = NULL;
    int r = parallel_threads_open(&threads, b->threads);

    if (r < 0) {
        error_set(&err, r, "--threads %d: %s", b->threads, strerror(-r));
        return command_failed(&bench_command, &err);
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    r = bench_plan_open(&plan, &(struct bench_plan_options){b->arch_name, b->model_path, (enum precision)b->precision, &parallel},
                        &err);
    if (r == 0)
        json = measure(b, plan, &parallel);
    if (json && b->stride)
        r = measure_windows(b, plan, json, &err);
    bench_plan_close(plan);
    parallel_threads_close(threads);
    if (r == 0)
        return print_json(json);
    json_decref(json);
    return command_failed(&bench_command, &err);
}

/* Measures training of the architecture of --arch or --model, from random weights. */
static int train_all(const struct bench *b)
{
    const int batch = b->batch > 0 ? b->batch : 8;
    struct model_file file = {0};
    struct bench_train_result result;
    struct error err;
    struct arch arch;
    int r;

    if (b->model_path) {
        r = model_file_load(&file, b->model_path, &err);
        if (r == 0)
            arch = file.model->arch;
        model_file_clear(&file);
    } else {
        r = bench_find_arch(b->arch_name, &arch, &err);
    }
    if (r == 0)
        r = bench_train(&result, &arch, batch, b->threads, or_else(b->seconds, 10), &err);
    if (r < 0)
        return command_failed(&bench_command, &err);
    return print_json(json_pack("{s:s?, s:s?, s:s, s:i, s:i, s:f, s:f, s:I, s:f, s:s, s:s, s:s}", "arch",
                                b->arch_name, "model", b->model_path, "what", "training step",
                                "threads", b->threads, "batch", batch, "seconds_per_cube", result.seconds_per_cube,
                                "cubes_per_s", 1 / result.seconds_per_cube, "steps", (json_int_t)result.steps, "seconds",
                                result.seconds, "kernels", kernels->name, "blas", blas_kernels(), "version",
                                MEMAED_VERSION));
}

static const char *bench_precisions(int i)
{
    return i <= PRECISION_INT8 ? option_precisions(i) : NULL;
}

static const struct command_option bench_options[] = {
    {"arch", 0, OPTION_TEXT(struct bench, arch_name), .argument = "NAME|FILE", .path = OPTION_FILE,
     .help = "An architecture with random weights: a built-in one (paper, released, small, compact, nano, small-ae, "
             "compact-ae, "
             "nano-ae) or a JSON file (docs/model-format.md) (default: paper)."},
    {"model", 'm', OPTION_TEXT(struct bench, model_path), .argument = "FILE", .path = OPTION_FILE, .help = "This model instead."},
    {"precision", 0, OPTION_CHOICE(struct bench, precision, bench_precisions),
     .help = "The numbers that the network computes in (default: fp32)."},
    {"stride", 0, OPTION_INT(struct bench, stride, 1, 64), .argument = "N",
     .help = "Also measure windows that slide by N frames over one sequence a worker."},
    {"threads", 0, OPTION_INT(struct bench, threads, 1, PARALLEL_THREADS_MAX), .argument = "N",
     .help = "Workers with one cube each; with --train, threads for one batch (default: all cores)."},
    {"all", 0, OPTION_FLAG(struct bench, all),
     .help = "Instead measure everything: both precisions, numbers of threads, every step, sliding windows, cameras, "
             "memory."},
    {"table", 0, OPTION_FLAG(struct bench, table), .help = "As --all, but print a table."},
    {"rate", 0, OPTION_REAL_ABOVE(struct bench, rate, 0, 1000), .argument = "R",
     .help = "With --all: windows a second of one camera (default: 5)."},
    {"train", 0, OPTION_FLAG(struct bench, train), .help = "Measure whole training steps instead of the frozen network."},
    {"batch", 0, OPTION_INT(struct bench, batch, 2, 4096), .argument = "N", .help = "With --train: cubes a step (default: "
                                                                                    "8)."},
    {"seconds", 0, OPTION_REAL_ABOVE(struct bench, seconds, 0, 86400), .argument = "S",
     .help = "Seconds of measuring the throughput after warm-up (default: 10); with --all, of each figure (default: 2)."},
    {0},
};

/* Exit status 0 or 2. */
static int check_combination(const struct bench *b)
{
    bool all = b->all || b->table;
    if (b->arch_name && b->model_path)
        return command_misuse(&bench_command, "expected --arch or --model, got both");
    if (b->train && b->precision == PRECISION_INT8)
        return command_misuse(&bench_command, "--precision: expected fp32 with --train, got \"int8\"");
    if (b->stride && b->train)
        return command_misuse(&bench_command, "--stride: training has no sliding windows; leave out --stride or --train");
    if (all && (b->train || b->precision >= 0 || b->stride))
        return command_misuse(&bench_command, "--all: measures every precision and stride; leave out --train, --precision "
                                              "and "
                              "--stride");
    if (b->rate > 0 && !all)
        return command_misuse(&bench_command, "--rate: needs --all");
    if (b->batch && !b->train)
        return command_misuse(&bench_command, "--batch: needs --train");
    return 0;
}

static int command_bench(int argc, char **argv)
{
    struct bench bench = {.threads = parallel_threads_cores(), .precision = -1};
    int status;
    if (!command_parse(&bench_command, &bench, argc, argv, &status) || (status = check_combination(&bench)) != 0)
        return status;
    if (!bench.arch_name && !bench.model_path)
        bench.arch_name = "paper";
    if (bench.train)
        return train_all(&bench);
    if (bench.all || bench.table)
        return bench_all(&bench);
    bench.precision = bench.precision < 0 ? PRECISION_FP32 : bench.precision;
    return bench_one(&bench);
}

const struct command bench_command = {
    .name = "bench",
    .summary = "measure the speed of this machine on this code",
    .forms = "[OPTION…]",
    .about = "Measures the speed of the frozen network, or of its training, on this machine with random pictures. Prints "
             "one JSON "
             "object.",
    .options = bench_options,
    .notes = "Figures:\n"
             "  seconds_per_cube: wall time divided by the cubes finished by all workers together.\n"
             "  latency_s: one cube alone, the median.\n"
             "  gflop_per_cube: two operations for each multiply-add of the convolutions' direct form.\n"
             "  peak_gflops: what these threads reach in a loop of multiply-adds on registers, of floats or of bytes.\n"
             "  share_of_peak: gflop_per_cube / seconds_per_cube / peak_gflops.\n"
             "  seconds_per_window, share_of_cube, history_bytes: with --stride: time of a sliding window; its share of "
             "seconds_per_cube; the bytes that a worker keeps of past windows.\n"
             "  cameras: with --all: how many cameras the windows a second are enough for, measured with eight cameras a "
             "thread in "
             "turn. Of the network alone, without decoding and score.\n\n"
             "Exit status: 0; 1 where it failed; 2 wrong usage.",
    .run = command_bench,
};
