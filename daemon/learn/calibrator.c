#include "daemon/learn/calibrator.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/evaluation/evaluation.h"
#include "daemon/learn/static_limits.h"
#include "daemon/learn/windows.h"
#include "io/base/clock.h"

enum { LIGHT_WINDOWS = 512,     /* most windows by which the kinds of light are told apart */
       LEAST_LIGHT_WINDOWS = 50,        /* least number of them in each kind */
       TIMED_WINDOWS = 8,
       RANGE_WINDOWS = 64,      /* windows from which ranges of activations are measured, in two passes */
       INT8_WINDOWS = 1024 };   /* windows that are also scored in 8 bits */
/* The share of each layer's activations that is clipped in 8 bits (figures in docs/score.md). */
#define OUTSIDE 3e-4
/* A second kind of light needs this much footage. Less does not show what is usual at each place. */
#define LEAST_LIGHT_S 1800

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

/* Chooses n of `all` windows, evenly spread. Returns how many: n, or all if there are fewer. */
static size_t spread(size_t *which, size_t n, size_t all)
{
    n = n < all ? n : all;
    for (size_t i = 0; i < n; i++)
        which[i] = i * all / n;
    return n;
}

static double score_of_window(const struct calibration *c, const struct windows *w, size_t i)
{
    return (double)(w->has_score ? score_of(&c->score, &w->features[i]) : w->reference[i]);
}

/* Finds the kinds of light and the noise of each, from windows spread over all, which are step_s apart. The noise is what a
 * squared difference of frames has to exceed to mean anything. values: room for LIGHT_WINDOWS. */
static int measure_light(struct score_spec *spec, struct windows *w, double step_s, double *values, struct error *err)
{
    size_t which[LIGHT_WINDOWS], n = spread(which, LIGHT_WINDOWS, w->n);
    *spec = (struct score_spec){.conditions = 1};
    int r = windows_measure(w, spec, which, n, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        values[i] = (double)w->features[which[i]].contrast;
    double least = fmax(LEAST_LIGHT_WINDOWS, ceil((double)n * LEAST_LIGHT_S / ((double)w->n * step_s)));
    spec->conditions = score_conditions_differ(values, n, (size_t)least, &spec->boundary) ? 2 : 1;
    for (int k = 0; k < spec->conditions; k++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            const struct score_features *f = &w->features[which[i]];
            if (spec->conditions == 1 || ((double)f->contrast >= spec->boundary) == k)
                values[m++] = (double)f->noise;
        }
        spec->condition[k] = (struct score_condition){.noise = median(values, m), .rare = {.share = 1, .scale = 1}};
    }
    return 0;
}

/* ---- places ------------------------------------------------------------------------------------------------------- */

enum { FOLDS = 5 };             /* parts of the footage, in time, for cross-fitting */

/* Writes the places' features of window i. logs: room for the cells, twice. */
static void measure_window(struct windows *w, size_t i, const struct places *places, float *logs)
{
    size_t cells = (size_t)w->rows * (size_t)w->columns;
    for (size_t m = 0; m < PLACES_MAPS; m++) {
        for (size_t c = 0; c < cells; c++)
            logs[c] = places_decode(w->codes[(m * cells + c) * w->n + i]);
        enum places_map map = (enum places_map)m;
        float shared_rise = places_shared_rise(places, map, logs, (int)cells, w->regions, logs + cells);
        w->features[i].voice[VOICE_PACE + m] =
            places_excess(places, map, logs, (int)cells, w->regions, REGIONS_ALL, shared_rise, logs + cells);
    }
}

/* Fits the places of a light, and writes the places' features of its windows by cross-fitting: a window's usual values come
 * from the other folds. A single window has no others, and uses its own. fold, use: [w->n]; scratch: 2 (w->n + cells). */
static void fit_light(struct places *places, struct windows *w, int light, uint8_t *fold, uint8_t *use, float *scratch)
{
    size_t of_light = 0, m = 0;
    for (size_t i = 0; i < w->n; i++)
        of_light += use[i] = w->features[i].condition == light;
    size_t folds = of_light < FOLDS ? of_light : FOLDS;
    for (size_t i = 0; i < w->n; i++)
        fold[i] = use[i] ? (uint8_t)(m++ * folds / of_light) : FOLDS;
    for (size_t f = 0; f < folds; f++) {
        for (size_t i = 0; i < w->n; i++)
            use[i] = fold[i] < FOLDS && (fold[i] != f || folds == 1);
        places_fit(places, w->rows, w->columns, w->codes, w->n, use, scratch);
        for (size_t i = 0; i < w->n; i++)
            if (fold[i] == f)
                measure_window(w, i, places, scratch);
    }
    for (size_t i = 0; i < w->n; i++)
        use[i] = fold[i] < FOLDS;
    places_fit(places, w->rows, w->columns, w->codes, w->n, use, scratch);
}

