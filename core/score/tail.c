#include "core/score/tail.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_TAIL 0.05        /* share of windows beyond window.level */
enum { ENOUGH_RUNS = 60,        /* runs wanted for a fit of their tail */
       FEW = 10 };              /* excesses for a fit of the shape */
#define LEAST_SCALE 0.2         /* in units of the score */
#define MOST_SHAPE 0.5

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void pareto_fit(struct pareto *ret, double *excesses, size_t n, double least_scale, double least_shape)
{
    assert(n > 0);
    qsort(excesses, n, sizeof *excesses, compare);
    double mean = 0, weighted = 0;      /* E x and E x(1 - F(x)) */
    for (size_t i = 0; i < n; i++) {
        mean += excesses[i];
        weighted += excesses[i] * (n > 1 ? (double)(n - 1 - i) / (double)(n - 1) : 0.5);
    }
    mean /= (double)n;
    weighted /= (double)n;
    ret->shape = 0;
    ret->scale = mean;
    if (n >= FEW && mean > 2 * weighted) {
        double shape = 2 - mean / (mean - 2 * weighted);
        ret->shape = fmax(least_shape, fmin(shape, MOST_SHAPE));
        ret->scale = mean * (1 - ret->shape);      /* the mean of a generalised Pareto distribution is σ/(1 - ξ) */
    }
    if (fabs(ret->shape) < 1e-6)
        ret->shape = 0;
    ret->scale = fmax(ret->scale, least_scale);
}

double pareto_exceeds(const struct pareto *p, double score)
{
    double x = (score - p->level) / p->scale;
    if (!(x > 0))
        return p->share;
    double base = 1 + p->shape * x;
    return p->shape == 0 ? p->share * exp(-x) : base > 0 ? p->share * pow(base, -1 / p->shape) : 0;
}

double pareto_score(const struct pareto *p, double rate)
{
    if (!(rate < p->share))
        return p->level;
    double ratio = rate / p->share;
    return p->level + (p->shape == 0 ? -p->scale * log(ratio) : p->scale / p->shape * (pow(ratio, -p->shape) - 1));
}

/* Writes for each window the k-th largest score of the last n_last windows of its sequence. That score is at or above a threshold
 * exactly when k of them are. */
static void order_statistic(double *ret, const struct tail_window *w, size_t n, int k, int n_last)
{
    double recent[64];
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i].seconds <= 0)
            start = i;
        size_t count = i - start + 1 < (size_t)n_last ? i - start + 1 : (size_t)n_last;
        for (size_t j = 0; j < count; j++)
            recent[j] = w[i - j].score;
        qsort(recent, count, sizeof *recent, compare);
        ret[i] = count >= (size_t)k ? recent[count - (size_t)k] : -INFINITY;
    }
}

/* The rule for counting runs. */
struct runs {
    int n_last;
    double merge_s;
};

/* Writes the peaks of the runs above a level, and returns their number. A run ends when n_last windows in a row score below the
 * level, or at a break. A run that begins less than merge_s later continues it, unless the sequence broke. */
static size_t run_peaks(double *peaks, const double *order, const struct tail_window *w, size_t n, double level,
                        const struct runs *how)
{
    size_t runs = 0;
    int below = 0;
    bool lasts = false;
    double since_s = INFINITY;          /* the end of the last run */
    for (size_t i = 0; i < n; i++) {
        since_s += w[i].seconds;
        if (w[i].seconds <= 0) {
            lasts = false;
            since_s = INFINITY;
        }
        below = w[i].score < level ? below + 1 : 0;
        if (lasts && below >= how->n_last) {
            lasts = false;
            since_s = 0;
        }
        if (order[i] < level)
            continue;
        if (!lasts && !(since_s < how->merge_s))
            peaks[runs++] = order[i];
        else if (order[i] > peaks[runs - 1])
            peaks[runs - 1] = order[i];
        lasts = true;
    }
    return runs;
}

static double quantile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Finds the level of the runs among a few quantiles: the highest with the wanted number of runs above it, else the one with the
 * most. Writes the peaks of these runs, and returns their number. */
static size_t choose_level(double *level, double *peaks, const double *order, const double *sorted,
                           const struct tail_window *w, size_t n, const struct runs *how, double wanted)
{
    static const double levels[] = {0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5};
    size_t most = 0;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        double at = quantile(sorted, n, levels[i]);
        size_t runs = run_peaks(peaks, order, w, n, at, how);
        if (i == 0 || runs > most) {
            most = runs;
            *level = at;
        }
        if ((double)runs >= wanted)
            break;
    }
    return run_peaks(peaks, order, w, n, *level, how);
}

