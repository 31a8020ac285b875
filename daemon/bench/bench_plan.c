#include "daemon/bench/bench_plan.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/network/frame_cache.h"
#include "core/rng.h"
#include "io/base/clock.h"
#include "io/model/model_file.h"

enum { MAX_TIMES = 100, MIN_TIMES = 3 };

struct worker {
    void *workspace;
    long done;
    /* For sliding windows: */
    struct frame_cache **frame_caches;  /* [sequences] */
    uint64_t *first;                    /* [sequences] number of the next window's first picture */
    int turn;                           /* the sequence whose window comes next */
};

struct bench_plan {
    struct bench_plan_options options;
    struct plan *plan;
    uint8_t *pixels;            /* [frames, height * width]; NULL if the network takes another number of channels than one */
    const uint8_t **frames;     /* [frames] */
    float *cube;                /* [t, h, w, c] if pixels is NULL */
    struct worker *workers;     /* [threads] */

    /* The measurement that runs. */
    pthread_barrier_t barrier;  /* all workers start together; each has one item */
    int64_t deadline_us;
    int stride, sequences;      /* 0: cubes */
};

/* ---- opening ------------------------------------------------------------------------------------------------------ */

int bench_find_arch(const char *name, struct arch *ret, struct error *err)
{
    const struct arch *built_in = arch_profile(name);

    if (built_in) {
        *ret = *built_in;
        return 0;
    }
    if (access(name, F_OK) < 0)
        return error_set(err, -ENOENT, "--arch: expected a built-in architecture or a file, got \"%s\"", name);
    return arch_load(ret, name, err);
}

/* Measures the ranges of activations on the random pictures. */
static int find_ranges(const struct bench_plan *b, const struct model *model, struct ranges *ret, struct error *err)
{
    struct ranges_seen *seen = calloc(1, sizeof *seen);
    struct plan_result result;
    struct plan *plan = NULL;
    void *workspace = NULL;
    int n = ranges_count(&model->arch, &model->shapes), r = plan_open(&plan, model, 0, err);

    if (r == 0)
        workspace = plan_workspace_new(plan);
    if (r == 0 && (!seen || !workspace))
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && n > RANGES_MAX)
        r = error_set(err, -ENOTSUP, "--precision int8: expected at most %d channels, got %d", RANGES_MAX, n);
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

/* Makes random pictures, or a random cube if the network takes another number of channels than one. */
static int make_input(struct bench_plan *b, const struct arch *arch)
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

static int open_plan_of(struct bench_plan *b, const struct model *model, struct error *err)
{
    struct ranges ranges;
    int r = make_input(b, &model->arch);

    if (r < 0)
        return error_set(err, r, "out of memory");
    if (b->options.precision == PRECISION_FP32)
        return plan_open(&b->plan, model, 0, err);
    if (b->cube)
        return error_set(err, -EINVAL, "--precision int8: expected a network of gray pictures, got another; use fp32");
    r = find_ranges(b, model, &ranges, err);
    return r < 0 ? r : plan_open_int8(&b->plan, model, 0, &ranges, err);
}

static int open_plan(struct bench_plan *b, struct error *err)
{
    struct model_file file = {0};
    struct model *model = NULL;
    struct arch arch;
    int r;

    if (b->options.model_path) {
        r = model_file_load(&file, b->options.model_path, err);
        if (r == 0)
            r = open_plan_of(b, file.model, err);
        model_file_clear(&file);
        return r;
    }
    r = bench_find_arch(b->options.arch_name, &arch, err);
    if (r == 0)
        r = model_open(&model, &arch, err);
    if (r < 0)
        return r;
    model_init(model, 1);
    r = open_plan_of(b, model, err);
    model_close(model);
    return r;
}

