#include "core/ranges.h"

#include <math.h>

void range_see(struct range_counts *seen, bool counting, const float *x, size_t n)
{
    if (!counting) {
        float low = seen->low, high = seen->high;
        for (size_t i = 0; i < n; i++) {
            low = x[i] < low ? x[i] : low;
            high = x[i] > high ? x[i] : high;
        }
        seen->low = low;
        seen->high = high;
        return;
    }
    float scale = (float)RANGE_BINS / (seen->high - seen->low);
    for (size_t i = 0; i < n; i++) {
        float at = (x[i] - seen->low) * scale;
        seen->counts[!(at > 0) ? 0 : at < RANGE_BINS ? (int)at : RANGE_BINS - 1]++;
    }
}

static void merge(struct range_counts *seen, const struct range_counts *other, bool counting)
{
    seen->low = fminf(seen->low, other->low);
    seen->high = fmaxf(seen->high, other->high);
    for (int i = 0; counting && i < RANGE_BINS; i++)
        seen->counts[i] += other->counts[i];
}

void ranges_merge(struct ranges_seen *seen, const struct ranges_seen *other)
{
    for (int i = 0; i < ARCH_MAX_LAYERS; i++) {
        merge(&seen->encoder[i], &other->encoder[i], seen->counting);
        merge(&seen->decoder[i], &other->decoder[i], seen->counting);
    }
}

static struct range fit(const struct range_counts *seen, double outside)
{
    double total = 0, below = 0, above = 0;
    int first = 0, end = RANGE_BINS;
    for (int i = 0; i < RANGE_BINS; i++)
        total += seen->counts[i];
    while (first < RANGE_BINS && below + seen->counts[first] <= total * outside / 2)
        below += seen->counts[first++];
    while (end > first + 1 && above + seen->counts[end - 1] <= total * outside / 2)
        above += seen->counts[--end];
    double width = ((double)seen->high - (double)seen->low) / RANGE_BINS;
    struct range r = {seen->low, seen->high};
    if (total > 0 && outside > 0) {
        r.low = fminf((float)((double)seen->low + first * width), 0);
        r.high = fmaxf((float)((double)seen->low + end * width), 0);
    }
    if (!(r.high - r.low >= 1e-9f))
        r.high = r.low + 1;
    return r;
}

void ranges_fit(struct ranges *ret, const struct ranges_seen *seen, double outside)
{
    for (int i = 0; i < ARCH_MAX_LAYERS; i++) {
        ret->encoder[i] = fit(&seen->encoder[i], outside);
        ret->decoder[i] = fit(&seen->decoder[i], outside);
    }
}
