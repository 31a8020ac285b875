#include "core/score/boxes.h"

#include <math.h>

#include "core/score/component.h"

/* The position of an edge, in ten-thousandths of the picture. */
static float edge(int pixels, int of)
{
    return roundf(1e4f * (float)pixels / (float)of);
}

static struct box bound(const struct boxes_grid *grid, const float *map, const uint32_t *members, size_t n)
{
    int top = grid->rows, left = grid->columns, bottom = 0, right = 0;
    float score = map[members[0]];

    for (size_t i = 0; i < n; i++) {
        int r = (int)members[i] / grid->columns, c = (int)members[i] % grid->columns;

        top = r < top ? r : top;
        left = c < left ? c : left;
        bottom = r > bottom ? r : bottom;
        right = c > right ? c : right;
        score = map[members[i]] > score ? map[members[i]] : score;
    }
    float x = edge(grid->step * left, grid->width), y = edge(grid->step * top, grid->height);
    return (struct box){.x = x / 1e4f,
                        .y = y / 1e4f,
                        .width = (edge(grid->step * right + grid->size, grid->width) - x) / 1e4f,
                        .height = (edge(grid->step * bottom + grid->size, grid->height) - y) / 1e4f,
                        .score = score};
}

/* Inserts a box into the BOXES_MAX highest, in falling order. Among equal scores the earlier box stays first. */
static void insert(struct boxes *boxes, const struct box *box)
{
    int at = boxes->n;

    while (at > 0 && boxes->box[at - 1].score < box->score)
        at--;
    if (at == BOXES_MAX)
        return;
    if (boxes->n < BOXES_MAX)
        boxes->n++;
    for (int i = boxes->n - 1; i > at; i--)
        boxes->box[i] = boxes->box[i - 1];
    boxes->box[at] = *box;
}

void boxes_find(struct boxes *ret, const struct boxes_grid *grid, const float *map, float level, uint32_t *scratch)
{
    size_t cells = (size_t)grid->rows * (size_t)grid->columns;
    uint32_t *component = scratch, *members = scratch + cells;

    ret->n = 0;
    for (size_t i = 0; i < cells; i++)
        component[i] = map[i] >= level ? COMPONENT_NEW : COMPONENT_NONE;
    for (size_t i = 0; i < cells; i++) {
        if (component[i] != COMPONENT_NEW)
            continue;
        size_t n = component_number(component, members, grid->rows, grid->columns, i, 1);
        struct box box = bound(grid, map, members, n);

        insert(ret, &box);
    }
}
