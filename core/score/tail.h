/* The rarity of a score, from the scores of held-out footage. Up to a high level it is a conformal p-value (Vovk, Gammerman and
 * Shafer, 2005): the share, of n held-out scores and this one, that is at least as large. Beyond that level it follows a
 * generalised Pareto tail (peaks over threshold; Pickands 1975), fitted by probability-weighted moments (Hosking and Wallis,
 * 1987).
 *
 * Windows overlap, so windows above a level come in runs. A run covers the windows of one alert (core/score/alert.h). The
 * rate of alerts is therefore fitted to the runs' peaks. That tail is never lighter than exponential. Thresholds lie far beyond
 * the highest score of an hour of footage, where a bounded tail would promise too much. Pure, any thread. */
#ifndef MEMAED_CORE_SCORE_TAIL_H
#define MEMAED_CORE_SCORE_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* P(score > level + x) = share * (1 + shape * x / scale)^(-1 / shape), or share * exp(-x / scale) for shape 0. share is a
 * probability, or a rate such as runs per hour: the user of the struct says which. */
struct pareto {
    double level, share, scale, shape;      /* 0 < share <= PARETO_MOST_SHARE, scale > 0, -0.5 <= shape <= 0.5 */
};
/* A share may be far above 1: lowering all scores by x multiplies it by exp(x). */
#define PARETO_MOST_SHARE 1e40

enum { TAIL_QUANTILES = 33 };

struct tail {
    long windows;
    double quantiles[TAIL_QUANTILES];   /* from the lowest score to window.level, at equal steps of probability */
    struct pareto window;               /* share: of the windows */
    struct pareto run;                  /* share: runs per hour */
    double hours;                       /* of footage in which runs were counted */
    long runs;                          /* above run.level */
};

/* Fits scale and shape to n > 0 excesses over the level (>= 0, any order; sorted in place). The scale is at least
 * least_scale. The shape lies between least_shape and 0.5; it is 0 with fewer than 10 excesses. Leaves level and share
 * untouched. */
void pareto_fit(struct pareto *ret, double *excesses, size_t n, double least_scale, double least_shape);
double pareto_exceeds(const struct pareto *p, double score);        /* P(above score); share for a score up to the level */
/* The score that is exceeded at the rate; the level if the rate is share or more. */
double pareto_score(const struct pareto *p, double rate);

/* One window of held-out footage, in order. */
struct tail_window {
    double score;
    double seconds;         /* since the window before it; 0: the sequence broke */
};

/* Fits the tail to n > 0 finite scores in order. Runs follow the alert rule k of the last n_last windows, n_last <= 64. Runs in
 * one unbroken sequence that are less than merge_s apart are one. The run level is the highest that has at least least_a_day
 * runs a day, and enough for a fit. If no level has, it is the one with the most runs. known: the runs' tail if it is known
 * already, else NULL; runs above its level are then only counted. 0 or -ENOMEM, ret untouched. */
int tail_fit(struct tail *ret, const struct tail_window *windows, size_t n, int k, int n_last, double merge_s,
             double least_a_day, const struct pareto *known);

/* Returns true if the footage was too short, below an hour, for a threshold that normal footage crosses once a day. Such a
 * threshold would extend a few runs of one hour of the day to a rate that no footage showed. */
#define TAIL_ENOUGH_HOURS 1.0
static inline bool tail_is_provisional(const struct tail *tail) { return tail->hours < TAIL_ENOUGH_HOURS; }
/* The alerts a day that a threshold can be set for, if so many are asked for. A provisional tail is not extended beyond 24
 * times its footage: to one alert a day from an hour, to ten from six minutes. */
double tail_budget(const struct tail *tail, double alerts_a_day);

/* The probability that a window of normal footage scores as much or more: in (0, 1]. */
double tail_p_value(const struct tail *tail, double score);
/* The threshold that normal footage crosses so many times a day; run.level if there are no more runs than that above it. */
double tail_threshold(const struct tail *tail, double alerts_a_day);
/* The hours between two alerts of normal footage with the threshold at this score. */
double tail_hours_between(const struct tail *tail, double score);

#endif
