#include "core/zones/regions.h"

#include <errno.h>
#include <stdlib.h>

#include "core/zones/hiding.h"

/* Returns true if half of the cell's pixels or more are visible. */
static bool is_visible(const struct regions_grid *g, const uint8_t *covered, int row, int column)
{
    int hidden = 0, pixels = 0;
    for (int y = g->step * row; y < g->step * row + g->size && y < g->height; y++)
        for (int x = g->step * column; x < g->step * column + g->size && x < g->width; x++, pixels++)
            hidden += covered[y * g->width + x];
    return 2 * hidden <= pixels;
}

static uint32_t regions_of(const struct regions *regions, const struct zones *zones, const struct regions_grid *g, int row,
                           int column)
{
    uint32_t ret = 0;
    for (int r = 1; r < regions->n; r++)
        if (polygon_share(&zones->zone[regions->zone[r]].area, (double)(g->step * column) / g->width,
                          (double)(g->step * row) / g->height, (double)g->size / g->width, (double)g->size / g->height) >= 0.5)
            ret |= UINT32_C(1) << r;
    return ret ? ret : 1;
}

int regions_open(struct regions **ret, const struct zones *zones, const float *shift, const struct regions_grid *grid)
{
    bool budgets = shift && zones_have_budgets(zones);
    if (!budgets && (!zones || zones->n_masks == 0)) {
        *ret = NULL;
        return 0;
    }
    struct regions *regions = calloc(1, sizeof *regions);
    uint8_t *covered = malloc((size_t)grid->height * (size_t)grid->width);
    if (regions) {
        regions->cells = grid->rows * grid->columns;
        regions->cell = calloc((size_t)regions->cells, sizeof *regions->cell);
    }
    if (!regions || !covered || !regions->cell) {
        free(covered);
        regions_close(regions);
        return -ENOMEM;
    }
    hiding_map(zones, grid->height, grid->width, covered);
    regions->n = 1;
    regions->zone[0] = -1;
    for (int z = 0; budgets && z < zones->n; z++)
        if (zones->zone[z].per_day > 0) {
            regions->shift[regions->n] = shift[z];
            regions->zone[regions->n++] = z;
        }
    for (int i = 0; i < regions->cells; i++) {
        int row = i / grid->columns, column = i % grid->columns;
        if (is_visible(grid, covered, row, column))
            regions->cell[i] = regions_of(regions, zones, grid, row, column);
        for (int r = 0; r < regions->n; r++)
            regions->visible[r] += regions->cell[i] >> r & 1;
    }
    free(covered);
    *ret = regions;
    return 0;
}

void regions_close(struct regions *regions)
{
    if (!regions)
        return;
    free(regions->cell);
    free(regions);
}

int regions_visible(const struct regions *regions)
{
    int n = 0;
    for (int i = 0; i < regions->cells; i++)
        n += regions->cell[i] != 0;
    return n;
}

float regions_shift(const struct regions *regions, int cell, int *zone)
{
    int best = -1;
    for (int r = 0; regions && r < regions->n; r++)
        if (regions->cell[cell] >> r & 1 && (best < 0 || regions->shift[r] > regions->shift[best]))
            best = r;
    if (zone)
        *zone = best < 0 ? -1 : regions->zone[best];
    return best < 0 ? 0 : regions->shift[best];
}