int bench_plan_open(struct bench_plan **ret, const struct bench_plan_options *options, struct error *err)
{
    struct bench_plan *b = calloc(1, sizeof *b);
    int r;

    if (!b)
        return error_set(err, -ENOMEM, "out of memory");
    b->options = *options;
    r = open_plan(b, err);
    if (r == 0) {
        b->workers = calloc((size_t)options->parallel->threads, sizeof *b->workers);
        r = b->workers ? 0 : -ENOMEM;
        for (int i = 0; r == 0 && i < options->parallel->threads; i++)
            if (!(b->workers[i].workspace = plan_workspace_new(b->plan)))
                r = -ENOMEM;
        if (r < 0)
            error_set(err, r, "out of memory");
    }
    if (r < 0) {
        bench_plan_close(b);
        return r;
    }
    *ret = b;
    return 0;
}

static void close_sequences(struct bench_plan *b)
{
    for (int i = 0; i < b->options.parallel->threads; i++) {
        struct worker *w = &b->workers[i];
        for (int j = 0; w->frame_caches && j < b->sequences; j++)
            free(w->frame_caches[j]);
        free(w->frame_caches);
        free(w->first);
        w->frame_caches = NULL;
        w->first = NULL;
    }
    b->sequences = 0;
}

void bench_plan_close(struct bench_plan *b)
{
    if (!b)
        return;
    for (int i = 0; b->workers && i < b->options.parallel->threads; i++)
        free(b->workers[i].workspace);
    free(b->workers);
    free(b->pixels);
    free(b->frames);
    free(b->cube);
    plan_close(b->plan);
    free(b);
}

const struct plan *bench_plan_plan(const struct bench_plan *b)
{
    return b->plan;
}

double bench_plan_gflop(const struct bench_plan *b)
{
    return 2e-9 * arch_total_cost(plan_arch(b->plan), plan_shapes(b->plan)).multiply_adds;
}

bool bench_plan_takes_pictures(const struct bench_plan *b)
{
    return b->pixels != NULL;
}

/* ---- throughput --------------------------------------------------------------------------------------------------- */

static void run_cube(struct bench_plan *b, struct worker *worker)
{
    struct plan_result result;

    if (b->cube)
        plan_run_cube(b->plan, b->cube, worker->workspace, &result);
    else
        plan_run(b->plan, b->frames, worker->workspace, &result);
}

/* Runs the next window of the worker's next sequence. A sequence repeats the same pictures without end. */
static void run_window(struct bench_plan *b, struct worker *w)
{
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    int length = plan_arch(b->plan)->frames;
    uint64_t first = w->first[w->turn];

    for (int i = 0; i < length; i++)
        frames[i] = b->frames[(first + (uint64_t)i) % (uint64_t)length];
    plan_run_sliding(b->plan, w->frame_caches[w->turn], first, frames, w->workspace, &result);
    w->first[w->turn] += (uint64_t)b->stride;
    w->turn = (w->turn + 1) % b->sequences;
}

static void work(void *arg, int item, int index)
{
    struct bench_plan *b = arg;
    struct worker *worker = &b->workers[index];

    (void)item;
    pthread_barrier_wait(&b->barrier);
    do {
        if (b->sequences)
            run_window(b, worker);
        else
            run_cube(b, worker);
        worker->done++;
    } while (monotonic_us() < b->deadline_us);
}

static void measure(struct bench_plan *b, int workers, double seconds, struct bench_rate *ret)
{
    const struct parallel *p = b->options.parallel;

    for (int i = 0; i < p->threads; i++)
        b->workers[i].done = 0;
    pthread_barrier_init(&b->barrier, NULL, (unsigned)workers);
    int64_t start_us = monotonic_us();
    b->deadline_us = start_us + (int64_t)(seconds * 1e6);
    p->run(p, workers, work, b);
    ret->seconds = (double)(monotonic_us() - start_us) * 1e-6;
    pthread_barrier_destroy(&b->barrier);
    ret->n = 0;
    for (int i = 0; i < p->threads; i++)
        ret->n += b->workers[i].done;
}

void bench_plan_cubes(struct bench_plan *b, int workers, double seconds, struct bench_rate *ret)
{
    measure(b, workers, 0, ret);                /* warm-up: one cube each */
    measure(b, workers, seconds, ret);
}

