/* memaed bench: how fast this machine runs this code, as JSON. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/int8_kernels.h"
#include "core/kernels.h"
#include "core/peak.h"
#include "core/plan.h"
#include "core/rng.h"
#include "daemon/bench_train.h"
#include "daemon/blas.h"
#include "daemon/options.h"
#include "daemon/threads.h"
#include "io/model_file.h"

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
    "      --train            whole steps of training instead of the frozen network\n"
    "      --batch N          cubes a step, with --train (8)\n"
    "      --seconds S        how long to measure the throughput, after warm-up (10)\n"
    "  -h, --help             show this help\n"
    "\n"
    "seconds_per_cube: wall time divided by cubes finished, all workers together; latency_s: one cube alone, the\n"
    "median; peak_gflops: what these threads reach in a loop of multiply-adds on registers; gflop_per_cube: two a\n"
    "multiply-add of the convolutions' direct form; share_of_peak: gflop_per_cube / seconds_per_cube / peak_gflops.\n"
    "With --stride: seconds_per_window, share_of_cube = seconds_per_window / seconds_per_cube, and the bytes that are\n"
    "kept of past windows, a worker.\n"
    "\n"
    "Built-in architectures:";

struct bench {
    const char *arch_name, *model_path;
    enum precision precision;
    int threads, stride;        /* stride 0: no windows that slide */
    double seconds;

    const struct plan *plan;
    uint8_t *pixels;            /* [frames, height * width], or NULL: the network takes other than one channel */
    const uint8_t **frames;     /* [frames] */
    float *cube;                /* [t, h, w, c], instead */
    void **workspaces;          /* [threads] */
    struct history **histories; /* [threads], of windows that slide; NULL: each by itself */
    uint64_t *first;            /* [threads] the number of the next one's first picture */
    pthread_barrier_t barrier;  /* of the threads: each has one item */
    double deadline_s;
    long *cubes;                /* [threads] */
    double *flops;              /* [threads] */
    long peak_rounds;
};

