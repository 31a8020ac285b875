/* Links the regions of two successive masks, so that regions form tracks. A region continues at most one region of the mask
 * before, and at most one region continues it. Pairs of regions that share a pixel are linked by falling intersection over
 * union, as long as neither region is linked yet. Among equal pairs, the lower number in the mask before comes first, then the
 * lower number in the present mask. Pure function, any thread. */
#ifndef MEMAED_CORE_EVALUATION_TRACKS_H
#define MEMAED_CORE_EVALUATION_TRACKS_H

#include <stddef.h>
#include <stdint.h>

/* Writes to continued [n_now] the region before, from 1, that region i + 1 continues; 0: none, a track begins.
 *   before, now   [pixels] the region of each pixel, 1 … n_before and 1 … n_now; 0: in no region
 * 0; -ENOMEM, continued untouched. */
int tracks_link(uint32_t *continued, const uint32_t *before, uint32_t n_before, const uint32_t *now, uint32_t n_now,
                size_t pixels);

#endif
