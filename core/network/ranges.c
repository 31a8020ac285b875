#include "core/network/ranges.h"

#include <math.h>

int ranges_of_encoder(const struct arch_shapes *shapes, int layer)
{
    int n = 0;
    for (int i = 1; i < layer; i++)
        n += shapes->encoder[i].c;
    return n;
}

int ranges_of_decoder(const struct arch *arch, const struct arch_shapes *shapes, int layer)
{
    int n = ranges_of_encoder(shapes, arch->n_encoder);
    for (int i = 0; i < layer; i++)
        n += shapes->decoder[i].c;
    return n;
}

int ranges_count(const struct arch *arch, const struct arch_shapes *shapes)
{
    return ranges_of_decoder(arch, shapes, arch->n_decoder);
}

static void see_extremes(struct range *extremes, const float *x, size_t n, int channels)
{
    for (size_t i = 0; i < n; i++, x += channels)
        for (int c = 0; c < channels; c++) {
            extremes[c].low = x[c] < extremes[c].low ? x[c] : extremes[c].low;
            extremes[c].high = x[c] > extremes[c].high ? x[c] : extremes[c].high;
        }
}

void ranges_see(struct ranges_seen *seen, int first, const float *x, size_t n, int channels)
{
    if (!seen->counting) {
        see_extremes(seen->extremes + first, x, n, channels);
        return;
    }
    for (int c = 0; c < channels; c++) {
        const struct range *r = &seen->extremes[first + c];
        uint32_t *counts = seen->counts[first + c];
        float scale = RANGE_BINS / (r->high - r->low);
        for (size_t i = 0; i < n; i++) {
            float at = (x[i * (size_t)channels + (size_t)c] - r->low) * scale;
            uint32_t *count = &counts[!(at > 0) ? 0 : at < RANGE_BINS ? (int)at : RANGE_BINS - 1];
            *count += *count < UINT32_MAX;
        }
    }
}

void ranges_merge(struct ranges_seen *seen, const struct ranges_seen *other)
{
    for (int c = 0; c < seen->n; c++) {
        seen->extremes[c].low = fminf(seen->extremes[c].low, other->extremes[c].low);
        seen->extremes[c].high = fmaxf(seen->extremes[c].high, other->extremes[c].high);
        for (int i = 0; seen->counting && i < RANGE_BINS; i++) {
            uint64_t sum = (uint64_t)seen->counts[c][i] + other->counts[c][i];
            seen->counts[c][i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
        }
    }
}

static struct range fit(const struct range *extremes, const uint32_t *counts, double outside)
{
    double total = 0, below = 0, above = 0;
    int first = 0, end = RANGE_BINS;
    for (int i = 0; i < RANGE_BINS; i++)
        total += counts[i];
    while (first < RANGE_BINS && below + counts[first] <= total * outside / 2)
        below += counts[first++];
    while (end > first + 1 && above + counts[end - 1] <= total * outside / 2)
        above += counts[--end];
    double width = ((double)extremes->high - (double)extremes->low) / RANGE_BINS;
    struct range r = *extremes;
    if (total > 0 && outside > 0) {
        r.low = fminf((float)((double)extremes->low + first * width), 0);
        r.high = fmaxf((float)((double)extremes->low + end * width), 0);
    }
    if (!(r.high - r.low >= 1e-6f))     /* the channel was always zero */
        r = (struct range){0, 1};
    return r;
}

void ranges_fit(struct ranges *ret, const struct ranges_seen *seen, double outside)
{
    ret->n = seen->n;
    for (int c = 0; c < seen->n; c++)
        ret->channels[c] = fit(&seen->extremes[c], seen->counts[c], outside);
}
