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

/* Derives thresholds from n > 0 finite held-out scores (any order; sorted in place): an alert takes scores of
 * maximum + margin * (maximum - median), where what is added is at least a tenth of the median, so that footage without
 * any spread still gets a distance; it closes below the middle between the maximum and that. threshold >
 * close_threshold > maximum also as floats. p99 is the smallest score that 99 of 100 don't exceed. margin >= 0. fps is
 * left as it is, for the caller to set. */
void calibration_fit(struct calibration *ret, double *scores, size_t n, double margin);

#endif
