/* A heat map over a picture. Its scale is stated and does not depend on the picture, so that two heat maps of a camera can be
 * compared. It begins at a usual value, where the map is invisible. It reaches two thirds of its colours at the value that
 * opens an alert, and ends half as far beyond. Colours go from dark violet over red and orange to pale yellow, and their
 * lightness rises evenly. Pure; any thread; allocates nothing. */
#ifndef MEMAED_CORE_PICTURE_HEAT_H
#define MEMAED_CORE_PICTURE_HEAT_H

#include "core/picture/picture.h"

struct heat_scale {
    float usual, alert;         /* usual < alert, both finite; others colour nothing */
};

/* A grid of values; cell (r, c) has its centre at (first_x + c step_x, first_y + r step_y), in fractions of the picture. */
struct heat_map {
    const float *values;        /* [rows, columns], borrowed; what is not a number counts as usual */
    int rows, columns;          /* 1 or more */
    float first_x, first_y, step_x, step_y;     /* steps above 0 */
};

#define HEAT_ALERT (2.0f / 3)   /* the position of the alert's value */

/* The position of a value on the scale: 0 up to usual, HEAT_ALERT at alert, 1 where the scale ends, and beyond. */
float heat_position(const struct heat_scale *scale, float value);
/* The value at the end of the scale. */
float heat_end(const struct heat_scale *scale);
/* The colour at a position, which is clipped to 0 to 1. */
struct colour heat_colour(float position);

/* Colours the picture by the map, interpolated between the centres of cells. Little of the picture shows through where the map is
 * high. */
void heat_draw(struct picture *picture, const struct heat_map *map, const struct heat_scale *scale);

/* Draws the colours of the scale from left to right, with a mark at the alert's value. */
void heat_draw_bar(struct picture *picture, int x, int y, int width, int height);

#endif
