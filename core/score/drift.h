/* The drift monitor: it tells whether a calibration still holds. While the camera shows what it was calibrated on, the
 * p-values of live windows are uniform (Vovk, Gammerman and Shafer, 2005, chapter 7). Drift is reported only; nothing
 * adapts.
 *
 * The hours of a day differ, so p-values count with exponentially falling weights: a day-old one counts half as much as a
 * new one. The distance from the uniform distribution is Kolmogorov and Smirnov's, over ten bins: 0 if p-values are uniform,
 * near 1 if all are equal. No locks: one thread (or lock) per camera.
 *
 * A voice has no p-value of its own. Its values are sorted into the ten bins between its deciles in the calibration footage. */
#ifndef MEMAED_CORE_SCORE_DRIFT_H
#define MEMAED_CORE_SCORE_DRIFT_H

#include <stddef.h>

enum { DRIFT_BINS = 10, DRIFT_DECILES = DRIFT_BINS - 1 };

struct drift {
    double half_life;           /* windows a day */
    double bins[DRIFT_BINS], windows;   /* weights by p-value, and their sum */
    long seen;                  /* p-values added */
};

/* The calibration no longer holds from this distance on. It holds again below half of it. */
#define DRIFT_LIMIT 0.25

void drift_init(struct drift *drift, double windows_a_day);     /* > 0 */
void drift_add(struct drift *drift, double p_value);            /* 0 … 1; other values are ignored */
/* Adds a value by its place among the deciles, which ascend. A value that equals one or more of them counts in equal parts for
 * the bins beside them. NAN is ignored. */
void drift_add_among(struct drift *drift, const float *deciles, float value);
/* Writes the deciles of n > 0 values, which it sorts. */
void drift_deciles(float *ret, float *values, size_t n);
/* The distance, 0 to 1; NAN before a day of windows was added. */
double drift_distance(const struct drift *drift);

#endif
