/* Hiding: replaces what lies under masks, before anything analyses the picture. Each masked pixel gets a blend of the visible
 * ones around it. The masked part is filled from means of ever larger blocks of visible pixels (push and pull; Gortler et al.,
 * SIGGRAPH 1996). So nothing under a mask can influence a score. The fill follows the light. It has no hard edges, which the
 * network would reconstruct badly.
 *
 * A mask covers every pixel that it overlaps, and the pixels next to those: scaling to the network's size mixes neighbours.
 * One thread (or lock) for each hiding. Nothing is allocated after hiding_open(). The same picture gives the same bits. */
#ifndef MEMAED_CORE_ZONES_HIDING_H
#define MEMAED_CORE_ZONES_HIDING_H

#include "core/zones/zones.h"

/* Writes 1 for each pixel that a mask covers and 0 for each other one, ret [height, width]. Returns how many are covered. */
size_t hiding_map(const struct zones *zones, int height, int width, uint8_t *ret);

struct hiding;

/* zones is read during the call only. *ret is NULL if there is nothing to hide. 0, -ENOMEM, or -EINVAL, *ret untouched: the
 * masks cover every pixel. */
int hiding_open(struct hiding **ret, const struct zones *zones, int height, int width);
void hiding_close(struct hiding *hiding);               /* takes NULL */

/* Fills the part that the masks cover, in place: picture [height, width]. hiding may be NULL. */
void hiding_fill(struct hiding *hiding, uint8_t *picture);

#endif
