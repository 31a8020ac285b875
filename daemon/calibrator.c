#include "daemon/calibrator.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"

enum { STRIDE = 2,              /* the daemon's default */
       STRETCH = 256,           /* windows that are taken in a row where not all are */
       LIGHT_WINDOWS = 512, TIMED_WINDOWS = 8 };

struct calibrator {
    const struct calibrator_options *options;
    const struct parallel *parallel;
    int length;
    size_t frame_size;
    size_t *first, n;           /* of each window */
    struct plan *plan;
    void **workspaces;          /* [threads] */
    uint8_t **windows;          /* [threads][length][frame_size] */
    /* What the windows of a pass give. */
    bool has_score;
    struct score_spec spec;
    float *reference;
    struct score_features *features;
    atomic_int failed;          /* the first -errno */
};

/* The windows of the range at the daemon's stride, in stretches where there are too many. */
static int list_windows(struct calibrator *c)
{
    const struct calibrator_options *o = c->options;
    size_t most = (o->range.end - o->range.begin) / STRIDE + 1, all = 0;
    c->first = malloc(most * sizeof *c->first);
    if (!c->first)
        return -ENOMEM;
    for (size_t i = o->range.begin; i + (size_t)c->length <= o->range.end; i += STRIDE)
        if (footage_window_ok(o->footage, i, c->length))
            c->first[all++] = i;
    if (all <= o->most_windows) {
        c->n = all;
        return 0;
    }
    size_t stretch = o->most_windows < STRETCH ? o->most_windows : STRETCH, stretches = o->most_windows / stretch;
    for (size_t k = 0; k < stretches; k++, c->n += stretch)     /* each moves to the front, or stays */
        memmove(c->first + c->n, c->first + k * (all - stretch) / (stretches > 1 ? stretches - 1 : 1),
                stretch * sizeof *c->first);
    return 0;
}

static void measure_window(void *arg, int i, int worker)
{
    struct calibrator *c = arg;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    struct error err;
    if (c->options->stop && atomic_load(c->options->stop))
        return;
    for (int t = 0; t < c->length; t++)
        frames[t] = c->windows[worker] + (size_t)t * c->frame_size;
    int r = footage_read(c->options->footage, c->first[i], (size_t)c->length, c->windows[worker], &err);
    if (r < 0) {
        atomic_compare_exchange_strong(&c->failed, &(int){0}, r);
        return;
    }
    plan_run(c->plan, frames, c->workspaces[worker], &result);
    c->reference[i] = result.reference;
    if (c->has_score)
        score_measure(plan_arch(c->plan), result.x, result.x_hat, &c->spec, result.scratch, &c->features[i]);
}

static int measure(struct calibrator *c, size_t n, struct error *err)
{
    c->parallel->run(c->parallel, (int)n, measure_window, c);
    if (c->options->stop && atomic_load(c->options->stop))
        return error_set(err, -EINTR, "interrupted");
    int r = atomic_load(&c->failed);
    return r < 0 ? error_set(err, r, "the footage can't be read any more: %s", strerror(-r)) : 0;
}

static void close_all(struct calibrator *c)
{
    for (int i = 0; i < c->parallel->threads; i++) {
        free(c->workspaces ? c->workspaces[i] : NULL);
        free(c->windows ? c->windows[i] : NULL);
    }
    free(c->workspaces);
    free(c->windows);
    free(c->first);
    free(c->reference);
    free(c->features);
    plan_close(c->plan);
}

