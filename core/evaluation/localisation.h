/* Where a model sees something abnormal, held against masks of where it is. A map has map_h x map_w cells that cover the
 * picture evenly, larger is more abnormal: pixel (y, x) of a mask of h x w has the value of cell (y * map_h / h, x * map_w / w),
 * rounded down, so that a map is judged at the mask's resolution. A mask is 0 where normal.
 *
 * Two figures, both exact, over every threshold:
 *   pixel AUC: area under the ROC curve over all pixels of all frames, ties counting half.
 *   RBDC: the region-based detection criterion of Ramachandra and Jones (Street Scene, WACV 2020). Regions are connected
 *     components, diagonals too: of the mask, and of the cells at or above a threshold. A region of the mask is detected
 *     where one of the map has an intersection over union with it of 0.1 or more; one of the map that has so with none is
 *     a false positive. The area under the rate of regions detected against false positives a frame, from 0 to 1: the
 *     threshold falls until there is more than one a frame, and at each number of false positives the best threshold of
 *     those with no more counts.
 *
 * One thread a struct. It keeps 20 bytes a cell and frame. */
#ifndef MEMAED_CORE_EVALUATION_LOCALISATION_H
#define MEMAED_CORE_EVALUATION_LOCALISATION_H

#include <stddef.h>
#include <stdint.h>

struct localisation;

int localisation_open(struct localisation **ret);       /* 0 or -ENOMEM; the caller's */
void localisation_close(struct localisation *l);        /* takes NULL */

/* Adds a frame: map [map_h * map_w], mask [h * w], both borrowed for the call. 0; -EINVAL where the map is finer than the
 * mask; -EDOM where a value is not a number; -ENOMEM. On failure nothing is added. */
int localisation_add(struct localisation *l, const float *map, int map_h, int map_w, const uint8_t *mask, int h, int w);

size_t localisation_frames(const struct localisation *l);
size_t localisation_regions(const struct localisation *l);      /* of the masks */

/* 0; -EDOM where it is not defined: all pixels, or none, are abnormal; no region. *ret is untouched on failure. */
int localisation_pixel_auc(double *ret, struct localisation *l);
int localisation_rbdc(double *ret, struct localisation *l);     /* or -ENOMEM */

#endif
