/* Tells a change of light from what comes into the picture. Lamps, exposure steps, clouds and headlights change the gray levels
 * of places, and leave their texture. Somebody who comes in changes both.
 *
 * The picture, at half the width, is compared with the mean of the last minute, cell by cell. A cell has texture if its gradients
 * are strong enough there. It keeps the texture if the picture's gradients correlate with those, each less its mean over the
 * cell: so neither brightness nor a soft edge of light counts. A cell is lit anew if it keeps its texture and has another level.
 * A cell is taken if it lost its texture, though its light would show it. What people make of that all the time is usual, and
 * does not count.
 *
 * Light falls on places that lie together. So the largest connected patch of cells that are lit anew counts, and a change begins
 * with the first picture in which that patch is much larger than usual. It ends once the levels were steady for some seconds, at
 * the latest after LIGHT_CHANGE_LONGEST_S. The light of these seconds is compared with from then on.
 *
 * Plain memory, without allocation; one thread. */
#ifndef MEMAED_CORE_HEALTH_LIGHT_LIGHT_CHANGE_H
#define MEMAED_CORE_HEALTH_LIGHT_LIGHT_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/health/field.h"
#include "core/health/measure.h"

enum { LIGHT_CHANGE_LONGEST_S = 20 };

enum { LIGHT_WIDTH = FIELD_WIDTH / 2, LIGHT_HEIGHT = FIELD_HEIGHT, LIGHT_SIZE = LIGHT_WIDTH * LIGHT_HEIGHT };

/* Means of pictures of one light. */
struct light_mean {
    float level[CELLS];
    uint16_t picture[LIGHT_SIZE];       /* in 256ths of a gray level */
    int seconds;                /* in the means; 0: there are none */
};

/* Begins as zeros. Private, but for what is marked public. */
struct light_change {
    struct light_mean usual;    /* the last minute; in a change, the last steady seconds if there were any */
    float before[CELLS];        /* levels of the last second */
    float usually_lit, spread;  /* the mean of `lit` without a change, and its mean deviation */
    float usually_taken;
    /* Public: numbers of cells in the last picture. lit: those of the largest patch. textured is 0 if there was nothing to
     * compare the picture with. */
    int textured, lit, taken;
    float least;                /* public: the change begins with more that are lit */
    bool is_other[CELLS];       /* their texture is another, in the last picture; and for so many seconds in a row: */
    uint8_t other_s[CELLS];
    int followed_s;             /* seconds that told what is usual, 60 at most */
    int changed;                /* of all cells, those whose level went the same way */
    bool on;                    /* public: the light is changing */
    int64_t since_us;           /* public: since when */
    int on_s, steady_s;         /* seconds of that; the last ones in a row that were steady */
    int crowded_s;              /* seconds in a row in which much more was taken than usual */
    bool came;                  /* much more was taken than usual when the light became steady */
    bool alone;                 /* public: nothing has come into the picture, as far as it tells */
};

/* Takes a picture: the mean levels of its cells [CELLS], and itself reduced [FIELD_SIZE]. known [FIELD_SIZE]: the mean picture of
 * the same light, from earlier; NULL: there is none. */
void light_change_add(struct light_change *change, const float *level, const float *picture, const float *known, int64_t time_us);
/* A second ended: the mean levels of its cells, and its last picture. */
void light_change_second(struct light_change *change, const float *level, const float *picture);
/* Times begin anew: a change that goes on is over. What the light was like stays known. */
void light_change_break_off(struct light_change *change);

#endif
