/* Polygons of the picture as a viewer sees it. Coordinates are fractions of the picture, 0 to 1, x to the right and y down. So
 * they hold for every size and aspect of a camera's streams. Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_ZONES_POLYGON_H
#define MEMAED_CORE_ZONES_POLYGON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum { POLYGON_POINTS_LEAST = 3, POLYGON_POINTS_MOST = 32 };

struct point {
    float x, y;
};

/* The last point is joined to the first. All functions but polygon_check() want a polygon that it accepts. */
struct polygon {
    int n;
    struct point points[POLYGON_POINTS_MOST];
};

/* 0, or -EINVAL with "expected …, got …" in err. It refuses fewer than 3 or more than 32 points, and an area below a millionth of
 * the picture. It also refuses a coordinate that is not a number from 0 to 1, sides that cross or touch, and a point given twice.
 * Sides are numbered from 1; side i goes from point i to the next. */
int polygon_check(const struct polygon *polygon, struct error *err);

/* Returns true if the point lies inside. A point on a side may count as inside or outside. */
bool polygon_contains(const struct polygon *polygon, float x, float y);

/* The share of the rectangle [x, x + width] x [y, y + height], of positive size, that lies in the polygon: 0 to 1. */
double polygon_share(const struct polygon *polygon, double x, double y, double width, double height);

/* A plane of 8-bit samples of a picture of width x height pixels. Each sample stands for step_x x step_y pixels; a chroma plane
 * of 4:2:0 has steps of 2. It has ceil(width / step_x) columns and ceil(height / step_y) rows. */
struct polygon_plane {
    uint8_t *samples;
    ptrdiff_t stride;           /* bytes from row to row */
    int width, height;          /* of the picture, in pixels */
    int step_x, step_y;
};

/* Writes value to every sample that the polygon overlaps, however little: nothing of what it covers stays visible. */
void polygon_fill(const struct polygon *polygon, const struct polygon_plane *plane, uint8_t value);

#endif
