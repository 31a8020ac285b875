/* Regions say which cells of a grid count, and which of them may open alerts by a budget of their own.
 *
 * A cell does not count if masks cover more than half of its pixels (core/zones/hiding.h). A cell belongs to a zone if half of
 * it or more lies in the zone. Each zone with a budget of its own is a region. Region 0 has the cells of no such zone. So a cell
 * that counts belongs to one region or more. Constant once open; any thread. */
#ifndef MEMAED_CORE_ZONES_REGIONS_H
#define MEMAED_CORE_ZONES_REGIONS_H

#include "core/zones/zones.h"

/* Cell (r, c) covers size x size pixels from row step * r, column step * c on, of a picture of height x width. */
struct regions_grid {
    int rows, columns, step, size, height, width;
};

enum { REGIONS_MOST = ZONES_MOST + 1 };

struct regions {
    int cells;
    int n;                              /* regions, 1 or more */
    int visible[REGIONS_MOST];          /* cells of each region */
    int zone[REGIONS_MOST];             /* its number among struct zones; -1 for region 0 */
    float shift[REGIONS_MOST];          /* is added to its scores, so that one threshold serves all */
    uint32_t *cell;                     /* [cells]: bit r is set if the cell belongs to region r; 0: it does not count */
};

/* zones may be NULL and is read during the call only. shift [zones->n]: the camera's threshold minus that of each zone's budget.
 * NULL: budgets are left out, so there is one region. *ret is NULL if no mask is set and there is one region. 0 or -ENOMEM, *ret
 * untouched. */
int regions_open(struct regions **ret, const struct zones *zones, const float *shift, const struct regions_grid *grid);
void regions_close(struct regions *regions);            /* takes NULL */

#define REGIONS_ALL UINT32_MAX
/* Returns true if the cell belongs to one of the regions in `which`, bit r for region r. regions may be NULL: all do. */
static inline bool regions_hold(const struct regions *regions, uint32_t which, int cell)
{
    return !regions || (regions->cell[cell] & which) != 0;
}
/* Returns how many cells count. */
int regions_visible(const struct regions *regions);
/* Returns the largest shift of the regions of a cell that counts. *zone, if not NULL, is the zone that has it, or -1. */
float regions_shift(const struct regions *regions, int cell, int *zone);

#endif
