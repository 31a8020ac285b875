#include "core/score/drift.h"

#include <math.h>
#include <stdlib.h>

void drift_init(struct drift *drift, double windows_a_day)
{
    *drift = (struct drift){.half_life = windows_a_day};
}

/* Adds a value that lies in bins first … last. */
static void add(struct drift *drift, int first, int last)
{
    double keep = exp2(-1 / drift->half_life);
    for (int i = 0; i < DRIFT_BINS; i++)
        drift->bins[i] *= keep;
    for (int i = first; i <= last; i++)
        drift->bins[i] += 1.0 / (last - first + 1);
    drift->windows = drift->windows * keep + 1;
    drift->seen++;
}

void drift_add(struct drift *drift, double p_value)
{
    if (!(p_value >= 0 && p_value <= 1))
        return;
    int bin = p_value < 1 ? (int)(p_value * DRIFT_BINS) : DRIFT_BINS - 1;
    add(drift, bin, bin);
}

void drift_add_among(struct drift *drift, const float *deciles, float value)
{
    int below = 0, up_to = 0;
    if (isnan(value))
        return;
    while (below < DRIFT_DECILES && deciles[below] < value)
        below++;
    for (up_to = below; up_to < DRIFT_DECILES && deciles[up_to] == value; up_to++)
        ;
    add(drift, below, up_to);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void drift_deciles(float *ret, float *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    for (size_t i = 1; i <= DRIFT_DECILES; i++)
        ret[i - 1] = values[i * (n - 1) / DRIFT_BINS];
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
