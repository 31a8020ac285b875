/* How long a picture has stood still, whatever a running clock, sensor noise or coding change of it. Seconds of pictures are
 * compared by the mean gray levels of their cells, in which noise and coding nearly vanish; motion and light do not.
 *
 * The last seconds are kept. A picture stands still since the earliest of its seconds from which on at most a few cells
 * differed from now, apart from those of a clock. A clock is a few cells that change nearly every second, and their neighbours,
 * which hold the digits that change less often.
 * Plain memory; one thread. */
#ifndef MEMAED_CORE_HEALTH_STILLNESS_H
#define MEMAED_CORE_HEALTH_STILLNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/health/measure.h"

enum { STILLNESS_SECONDS = 24 };

struct stillness {
    uint16_t level[STILLNESS_SECONDS][CELLS];   /* in 256ths of a gray level; a ring, as are the next two */
    float stir[STILLNESS_SECONDS];              /* the median difference of the cells from the second before */
    int64_t end_us[STILLNESS_SECONDS];
    int n, next;
    float before[CELLS];        /* the last second */
    int64_t since_us;           /* the picture has stood still since then; the end of the last second: it has not */
};

/* When a picture has changed, by what is known of the camera. */
struct stillness_terms {
    float least;                /* gray levels; a cell differs if its level does by more */
    bool beyond_noise;          /* all cells may differ as noise does: the levels' noise is measured, and raises `least` */
    int few;                    /* cells that may differ beside a clock's */
};

/* The next second has no second before. */
void stillness_clear(struct stillness *stillness);

/* Takes the mean levels [CELLS] of a second that ended at now_us. Returns the median difference of the cells from the second
 * before; -1: there is none. */
float stillness_add(struct stillness *stillness, const float *level, const struct stillness_terms *terms, int64_t now_us);

#endif
