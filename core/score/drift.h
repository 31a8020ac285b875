/* Whether a calibration still holds: the p-values of live windows against the uniform distribution that they have while the
 * camera shows what it was calibrated on (Vovk, Gammerman and Shafer, 2005, chapter 7). Only watched, never adapted to.
 *
 * The hours of a day differ, so p-values of a whole day are weighed, those of yesterday half as much as those of today. The
 * distance is Kolmogorov and Smirnov's, over ten bins: 0 where p-values are uniform, towards 1 where all are alike. No
 * locks: one thread (or lock) a camera. */
#ifndef MEMAED_CORE_SCORE_DRIFT_H
#define MEMAED_CORE_SCORE_DRIFT_H

enum { DRIFT_BINS = 10 };

struct drift {
    double half_life;           /* windows: a day of them */
    double bins[DRIFT_BINS], windows;
    long seen;
};

/* From this distance on the calibration holds no more; it is said to hold again below half of it. */
#define DRIFT_LIMIT 0.25

void drift_init(struct drift *drift, double windows_a_day);     /* > 0 */
void drift_add(struct drift *drift, double p_value);            /* 0 … 1; others are not counted */
/* The distance; NAN before a day of windows was seen. */
double drift_distance(const struct drift *drift);

#endif
