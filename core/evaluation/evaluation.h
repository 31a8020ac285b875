/* Figures of merit against labels: the area under the ROC curve, the paper's per-clip normalisation, and what the alerts
 * of core/score/alert.h would have been. Source: Gong et al., ICCV 2019, section 4.2. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_EVALUATION_H
#define MEMAED_CORE_EVALUATION_EVALUATION_H

#include <stddef.h>
#include <stdint.h>

#include "core/score/alert.h"

/* The area under the ROC curve of n scores with labels 0 (normal) or 1 (abnormal): the probability that an abnormal one
 * lies above a normal one, ties counting half; from the rank sum (Mann and Whitney, 1947).
 * 0; -EDOM where it is not defined (one of the classes is empty, or a score is not a number); -ENOMEM. *ret is untouched
 * on failure. */
int evaluation_auc(double *ret, const double *scores, const uint8_t *labels, size_t n);

/* Spearman's rank correlation of two lists, equal values sharing the mean of their ranks. 0; -EDOM, ret untouched, where a
 * list has less than two different values or one that is not finite; -ENOMEM. */
int evaluation_rank_correlation(double *ret, const double *a, const double *b, size_t n);

/* Average precision: the sum over falling thresholds of precision times the recall that each adds, equal scores taken at
 * once, nothing interpolated. What chance reaches is the share of abnormal ones. Returns as evaluation_auc(). */
int evaluation_average_precision(double *ret, const double *scores, const uint8_t *labels, size_t n);

/* out[i] = (in[i] - min) / (max - min) over one clip of n scores; all 0 where they are equal. out may be in. */
void evaluation_min_max(double *out, const double *in, size_t n);

/* Alerts against the abnormal stretches of the footage: a stretch is a longest run of windows labelled 1 in a clip. An
 * alert spans from its opened_us to its close, or to the end of its clip. */
struct evaluation_alerts {
    long alerts;                /* opened */
    long on_abnormal;           /* of them, those that span an abnormal window */
    long on_normal;             /* those that span normal windows alone: false alarms */
    long stretches;             /* abnormal ones */
    long stretches_found;       /* of them, those that an alert spans a window of */
    double normal_s;            /* of footage labelled 0, between one window and the next */
};

/* Runs the rule over one clip of n windows in order, and adds what came of it to sum. Each clip starts afresh, without
 * a cooldown from the one before. break_before[i] != 0: the sequence broke between window i - 1 and window i; NULL: it
 * never did. */
void evaluation_alerts(struct evaluation_alerts *sum, const struct alert_rule *rule, const float *scores,
                       const uint8_t *labels, const int64_t *times_us, const uint8_t *break_before, size_t n);

#endif
