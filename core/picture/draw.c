#include "core/picture/draw.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const struct colour bright = {255, 224, 32}, dark = {0, 0, 0};

static int clamp(int i, int least, int most)
{
    return i < least ? least : i > most ? most : i;
}

void draw_fill(struct picture *picture, int x, int y, int width, int height, struct colour colour)
{
    int left = clamp(x, 0, picture->width), right = clamp(x + width, 0, picture->width),
        top = clamp(y, 0, picture->height), bottom = clamp(y + height, 0, picture->height);
    for (int v = top; v < bottom; v++)
        for (int u = left; u < right; u++) {
            uint8_t *p = picture_at(picture, u, v);
            p[0] = colour.red;
            p[1] = colour.green;
            p[2] = colour.blue;
        }
}

int draw_line_width(const struct picture *picture)
{
    int side = picture->width < picture->height ? picture->width : picture->height;
    return side < 270 ? 1 : (side + 90) / 180;
}

/* A line of `width` pixels along the inside of the rectangle. */
static void outline(struct picture *picture, int left, int top, int right, int bottom, int width, struct colour colour)
{
    draw_fill(picture, left, top, right - left, width, colour);
    draw_fill(picture, left, bottom - width, right - left, width, colour);
    draw_fill(picture, left, top, width, bottom - top, colour);
    draw_fill(picture, right - width, top, width, bottom - top, colour);
}

/* The nearest border between pixels, 0 to `size`; 0 for what is not a number. */
static int border(float fraction, int size)
{
    return fraction > 0 ? (int)lrintf(fminf(fraction, 1) * (float)size) : 0;
}

void draw_boxes(struct picture *picture, const struct boxes *boxes)
{
    int width = draw_line_width(picture), edge = (width + 1) / 2;
    for (int i = 0; i < boxes->n && i < BOXES_MAX; i++) {
        const struct box *b = &boxes->box[i];
        int left = border(b->x, picture->width), right = border(b->x + b->width, picture->width),
            top = border(b->y, picture->height), bottom = border(b->y + b->height, picture->height);
        outline(picture, left - edge, top - edge, right + edge, bottom + edge, width + 2 * edge, dark);
        outline(picture, left, top, right, bottom, width, bright);
    }
}

/* ---- masks -------------------------------------------------------------------------------------------------------- */

static bool is_usable(const struct draw_polygon *polygon)
{
    bool usable = polygon->points && polygon->n >= 3;
    for (int i = 0; usable && i < polygon->n; i++)
        usable = isfinite(polygon->points[i].x) && isfinite(polygon->points[i].y);
    return usable;
}

/* The squared distance of (x, y) from the line between a and b, in pixels. */
static double distance_to(struct draw_point a, struct draw_point b, double x, double y, const struct picture *picture)
{
    double ax = (double)a.x * picture->width, ay = (double)a.y * picture->height, dx = (double)b.x * picture->width - ax,
           dy = (double)b.y * picture->height - ay, length = dx * dx + dy * dy;
    double along = length > 0 ? fmin(fmax(((x - ax) * dx + (y - ay) * dy) / length, 0), 1) : 0;
    return pow(ax + along * dx - x, 2) + pow(ay + along * dy - y, 2);
}

/* reach: how far from the polygon the centre of a covered pixel may be. */
static bool covers(const struct draw_polygon *polygon, int x, int y, double reach, const struct picture *picture)
{
    double px = x + 0.5, py = y + 0.5;
    bool inside = false;
    for (int i = 0, j = polygon->n - 1; i < polygon->n; j = i++) {
        struct draw_point a = polygon->points[i], b = polygon->points[j];
        double ay = (double)a.y * picture->height, by = (double)b.y * picture->height;
        if (distance_to(a, b, px, py, picture) <= reach * reach)
            return true;
        if ((ay > py) != (by > py) &&
            px < picture->width * ((double)a.x + (py - ay) / (by - ay) * ((double)b.x - (double)a.x)))
            inside = !inside;
    }
    return inside;
}

static int pixel(double at, int size)
{
    return (int)fmin(fmax(at, 0), size);
}

static void mask(struct picture *picture, const struct draw_polygon *polygon, double reach)
{
    float left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
    for (int i = 0; i < polygon->n; i++) {
        left = fminf(left, polygon->points[i].x);
        right = fmaxf(right, polygon->points[i].x);
        top = fminf(top, polygon->points[i].y);
        bottom = fmaxf(bottom, polygon->points[i].y);
    }
    int first_x = pixel((double)left * picture->width - reach - 1, picture->width),
        end_x = pixel((double)right * picture->width + reach + 1, picture->width),
        first_y = pixel((double)top * picture->height - reach - 1, picture->height),
        end_y = pixel((double)bottom * picture->height + reach + 1, picture->height);
    for (int y = first_y; y < end_y; y++)
        for (int x = first_x; x < end_x; x++)
            if (covers(polygon, x, y, reach, picture))
                memset(picture_at(picture, x, y), 0, 3);
}

void draw_masks(struct picture *picture, const struct draw_polygon *polygons, int n, float margin)
{
    /* Half a pixel's diagonal: a pixel that the border touches is covered. */
    double reach = fmax((double)margin, 0) + M_SQRT1_2;
    for (int i = 0; i < n; i++)
        if (is_usable(&polygons[i]))
            mask(picture, &polygons[i], reach);
        else
            draw_fill(picture, 0, 0, picture->width, picture->height, dark);
}