static int open_all(struct calibrator *c, const struct model *model, struct error *err)
{
    int rows, columns, threads = c->parallel->threads, r = plan_open(&c->plan, model, err);
    if (r < 0)
        return r;
    c->length = model->arch.frames;
    c->frame_size = (size_t)model->arch.height * (size_t)model->arch.width;
    c->has_score = score_cells(&model->arch, &rows, &columns);
    c->spec.conditions = 1;
    r = list_windows(c);
    c->workspaces = calloc((size_t)threads, sizeof *c->workspaces);
    c->windows = calloc((size_t)threads, sizeof *c->windows);
    c->reference = calloc(c->n + 1, sizeof *c->reference);
    c->features = calloc(c->n + 1, sizeof *c->features);
    bool room = r == 0 && c->workspaces && c->windows && c->reference && c->features;
    for (int i = 0; room && i < threads; i++) {
        c->workspaces[i] = aligned_alloc(64, (plan_workspace_size(c->plan) + 63) / 64 * 64);
        c->windows[i] = malloc((size_t)c->length * c->frame_size);
        room = c->workspaces[i] && c->windows[i];
    }
    if (!room)
        return error_set(err, -ENOMEM, "out of memory");
    return c->n ? 0 : error_set(err, -EINVAL, "no whole window is held out to calibrate on");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

/* Conditions and their noise, from windows spread over all: the features hold where a squared difference of frames begins
 * to tell. values: room for LIGHT_WINDOWS. */
static int measure_light(struct calibrator *c, double *values, struct error *err)
{
    size_t n = c->n < LIGHT_WINDOWS ? c->n : LIGHT_WINDOWS, all = c->n;
    size_t *first = c->first, some[LIGHT_WINDOWS];
    for (size_t i = 0; i < n; i++)
        some[i] = first[i * all / n];
    c->first = some;
    int r = measure(c, n, err);
    c->first = first;
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        values[i] = (double)c->features[i].contrast;
    c->spec.conditions = score_conditions_differ(values, n, &c->spec.boundary) ? 2 : 1;
    for (int k = 0; k < c->spec.conditions; k++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if (c->spec.conditions == 1 || ((double)c->features[i].contrast >= c->spec.boundary) == k)
                values[m++] = (double)c->features[i].noise;
        c->spec.condition[k] = (struct score_condition){.noise = median(values, m), .scale = 1};
    }
    return 0;
}

/* The usual of one condition's windows, and the line from z to a score that is as rare in one condition as in another:
 * beyond the level of the alerts' runs it is the logarithm of the hours between them, were their tail exponential. values
 * and some: room for all windows. */
static int fit_condition(struct calibrator *c, int condition, const struct tail_window *windows, double *values,
                         struct tail_window *some)
{
    struct score_condition *usual = &c->spec.condition[condition];
    struct tail tail;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->features[i].condition == condition)
            values[n++] = (double)c->features[i].speed;
    assert(n > 0);              /* measure_light() saw some */
    score_usual_fit(&usual->speed, values, n);
    n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->features[i].condition == condition)
            values[n++] = (double)c->features[i].change;
    score_usual_fit(&usual->change, values, n);
    n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->features[i].condition == condition) {
            bool follows = i > 0 && c->features[i - 1].condition == condition;
            some[n++] = (struct tail_window){(double)score_of(&c->spec, &c->features[i]), follows ? windows[i].seconds : 0};
        }
    int r = calibration_tail(&tail, some, n);
    if (r < 0)
        return r;
    usual->scale = tail.run.scale;
    usual->offset = tail.run.level + tail.run.scale * log(tail.run.share);
    return 0;
}

/* What is usual, and then each window's score. */
static int fit_score(struct calibrator *c, double *values, struct tail_window *windows)
{
    struct tail_window *some = malloc(c->n * sizeof *some);
    int r = some ? 0 : -ENOMEM;
    for (int i = 0; r == 0 && i < c->spec.conditions; i++)
        r = fit_condition(c, i, windows, values, some);
    for (size_t i = 0; r == 0 && i < c->n; i++)
        windows[i].score = (double)score_of(&c->spec, &c->features[i]);
    free(some);
    return r;
}

int calibrator_run(struct calibration *ret, const struct model *model, const struct calibrator_options *options,
                   const struct parallel *parallel, struct error *err)
{
    struct calibrator c = {.options = options, .parallel = parallel};
    struct calibration calibration = {.fps = footage_fps(options->footage)};
    double *values = NULL;
    struct tail_window *windows = NULL;
    int r = open_all(&c, model, err);
    if (r < 0)
        goto out;
    values = malloc((c.n + LIGHT_WINDOWS) * sizeof *values);
    windows = malloc(c.n * sizeof *windows);
    if (!values || !windows) {
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    if ((c.has_score && (r = measure_light(&c, values, err)) < 0) || (r = measure(&c, c.n, err)) < 0)
        goto out;
    for (size_t i = 0; r == 0 && i < c.n; i++) {
        bool follows = i > 0 && c.first[i] == c.first[i - 1] + STRIDE &&
                       footage_window_ok(options->footage, c.first[i - 1], c.length + STRIDE);
        windows[i] = (struct tail_window){.score = (double)c.reference[i], .seconds = follows ? STRIDE / calibration.fps : 0};
        if (!isfinite(c.reference[i]))
            r = error_set(err, -EDOM, "training diverged: the score of a held-out window is not finite");
    }
    if (r < 0)
        goto out;
    calibration.has_score = c.has_score;
    if (c.has_score && (r = fit_score(&c, values, windows)) < 0) {
        error_set(err, r, "out of memory");
        goto out;
    }
    calibration.score = c.spec;
    if ((r = calibration_fit(&calibration, windows, c.n, options->alerts_a_day)) < 0)
        error_set(err, r, "out of memory");
    else
        *ret = calibration;
out:
    free(values);
    free(windows);
    close_all(&c);
    return r;
}

int calibrator_time(double *seconds_a_window, const struct model *model, const struct calibrator_options *options,
                    const struct parallel *parallel, struct error *err)
{
    struct calibrator c = {.options = options, .parallel = parallel};
    int r = open_all(&c, model, err);
    if (r == 0) {
        size_t n = c.n < TIMED_WINDOWS ? c.n : TIMED_WINDOWS;
        int64_t start = monotonic_us();
        r = measure(&c, n, err);
        *seconds_a_window = (double)(monotonic_us() - start) * 1e-6 / (double)n;
    }
    close_all(&c);
    return r;
}