int bench_plan_windows(struct bench_plan *b, int workers, int stride, int sequences, double seconds, struct bench_rate *ret,
                       size_t *history_bytes)
{
    int r = 0;

    b->stride = stride;
    b->sequences = sequences;
    for (int i = 0; r == 0 && i < b->options.parallel->threads; i++) {
        struct worker *w = &b->workers[i];
        w->turn = 0;
        w->frame_caches = calloc((size_t)sequences, sizeof *w->frame_caches);
        w->first = calloc((size_t)sequences, sizeof *w->first);
        r = w->frame_caches && w->first ? 0 : -ENOMEM;
        for (int j = 0; r == 0 && j < sequences; j++)
            if (!(w->frame_caches[j] = plan_frame_cache_new(b->plan, stride)))
                r = -ENOMEM;
    }
    if (r == 0) {
        measure(b, workers, seconds / 5, ret);
        measure(b, workers, seconds, ret);
        *history_bytes = frame_cache_size(b->workers[0].frame_caches[0]);
    }
    close_sequences(b);
    return r;
}

/* ---- one cube alone ----------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, compare);
    return times[n / 2];
}

double bench_plan_latency_s(struct bench_plan *b, double seconds)
{
    double times[MAX_TIMES];
    int64_t end_us = monotonic_us() + (int64_t)(seconds * 1e6);
    int n = 0;

    while (n < MAX_TIMES && (n < MIN_TIMES || monotonic_us() < end_us)) {
        int64_t start_us = monotonic_us();
        run_cube(b, &b->workers[0]);
        times[n++] = (double)(monotonic_us() - start_us) * 1e-6;
    }
    return median(times, n);
}

struct lap {
    int64_t at_us[BENCH_MAX_STEPS];
    int n;
};

static void passed(void *arg)
{
    struct lap *lap = arg;

    lap->at_us[lap->n++] = monotonic_us();
}

/* Names the steps of plan_run_steps() in their order. Returns how many. */
static int name_steps(const struct plan *plan, struct bench_step *ret)
{
    const struct arch *a = plan_arch(plan);
    const struct arch_shapes *s = plan_shapes(plan);
    int n = 0;

    ret[n++] = (struct bench_step){.name = "pictures"};
    for (int i = 0; i < a->n_encoder; i++, n++) {
        snprintf(ret[n].name, sizeof ret[n].name, "encoder %d", i);
        ret[n].gflop = 2e-9 * arch_layer_cost(&a->encoder[i], s->encoder[i], s->encoder[i + 1]).multiply_adds;
    }
    if (a->has_memory)
        ret[n++] = (struct bench_step){.name = "memory", .gflop = 2e-9 * arch_memory_cost(a, s).multiply_adds};
    for (int i = 0; i < a->n_decoder; i++, n++) {
        snprintf(ret[n].name, sizeof ret[n].name, "decoder %d", i);
        ret[n].gflop = 2e-9 * arch_layer_cost(&a->decoder[i], s->decoder[i], s->decoder[i + 1]).multiply_adds;
    }
    ret[n++] = (struct bench_step){.name = "residual"};
    return n;
}

int bench_plan_steps(struct bench_plan *b, double seconds, struct bench_step ret[BENCH_MAX_STEPS])
{
    double times[BENCH_MAX_STEPS][MAX_TIMES];
    int64_t end_us = monotonic_us() + (int64_t)(seconds * 1e6);
    int n = name_steps(b->plan, ret), runs = 0;

    while (runs < MAX_TIMES && (runs < MIN_TIMES || monotonic_us() < end_us)) {
        struct plan_result result;
        struct lap lap = {.n = 0};
        int64_t before_us = monotonic_us();
        plan_run_steps(b->plan, b->frames, b->workers[0].workspace, &result, passed, &lap);
        for (int i = 0; i < n; i++) {
            times[i][runs] = (double)(lap.at_us[i] - before_us) * 1e-6;
            before_us = lap.at_us[i];
        }
        runs++;
    }
    for (int i = 0; i < n; i++)
        ret[i].seconds = median(times[i], runs);
    return n;
}
