/* Detection figures of a threshold: the abnormal events found, their delays, and the false alarms. A false alarm is a run of
 * normal windows at or above the threshold in one unbroken sequence. An event is found by its first window at or above the
 * threshold. The alert rule plays no part here; core/evaluation/evaluation.h applies it. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_DETECTION_H
#define MEMAED_CORE_EVALUATION_DETECTION_H

#include <stddef.h>
#include <stdint.h>

/* Normal windows in the order of time, source after source. Both arrays are [n], borrowed. */
struct detection_normal {
    const float *scores;
    const uint8_t *joined;      /* 1: follows the window before it without a break */
    size_t n;
};

/* The lowest threshold such that it, and every threshold above it, gives at most `allowed` false alarms. 0; -EDOM if there is
 * no window or a score is not finite; -ENOMEM. *ret is untouched on failure. Takes 17 bytes a window. */
int detection_threshold(float *ret, const struct detection_normal *normal, size_t allowed);

size_t detection_false_alarms(const struct detection_normal *normal, float threshold);

/* One abnormal window. Windows of an event follow one another, in the order of time. */
struct detection_window {
    float score;
    long event;                 /* the number of its abnormal stretch; each stretch has another number, none is 0 */
    int64_t late_us;            /* from the stretch's first frame to the window's last */
};

struct detection_figures {
    size_t events, found;
    double delay_median_s, delay_mean_s, delay_max_s;   /* of the events found; 0 if none is */
};

/* Counts the events of n abnormal windows, and those found at a threshold. 0 or -ENOMEM, *ret untouched. */
int detection_at(struct detection_figures *ret, const struct detection_window *windows, size_t n, float threshold);

#endif
