/* Detection figures of a threshold: the abnormal events found, their delays, and the false alarms. A false alarm is a run of
 * normal windows at or above the threshold in one unbroken sequence. An event is found by its first window at or above the
 * threshold. The alert rule plays no part here; core/evaluation/evaluation.h applies it. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_DETECTION_H
#define MEMAED_CORE_EVALUATION_DETECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One window. Windows are in the order of their clips, within a clip in the order of time. */
struct detection_window {
    float score;
    bool joined;                /* follows the window before it in the same clip without a break */
    long event;                 /* 0: normal; else the number of its abnormal stretch; each stretch has another number */
    int64_t late_us;            /* of an abnormal window: from the stretch's first frame to the window's last */
};

/* The lowest threshold such that it, and every threshold above it, gives at most `allowed` false alarms in all normal
 * windows. 0; -EDOM if there is no normal window or a score is not finite; -ENOMEM. *ret is untouched on failure. */
int detection_threshold(float *ret, const struct detection_window *windows, size_t n, size_t allowed);

struct detection_figures {
    size_t events, found;
    size_t false_alarms;
    double delay_median_s, delay_mean_s, delay_max_s;   /* of the events found; 0 if none is */
};

/* The figures at a threshold. 0 or -ENOMEM, *ret untouched. */
int detection_at(struct detection_figures *ret, const struct detection_window *windows, size_t n, float threshold);

#endif
