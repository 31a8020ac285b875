/* Places: how a window differs from what is usual at each place of a camera's picture. Two quantities of the window's cells,
 * both logarithms, are compared with the place where they occur:
 *   pace         the squared speed, against the fastest usual one at this height of the picture. Cameras look down on the
 *                ground, so height stands for distance: what is far away moves fewer pixels a frame. A height where nothing
 *                fast was ever seen is compared with the fastest of the whole picture.
 *   appearance   the squared reconstruction error: its rise above the typical value at this cell and its neighbours, against
 *                the highest usual rise in the picture. Edges, screens and leaves always have a large error, an empty wall has
 *                none. A rise that half the picture shares is a change of light, and is taken off.
 *
 * "Usual" is what the footage exceeds in one window of a thousand; in footage of fewer windows, its maximum. "Typical" is the
 * median. A window's feature is the mean excess over the usual value, over the cells with the largest excess (1/120).
 *
 * Little footage leaves places where nothing happened by chance. The calibration must therefore measure the excess of a window
 * by usual values from other parts of the footage (cross-fitting). Where that excess varies, its spread is large, and the
 * feature has little weight. Figures: docs/score.md. Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_SCORE_PLACES_H
#define MEMAED_CORE_SCORE_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "core/zones/regions.h"

enum places_map { PLACES_PACE, PLACES_APPEARANCE, PLACES_MAPS };

enum { PLACES_CELLS_MAX = 4096 };

struct places {                                     /* by cell, row by row */
    float usual[PLACES_MAPS][PLACES_CELLS_MAX];
    float typical_error[PLACES_CELLS_MAX];
};

/* Logarithms of many windows, in 16 bits each: a step is 1/2048, the range -16 to 16. Values beyond are clipped. */
uint16_t places_encode(float log);
float places_decode(uint16_t code);

/* Fits the places to n windows: codes [PLACES_MAPS, rows * columns, n]. Uses window i if use[i] is not 0; one at least is
 * used. scratch: 2 n + rows * columns floats. */
void places_fit(struct places *ret, int rows, int columns, const uint16_t *codes, size_t n, const uint8_t *use,
                float *scratch);

/* The rise that half the picture shares in a window with these logarithms, logs [cells]: 0 or more; 0 for PLACES_PACE. Cells
 * that do not count are left out. regions may be NULL. scratch: cells floats. */
float places_shared_rise(const struct places *places, enum places_map map, const float *logs, int cells,
                         const struct regions *regions, float *scratch);

/* The feature of the cells in the regions `which` (regions_hold()), in a window with these logarithms. It is a mean over 1/120 of
 * all cells, or over those of the regions if they have fewer. -INFINITY: they have none. */
float places_excess(const struct places *places, enum places_map map, const float *logs, int cells,
                    const struct regions *regions, uint32_t which, float shared_rise, float *scratch);

#endif
