/* Figures of merit of scores against labels: area under the ROC curve, average precision, rank correlation and the paper's
 * per-clip normalisation. Also the alerts that core/score/alert.h would raise. Source: Gong et al., ICCV 2019, section 4.2.
 * Arrays are borrowed for the call. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_EVALUATION_H
#define MEMAED_CORE_EVALUATION_EVALUATION_H

#include <stddef.h>
#include <stdint.h>

#include "core/alerting/policy.h"
#include "core/score/alert.h"

/* The area under the ROC curve of n scores with labels 0 (normal) or 1 (abnormal). It is the probability that an abnormal score
 * is above a normal one; ties count half. Computed from the rank sum (Mann and Whitney, 1947).
 * 0; -EDOM if it is undefined (a class is empty, or a score is not a number); -ENOMEM. *ret is untouched on failure. */
int evaluation_auc(double *ret, const double *scores, const uint8_t *labels, size_t n);

/* Spearman's rank correlation of two lists of n values. Equal values have the mean of their ranks. 0; -EDOM if a list has
 * fewer than two different values or one that is not finite; -ENOMEM. *ret is untouched on failure. */
int evaluation_rank_correlation(double *ret, const double *a, const double *b, size_t n);

/* Average precision: the sum over falling thresholds of the precision times the increase in recall. Equal scores count
 * together; nothing is interpolated. Random scores reach the share of abnormal labels. Errors are those of
 * evaluation_auc(). */
int evaluation_average_precision(double *ret, const double *scores, const uint8_t *labels, size_t n);

/* out[i] = (in[i] - min) / (max - min) over a clip of n scores; all 0 if all scores are equal. out may alias in. */
void evaluation_min_max(double *out, const double *in, size_t n);

/* Alerts against the abnormal stretches of the footage. A stretch is a maximal run of windows labelled 1 in a clip. An alert
 * spans the windows from its opened_us to the end of its last cause, or to the end of its clip. */
struct evaluation_alerts {
    long alerts;                /* told; those that the policy suppresses do not count */
    long on_abnormal;           /* alerts that span an abnormal window */
    long on_normal;             /* alerts that span only normal windows: false alarms */
    long stretches;             /* abnormal stretches */
    long stretches_found;       /* stretches of which an alert spans a window */
    double normal_s;            /* sum of the times from each window labelled 0 to the next window */
};

/* Applies rule and policy to one clip of n windows in order and adds the results to sum. Each clip starts anew.
 * break_before[i] != 0: the sequence broke between window i - 1 and window i. break_before may be NULL: no breaks. */
void evaluation_alerts(struct evaluation_alerts *sum, const struct alert_rule *rule, const struct policy_rule *policy,
                       const float *scores, const uint8_t *labels, const int64_t *times_us, const uint8_t *break_before,
                       size_t n);

#endif
