/* Boxes around what scores in a window: from the map of its cells (core/score/score.h), those at or above a level, joined where
 * they touch, diagonals too; the bounding box of each such component, with the score of its highest cell. Boxes may overlap.
 * In fractions of the picture as the network sees it, which is the whole picture of the camera whatever its size.
 * Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_SCORE_BOXES_H
#define MEMAED_CORE_SCORE_BOXES_H

#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

/* How cells lie on the picture: cell (r, c) covers size x size pixels from (row step·r, column step·c) on. */
struct boxes_grid {
    int rows, columns;
    int step, size;
    int height, width;          /* of the picture, pixels */
};

/* The boxes of a map [rows, columns]; the BOXES_MAX highest where there are more. Cells that are not a number are below any
 * level. scratch: boxes_scratch(grid) numbers. */
void boxes_find(struct boxes *ret, const struct boxes_grid *grid, const float *map, float level, uint32_t *scratch);
static inline size_t boxes_scratch(const struct boxes_grid *grid) { return 2 * (size_t)grid->rows * (size_t)grid->columns; }

/* The level where alerts open at one threshold and close below another: halfway. At the lower one there is a box around
 * all that moves as usual; at the upper one, none in the windows between them (figures in docs/score.md). */
static inline float boxes_level(float threshold, float close_threshold) { return (threshold + close_threshold) / 2; }

#endif
