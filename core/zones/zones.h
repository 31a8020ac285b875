/* The masks and zones of a camera, as its configuration describes them. The picture under a mask is not analysed: it is replaced
 * before anything sees it (core/zones/hiding.h), and the cells there do not count (core/zones/regions.h). A privacy mask is
 * also drawn over every picture that is kept or shown. A zone names a part of the picture; an alert names the zones that its
 * boxes touch. Plain data and pure functions; any thread. */
#ifndef MEMAED_CORE_ZONES_ZONES_H
#define MEMAED_CORE_ZONES_ZONES_H

#include "core/record.h"
#include "core/zones/polygon.h"

enum { ZONES_MASKS_MOST = 16 };

/* The text of the error where masks cover all of a picture, or too few cells are left to score. */
#define ZONES_NOTHING_LEFT \
    "expected masks that leave some of the picture, got masks that cover nearly all of it; make them smaller"

struct mask {
    char name[ZONE_NAME_SIZE];          /* "": none */
    struct polygon area;
    bool privacy;
};

struct zone {
    char name[ZONE_NAME_SIZE];
    struct polygon area;
    double per_day;                     /* alerts a day on normal footage that its cells may open; 0: as the rest of the camera */
    int per_day_line, per_day_column;   /* place in the configuration; 0: absent */
    int line, column;                   /* of the zone's name */
};

struct zones {
    int n_masks, n;
    struct mask mask[ZONES_MASKS_MOST];
    struct zone zone[ZONES_MOST];       /* in the order of the configuration */
};

/* Places in the configuration are not compared. Both take NULL, which equals no masks and no zones. */
bool zones_equal(const struct zones *a, const struct zones *b);
/* Returns true if a mask is a privacy mask. Takes NULL. */
bool zones_hide(const struct zones *zones);
/* Returns true if a zone has a budget of its own. Takes NULL. */
bool zones_have_budgets(const struct zones *zones);

/* The zones that boxes touch: bit i is set for zone i. zones may be NULL. */
unsigned zones_touched(const struct zones *zones, const struct boxes *boxes);

#endif