/* Fits run.level and the tail of runs. order: of order_statistic(); peaks: scratch for n. */
static void fit_runs(struct tail *t, const double *order, const double *sorted, const struct tail_window *windows, size_t n,
                     const struct runs *how, double least_a_day, double *peaks)
{
    t->runs = (long)choose_level(&t->run.level, peaks, order, sorted, windows, n, how,
                                 fmax(ENOUGH_RUNS, least_a_day * t->hours / 24));
    size_t runs = (size_t)t->runs;
    for (size_t i = 0; i < runs; i++)
        peaks[i] -= t->run.level;
    if (runs == 0)
        peaks[runs++] = 0;
    pareto_fit(&t->run, peaks, runs, LEAST_SCALE, 0);
    t->run.share = (double)(t->runs + 1) / fmax(t->hours, 1e-3);
}

int tail_fit(struct tail *ret, const struct tail_window *windows, size_t n, int k, int n_last, double merge_s,
             double least_a_day, const struct pareto *known)
{
    const struct runs how = {n_last, merge_s};
    assert(n > 0 && k >= 1 && n_last >= k && n_last <= 64);
    double *sorted = malloc(n * sizeof *sorted), *order = malloc(n * sizeof *order), *excesses = malloc(n * sizeof *excesses);
    if (!sorted || !order || !excesses) {
        free(sorted);
        free(order);
        free(excesses);
        return -ENOMEM;
    }
    struct tail t = {.windows = (long)n};
    double seconds = 0, typical = 0;
    size_t steps = 0;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = windows[i].score;
        seconds += windows[i].seconds;
        steps += windows[i].seconds > 0;
    }
    typical = steps ? seconds / (double)steps : 0;
    t.hours = typical * (double)n / 3600;
    qsort(sorted, n, sizeof *sorted, compare);

    t.window.level = quantile(sorted, n, 1 - WINDOW_TAIL);
    size_t beyond = 0;
    for (size_t i = 0; i < n; i++)
        if (sorted[i] > t.window.level)
            excesses[beyond++] = sorted[i] - t.window.level;
    t.window.share = (double)(beyond + 1) / (double)(n + 1);
    if (beyond == 0)
        excesses[beyond++] = 0;
    pareto_fit(&t.window, excesses, beyond, LEAST_SCALE, -MOST_SHAPE);
    for (int i = 0; i < TAIL_QUANTILES; i++)
        t.quantiles[i] = quantile(sorted, n, (1 - WINDOW_TAIL) * i / (TAIL_QUANTILES - 1));

    order_statistic(order, windows, n, k, n_last);
    if (known) {
        t.run = *known;
        t.runs = (long)run_peaks(excesses, order, windows, n, known->level, &how);
    } else {
        fit_runs(&t, order, sorted, windows, n, &how, least_a_day, excesses);
    }
    free(sorted);
    free(order);
    free(excesses);
    *ret = t;
    return 0;
}

double tail_p_value(const struct tail *tail, double score)
{
    const double *q = tail->quantiles;
    if (score > tail->window.level)
        return fmax(pareto_exceeds(&tail->window, score), 1e-300);
    if (!(score > q[0]))
        return 1;
    int low = 0, high = TAIL_QUANTILES - 1;         /* q[low] < score <= q[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (q[middle] < score)
            low = middle;
        else
            high = middle;
    }
    double at = ((double)low + (score - q[low]) / (q[high] - q[low])) / (TAIL_QUANTILES - 1);
    return 1 - at * (1 - tail->window.share);
}

double tail_budget(const struct tail *tail, double alerts_a_day)
{
    return tail_is_provisional(tail) ? fmax(alerts_a_day, TAIL_ENOUGH_HOURS / fmax(tail->hours, 1e-6)) : alerts_a_day;
}

double tail_threshold(const struct tail *tail, double alerts_a_day)
{
    return pareto_score(&tail->run, alerts_a_day / 24);
}

double tail_hours_between(const struct tail *tail, double score)
{
    double rate = pareto_exceeds(&tail->run, score);
    return rate > 0 ? 1 / rate : INFINITY;
}
