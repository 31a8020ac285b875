/* The calibration of a model: its score, the thresholds of alerts, the tail of normal scores, the 8-bit network's ranges, the
 * limits of static scenes. `learn` and `calibrate` measure it on normal footage, held out if there is enough. The model file
 * stores it as memae.calibration. Plain data and pure functions; any thread. */
#ifndef MEMAED_CORE_SCORE_CALIBRATION_H
#define MEMAED_CORE_SCORE_CALIBRATION_H

#include <stddef.h>

#include "core/network/plan.h"
#include "core/score/drift.h"
#include "core/score/score.h"
#include "core/score/static_scene.h"
#include "core/score/tail.h"

/* The 8-bit network: the ranges of its activations, and the agreement of its scores with fp32 on held-out footage. */
struct calibration_int8 {
    struct ranges ranges;
    double rank_correlation;        /* Spearman's, between the scores in 8 bits and in fp32 */
    double largest_difference;      /* between the two scores of a window */
    long windows;                   /* scored in both */
};

/* The range of a model's rate, in frames a second: from one frame in 2.8 hours to the most that a source gives. */
#define CALIBRATION_LEAST_FPS 1e-4
#define CALIBRATION_MOST_FPS 1e3
/* Footage is slow below this share of the model's rate: what moves seems faster to the model, and scores are too high. */
#define CALIBRATION_SLOW_RATE 0.9

struct calibration {
    double fps;                     /* frames a second that the model learned at */
    double threshold;               /* of the score */
    double close_threshold;
    double median, p99, maximum;    /* of the scores */
    long windows;                   /* windows scored */
    bool has_score;                 /* false: the score is the reference (models made elsewhere) */
    struct score_spec score;
    bool has_tail;                  /* false: thresholds only (models made elsewhere) */
    struct tail tail;
    bool has_deciles;               /* false: the voices' drift is not measured (models made elsewhere or earlier) */
    float deciles[SCORE_VOICES][DRIFT_DECILES];     /* of struct voices; of score_voices(&score) voices, ascending */
    bool has_int8;                  /* false: the 8-bit network was not measured */
    struct calibration_int8 int8;
    bool has_static;                /* false: static scenes and frozen cameras are not recognised */
    struct static_limits still;
};

/* Returns true if PRECISION_AUTO may choose 8 bits: 100 windows or more were measured, and their rank correlation is 0.999 or
 * more. calibration may be NULL. */
bool calibration_int8_agrees(const struct calibration *calibration);

/* The precision for a request. PRECISION_AUTO is int8 if it agrees (above) and this CPU has faster kernels than plain C for
 * it, else fp32. calibration may be NULL. */
enum precision calibration_precision(const struct calibration *calibration, enum precision requested);

/* The reason for the choice of PRECISION_AUTO, as the end of a sentence: "the rank correlation is below 0.999"; static.
 * calibration may be NULL. */
const char *calibration_precision_reason(const struct calibration *calibration);

/* Opens a plan of the model in the requested precision, with scratch for a score. 0; -EINVAL for int8 if calibration is NULL
 * or has no ranges; or an error of plan_open(). The cause is in err. */
int calibration_open_plan(struct plan **ret, const struct model *model, const struct calibration *calibration,
                          enum precision requested, struct error *err);

/* The bound of a static window's score in a precision (static_limits.bound). In 8 bits it is larger by twice the largest
 * difference seen, since both scores may be off by that much. */
double calibration_static_bound(const struct calibration *calibration, enum precision precision);
/* Returns true if static windows may skip the network: the bound was measured on 200 static windows or more. With a large
 * bound few scores lie far enough below the threshold to be reused. calibration may be NULL. */
bool calibration_static_holds(const struct calibration *calibration);

/* tail_fit() for alerts by the default rule of core/score/alert.h. */
int calibration_tail(struct tail *ret, const struct tail_window *windows, size_t n, const struct pareto *known);

/* The tail of the runs of the daemon's own score. That score is the logarithm of the hours between runs, above the highest
 * level of its conditions' tails. So its tail is exponential with scale 1 and needs no fit. */
struct pareto calibration_runs(const struct score_spec *spec);

/* Fits the tail and the thresholds from n > 0 finite scores in order, for alerts by the default rule of
 * core/score/alert.h. Normal footage crosses the threshold alerts_a_day > 0 times a day, or more often after little footage
 * (tail_budget()). close_threshold is the level of the tail's runs, or that of its windows if it is higher, but never above the
 * threshold. After little footage the runs' level is so low that usual scores would hold an alert open. The caller has set fps,
 * has_score and score, and the scores are by that score. 0 or -ENOMEM, ret untouched. */
int calibration_fit(struct calibration *ret, const struct tail_window *windows, size_t n, double alerts_a_day);

/* Lowers all scores by `by` >= 0, because normal footage reaches them exp(by) times as often as was measured. The threshold
 * stays, so it is crossed less often; close_threshold follows the scores. The calibration has a score and a tail. Returns by how
 * much it lowered them: less than `by` where a share would exceed PARETO_MOST_SHARE. */
double calibration_lower(struct calibration *calibration, double by);

/* The score of the window in result, after plan_run(). Uses result->scratch. Cells that do not count are left out; regions may
 * be NULL. Writes the features that the score is made of, and the score by each voice. If the model has no score of its own
 * (calibration NULL or !has_score), it returns the reference, which counts all cells. Features are then untouched, and all
 * voices NAN. */
float calibration_score(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                        const struct regions *regions, struct score_features *features, struct voices *voices);

/* score_level() of the same result, right after calibration_score(), which returned score; without a score of its own, score. */
float calibration_level(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                        const struct regions *regions, float score, int *zone);

/* Finds boxes around the parts of the window that cause its score, at boxes_level() of the two thresholds. From
 * close_threshold on there is at least one box; below it, or without a score of its own, there is none. Call it right after
 * calibration_score() on the same result, with the same regions; score is what calibration_level() returned. */
void calibration_boxes(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                       const struct regions *regions, float score, float threshold, float close_threshold, struct boxes *ret);

#endif