static int fit_places(struct score_spec *spec, struct windows *w)
{
    uint8_t *fold = malloc(w->n), *use = malloc(w->n);
    float *scratch = malloc(2 * (w->n + (size_t)w->rows * (size_t)w->columns) * sizeof *scratch);
    spec->has_places = fold && use && scratch;
    for (int light = 0; spec->has_places && light < spec->conditions; light++)
        fit_light(&spec->places[light], w, light, fold, use, scratch);
    free(fold);
    free(use);
    free(scratch);
    return spec->has_places ? 0 : -ENOMEM;
}

/* Rewrites the places' features by the usual values of all footage, as a camera's windows have them. */
static int finish_places(const struct score_spec *spec, struct windows *w)
{
    float *logs = malloc(2 * (size_t)w->rows * (size_t)w->columns * sizeof *logs);
    for (size_t i = 0; logs && i < w->n; i++)
        measure_window(w, i, &spec->places[w->features[i].condition], logs);
    free(logs);
    return logs ? 0 : -ENOMEM;
}

/* ---- the score ---------------------------------------------------------------------------------------------------- */

/* Fits what is usual in one kind of light, and how rare its scores are. Until the latter is known, score_of() returns z.
 * values and some: room for all windows. */
static int fit_condition(struct score_spec *spec, int condition, const struct windows *w, double *values,
                         struct tail_window *some)
{
    struct score_condition *usual = &spec->condition[condition];
    struct tail tail;
    size_t n = 0;
    for (int v = 0; v < score_voices(spec); v++) {
        n = 0;
        for (size_t i = 0; i < w->n; i++)
            if (w->features[i].condition == condition)
                values[n++] = (double)w->features[i].voice[v];
        assert(n > 0);          /* measure_light() found windows in this light */
        score_usual_fit(&usual->usual[v], (enum voice)v, values, n);
    }
    n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->features[i].condition == condition) {
            bool follows = i > 0 && w->features[i - 1].condition == condition;
            some[n++] = (struct tail_window){(double)score_of(spec, &w->features[i]), follows ? windows_step(w, i) : 0};
        }
    int r = calibration_tail(&tail, some, n, NULL);
    if (r < 0)
        return r;
    usual->rare = tail.run;
    return 0;
}

/* Fits the voices' deciles. values: room for all windows. */
static void fit_deciles(struct calibration *c, const struct windows *w, float *values)
{
    for (int v = 0; v < score_voices(&c->score); v++) {
        for (size_t i = 0; i < w->n; i++) {
            struct voices voices;
            score_by_voice(&c->score, &w->features[i], &voices);
            values[i] = voices.score[v];
        }
        drift_deciles(c->deciles[v], values, w->n);
    }
    c->has_deciles = true;
}

static int fit(struct calibration *c, struct windows *w, double alerts_a_day, double *values, struct tail_window *scores)
{
    int r = w->codes ? fit_places(&c->score, w) : 0;
    for (int i = 0; w->has_score && r == 0 && i < c->score.conditions; i++)
        r = fit_condition(&c->score, i, w, values, scores);
    if (w->has_score && r == 0)
        fit_deciles(c, w, (float *)values);
    for (size_t i = 0; i < w->n; i++)
        scores[i] = (struct tail_window){score_of_window(c, w, i), windows_step(w, i)};
    if (r == 0)
        r = calibration_fit(c, scores, w->n, alerts_a_day);
    return r == 0 && w->codes ? finish_places(&c->score, w) : r;
}

/* Measures the ranges of activations, scores windows in 8 bits, and compares with their scores in fp32. The scores in 8
 * bits replace those in w. Leaves c without 8 bits if the network has too many channels, or if a rank correlation is not
 * defined. */
