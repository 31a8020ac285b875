/* How far the activations between the layers of a network reach, channel by channel: what the 8-bit network's bytes stand
 * for. Taken on footage by core/network/plan.h's plan_observe(), in two passes: first the extremes, then, between them, how often
 * each value comes. Plain data; one thread fills an object, several are merged. */
#ifndef MEMAED_CORE_NETWORK_RANGES_H
#define MEMAED_CORE_NETWORK_RANGES_H

#include <stdint.h>

#include "core/network/arch.h"

struct range {
    float low, high;            /* low <= 0 <= high, low < high */
};

enum { RANGES_MAX = 4096,       /* channels of all layers: of networks with more there are no ranges */
       RANGE_BINS = 512 };

/* Of the channels that go into encoder layer 1, 2, …, then into decoder layer 0, 1, …; the picture itself is none. */
struct ranges {
    int n;
    struct range channels[RANGES_MAX];
};

/* What was seen so far, in the order of struct ranges. */
struct ranges_seen {
    int n;
    bool counting;              /* the second pass */
    struct range extremes[RANGES_MAX];  /* 0 is always among them */
    uint32_t counts[RANGES_MAX][RANGE_BINS];
};

/* Where the channels that go into a layer begin. ranges_count(): all of them. */
int ranges_of_encoder(const struct arch_shapes *shapes, int layer);    /* layer >= 1 */
int ranges_of_decoder(const struct arch *arch, const struct arch_shapes *shapes, int layer);
int ranges_count(const struct arch *arch, const struct arch_shapes *shapes);

/* n positions of `channels` channels that are numbered from `first` on. */
void ranges_see(struct ranges_seen *seen, int first, const float *x, size_t n, int channels);

/* Adds what another thread saw in the same pass; before the second all must begin with the same extremes. */
void ranges_merge(struct ranges_seen *seen, const struct ranges_seen *other);

/* What leaves a share of a channel's values beyond it, half at either end, 0 <= outside < 1; whole where that is nothing.
 * Every range is valid, even where nothing but zeros was seen. */
void ranges_fit(struct ranges *ret, const struct ranges_seen *seen, double outside);

#endif
