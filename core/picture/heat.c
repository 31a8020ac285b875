#include "core/picture/heat.h"

#include <math.h>

#include "core/picture/draw.h"

/* The opacity of the map over the picture at HEAT_ALERT and beyond. */
static const float most_opaque = 0.6f;

float heat_position(const struct heat_scale *scale, float value)
{
    float position = HEAT_ALERT * (value - scale->usual) / (scale->alert - scale->usual);
    return scale->alert > scale->usual && position > 0 ? fminf(position, 1) : 0;
}

float heat_end(const struct heat_scale *scale)
{
    return scale->usual + (scale->alert - scale->usual) / HEAT_ALERT;
}

struct colour heat_colour(float position)
{
    /* The colours stand at equal steps. The lightness (L* of CIE 1976) rises by 13 to 17 from one to the next, from 16 to 98. */
    static const struct colour colours[] = {{40, 20, 110}, {110, 25, 135}, {185, 45, 100}, {232, 92, 45}, {248, 158, 20},
                                            {252, 225, 95}, {255, 252, 215}};
    enum { LAST = sizeof colours / sizeof *colours - 1 };
    float at = position > 0 ? fminf(position, 1) * LAST : 0;
    int i = at < LAST ? (int)at : LAST - 1;
    float part = at - (float)i;
    const struct colour a = colours[i], b = colours[i + 1];
#define BETWEEN(channel) (uint8_t)lrintf((float)a.channel + part * (float)(b.channel - a.channel))
    return (struct colour){BETWEEN(red), BETWEEN(green), BETWEEN(blue)};
#undef BETWEEN
}

/* Finds the two cells that a place lies between. *part is its way from the first to the second, 0 to 1. Beyond the border, the
 * cells of the border count. */
static void between(float at, float first, float step, int n, int *low, int *high, float *part)
{
    float cell = fminf(fmaxf((at - first) / step, 0), (float)(n - 1));
    *low = (int)cell;
    *high = *low + 1 < n ? *low + 1 : *low;
    *part = cell - (float)*low;
}

static float position_of(const struct heat_map *map, const struct heat_scale *scale, int row, int column)
{
    return heat_position(scale, map->values[(size_t)row * (size_t)map->columns + (size_t)column]);
}

void heat_draw(struct picture *picture, const struct heat_map *map, const struct heat_scale *scale)
{
    for (int y = 0; y < picture->height; y++) {
        int top, bottom, left, right;
        float down, across;
        between(((float)y + 0.5f) / (float)picture->height, map->first_y, map->step_y, map->rows, &top, &bottom, &down);
        for (int x = 0; x < picture->width; x++) {
            between(((float)x + 0.5f) / (float)picture->width, map->first_x, map->step_x, map->columns, &left, &right, &across);
            float above = (1 - across) * position_of(map, scale, top, left) + across * position_of(map, scale, top, right),
                  below = (1 - across) * position_of(map, scale, bottom, left) + across * position_of(map, scale, bottom, right),
                  position = (1 - down) * above + down * below, opaque = most_opaque * fminf(position / HEAT_ALERT, 1);
            const struct colour colour = heat_colour(position);
            const uint8_t over[3] = {colour.red, colour.green, colour.blue};
            uint8_t *p = picture_at(picture, x, y);
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)lrintf(p[c] + opaque * (float)(over[c] - p[c]));
        }
    }
}

void heat_draw_bar(struct picture *picture, int x, int y, int width, int height)
{
    for (int i = 0; i < width; i++)
        draw_fill(picture, x + i, y, 1, height, heat_colour(((float)i + 0.5f) / (float)width));
    draw_fill(picture, x + (int)lrintf(HEAT_ALERT * (float)width) - 1, y - 3, 2, height + 6, (struct colour){255, 255, 255});
}
