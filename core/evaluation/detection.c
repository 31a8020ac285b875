#include "core/evaluation/detection.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct ranked {
    float score;
    size_t at;
};

static int falling(const void *a, const void *b)
{
    float x = ((const struct ranked *)a)->score, y = ((const struct ranked *)b)->score;

    return (x < y) - (x > y);
}

int detection_threshold(float *ret, const struct detection_normal *normal, size_t allowed)
{
    size_t n = normal->n;
    struct ranked *ranked = calloc(n + 1, sizeof *ranked);
    bool *above = calloc(n + 1, sizeof *above);
    long runs = 0;
    float threshold;
    int r = -ENOMEM;

    if (!ranked || !above)
        goto end;
    r = -EDOM;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(normal->scores[i]))
            goto end;
        ranked[i] = (struct ranked){normal->scores[i], i};
    }
    if (n == 0)
        goto end;
    qsort(ranked, n, sizeof *ranked, falling);

    /* The threshold falls from score to score. A window that it reaches begins a run, prolongs one, or joins two. */
    threshold = nextafterf(ranked[0].score, INFINITY);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i; next < n && ranked[next].score == ranked[i].score; next++) {
            size_t at = ranked[next].at;

            above[at] = true;
            bool left = normal->joined[at] && at > 0 && above[at - 1];
            bool right = at + 1 < n && normal->joined[at + 1] && above[at + 1];
            runs += 1 - left - right;
        }
        if (runs > (long)allowed)
            break;
        /* All thresholds above the next score select the same windows: take the lowest. */
        threshold = next < n ? nextafterf(ranked[next].score, INFINITY) : ranked[i].score;
    }
    *ret = threshold;
    r = 0;
end:
    free(ranked);
    free(above);
    return r;
}

size_t detection_false_alarms(const struct detection_normal *normal, float threshold)
{
    size_t alarms = 0;

    for (size_t i = 0; i < normal->n; i++)
        alarms += normal->scores[i] >= threshold &&
                  !(i > 0 && normal->joined[i] && normal->scores[i - 1] >= threshold);
    return alarms;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int detection_at(struct detection_figures *ret, const struct detection_window *windows, size_t n, float threshold)
{
    struct detection_figures f = {0};
    double *delays = calloc(n + 1, sizeof *delays);
    long event = 0, found = 0;

    if (!delays)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (windows[i].event != event)
            f.events++;
        event = windows[i].event;
        if (windows[i].score >= threshold && event != found) {
            found = event;
            delays[f.found++] = (double)windows[i].late_us * 1e-6;
        }
    }
    qsort(delays, f.found, sizeof *delays, rising);
    for (size_t i = 0; i < f.found; i++)
        f.delay_mean_s += delays[i] / (double)f.found;
    if (f.found > 0) {
        f.delay_median_s = (delays[(f.found - 1) / 2] + delays[f.found / 2]) / 2;
        f.delay_max_s = delays[f.found - 1];
    }
    free(delays);
    *ret = f;
    return 0;
}
