/* The voice `still` finds something that was left, taken away, opened or moved, and somebody who sits or lies where nobody
 * does. The slow picture (core/still/slow_picture.h) is compared with a frozen memory of how each place looks.
 *
 * Memory: for each kind of light and each block of 4x4 pixels, the memory holds exemplars of the block's description in
 * normal footage. The distance of a block is the mean squared difference to its nearest exemplar. A cell is 4x4 blocks; its
 * distance is their weighted mean, with weights 1, 2, 2, 1 across and down.
 *
 * Rise: a cell's least distance in the last STILL_PERSIST ticks, less its distance STILL_BACK ticks ago. What was there all
 * the time gives no rise; neither does light that changes slowly. Statistic: each tick has the logarithm of the largest rise,
 * in multiples of its cell's limit.
 *
 * Limit: the largest rise of the cell in normal footage that its exemplars were not taken from, half smoothed over its
 * neighbours. So places where people sit have higher limits, and so has a time stamp in the picture.
 *
 * The footage has two parts (core/still/still_builder.h). Each gives half of the exemplars, and limits for the other half. The
 * level of a statistic is the logarithm of the hours in which normal footage reaches it once. A score has the same unit
 * (core/score/score.h).
 *
 * Holding: a cell whose level reaches the threshold is held at its highest level. It is let go when its distance has been
 * below the middle between before and after for STILL_RELEASE ticks. So the level stays high while the thing is there.
 *
 * Something is found 38 to 54 s after it came. After a gap there is no statistic for two minutes, and what comes then is
 * missed. The same holds after a change between the two kinds of light. It also holds for 72 s after a change of brightness by
 * a factor of STILL_BRIGHTER. All that is held ends when the light has been of the other kind for STILL_RELEASE ticks. Nothing is
 * found in a light that was not learned. Figures, and what was left out: docs/score.md. */
#ifndef MEMAED_CORE_STILL_STILL_H
#define MEMAED_CORE_STILL_STILL_H

#include "core/score/boxes.h"
#include "core/score/tail.h"
#include "core/still/slow_picture.h"
#include "core/zones/regions.h"

enum { STILL_LIGHTS = 2,
       STILL_PARTS = 2,                 /* of the footage */
       STILL_PERSIST = 4, STILL_BACK = 9, STILL_RELEASE = 6,        /* ticks */
       STILL_EXEMPLARS_MAX = 12,        /* of a block, a light and a part */
       STILL_EXEMPLARS_BYTES = 196608 };
#define STILL_BRIGHTER 1.16f            /* after a change of brightness by this factor there is no rise for STILL_BACK ticks */

struct still_light {
    bool known;                         /* false: too little footage in this light; nothing is found in it */
    float least, most;                  /* the contrasts of its slow pictures; others are of an unknown light */
    float largest[STILL_PARTS][SLOW_BLOCKS_MAX];    /* by cell, row by row: the largest rise in a part, by the exemplars of
                                                     * the other; >= 0 */
    float limit[SLOW_BLOCKS_MAX];       /* by cell; > 0; still_limits() of both parts */
    struct pareto rare;                 /* runs per hour above a statistic */
};

/* The frozen memory, 220 KB of plain data. */
struct still_memory {
    struct slow_shape shape;
    int lights;                         /* 1 or 2 */
    double boundary;                    /* with 2: light 0 applies to slow pictures whose contrast is below it, else light 1 */
    struct still_light light[STILL_LIGHTS];
    int exemplars;                      /* of a block, a light and a part: still_exemplars() */
    int8_t exemplar[STILL_EXEMPLARS_BYTES];     /* [STILL_LIGHTS, STILL_PARTS, rows, columns, exemplars, SLOW_VALUES] */
};

/* The number of exemplars of a block, a light and a part: as many as fit, at most STILL_EXEMPLARS_MAX. */
int still_exemplars(const struct slow_shape *shape);
/* The exemplars [rows, columns, exemplars, SLOW_VALUES] of a light and a part. */
size_t still_exemplars_at(const struct still_memory *memory, int light, int part);

