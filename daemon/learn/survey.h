/* Scores footage that is taken as normal with a calibrated model. Counts the alerts that it would have raised, and lists
 * the places that look like anomalies. One thread calls; the work runs on the threads of `parallel`. */
#ifndef MEMAED_DAEMON_LEARN_SURVEY_H
#define MEMAED_DAEMON_LEARN_SURVEY_H

#include <jansson.h>

#include "core/score/alert.h"
#include "daemon/learn/windows.h"

enum { SURVEY_BUDGETS = 3, SURVEY_SUSPECTS = 20, SURVEY_LEAST = 5 };
extern const double survey_budgets[SURVEY_BUDGETS];     /* alerts a day: 1, 10, 100 */

struct survey_suspect {
    size_t frame;               /* of the footage: centre of the alert's highest window */
    double score;
};

struct survey {
    double hours;               /* of footage that was scored */
    size_t windows;
    long alerts;                /* at the calibration's threshold, told or suppressed */
    double lowered;             /* how much survey_learned() has lowered the scores; 0 from survey_run() */
    bool lowered_most;          /* a model file cannot hold scores that are lowered further, although they alert too often */
    long at_budget[SURVEY_BUDGETS];     /* alerts at the threshold for survey_budgets[i] a day; 0 without a tail */
    struct survey_suspect suspects[SURVEY_SUSPECTS];    /* the alerts with the highest scores, in the footage's order */
    int n_suspects;
};

/* Counts alerts by alert_rule_default() with this k and n, over windows at the stride in options. Returns 0, -EINTR, -ENOMEM or
 * the fault of reading the footage. Footage without a whole window is no fault. */
int survey_run(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
               const struct calibration *calibration, const struct parallel *parallel, struct error *err);

/* The survey of footage that the model learned from, which is normal by definition. There is more of it than was calibrated
 * on. So if it gives more alerts than the calibration says, calibration_lower() lowers the scores until it does not. The
 * alerts of both footages at the thresholds for 1, 10 and 100 a day are compared with what the calibration expects of both. A
 * threshold with fewer than SURVEY_LEAST alerts does not count, so one odd event does not lower the scores. The suspects are
 * those found before that. Returns as survey_run(). */
int survey_learned(struct survey *ret, const struct windows_options *options, int k, int n, const struct model *model,
                   struct calibration *calibration, const struct parallel *parallel, struct error *err);

/* {"hours", "windows", "alerts", "alerts_at": {"1": …}, "lowered", "suspects": [{"input", "at_s", "score"}]}. The caller's
 * reference; NULL: out of memory. */
json_t *survey_to_json(const struct survey *survey, const struct calibration *calibration, const struct footage *footage);

/* If the calibration is provisional, says so on standard output, with the budget of its threshold in place of the one that was
 * asked for. */
void survey_print_provisional(const struct calibration *calibration, double alerts_a_day);
/* Prints a survey of footage that was used neither for learning nor for calibration, to standard output. */
void survey_print_verified(const struct survey *survey, const struct calibration *calibration);

#endif
