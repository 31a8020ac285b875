/* memaed bench: how fast this machine runs this code, as JSON or a table. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
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

static const char usage[] =
    "Usage: memaed bench [OPTION…]\n"
    "\n"
    "Measures the speed of the frozen network on this machine, or of its training, on random pictures, and prints one\n"
    "JSON object.\n"
    "\n"
    "      --arch NAME|FILE   architecture with random weights: a built-in one (--help lists them), or a JSON file as\n"
    "                         in docs/model-format.md (paper)\n"
    "  -m, --model FILE       this model instead\n"
    "      --precision P      fp32 or int8 (fp32)\n"
    "      --stride N         besides, windows that slide by N pictures over one sequence a worker\n"
    "      --threads N        workers with one cube each; with --train, for one batch (all cores)\n"
    "      --all              instead: in both precisions, by threads, every step, sliding, cameras, memory\n"
    "      --table            --all as a table\n"
    "      --rate R           windows a second of a camera, with --all (5)\n"
    "      --train            whole steps of training instead of the frozen network\n"
    "      --batch N          cubes a step, with --train (8)\n"
    "      --seconds S        how long to measure the throughput, after warm-up (10); with --all each figure (2)\n"
    "  -h, --help             show this help\n"
    "\n"
    "seconds_per_cube: wall time divided by cubes finished, all workers together; latency_s: one cube alone, the\n"
    "median; peak_gflops: what these threads reach in a loop of multiply-adds on registers, of floats or of bytes;\n"
    "gflop_per_cube: two a multiply-add of the convolutions' direct form; share_of_peak: gflop_per_cube /\n"
    "seconds_per_cube / peak_gflops. With --stride: seconds_per_window, share_of_cube = seconds_per_window /\n"
    "seconds_per_cube, and the bytes that are kept of past windows, a worker. Cameras: of the network alone, without\n"
    "decoding and score, by the windows a second of eight cameras a thread in turn.\n"
    "\n"
    "Built-in architectures:";

struct bench {
    const char *arch_name, *model_path;
    enum precision precision;
    int threads, stride;        /* stride 0: no windows that slide */
    double seconds, rate;       /* 0: the default */
};

static double or_else(double x, double otherwise)
{
    return x > 0 ? x : otherwise;
}

/* Takes json, NULL where there was no memory for it. */
static int print_json(json_t *json)
{
    int failed = !json || json_dumpf(json, stdout, JSON_REAL_PRECISION(9)) < 0 || putchar('\n') == EOF ||
                 fflush(stdout) != 0;

    if (failed)
        fprintf(stderr, "memaed: bench: the result can't be written: %s\n", json ? strerror(errno) : "out of memory");
    json_decref(json);
    return failed;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "memaed: bench: %s\n", err->text);
    return 1;
}

static int bench_all(const struct bench *b, bool table)
{
    struct error err;
    json_t *survey;
    int r = bench_survey(&survey, &(struct bench_survey_options){b->arch_name, b->model_path, b->threads, or_else(b->rate, 5),
                                                                 or_else(b->seconds, 2)}, &err);

    if (r < 0)
        return fail(&err);
    if (!table)
        return print_json(survey);
    bench_survey_table(stdout, survey);
    json_decref(survey);
    if (fflush(stdout) == 0)
        return 0;
    error_set(&err, -errno, "the result can't be written: %s", strerror(errno));
    return fail(&err);
}

/* One precision, so many threads. */
static json_t *measure(const struct bench *b, struct bench_plan *plan, const struct parallel *p)
{
    struct bench_rate cubes;
    double seconds = or_else(b->seconds, 10), latency_s = bench_plan_latency_s(plan, seconds / 5);
    double peak = bench_peak(p, b->threads, b->precision) * 1e-9, gflop = bench_plan_gflop(plan);
    char cpu[128];

    bench_plan_cubes(plan, b->threads, seconds, &cubes);
    double each = bench_seconds_each(&cubes);
    bench_cpu_name(cpu, sizeof cpu);
    return json_pack(
        "{s:s?, s:s?, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:f, s:s, s:s, s:s?, s:I, s:s, s:s}", "arch",
        b->arch_name, "model", b->model_path, "precision", precision_name(b->precision), "threads", b->threads,
        "seconds_per_cube", each, "latency_s", latency_s, "gflop_per_cube", gflop, "gflops", gflop / each, "peak_gflops", peak,
        "share_of_peak", peak > 0 ? json_real(gflop / each / peak) : json_null(), "cubes", (json_int_t)cubes.n, "seconds",
        cubes.seconds, "kernels", b->precision == PRECISION_INT8 ? int8_kernels->name : kernels->name, "blas", blas_kernels(),
        "peak_kernel", peak_of(b->precision).kernel, "workspace_bytes",
        (json_int_t)plan_workspace_size(bench_plan_plan(plan)), "cpu", cpu, "version", MEMAED_VERSION);
}

