/* Boxes around the parts of a window that score. The cells of the window's map (core/score/score.h) at or above a level form
 * connected components; diagonal neighbours are connected. Each component gives its bounding box and the score of its
 * highest cell. Boxes may overlap. Coordinates are fractions of the network's picture, which is the camera's whole picture.
 * Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_SCORE_BOXES_H
#define MEMAED_CORE_SCORE_BOXES_H

#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

/* The grid of cells: cell (r, c) covers size x size pixels from row step·r, column step·c on. */
struct boxes_grid {
    int rows, columns;
    int step, size;
    int height, width;          /* of the picture, pixels */
};

/* Finds the boxes of a map [rows, columns], at most the BOXES_MAX highest. A cell that is not a number is below any level.
 * scratch: boxes_scratch(grid) elements. */
void boxes_find(struct boxes *ret, const struct boxes_grid *grid, const float *map, float level, uint32_t *scratch);
static inline size_t boxes_scratch(const struct boxes_grid *grid) { return 2 * (size_t)grid->rows * (size_t)grid->columns; }

/* The level of the boxes for an alert's two thresholds: halfway between them. At close_threshold boxes would surround usual
 * motion too; at threshold, windows that score between the two would have no box. Figures: docs/score.md. */
static inline float boxes_level(float threshold, float close_threshold) { return (threshold + close_threshold) / 2; }

#endif
