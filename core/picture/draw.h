/* Drawing on a picture. Parts of a figure outside of the picture are left out, so no place and no size is an error. Coordinates
 * of boxes and polygons are fractions of the picture, 0 to 1, from its upper left corner. Pure; any thread; allocates nothing. */
#ifndef MEMAED_CORE_PICTURE_DRAW_H
#define MEMAED_CORE_PICTURE_DRAW_H

#include "core/picture/picture.h"
#include "core/record.h"

void draw_fill(struct picture *picture, int x, int y, int width, int height, struct colour colour);

/* The width of a line: two pixels in a picture of 360 rows, or of 360 columns if it is upright; in proportion in others, 1 at
 * least. */
int draw_line_width(const struct picture *picture);

/* Draws the outline of each box: a bright line between two dark ones, which shows on any ground. The bright line lies just inside
 * the box. */
void draw_boxes(struct picture *picture, const struct boxes *boxes);

struct draw_point {
    float x, y;
};

/* A polygon of n >= 3 corners, closed by itself. */
struct draw_polygon {
    const struct draw_point *points;
    int n;
};

/* Blackens all pixels that lie in one of the polygons, by the even-odd rule, or within `margin` pixels of it. A margin of 2
 * covers what scaling and subsampled colour carry across the border. A polygon with fewer than 3 corners, or with a coordinate
 * that is not finite, covers the whole picture. So a fault never shows what it should hide. */
void draw_masks(struct picture *picture, const struct draw_polygon *polygons, int n, float margin);

#endif
