/* The range of each channel of a network's activations, for the 8-bit network. A byte covers a channel's range in 255 steps;
 * values outside it are clipped. plan_observe() of core/network/plan.h gathers the statistics on footage in two passes: first
 * each channel's extremes, then a histogram of its values between them.
 *
 * Channels are numbered through all layers: those that go into encoder layer 1, 2, …, then into decoder layer 0, 1, …. The
 * picture, input of encoder layer 0, has no range here. Plain data. One thread fills a struct; several structs are
 * merged. */
#ifndef MEMAED_CORE_NETWORK_RANGES_H
#define MEMAED_CORE_NETWORK_RANGES_H

#include <stdint.h>

#include "core/network/arch.h"

struct range {
    float low, high;            /* low <= 0 <= high, low < high */
};

enum { RANGES_MAX = 4096,       /* channels of all layers; a network with more has no ranges */
       RANGE_BINS = 512 };      /* of a histogram */

struct ranges {
    int n;                      /* ranges_count() */
    struct range channels[RANGES_MAX];
};

/* The observations so far, by channel. Starts as zeros with n set. */
struct ranges_seen {
    int n;
    bool counting;              /* second pass: counts change, extremes stay */
    struct range extremes[RANGES_MAX];  /* the least and the largest value; they include 0 */
    uint32_t counts[RANGES_MAX][RANGE_BINS];    /* bins of equal width from extremes.low to .high; stop at UINT32_MAX */
};

/* The number of a layer's first input channel; ranges_count(): the number of all channels. */
int ranges_of_encoder(const struct arch_shapes *shapes, int layer);    /* layer >= 1 */
int ranges_of_decoder(const struct arch *arch, const struct arch_shapes *shapes, int layer);
int ranges_count(const struct arch *arch, const struct arch_shapes *shapes);

/* Adds x [n, channels], whose channels have the numbers first, first + 1, …, to the statistics of the current pass. */
void ranges_see(struct ranges_seen *seen, int first, const float *x, size_t n, int channels);

/* Adds the statistics that another thread gathered in the same pass. All threads start the second pass with the same
 * extremes: the merged ones of the first. */
void ranges_merge(struct ranges_seen *seen, const struct ranges_seen *other);

/* Chooses each channel's range so that at most the share outside / 2 of its values lies beyond each end; 0 <= outside < 1. With
 * outside 0, or without a second pass, the range is from one extreme to the other. A channel that was always 0 gets the range
 * 0 to 1, so every range is valid. */
void ranges_fit(struct ranges *ret, const struct ranges_seen *seen, double outside);

#endif
