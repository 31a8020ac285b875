/* What a threshold finds: how many of the abnormal events, how late, and at how many false alarms. No alert rule is in it
 * (core/evaluation/evaluation.h has that): a false alarm is a run of normal windows at or above the threshold, in one unbroken
 * sequence; an event is found by its first window at or above. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_DETECTION_H
#define MEMAED_CORE_EVALUATION_DETECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One window; those of a clip stand in order, clip after clip. */
struct detection_window {
    float score;
    bool joined;                /* follows the window before it without a break, in the same clip */
    long event;                 /* 0: normal; else the number of the abnormal stretch, other than any before */
    int64_t late_us;            /* of an abnormal one: from the stretch's first frame to the window's last */
};

/* The lowest threshold that all normal windows taken together raise at most `allowed` false alarms at, and so do all
 * thresholds above it. 0; -EDOM where there is no normal window, or a score is not finite; -ENOMEM. *ret is untouched on
 * failure. */
int detection_threshold(float *ret, const struct detection_window *windows, size_t n, size_t allowed);

struct detection_figures {
    size_t events, found;
    size_t false_alarms;
    double delay_median_s, delay_mean_s, delay_max_s;   /* of those found; 0 where none is */
};

/* 0 or -ENOMEM, *ret untouched. */
int detection_at(struct detection_figures *ret, const struct detection_window *windows, size_t n, float threshold);

#endif
