/* What a calibrated model makes of footage that is taken as normal: how many alerts it would have raised, and where the
 * footage looks like anomalies. One thread calls; the work runs on parallel's. */
#ifndef MEMAED_DAEMON_LEARN_SURVEY_H
#define MEMAED_DAEMON_LEARN_SURVEY_H

#include <jansson.h>

#include "core/score/alert.h"
#include "daemon/learn/windows.h"

enum { SURVEY_BUDGETS = 3, SURVEY_SUSPECTS = 20 };
extern const double survey_budgets[SURVEY_BUDGETS];     /* alerts a day: 1, 10, 100 */

struct survey_suspect {
    size_t frame;               /* of the footage, the centre of the window with the highest score */
    double score;
};

struct survey {
    double hours;               /* that were looked at */
    size_t windows;
    long alerts;                /* at the calibration's threshold, without a cooldown */
    long at_budget[SURVEY_BUDGETS];     /* were the threshold set for so many a day; 0 without a tail */
    struct survey_suspect suspects[SURVEY_SUSPECTS];    /* the alerts with the highest scores, in the footage's order */
    int n_suspects;
};

/* k of n windows (at the options' stride) make an alert. 0, -EINTR, -ENOMEM, or what reading the footage returns; no windows
 * are no fault. */
int survey_run(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
               const struct calibration *calibration, const struct parallel *parallel, struct error *err);

/* {"hours", "windows", "alerts", "alerts_at": {"1": …}, "suspects": [{"input", "at_s", "score"}]}; the caller's reference,
 * or NULL: out of memory. */
json_t *survey_to_json(const struct survey *survey, const struct calibration *calibration, const struct footage *footage);

/* On standard output, for an operator, of footage that was neither learned nor calibrated on. */
void survey_print_verified(const struct survey *survey, const struct calibration *calibration);

#endif