/* Cell (r, c) covers block rows r … r + 3 and block columns c … c + 3. */
static inline int still_cell_rows(const struct slow_shape *shape) { return shape->rows - 3; }
static inline int still_cell_columns(const struct slow_shape *shape) { return shape->columns - 3; }
static inline int still_cells(const struct slow_shape *shape) { return still_cell_rows(shape) * still_cell_columns(shape); }

/* Writes the limits ret [cells] from the largest rises [cells] of one part, or of two (b may be NULL). */
void still_limits(const struct slow_shape *shape, const float *a, const float *b, float *ret);

/* Returns how many lights are known. */
int still_lights_known(const struct still_memory *memory);

/* The light of a slow picture by its contrast: 0 or 1, whether known or not. */
int still_light_of(const struct still_memory *memory, float contrast);

/* Writes the distance of each cell, ret [still_cells()], from the exemplars of a light. blocks: of slow_picture_blocks().
 * parts: bit p is set if the exemplars of part p count. */
void still_distances(const struct still_memory *memory, int light, unsigned parts, const int8_t *blocks, float *ret);

/* The last distances of all cells, and their rises. Zero at first. */
struct still_rise {
    int light, ticks;                   /* ticks in this light without a gap */
    int newest;
    float brightness[STILL_BACK + 1];
    float distance[STILL_BACK + 1][SLOW_BLOCKS_MAX];    /* a ring; `newest` is its last */
};
/* Forgets the past. Call it at a gap. */
void still_rise_break(struct still_rise *rise);
/* Takes the distances [cells] of a tick, and the brightness of its slow picture. Returns true and writes the rises [cells],
 * which may be negative, if the light has been the same for long enough. It is the same while it is of one kind and its
 * brightness stays within a factor of STILL_BRIGHTER. light -1: an unknown light. */
bool still_rise_add(struct still_rise *rise, int light, float brightness, const float *distances, int cells, float *rises);

/* The statistic of rises [cells] in a light, over the cells that count; regions may be NULL. */
double still_statistic(const struct still_light *light, const float *rises, int cells, const struct regions *regions);
/* The level of a statistic. */
float still_level(const struct still_light *light, double statistic);

/* The state of one camera: about 400 KB for pictures of 128x64. No locks: one thread (or lock) for each watch. */
struct still_watch;

/* memory is borrowed until close. threshold: the level from which on a cell is held. zones and shift are those of
 * regions_open(), borrowed for the call; NULL: none. Cells under masks do not count, and a level has its cell's shift. The
 * frames have gone through hiding_fill(). 0 or -ENOMEM, *ret untouched. */
int still_watch_open(struct still_watch **ret, const struct still_memory *memory, float threshold, const struct zones *zones,
                     const float *shift);
void still_watch_close(struct still_watch *watch);          /* takes NULL */

/* From this share of foreign cells on, the picture shows another scene than the memory: of another camera, or turned away. */
#define STILL_FOREIGN 0.5f

struct still_result {
    float foreign;                      /* share of the cells that count, 0 to 1, whose distance alone exceeds their limit; NAN:
                                         * the light is unknown. Own scenes had 0.19 at most, others 0.84 and more
                                         * (docs/score.md) */
    double statistic;                   /* of this tick; NAN: there is none, see above */
    float level;                        /* of this tick, or of what is held if that is higher; NAN: neither */
    int zone;                           /* the zone that shifted the level, or -1 */
    bool held;                          /* something is held */
    struct boxes boxes;                 /* around the cells held, without those that rose by less than half of a neighbour */
};
/* Takes the next frame [height, width], borrowed for the call. gap: the sequence broke before it; what is held stays held.
 * Returns true and writes *ret at a tick, every 8 s; else *ret is untouched. Nothing is allocated. */
bool still_watch_add(struct still_watch *watch, const uint8_t *frame, int64_t pts_us, bool gap, struct still_result *ret);

#endif
