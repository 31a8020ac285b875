/* Learns the memory of core/still/still.h from normal footage, in two parts: what the network learned from, and what it is
 * calibrated on. The two are treated alike.
 *
 * Exemplars are chosen in each part by itself. The first is the median description of the block. Each next one is the
 * description that is farthest from all so far (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985).
 *
 * The rises of each part are measured from the exemplars of the other. A cell's limit is the largest of both parts. The tail
 * is fitted to the statistics of each part by the exemplars and the limits of the other. The whole memory alerts less often
 * than that; STILL_BOTH divides the rate. In a memory that is calibrated again, the statistics of the new part alone are known,
 * and STILL_AGAIN divides their rate. Figures: docs/score.md.
 *
 * Lights are told apart as in core/score/score.h. A light is known if each part has STILL_LEAST_TICKS rises in it, which takes
 * 22 minutes without a gap. With less footage than that there is no memory.
 *
 * Descriptions are kept in runs of STILL_RUN ticks. When a part's runs fill the store, every second run is dropped, and from then
 * on only every second run is kept. STILL_STORE_BYTES hold 36 hours of 128x64. One thread for each builder. */
#ifndef MEMAED_CORE_STILL_STILL_BUILDER_H
#define MEMAED_CORE_STILL_STILL_BUILDER_H

#include "core/still/still.h"

enum { STILL_LEAST_TICKS = 150, STILL_RUN = 64, STILL_STORE_BYTES = 64 << 20 };
#define STILL_BOTH 3.0
#define STILL_AGAIN 5.0

enum still_part { STILL_LEARNED, STILL_CALIBRATED };

struct still_builder;

/* For frames [height, width]. store_bytes: most memory for a part's descriptions; at least 4 * STILL_RUN ticks are kept. 0;
 * -EINVAL if the frames are too small (slow_shape_of()); or -ENOMEM. *ret is untouched on failure. */
int still_builder_open(struct still_builder **ret, int height, int width, size_t store_bytes);
void still_builder_close(struct still_builder *builder);            /* takes NULL */
/* Call it before the first frame, as slow_picture_leave_out(), with the mask that still_watch_open() leaves out. */
void still_builder_leave_out(struct still_builder *builder, const uint8_t *covered);

/* Takes the next frame of a part, borrowed for the call; gap: the sequence broke before it. Parts may take turns, with a gap
 * at each turn. 0 or -ENOMEM. */
int still_builder_add(struct still_builder *builder, enum still_part part, const uint8_t *frame, int64_t pts_us, bool gap);

/* Learns the memory *ret. learned: NULL, or a memory for the same frames. Its lights and its part STILL_LEARNED then stay, and
 * only STILL_CALIBRATED is taken from the builder. 0; -ENODATA if no light is known; or -ENOMEM. *ret is untouched on failure,
 * and may be *learned. */
int still_builder_finish(const struct still_builder *builder, const struct still_memory *learned, struct still_memory *ret);

#endif
