#include "core/calibration.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void calibration_fit(struct calibration *ret, double *scores, size_t n, double margin)
{
    double distance;

    assert(n > 0 && margin >= 0);
    qsort(scores, n, sizeof *scores, compare);
    ret->median = n % 2 ? scores[n / 2] : (scores[n / 2 - 1] + scores[n / 2]) / 2;
    ret->p99 = scores[n - 1 - n / 100];
    ret->maximum = scores[n - 1];
    ret->windows = (long)n;

    distance = fmax(margin * (ret->maximum - ret->median), fabs(ret->median) / 10);
    /* Scores are floats: both thresholds must lie apart from the maximum, and from each other, on their grid too. */
    distance = fmax(distance, fmax(1e-6, fabs(ret->maximum) * 1e-6));
    ret->threshold = ret->maximum + distance;
    ret->close_threshold = ret->maximum + distance / 2;
}
