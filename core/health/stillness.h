/* How long a picture has stood still, whatever a running clock, sensor noise or coding change of it. Seconds of pictures are
 * compared by the mean gray levels of their cells, in which noise and coding nearly vanish; motion and light do not.
 * Plain memory; one thread. */
#ifndef MEMAED_CORE_HEALTH_STILLNESS_H
#define MEMAED_CORE_HEALTH_STILLNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/health/measure.h"

struct stillness {
    float anchor[CELLS];        /* the last second that differed from the anchor before it in more than an eighth of the cells */
    float before[CELLS];        /* the last second */
    int64_t anchor_us;          /* when the anchor ended */
    bool begun;
};

/* The next second has no second before. */
void stillness_clear(struct stillness *stillness);

/* Takes the mean levels [CELLS] of a second that ended at now_us. A cell differs if its level does by more than `least`. Returns
 * the median difference of the cells from the second before; -1: there is none. */
float stillness_add(struct stillness *stillness, const float *level, float least, int64_t now_us);

#endif
