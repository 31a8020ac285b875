/* How rare a score is, from the scores of footage held out: a conformal p-value in the body (Vovk, Gammerman and Shafer,
 * 2005: of n held-out scores and this one, the share that is at least as large), and beyond a high level a generalised
 * Pareto tail (peaks over threshold; Pickands 1975), fitted by probability-weighted moments (Hosking and Wallis, 1987).
 *
 * Windows overlap, so that exceedances come in runs. How often alerts come is therefore fitted on the runs' peaks: a run
 * is what one alert of core/score/alert.h would span. Their tail is taken no lighter than exponential: a threshold is asked for far
 * beyond what an hour of footage holds, and a bounded tail there is wishful. Pure, any thread. */
#ifndef MEMAED_CORE_SCORE_TAIL_H
#define MEMAED_CORE_SCORE_TAIL_H

#include <stddef.h>
#include <stdint.h>

/* P(score > level + x) = share * (1 + shape * x / scale)^(-1 / shape); share * exp(-x / scale) for shape 0. What share
 * counts (windows, or runs an hour) is the user's. */
struct pareto {
    double level, share, scale, shape;      /* scale > 0, -0.5 <= shape <= 0.5 */
};

enum { TAIL_QUANTILES = 33 };

struct tail {
    long windows;
    double quantiles[TAIL_QUANTILES];   /* of the body, from the lowest score to the tail's level, evenly in probability */
    struct pareto window;               /* share: of the windows */
    struct pareto run;                  /* share: runs an hour */
    double hours;                       /* of footage that the runs were counted in */
    long runs;                          /* above run.level */
};

/* Fits scale and shape to n > 0 excesses over the level (>= 0, any order; sorted in place), each no less than given. Of
 * fewer than 10 excesses the shape is 0. */
void pareto_fit(struct pareto *ret, double *excesses, size_t n, double least_scale, double least_shape);
double pareto_exceeds(const struct pareto *p, double score);        /* share at most */
/* The score that is exceeded at the rate; the level where the rate is share or more. */
double pareto_score(const struct pareto *p, double rate);

/* One window of held-out footage, in order. */
struct tail_window {
    double score;
    double seconds;         /* since the window before it; 0: the sequence broke */
};

/* From n > 0 finite scores in order. k, n_last: the alert rule that runs are to follow (k of the last n_last windows);
 * least_a_day: more runs than this a day are wanted above the level, where the footage has them. known: how rare runs are,
 * where that is known; they are then only counted. NULL: they are fitted. 0 or -ENOMEM. */
int tail_fit(struct tail *ret, const struct tail_window *windows, size_t n, int k, int n_last, double least_a_day,
             const struct pareto *known);

/* The probability that a window of normal footage scores as much or more: in (0, 1]. */
double tail_p_value(const struct tail *tail, double score);
/* The threshold that is crossed by normal footage so many times a day; run.level where that is more than it tells. */
double tail_threshold(const struct tail *tail, double alerts_a_day);
/* Hours from one alert to the next by normal footage, were the threshold set to this score. */
double tail_hours_between(const struct tail *tail, double score);

#endif
