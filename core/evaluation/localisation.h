/* Localisation: a model's maps of abnormality against masks of the truth. A map has map_h x map_w cells that cover the
 * picture evenly; larger values are more abnormal. A mask has h x w pixels and is 0 where the picture is normal. Maps are
 * evaluated at the mask's resolution: pixel (y, x) has the value of cell (y * map_h / h, x * map_w / w), rounded down.
 *
 * Three figures, all exact, over all thresholds:
 *   pixel AUC: area under the ROC curve over all pixels of all frames, ties counting half.
 *   RBDC: the region-based detection criterion of Ramachandra and Jones (Street Scene, WACV 2020). Regions are connected
 *     components, with diagonal neighbours, of the mask and of the cells at or above a threshold. A region of the mask is
 *     detected if a region of the map has an intersection over union of 0.1 or more with it. A region of the map that
 *     detects none is a false positive. The curve is the share of regions detected against the false positives per frame. Each
 *     point uses the best threshold that gives no more false positives. RBDC is the area under it from 0 to 1 false positive
 *     per frame. The threshold stops falling where there are more.
 *   TBDC: the track-based detection criterion of the same paper. A track is detected if at least a tenth of its regions is
 *     detected. The rest is as for RBDC, with tracks in place of regions. The masks name no tracks, so regions are linked from
 *     mask to mask of a clip by their overlap (core/evaluation/tracks.h). A region that continues none begins a track, and a
 *     track ends where no region continues it.
 *
 * One thread per struct. It stores 16 bytes per cell and frame, and 12 bytes whenever a region is detected or lost. */
#ifndef MEMAED_CORE_EVALUATION_LOCALISATION_H
#define MEMAED_CORE_EVALUATION_LOCALISATION_H

#include <stddef.h>
#include <stdint.h>

struct localisation;

int localisation_open(struct localisation **ret);       /* 0 or -ENOMEM; the caller closes *ret */
void localisation_close(struct localisation *l);        /* takes NULL */

/* The next frame is the first of another clip: no track leads to it. */
void localisation_begin_clip(struct localisation *l);

/* Adds a frame: map [map_h, map_w], mask [h, w], both borrowed for the call. 0; -EINVAL if the map is empty or finer than
 * the mask; -EDOM if a value of the map is not a number; -ENOMEM. On failure nothing is added.
 * Frames of a clip are added in their order. No track leads to a mask whose size differs from the mask before. */
int localisation_add(struct localisation *l, const float *map, int map_h, int map_w, const uint8_t *mask, int h, int w);

size_t localisation_frames(const struct localisation *l);
size_t localisation_regions(const struct localisation *l);      /* of the masks */
size_t localisation_tracks(const struct localisation *l);

/* The figures over all frames added. 0; -ENOMEM (RBDC, TBDC); -EDOM if undefined: all pixels or none are abnormal (pixel AUC),
 * or there is no region (RBDC, TBDC). *ret is untouched on failure. */
int localisation_pixel_auc(double *ret, struct localisation *l);
int localisation_rbdc(double *ret, struct localisation *l);
int localisation_tbdc(double *ret, struct localisation *l);

#endif
