#include "core/zones/zones.h"

#include <string.h>

static bool polygons_equal(const struct polygon *a, const struct polygon *b)
{
    for (int i = 0; i < a->n && i < b->n; i++)
        if (a->points[i].x != b->points[i].x || a->points[i].y != b->points[i].y)
            return false;
    return a->n == b->n;
}

bool zones_equal(const struct zones *a, const struct zones *b)
{
    static const struct zones none;
    a = a ? a : &none;
    b = b ? b : &none;
    if (a->n_masks != b->n_masks || a->n != b->n)
        return false;
    for (int i = 0; i < a->n_masks; i++)
        if (strcmp(a->mask[i].name, b->mask[i].name) != 0 || a->mask[i].privacy != b->mask[i].privacy ||
            !polygons_equal(&a->mask[i].area, &b->mask[i].area))
            return false;
    for (int i = 0; i < a->n; i++)
        if (strcmp(a->zone[i].name, b->zone[i].name) != 0 || a->zone[i].per_day != b->zone[i].per_day ||
            !polygons_equal(&a->zone[i].area, &b->zone[i].area))
            return false;
    return true;
}

bool zones_hide(const struct zones *zones)
{
    for (int i = 0; zones && i < zones->n_masks; i++)
        if (zones->mask[i].privacy)
            return true;
    return false;
}

bool zones_have_budgets(const struct zones *zones)
{
    for (int i = 0; zones && i < zones->n; i++)
        if (zones->zone[i].per_day > 0)
            return true;
    return false;
}

unsigned zones_touched(const struct zones *zones, const struct boxes *boxes)
{
    unsigned touched = 0;
    for (int z = 0; zones && z < zones->n; z++)
        for (int i = 0; i < boxes->n; i++) {
            const struct box *b = &boxes->box[i];
            if (polygon_share(&zones->zone[z].area, (double)b->x, (double)b->y, (double)b->width, (double)b->height) > 0) {
                touched |= 1u << z;
                break;
            }
        }
    return touched;
}