static int try_int8(struct calibration *c, struct windows *w, const struct model *model, struct error *err)
{
    size_t which[INT8_WINDOWS], n = spread(which, RANGE_WINDOWS, w->n);
    double before[INT8_WINDOWS], after[INT8_WINDOWS], correlation;
    struct calibration_int8 int8 = {0};
    int r = windows_ranges(w, which, n, OUTSIDE, &int8.ranges, err);
    if (r == -ENOTSUP)
        return 0;
    if (r < 0 || (r = windows_set_int8(w, model, &int8.ranges, err)) < 0)
        return r;
    n = spread(which, INT8_WINDOWS, w->n);
    for (size_t i = 0; i < n; i++)
        before[i] = score_of_window(c, w, which[i]);
    if ((r = windows_measure(w, &c->score, which, n, err)) < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        after[i] = score_of_window(c, w, which[i]);
        int8.largest_difference = fmax(int8.largest_difference, fabs(after[i] - before[i]));
    }
    int8.windows = (long)n;
    r = evaluation_rank_correlation(&correlation, before, after, n);
    if (r == -ENOMEM)
        return error_set(err, r, "out of memory");
    if (r < 0)
        return 0;
    int8.rank_correlation = correlation;
    c->int8 = int8;
    c->has_int8 = true;
    return 0;
}

static struct windows_options windows_of(const struct calibrator_options *o)
{
    return (struct windows_options){.footage = o->footage, .part = o->part, .added = o->added,
                                    .stride = CALIBRATOR_STRIDE, .most = o->most_windows, .keep_places = true, .stop = o->stop};
}

static int open_windows(struct windows *w, const struct calibrator_options *o, const struct model *model,
                        const struct parallel *parallel, struct error *err)
{
    const struct windows_options options = windows_of(o);
    int r = windows_open(w, &options, model, parallel, err);
    return r == 0 && w->n == 0 ? error_set(err, -EINVAL, "the footage to calibrate on is too short: expected at least one whole "
                                           "window, got none; more footage is needed") : r;
}

int calibrator_run(struct calibration *ret, const struct model *model, const struct calibrator_options *options,
                   const struct parallel *parallel, struct error *err)
{
    struct windows w;
    struct calibration calibration = {.fps = footage_fps(options->footage)};
    double *values = NULL;
    struct tail_window *scores = NULL;
    int r = open_windows(&w, options, model, parallel, err);
    if (r < 0)
        goto out;
    values = malloc((w.n + LIGHT_WINDOWS) * sizeof *values);
    scores = malloc(w.n * sizeof *scores);
    if (!values || !scores) {
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    calibration.has_score = w.has_score;
    calibration.score.conditions = 1;
    if ((w.has_score && (r = measure_light(&calibration.score, &w, CALIBRATOR_STRIDE / calibration.fps, values, err)) < 0) ||
        (r = windows_measure(&w, &calibration.score, NULL, w.n, err)) < 0)
        goto out;
    for (size_t i = 0; r == 0 && i < w.n; i++)
        if (!isfinite(w.reference[i]))
            r = error_set(err, -EDOM, "training diverged: the score of a window is not finite; a lower "
                                      "--learning-rate may help");
    if (r < 0)
        goto out;
    const struct windows_options how = windows_of(options);
    if ((r = fit(&calibration, &w, options->alerts_a_day, values, scores)) < 0)
        error_set(err, r, "out of memory");
    else if ((r = static_limits_fit(&calibration, &w, &how, &model->arch, err)) == 0 &&
             (r = try_int8(&calibration, &w, model, err)) == 0)
        *ret = calibration;
out:
    free(values);
    free(scores);
    windows_close(&w);
    return r;
}

size_t calibrator_windows(const struct calibrator_options *options)
{
    double n = footage_part_frames(&options->part) / CALIBRATOR_STRIDE;
    n += options->added ? footage_part_frames(options->added) / CALIBRATOR_STRIDE : 0;
    size_t all = n < (double)options->most_windows ? (size_t)n : options->most_windows;
    return all + (all < LIGHT_WINDOWS ? all : LIGHT_WINDOWS) + 2 * (all < RANGE_WINDOWS ? all : RANGE_WINDOWS) +
           (all < INT8_WINDOWS ? all : INT8_WINDOWS);
}

int calibrator_time(double *seconds_a_window, const struct model *model, const struct calibrator_options *options,
                    const struct parallel *parallel, struct error *err)
{
    struct windows w;
    int r = open_windows(&w, options, model, parallel, err);
    if (r == 0) {
        size_t n = w.n < TIMED_WINDOWS ? w.n : TIMED_WINDOWS;
        int64_t start = monotonic_us();
        r = windows_measure(&w, &(struct score_spec){.conditions = 1}, NULL, n, err);
        *seconds_a_window = (double)(monotonic_us() - start) * 1e-6 / (double)n;
    }
    windows_close(&w);
    return r;
}
