/* What turns an error into an alert: taken by learn on footage set aside, stored in the model as memae.calibration. */
#ifndef MEMAED_CORE_SCORE_CALIBRATION_H
#define MEMAED_CORE_SCORE_CALIBRATION_H

#include <stddef.h>

#include "core/network/plan.h"
#include "core/score/score.h"
#include "core/score/static_scene.h"
#include "core/score/tail.h"

/* The network in 8 bits: what its bytes stand for, and how its scores agree with those in fp32 on footage held out. */
struct calibration_int8 {
    struct ranges ranges;
    double rank_correlation;        /* Spearman's, of both scores */
    double largest_difference;      /* of the two scores of a window */
    long windows;                   /* that both scored */
};

struct calibration {
    double fps;                     /* frames a second that the model learned at */
    double threshold;               /* of the score */
    double close_threshold;
    double median, p99, maximum;    /* of the held-out scores */
    long windows;                   /* held-out windows scored */
    bool has_score;                 /* false: the score is the reference (models of others) */
    struct score_spec score;
    bool has_tail;                  /* false: thresholds alone (models of others) */
    struct tail tail;
    bool has_int8;                  /* false: nobody has tried */
    struct calibration_int8 int8;
    bool has_static;                /* false: nothing says what a static scene is, or a frozen camera */
    struct static_limits still;
};

/* Whether 8 bits may take the place of fp32 unasked: over a hundred windows at least, scores come in the same order by a
 * rank correlation of 0.999. calibration may be NULL. */
bool calibration_int8_agrees(const struct calibration *calibration);

/* What a wish comes to: auto is int8 where it agrees and this CPU has kernels that make it worth while. */
enum precision calibration_precision(const struct calibration *calibration, enum precision wish);

/* A plan of the model as wished for. 0; -EINVAL for int8 where calibration (may be NULL) has no ranges; what plan_open()
 * returns. */
int calibration_open_plan(struct plan **ret, const struct model *model, const struct calibration *calibration,
                          enum precision wish, struct error *err);

/* The bound on a static window's score in a precision: of two windows, both may be as far off in 8 bits as any was. */
double calibration_static_bound(const struct calibration *calibration, enum precision precision);
/* Whether static windows may do without the network: that bound is known, from 200 of them at least. Where it is large, few
 * scores are so far below the threshold that they may stand for others. calibration may be NULL. */
bool calibration_static_holds(const struct calibration *calibration);

/* tail_fit() for alerts by the default rule of core/score/alert.h. */
int calibration_tail(struct tail *ret, const struct tail_window *windows, size_t n, const struct pareto *known);

/* The runs of the daemon's own score, which is the logarithm of the hours between them from the highest level of its
 * conditions' tails on: nothing is left to fit. */
struct pareto calibration_runs(const struct score_spec *spec);

/* From n > 0 finite held-out scores in order (those of ret->score, where ret->has_score), for alerts by the default rule of
 * core/score/alert.h: the tail, and the threshold that normal footage crosses alerts_a_day > 0 times a day; an alert closes below
 * the level of the tail's runs. fps and score are the caller's to set before. 0 or -ENOMEM (ret untouched). */
int calibration_fit(struct calibration *ret, const struct tail_window *windows, size_t n, double alerts_a_day);

/* The score of the window that plan_run() left in result; calibration may be NULL. Uses result->scratch. features: what the
 * score was made of; untouched where it is the reference. */
float calibration_score(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                        struct score_features *features);

/* Where that score comes from, for alerts that open at threshold and close below close_threshold: boxes of what scores, by
 * boxes_level(). One at least from close_threshold on; none below it, and none without a score of cells (!has_score).
 * Right after calibration_score() on the same result, which gave score. */
void calibration_boxes(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                       float score, float threshold, float close_threshold, struct boxes *ret);

#endif
