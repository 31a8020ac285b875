/* libFuzzer target: polygons of masks and zones (core/zones/polygon.h) from any points. The first byte gives the number of
 * points. Each further two give a point on a grid of 1/240 of the picture, so that points often meet, touch sides and lie on
 * the border.
 *
 * Checked of an accepted polygon: its shares are from 0 to 1, and the shares of four quarters add up to that of the whole. Every
 * pixel that it covers in part is filled, and no other. hiding_map() contains all of these pixels. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/hiding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIDTH = 24, HEIGHT = 16, GRID = 240 };

static void check(int holds)
{
    if (!holds)
        abort();
}

static double share(const struct polygon *polygon, double x, double y, double width, double height)
{
    double ret = polygon_share(polygon, x, y, width, height);
    check(ret >= 0 && ret <= 1);
    return ret;
}

static void check_shares(const struct polygon *polygon)
{
    double quarters = share(polygon, 0, 0, 0.5, 0.5) + share(polygon, 0.5, 0, 0.5, 0.5) + share(polygon, 0, 0.5, 0.5, 0.5) +
                      share(polygon, 0.5, 0.5, 0.5, 0.5);
    check(fabs(quarters / 4 - share(polygon, 0, 0, 1, 1)) < 1e-6);
}

static void check_filled(const struct zones *zones)
{
    const struct polygon *polygon = &zones->mask[0].area;
    uint8_t *plane = calloc(HEIGHT, WIDTH), *covered = malloc(HEIGHT * WIDTH);
    if (plane && covered) {
        polygon_fill(polygon, &(struct polygon_plane){plane, WIDTH, WIDTH, HEIGHT, 1, 1}, 1);
        hiding_map(zones, HEIGHT, WIDTH, covered);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                bool filled = plane[y * WIDTH + x];
                double left = (double)x / WIDTH, top = (double)y / HEIGHT, column = 1.0 / WIDTH, row = 1.0 / HEIGHT;
                check(filled || share(polygon, left, top, column, row) < 0.01);
                check(!filled || share(polygon, left - column, top - row, 3 * column, 3 * row) > 0);
                check(!filled || covered[y * WIDTH + x]);
            }
    }
    free(plane);
    free(covered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zones zones = {.n_masks = 1};
    struct polygon *polygon = &zones.mask[0].area;
    struct error err = {""};
    if (size < 1)
        return 0;
    polygon->n = data[0] % (POLYGON_POINTS_MOST + 2);
    for (int i = 0; i < polygon->n && i < POLYGON_POINTS_MOST; i++) {
        size_t at = 1 + 2 * (size_t)i;
        /* A byte of 255 lies outside the picture. */
        polygon->points[i].x = at < size ? (float)data[at] / GRID : 0;
        polygon->points[i].y = at + 1 < size ? (float)data[at + 1] / GRID : 0;
    }
    if (polygon_check(polygon, &err) < 0) {
        check(err.text[0] != '\0');
        return 0;
    }
    check(polygon->n >= POLYGON_POINTS_LEAST && polygon->n <= POLYGON_POINTS_MOST);
    check_shares(polygon);
    check_filled(&zones);
    return 0;
}
