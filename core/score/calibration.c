#include "core/score/calibration.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/kernels/int8_kernels.h"
#include "core/score/alert.h"

/* The tail's run level is so low that there are thresholds above it for budgets of up to this many alerts a day. */
#define MOST_ALERTS_A_DAY 150

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int calibration_tail(struct tail *ret, const struct tail_window *windows, size_t n, const struct pareto *known)
{
    return tail_fit(ret, windows, n, ALERT_DEFAULT_K, ALERT_DEFAULT_N, ALERT_DEFAULT_MERGE_S, MOST_ALERTS_A_DAY, known);
}

struct pareto calibration_runs(const struct score_spec *spec)
{
    double level = -INFINITY;
    for (int i = 0; i < spec->conditions; i++)
        level = fmax(level, -log(spec->condition[i].rare.share));
    return (struct pareto){.level = level, .share = fmin(exp(-level), PARETO_MOST_SHARE), .scale = 1};
}

int calibration_fit(struct calibration *ret, const struct tail_window *windows, size_t n, double alerts_a_day)
{
    struct calibration c = *ret;
    double *scores = malloc(n * sizeof *scores);

    assert(n > 0 && alerts_a_day > 0);
    if (!scores)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        scores[i] = windows[i].score;
    qsort(scores, n, sizeof *scores, compare);
    c.median = n % 2 ? scores[n / 2] : (scores[n / 2 - 1] + scores[n / 2]) / 2;
    c.p99 = scores[n - 1 - n / 100];
    c.maximum = scores[n - 1];
    c.windows = (long)n;
    free(scores);

    struct pareto known = {0};
    if (c.has_score)
        known = calibration_runs(&c.score);
    int r = calibration_tail(&c.tail, windows, n, c.has_score ? &known : NULL);
    if (r < 0)
        return r;
    c.has_tail = true;
    c.threshold = tail_threshold(&c.tail, tail_budget(&c.tail, alerts_a_day));
    c.close_threshold = fmin(fmax(c.tail.run.level, c.tail.window.level), c.threshold);
    *ret = c;
    return 0;
}

double calibration_lower(struct calibration *c, double by)
{
    assert(c->has_score && c->has_tail && by >= 0);
    for (int i = 0; i < c->score.conditions; i++)
        by = fmin(by, fmax(0, log(PARETO_MOST_SHARE / c->score.condition[i].rare.share)));
    for (int i = 0; i < c->score.conditions; i++)       /* fmin() because exp() rounds */
        c->score.condition[i].rare.share = fmin(c->score.condition[i].rare.share * exp(by), PARETO_MOST_SHARE);
    c->tail.run = calibration_runs(&c->score);
    c->tail.window.level -= by;
    for (int i = 0; i < TAIL_QUANTILES; i++)
        c->tail.quantiles[i] -= by;
    for (int v = 0; c->has_deciles && v < score_voices(&c->score); v++)
        for (int i = 0; i < DRIFT_DECILES; i++)
            c->deciles[v][i] -= (float)by;
    c->median -= by;
    c->p99 -= by;
    c->maximum -= by;
    c->close_threshold = fmin(fmax(c->tail.run.level, c->tail.window.level), c->threshold);
    return by;
}

float calibration_score(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                        const struct regions *regions, struct score_features *features, struct voices *voices)
{
    if (!calibration || !calibration->has_score) {
        for (int v = 0; v < VOICES; v++)
            voices->score[v] = NAN;
        return result->reference;
    }
    score_measure(plan_arch(plan), result->x, result->x_hat, &calibration->score, regions, result->scratch, features);
    score_by_voice(&calibration->score, features, voices);
    return score_of(&calibration->score, features);
}

float calibration_level(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                        const struct regions *regions, float score, int *zone)
{
    *zone = -1;
    if (!calibration || !calibration->has_score)
        return score;
    return score_level(&calibration->score, plan_arch(plan), regions, result->scratch, score, zone);
}

void calibration_boxes(const struct calibration *calibration, const struct plan *plan, const struct plan_result *result,
                       const struct regions *regions, float score, float threshold, float close_threshold, struct boxes *ret)
{
    ret->n = 0;
    if (calibration && calibration->has_score && score >= close_threshold)
        score_boxes(&calibration->score, plan_arch(plan), regions, result->scratch,
                    boxes_level(threshold, close_threshold), ret);
}

double calibration_static_bound(const struct calibration *calibration, enum precision precision)
{
    return calibration->still.bound + (precision == PRECISION_INT8 ? 2 * calibration->int8.largest_difference : 0);
}

bool calibration_static_holds(const struct calibration *calibration)
{
    return calibration && calibration->has_static && calibration->still.windows >= 200;
}

enum { LEAST_INT8_WINDOWS = 100 };
#define LEAST_RANK_CORRELATION 0.999

bool calibration_int8_agrees(const struct calibration *calibration)
{
    return calibration && calibration->has_int8 && calibration->int8.windows >= LEAST_INT8_WINDOWS &&
           calibration->int8.rank_correlation >= LEAST_RANK_CORRELATION;
}

const char *calibration_precision_reason(const struct calibration *calibration)
{
    if (!calibration || !calibration->has_int8)
        return "8 bits were not measured";
    if (calibration->int8.windows < LEAST_INT8_WINDOWS)
        return "fewer than 100 windows were compared";
    if (calibration->int8.rank_correlation < LEAST_RANK_CORRELATION)
        return "the rank correlation is below 0.999";
    return int8_kernels == &int8_kernels_c ? "this CPU has no fast kernels for 8 bits" : "the scores agree";
}

enum precision calibration_precision(const struct calibration *calibration, enum precision requested)
{
    if (requested != PRECISION_AUTO)
        return requested;
    return calibration_int8_agrees(calibration) && int8_kernels != &int8_kernels_c ? PRECISION_INT8 : PRECISION_FP32;
}

int calibration_open_plan(struct plan **ret, const struct model *model, const struct calibration *calibration,
                          enum precision requested, struct error *err)
{
    if (calibration_precision(calibration, requested) == PRECISION_FP32)
        return plan_open(ret, model, score_scratch(&model->arch), err);
    if (!calibration || !calibration->has_int8)
        return error_set(err, -EINVAL, "precision: expected auto or fp32, got int8, for which the model was not calibrated; run "
                                       "memaed calibrate");
    return plan_open_int8(ret, model, score_scratch(&model->arch), &calibration->int8.ranges, err);
}
