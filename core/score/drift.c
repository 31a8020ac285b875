#include "core/score/drift.h"

#include <math.h>

void drift_init(struct drift *drift, double windows_a_day)
{
    *drift = (struct drift){.half_life = windows_a_day};
}

void drift_add(struct drift *drift, double p_value)
{
    if (!(p_value >= 0 && p_value <= 1))
        return;
    double keep = exp2(-1 / drift->half_life);
    int bin = (int)(p_value * DRIFT_BINS);
    for (int i = 0; i < DRIFT_BINS; i++)
        drift->bins[i] *= keep;
    drift->bins[bin < DRIFT_BINS ? bin : DRIFT_BINS - 1]++;
    drift->windows = drift->windows * keep + 1;
    drift->seen++;
}

double drift_distance(const struct drift *drift)
{
    if ((double)drift->seen < drift->half_life)
        return (double)NAN;
    double below = 0, distance = 0;
    for (int i = 0; i + 1 < DRIFT_BINS; i++) {
        below += drift->bins[i] / drift->windows;
        distance = fmax(distance, fabs(below - (i + 1) / (double)DRIFT_BINS));
    }
    return distance;
}
