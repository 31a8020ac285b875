/* How far the activations between the layers of a network reach: what the 8-bit network's bytes stand for. Taken on
 * footage by core/plan.h's plan_observe(), in two passes: first the extremes, then, between them, how often each value
 * comes. Plain data; one thread fills an object, several are merged. */
#ifndef MEMAED_CORE_RANGES_H
#define MEMAED_CORE_RANGES_H

#include "core/arch.h"

struct range {
    float low, high;            /* low <= 0 <= high, low < high */
};

/* Of what goes into each layer; encoder[0], the picture itself, is not looked at. */
struct ranges {
    struct range encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
};

enum { RANGE_BINS = 2048 };

struct range_counts {
    float low, high;            /* as seen; 0 is always among them */
    double counts[RANGE_BINS];
};

struct ranges_seen {
    bool counting;              /* the second pass */
    struct range_counts encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
};

void range_see(struct range_counts *seen, bool counting, const float *x, size_t n);

/* Adds what another thread saw in the same pass; before the second all threads must begin with the same extremes. */
void ranges_merge(struct ranges_seen *seen, const struct ranges_seen *other);

/* What leaves a share of the values beyond it, half at either end, 0 <= outside < 1; whole where that is nothing. Every
 * range is valid, even where nothing but zeros was seen. */
void ranges_fit(struct ranges *ret, const struct ranges_seen *seen, double outside);

#endif