/* Of windows that slide, into json. */
static int measure_windows(const struct bench *b, struct bench_plan *plan, json_t *json, struct error *err)
{
    struct bench_rate windows;
    size_t kept;

    if (!bench_plan_takes_pictures(plan))
        return error_set(err, -EINVAL, "--stride: the network takes no gray pictures");
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
        error_set(&err, r, "%d threads: %s", b->threads, strerror(-r));
        return fail(&err);
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    r = bench_plan_open(&plan, &(struct bench_plan_options){b->arch_name, b->model_path, b->precision, &parallel}, &err);
    if (r == 0)
        json = measure(b, plan, &parallel);
    if (json && b->stride)
        r = measure_windows(b, plan, json, &err);
    bench_plan_close(plan);
    parallel_threads_close(threads);
    if (r == 0)
        return print_json(json);
    json_decref(json);
    return fail(&err);
}

/* The architecture of --arch or of --model, with random weights. */
static int train_all(const struct bench *b, int batch)
{
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
        return fail(&err);
    return print_json(json_pack("{s:s?, s:s?, s:s, s:i, s:i, s:f, s:f, s:I, s:f, s:s, s:s, s:s}", "arch",
                                b->arch_name, "model", b->model_path, "what", "training step",
                                "threads", b->threads, "batch", batch, "seconds_per_cube", result.seconds_per_cube,
                                "cubes_per_s", 1 / result.seconds_per_cube, "steps", (json_int_t)result.steps, "seconds",
                                result.seconds, "kernels", kernels->name, "blas", blas_kernels(), "version",
                                MEMAED_VERSION));
}

int command_bench(int argc, char **argv)
{
    static const struct option options[] = {
        {"arch", required_argument, NULL, 'a'},    {"model", required_argument, NULL, 'm'},
        {"precision", required_argument, NULL, 'p'}, {"threads", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'},   {"stride", required_argument, NULL, 'S'},
        {"all", no_argument, NULL, 'A'},             {"table", no_argument, NULL, 'B'},
        {"rate", required_argument, NULL, 'r'},      {"train", no_argument, NULL, 'T'},
        {"batch", required_argument, NULL, 'b'},     {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct bench bench = {.threads = parallel_threads_cores()};
    int r = 0, batch = 0;
    bool train = false, all = false, table = false, precision = false;

    opterr = 0;
    optind = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, ":m:h", options, NULL)) != -1;) {
        switch (c) {
        case 'a':
            bench.arch_name = optarg;
            break;
        case 'm':
            bench.model_path = optarg;
            break;
        case 'p':
            if (!precision_find(&bench.precision, optarg) || bench.precision == PRECISION_AUTO)
                return option_misuse("bench", "--precision: fp32 or int8 expected, '%s' found", optarg);
            precision = true;
            break;
        case 't':
            r = option_int(&bench.threads, "bench", "threads", optarg, 1, PARALLEL_THREADS_MAX);
            break;
        case 's':
            r = option_real(&bench.seconds, "bench", "seconds", optarg, 0, 86400, true);
            break;
        case 'S':
            r = option_int(&bench.stride, "bench", "stride", optarg, 1, 64);
            break;
        case 'A':
            all = true;
            break;
        case 'B':
            all = table = true;
            break;
        case 'r':
            r = option_real(&bench.rate, "bench", "rate", optarg, 0, 1000, true);
            break;
        case 'T':
            train = true;
            break;
        case 'b':
            r = option_int(&batch, "bench", "batch", optarg, 2, 4096);
            break;
        case 'h':
            fputs(usage, stdout);
            for (int i = 0; arch_profile_name(i); i++)
                printf(" %s", arch_profile_name(i));
            putchar('\n');
            return fflush(stdout) == 0 ? 0 : 1;
        default:
            return option_unknown("bench", c, argv);
        }
    }
    if (r < 0)
        return 2;
    if (optind != argc)
        return option_misuse("bench", "%s: no argument expected", argv[optind]);
    if (bench.arch_name && bench.model_path)
        return option_misuse("bench", "--arch or --model expected, not both");
    if (train && bench.precision != PRECISION_FP32)
        return option_misuse("bench", "--precision: training is in fp32");
    if (bench.stride && train)
        return option_misuse("bench", "--stride: training has no windows that slide");
    if (all && (train || precision || bench.stride))
        return option_misuse("bench", "--all: it leaves no choice of --train, --precision, --stride");
    if (bench.rate > 0 && !all)
        return option_misuse("bench", "--rate: it goes with --all");
    if (batch && !train)
        return option_misuse("bench", "--batch: it goes with --train");
    if (!bench.arch_name && !bench.model_path)
        bench.arch_name = "paper";
    if (train)
        return train_all(&bench, batch ? batch : 8);
    return all ? bench_all(&bench, table) : bench_one(&bench);
}