struct figures {
    double seconds_per_cube, latency_s, peak_gflops, gflop_per_cube, seconds;
    long cubes;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

/* The next window of the worker's sequence, in which the pictures come again and again. */
static void run_window(struct bench *b, int worker)
{
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    int length = plan_arch(b->plan)->frames;
    uint64_t first = b->first[worker];

    b->first[worker] += (uint64_t)b->stride;
    for (int i = 0; i < length; i++)
        frames[i] = b->frames[(first + (uint64_t)i) % (uint64_t)length];
    plan_run_sliding(b->plan, b->histories[worker], first, frames, b->workspaces[worker], &result);
}

static void run_cube(struct bench *b, int worker)
{
    struct plan_result result;

    if (b->cube)
        plan_run_cube(b->plan, b->cube, b->workspaces[worker], &result);
    else
        plan_run(b->plan, b->frames, b->workspaces[worker], &result);
}

static void work(void *arg, int item, int worker)
{
    struct bench *b = arg;
    long n = 0;

    (void)item;
    pthread_barrier_wait(&b->barrier);
    do {
        if (b->histories)
            run_window(b, worker);
        else
            run_cube(b, worker);
        n++;
    } while (now_s() < b->deadline_s);
    b->cubes[worker] = n;
}

static void peak(void *arg, int item, int worker)
{
    struct bench *b = arg;
    float sink;

    (void)item;
    pthread_barrier_wait(&b->barrier);
    b->flops[worker] = peak_run(b->peak_rounds, &sink);
}

static double peak_gflops(struct bench *b, const struct parallel *p)
{
    double best = 0;

    /* The best of many short runs: what takes a core away only ever lowers the figure. */
    b->peak_rounds = 1000;
    for (int good = 0; good < 20;) {
        double start = now_s(), flops = 0;

        p->run(p, b->threads, peak, b);
        double seconds = now_s() - start;
        if (seconds < 0.01) {
            b->peak_rounds *= 2;
            continue;
        }
        for (int i = 0; i < b->threads; i++)
            flops += b->flops[i];
        best = flops / seconds > best ? flops / seconds : best;
        good++;
    }
    return best * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of at least three runs, of as many as fit in a fifth of the time, of at most a hundred. */
static double latency_s(struct bench *b)
{
    double times[100], start = now_s();
    int n = 0;

    while (n < 100 && (n < 3 || now_s() - start < b->seconds / 5)) {
        double t = now_s();
        run_cube(b, 0);
        times[n++] = now_s() - t;
    }
    qsort(times, (size_t)n, sizeof *times, compare);
    return times[n / 2];
}

/* As many cubes, or windows, as are begun within some seconds; one of each worker at least. */
static void throughput(struct bench *b, const struct parallel *p, double seconds, struct figures *ret)
{
    double start = now_s();

    b->deadline_s = start + seconds;
    p->run(p, b->threads, work, b);
    ret->seconds = now_s() - start;
    ret->cubes = 0;
    for (int i = 0; i < b->threads; i++)
        ret->cubes += b->cubes[i];
    ret->seconds_per_cube = ret->seconds / (double)ret->cubes;
}

static void measure(struct bench *b, const struct parallel *p, struct figures *ret)
{
    throughput(b, p, 0, ret);                   /* warm-up: one cube each */
    ret->latency_s = latency_s(b);
    ret->peak_gflops = peak_gflops(b, p);
    ret->gflop_per_cube = 2e-9 * arch_total_cost(plan_arch(b->plan), plan_shapes(b->plan)).multiply_adds;

    throughput(b, p, b->seconds, ret);
}

static int open_histories(struct bench *b)
{
    size_t threads = (size_t)b->threads;

    b->histories = calloc(threads, sizeof *b->histories);
    b->first = calloc(threads, sizeof *b->first);
    if (!b->histories || !b->first)
        return -ENOMEM;
    for (size_t i = 0; i < threads; i++) {
        b->histories[i] = plan_history_new(b->plan, b->stride);
        if (!b->histories[i])
            return -ENOMEM;
    }
    return 0;
}

/* After measure(): windows that slide, of which the first ones, that find nothing kept, do not count. */
static int measure_sliding(struct bench *b, const struct parallel *p, struct figures *ret)
{
    int r = open_histories(b);

    if (r < 0)
        return r;
    throughput(b, p, b->seconds / 5, ret);
    throughput(b, p, b->seconds, ret);
    return 0;
}

/* ---- setting up --------------------------------------------------------------------------------------------------- */

static int find_arch(const char *name, struct arch *ret, struct error *err)
{
    const struct arch *built_in = arch_profile(name);

    if (built_in) {
        *ret = *built_in;
        return 0;
    }
    if (access(name, F_OK) < 0)
        return error_set(err, -ENOENT, "--arch %s: neither a built-in architecture nor a file", name);
    return arch_load(ret, name, err);
}

/* What bytes stand for, from the pictures that are measured with. */
static int find_ranges(const struct bench *b, const struct model *model, struct ranges *ret, struct error *err)
{
    struct ranges_seen *seen = calloc(1, sizeof *seen);
    struct plan_result result;
    struct plan *plan = NULL;
    void *workspace = NULL;
    int n = ranges_count(&model->arch, &model->shapes), r = plan_open(&plan, model, err);

    if (r == 0)
        workspace = plan_workspace_new(plan);
    if (r == 0 && (!seen || !workspace))
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && n > RANGES_MAX)
        r = error_set(err, -ENOTSUP, "--precision int8: the network has too many channels, %d", n);
    for (int pass = 0; r == 0 && pass < 2; pass++) {
        seen->n = n;
        seen->counting = pass == 1;
        plan_observe(plan, b->frames, workspace, &result, seen);
    }
    if (r == 0)
        ranges_fit(ret, seen, 0);
    free(workspace);
    free(seen);
    plan_close(plan);
    return r;
}

/* Random pictures, or a random cube where the network takes other than one channel. */
static int make_input(struct bench *b, const struct arch *arch)
{
    size_t frame_size = (size_t)arch->height * (size_t)arch->width, n = (size_t)arch->frames * frame_size;
    size_t elements = n * (size_t)arch->channels;
    struct rng rng;

    rng_seed(&rng, 1);
    if (arch->channels != 1) {
        b->cube = malloc(elements * sizeof *b->cube);
        if (!b->cube)
            return -ENOMEM;
        for (size_t i = 0; i < elements; i++)
            b->cube[i] = 2 * rng_uniform(&rng) - 1;
        return 0;
    }
    b->pixels = malloc(n);
    b->frames = calloc((size_t)arch->frames, sizeof *b->frames);
    if (!b->pixels || !b->frames)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        b->pixels[i] = (uint8_t)rng_below(&rng, 256);
    for (int i = 0; i < arch->frames; i++)
        b->frames[i] = b->pixels + (size_t)i * frame_size;
    return 0;
}

static int open_plan_of(struct bench *b, const struct model *model, struct plan **ret, struct error *err)
{
    struct ranges ranges;
    int r = make_input(b, &model->arch);

    if (r < 0)
        return error_set(err, r, "out of memory");
    if (b->precision == PRECISION_FP32)
        return plan_open(ret, model, err);
    if (b->cube)
        return error_set(err, -EINVAL, "--precision int8: the network takes no gray pictures");
    r = find_ranges(b, model, &ranges, err);
    return r < 0 ? r : plan_open_int8(ret, model, &ranges, err);
}

static int open_plan(struct bench *b, struct plan **ret, struct error *err)
{
    struct model_file file = {0};
    struct model *model = NULL;
    struct arch arch;
    int r;

    if (b->model_path) {
        r = model_file_load(&file, b->model_path, err);
        if (r == 0)
            r = open_plan_of(b, file.model, ret, err);
        model_file_clear(&file);
        return r;
    }
    r = find_arch(b->arch_name, &arch, err);
    if (r < 0)
        return r;
    r = model_open(&model, &arch, err);
    if (r < 0)
        return r;
    model_init(model, 1);
    r = open_plan_of(b, model, ret, err);
    model_close(model);
    return r;
}

static int set_up(struct bench *b)
{
    size_t threads = (size_t)b->threads;

    b->cubes = calloc(threads, sizeof *b->cubes);
    b->flops = calloc(threads, sizeof *b->flops);
    b->workspaces = calloc(threads, sizeof *b->workspaces);
    if (!b->cubes || !b->flops || !b->workspaces)
        return -ENOMEM;
    for (size_t i = 0; i < threads; i++) {
        b->workspaces[i] = plan_workspace_new(b->plan);
        if (!b->workspaces[i])
            return -ENOMEM;
    }
    return 0;
}

static void tear_down(struct bench *b)
{
    for (int i = 0; b->workspaces && i < b->threads; i++)
        free(b->workspaces[i]);
    for (int i = 0; b->histories && i < b->threads; i++)
        free(b->histories[i]);
    free(b->workspaces);
    free(b->histories);
    free(b->first);
    free(b->pixels);
    free(b->frames);
    free(b->cube);
    free(b->cubes);
    free(b->flops);
}

/* "model name" of the first CPU; "unknown" where /proc doesn't say. */
static void cpu_name(char *ret, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(ret, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(ret, size, "%s", value + 2);
        break;
    }
    if (file)
        fclose(file);
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

/* sliding: NULL without --stride. */
static int print_figures(const struct bench *b, const struct figures *f, const struct figures *sliding)
{
    char cpu[128];
    json_t *json, *more = NULL;

    cpu_name(cpu, sizeof cpu);
    json = json_pack(
        "{s:s?, s:s?, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f, s:s, s:s, s:s, s:I, s:s, s:s}", "arch",
        b->model_path ? NULL : b->arch_name, "model", b->model_path, "precision",
        precision_name(plan_precision(b->plan)), "threads", b->threads,
        "seconds_per_cube", f->seconds_per_cube, "latency_s", f->latency_s, "gflop_per_cube", f->gflop_per_cube,
        "gflops", f->gflop_per_cube / f->seconds_per_cube, "peak_gflops", f->peak_gflops, "share_of_peak",
        f->gflop_per_cube / f->seconds_per_cube / f->peak_gflops, "cubes", (json_int_t)f->cubes, "seconds", f->seconds,
        "kernels", b->precision == PRECISION_INT8 ? int8_kernels->name : kernels->name, "blas", blas_kernels(),
        "peak_kernel", peak_kernel(), "workspace_bytes",
        (json_int_t)plan_workspace_size(b->plan), "cpu", cpu, "version", MEMAED_VERSION);
    if (json && sliding) {
        more = json_pack("{s:i, s:f, s:f, s:I}", "stride", b->stride, "seconds_per_window", sliding->seconds_per_cube,
                         "share_of_cube", sliding->seconds_per_cube / f->seconds_per_cube, "history_bytes",
                         (json_int_t)history_size(b->histories[0]));
        if (!more || json_object_update(json, more) < 0) {
            json_decref(json);
            json = NULL;
        }
        json_decref(more);
    }
    return print_json(json);
}

static int bench_all(struct bench *b)
{
    struct plan *plan = NULL;
    struct threads *threads = NULL;
    struct figures figures, sliding;
    struct error err = {""};
    int r, status = 1;

    r = open_plan(b, &plan, &err);
    if (r == 0 && b->stride && b->cube)
        r = error_set(&err, -EINVAL, "--stride: the network takes no gray pictures");
    if (r < 0)
        goto fail;
    b->plan = plan;
    r = threads_open(&threads, b->threads);
    if (r < 0)
        goto fail;
    r = set_up(b);
    if (r < 0)
        goto fail;
    struct parallel parallel = threads_parallel(threads);
    pthread_barrier_init(&b->barrier, NULL, (unsigned)b->threads);
    measure(b, &parallel, &figures);
    if (b->stride)
        r = measure_sliding(b, &parallel, &sliding);
    pthread_barrier_destroy(&b->barrier);
    if (r < 0)
        goto fail;
    status = print_figures(b, &figures, b->stride ? &sliding : NULL);
    goto end;
fail:
    fprintf(stderr, "memaed: bench: %s\n", err.text[0] ? err.text : strerror(-r));
end:
    tear_down(b);
    threads_close(threads);
    plan_close(plan);
    return status;
}

/* The architecture of --arch or of --model, with random weights. */
static int train_all(const struct bench *b, int batch)
{
    struct model_file file = {0};
    struct bench_train_result result;
    struct error err = {""};
    struct arch arch;
    int r;

    if (b->model_path) {
        r = model_file_load(&file, b->model_path, &err);
        if (r == 0)
            arch = file.model->arch;
        model_file_clear(&file);
    } else {
        r = find_arch(b->arch_name, &arch, &err);
    }
    if (r == 0)
        r = bench_train(&result, &arch, batch, b->threads, b->seconds, &err);
    if (r < 0) {
        fprintf(stderr, "memaed: bench: %s\n", err.text[0] ? err.text : strerror(-r));
        return 1;
    }
    return print_json(json_pack("{s:s?, s:s?, s:s, s:i, s:i, s:f, s:f, s:I, s:f, s:s, s:s, s:s}", "arch",
                                b->model_path ? NULL : b->arch_name, "model", b->model_path, "what", "training step",
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
        {"seconds", required_argument, NULL, 's'},   {"stride", required_argument, NULL, 'S'}, {"train", no_argument, NULL, 'T'},
        {"batch", required_argument, NULL, 'b'},     {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct bench bench = {.threads = threads_cores(), .seconds = 10};
    int r = 0, batch = 0;
    bool train = false;

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
            break;
        case 't':
            r = option_int(&bench.threads, "bench", "threads", optarg, 1, THREADS_MAX);
            break;
        case 's':
            r = option_real(&bench.seconds, "bench", "seconds", optarg, 0, 86400, true);
            break;
        case 'S':
            r = option_int(&bench.stride, "bench", "stride", optarg, 1, 64);
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
    if (batch && !train)
        return option_misuse("bench", "--batch: it goes with --train");
    if (!bench.arch_name && !bench.model_path)
        bench.arch_name = "paper";
    if (train)
        return train_all(&bench, batch ? batch : 8);
    return bench_all(&bench);
}
