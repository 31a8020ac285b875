/* What turns an error into an alert: taken by learn on footage set aside, stored in the model as memae.calibration. */
#ifndef MEMAED_CORE_CALIBRATION_H
#define MEMAED_CORE_CALIBRATION_H

#include <stddef.h>

struct calibration {
    double fps;                     /* frames a second that the model learned at */
    double threshold;               /* of the score */
    double close_threshold;
    double median, p99, maximum;    /* of the held-out scores, that the thresholds were derived from */
    long windows;                   /* held-out windows scored */
};

/* Derives thresholds from n > 0 held-out scores (any order; sorted in place): maximum + margin * (maximum - median),
 * with a margin of at least a tenth of the median, so that footage without any spread still gets one. fps is left to
 * the caller. */
void calibration_fit(struct calibration *ret, double *scores, size_t n, double margin);

#endif
