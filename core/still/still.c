#include "core/still/still.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/hiding.h"

enum { SETTLE = SLOW_SAMPLES / SLOW_STEP };     /* ticks after a change of light in which the median may mix both lights */
#define LIGHT_MARGIN 0.2f       /* a contrast this far beyond the learned ones still belongs to the light */
#define LEAST_RISE 1e-3f        /* keeps the logarithm of no rise finite */
/* Added to all limits: where nothing ever changed, a smaller rise means nothing. */
#define LEAST_LIMIT 0.02f

int still_exemplars(const struct slow_shape *shape)
{
    int fit = STILL_EXEMPLARS_BYTES / (STILL_LIGHTS * STILL_PARTS * shape->rows * shape->columns * SLOW_VALUES);
    return fit < STILL_EXEMPLARS_MAX ? fit : STILL_EXEMPLARS_MAX;
}

size_t still_exemplars_at(const struct still_memory *memory, int light, int part)
{
    size_t of_part = (size_t)(memory->shape.rows * memory->shape.columns * memory->exemplars) * SLOW_VALUES;
    return (size_t)(light * STILL_PARTS + part) * of_part;
}

/* Half of each cell's limit is the mean of its neighbourhood of 3x3 cells. */
void still_limits(const struct slow_shape *shape, const float *a, const float *b, float *ret)
{
    int rows = still_cell_rows(shape), columns = still_cell_columns(shape);
    float largest[SLOW_BLOCKS_MAX];
    for (int i = 0; i < rows * columns; i++)
        largest[i] = b ? fmaxf(a[i], b[i]) : a[i];
    for (int i = 0; i < rows * columns; i++) {
        float sum = 0;
        int n = 0;
        for (int y = i / columns - 1; y <= i / columns + 1; y++)
            for (int x = i % columns - 1; x <= i % columns + 1; x++)
                if (y >= 0 && y < rows && x >= 0 && x < columns) {
                    sum += largest[y * columns + x];
                    n++;
                }
        ret[i] = (largest[i] + sum / (float)n) / 2 + LEAST_LIMIT;
    }
}

int still_lights_known(const struct still_memory *memory)
{
    int known = 0;
    for (int l = 0; l < memory->lights; l++)
        known += memory->light[l].known;
    return known;
}

int still_light_of(const struct still_memory *memory, float contrast)
{
    return memory->lights == 2 && (double)contrast >= memory->boundary;
}

/* The light, or -1 if it is unknown. */
static int known_light(const struct still_memory *memory, float contrast)
{
    int light = still_light_of(memory, contrast);
    const struct still_light *l = &memory->light[light];
    return l->known && contrast >= l->least - LIGHT_MARGIN && contrast <= l->most + LIGHT_MARGIN ? light : -1;
}

/* The squared difference of a block's description to the nearest of n exemplars, at most `least`. */
static int nearest(const int8_t *block, const int8_t *exemplar, int n, int least)
{
    for (int k = 0; k < n; k++, exemplar += SLOW_VALUES) {
        int sum = 0;
        for (int i = 0; i < SLOW_VALUES; i++)
            sum += (block[i] - exemplar[i]) * (block[i] - exemplar[i]);
        least = sum < least ? sum : least;
    }
    return least;
}

void still_distances(const struct still_memory *memory, int light, unsigned parts, const int8_t *blocks, float *ret)
{
    enum { FARTHEST = SLOW_VALUES * 255 * 255 };
    static const int weights[4] = {1, 2, 2, 1};
    const float unit = 1 / (36 * SLOW_SCALE * SLOW_SCALE * SLOW_VALUES);
    int rows = memory->shape.rows, columns = memory->shape.columns, across[SLOW_BLOCKS_MAX] = {0};
    /* Rows are added to `across`, four weighted sums a cell: across[(r % 4) * columns + c] is of row r. */
    assert(4 * columns <= SLOW_BLOCKS_MAX);
    for (int r = 0; r < rows; r++) {
        int line[SLOW_BLOCKS_MAX / 4];
        for (int c = 0; c < columns; c++) {
            size_t at = (size_t)(r * columns + c) * SLOW_VALUES;
            line[c] = FARTHEST;
            for (int p = 0; p < STILL_PARTS; p++)
                if (parts >> p & 1)
                    line[c] = nearest(blocks + at, memory->exemplar + still_exemplars_at(memory, light, p) +
                                      at * (size_t)memory->exemplars, memory->exemplars, line[c]);
        }
        for (int c = 0; c + 3 < columns; c++)
            across[r % 4 * columns + c] = line[c] + 2 * (line[c + 1] + line[c + 2]) + line[c + 3];
        for (int c = 0; r >= 3 && c + 3 < columns; c++) {
            int sum = 0;
            for (int i = 0; i < 4; i++)
                sum += weights[i] * across[(r - 3 + i) % 4 * columns + c];
            *ret++ = (float)sum * unit;
        }
    }
}

void still_rise_break(struct still_rise *rise)
{
    rise->ticks = 0;
}

bool still_rise_add(struct still_rise *rise, int light, float brightness, const float *distances, int cells, float *rises)
{
    enum { RING = STILL_BACK + 1 };
    if (rise->ticks != 0 && light != rise->light)
        rise->ticks = -SETTLE;
    rise->light = light;
    if (light < 0)
        return false;
    rise->newest = (rise->newest + 1) % RING;
    memcpy(rise->distance[rise->newest], distances, (size_t)cells * sizeof *distances);
    rise->brightness[rise->newest] = brightness;
    if (++rise->ticks < RING)
        return false;
    rise->ticks = RING;
    float least = brightness, most = brightness;
    for (int t = 0; t < RING; t++) {
        least = fminf(least, rise->brightness[t]);
        most = fmaxf(most, rise->brightness[t]);
    }
    if (most - least > logf(STILL_BRIGHTER))
        return false;
    const float *before = rise->distance[(rise->newest + 1) % RING];
    memcpy(rises, distances, (size_t)cells * sizeof *rises);
    for (int t = 1; t < STILL_PERSIST; t++) {
        const float *earlier = rise->distance[(rise->newest + RING - t) % RING];
        for (int i = 0; i < cells; i++)
            rises[i] = fminf(rises[i], earlier[i]);
    }
    for (int i = 0; i < cells; i++)
        rises[i] -= before[i];
    return true;
}

static double log_ratio(float rise, float limit)
{
    return log((double)(fmaxf(rise, LEAST_RISE) / limit));
}

double still_statistic(const struct still_light *light, const float *rises, int cells, const struct regions *regions)
{
    double most = -INFINITY;
    for (int i = 0; i < cells; i++)
        if (regions_hold(regions, REGIONS_ALL, i))
            most = fmax(most, log_ratio(rises[i], light->limit[i]));
    return most;
}

/* -ln pareto_exceeds(statistic), continued by its tangent below the level. */
float still_level(const struct still_light *light, double statistic)
{
    const struct pareto *p = &light->rare;
    double x = (statistic - p->level) / p->scale;
    return (float)((x > 0 && p->shape != 0 ? log1p(p->shape * x) / p->shape : x) - log(p->share));
}

/* A cell that is held. */
struct held {
    float level;                /* its highest; -INFINITY: the cell is not held */
    float before, after;        /* distance before it rose; highest distance since */
    int below;                  /* ticks in a row with a distance below the middle of these two */
};

struct still_watch {
    const struct still_memory *memory;
    float threshold;
    struct slow_picture *slow;
    struct regions *regions;    /* NULL: all cells count */
    int light, strange;         /* light of what is held, -1: unknown; ticks in a row in another light */
    struct still_rise rise;
    struct held held[SLOW_BLOCKS_MAX];
    float distance[SLOW_BLOCKS_MAX], rises[SLOW_BLOCKS_MAX], map[SLOW_BLOCKS_MAX];
    uint32_t scratch[2 * SLOW_BLOCKS_MAX];
};

static void release_all(struct still_watch *watch)
{
    for (int i = 0; i < SLOW_BLOCKS_MAX; i++)
        watch->held[i].level = -INFINITY;
}

/* Opens the regions of the cells, and leaves out of the slow picture's contrast what masks cover. */
static int open_regions(struct still_watch *watch, const struct zones *zones, const float *shift)
{
    const struct slow_shape *shape = &watch->memory->shape;
    int step = SLOW_BLOCK * shape->reduced;
    const struct regions_grid grid = {still_cell_rows(shape), still_cell_columns(shape), step, 4 * step, shape->height,
                                      shape->width};
    uint8_t *covered = malloc((size_t)shape->height * (size_t)shape->width);
    int r = covered ? regions_open(&watch->regions, zones, shift, &grid) : -ENOMEM;
    if (r == 0 && watch->regions) {
        hiding_map(zones, shape->height, shape->width, covered);
        slow_picture_leave_out(watch->slow, covered);
    }
    free(covered);
    return r;
}

int still_watch_open(struct still_watch **ret, const struct still_memory *memory, float threshold, const struct zones *zones,
                     const float *shift)
{
    struct still_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->memory = memory;
    watch->threshold = threshold;
    int r = slow_picture_open(&watch->slow, memory->shape.height, memory->shape.width);
    assert(r != -EINVAL);       /* the memory has a shape */
    if (r == 0)
        r = open_regions(watch, zones, shift);
    if (r < 0) {
        still_watch_close(watch);
        return r;
    }
    release_all(watch);
    *ret = watch;
    return 0;
}

void still_watch_close(struct still_watch *watch)
{
    if (!watch)
        return;
    slow_picture_close(watch->slow);
    regions_close(watch->regions);
    free(watch);
}

/* Begins to hold cell i at this level, or continues to and raises its level. */
static void hold(struct still_watch *watch, int i, float level)
{
    struct held *held = &watch->held[i];
    if (!(held->level > -INFINITY)) {
        held->before = watch->distance[i] - watch->rises[i];
        held->after = watch->distance[i];
    }
    held->level = fmaxf(held->level, level);
    held->after = fmaxf(held->after, watch->distance[i]);
    held->below = 0;
}

/* Lets go of a cell that is held if its distance has been low for long enough. */
static void let_go(struct still_watch *watch, int i)
{
    struct held *held = &watch->held[i];
    held->below = watch->distance[i] < (held->before + held->after) / 2 ? held->below + 1 : 0;
    if (held->below >= STILL_RELEASE)
        held->level = -INFINITY;
}

static float rise_of(const struct held *held)
{
    return held->level > -INFINITY ? held->after - held->before : 0;
}

/* Returns true if no cell within two of cell (row, column) has risen by more than twice as much. A cell that an object only
 * touches rises far less than those that the object fills. */
static bool is_inside(const struct still_watch *watch, int rows, int columns, int row, int column)
{
    float own = rise_of(&watch->held[row * columns + column]), most = own;
    for (int y = row > 2 ? row - 2 : 0; y < rows && y <= row + 2; y++)
        for (int x = column > 2 ? column - 2 : 0; x < columns && x <= column + 2; x++)
            most = fmaxf(most, rise_of(&watch->held[y * columns + x]));
    return 2 * own >= most;
}

/* The boxes of what is held. The map has a place for each block; a cell is drawn on its middle 2x2 blocks. */
static void find_boxes(struct still_watch *watch, struct boxes *ret)
{
    const struct slow_shape *shape = &watch->memory->shape;
    const struct boxes_grid grid = {.rows = shape->rows, .columns = shape->columns, .step = SLOW_BLOCK * shape->reduced,
                                    .size = SLOW_BLOCK * shape->reduced, .height = shape->height, .width = shape->width};
    int rows = still_cell_rows(shape), columns = still_cell_columns(shape);
    for (int i = 0; i < shape->rows * shape->columns; i++)
        watch->map[i] = -INFINITY;
    for (int i = 0; i < rows * columns; i++)
        for (int k = 0; k < 4 && is_inside(watch, rows, columns, i / columns, i % columns); k++) {
            float *at = watch->map + (i / columns + 1 + k / 2) * shape->columns + i % columns + 1 + k % 2;
            *at = fmaxf(*at, watch->held[i].level);
        }
    boxes_find(ret, &grid, watch->map, watch->threshold, watch->scratch);
}

/* Lets go of all that is held if the light has been another one for long enough. */
static void follow_light(struct still_watch *watch, int light)
{
    watch->strange = light == watch->light ? 0 : watch->strange + 1;
    if (watch->strange < STILL_RELEASE)
        return;
    release_all(watch);
    watch->light = light;
    watch->strange = 0;
}

static float foreign_share(const struct still_light *light, const float *distance, int cells, const struct regions *regions)
{
    int foreign = 0, n = 0;
    for (int i = 0; i < cells; i++)
        if (regions_hold(regions, REGIONS_ALL, i)) {
            foreign += distance[i] > light->limit[i];
            n++;
        }
    return (float)foreign / (float)n;           /* NAN where no cell counts */
}

bool still_watch_add(struct still_watch *watch, const uint8_t *frame, int64_t pts_us, bool gap, struct still_result *ret)
{
    enum slow_event event = slow_picture_add(watch->slow, frame, pts_us, gap);
    if (event == SLOW_BROKEN)
        still_rise_break(&watch->rise);
    if (event != SLOW_TICK)
        return false;
    const struct still_memory *memory = watch->memory;
    int cells = still_cells(&memory->shape), number = known_light(memory, slow_picture_contrast(watch->slow));
    const struct still_light *light = &memory->light[number < 0 ? 0 : number];
    if (number >= 0)
        still_distances(memory, number, (1u << STILL_PARTS) - 1, slow_picture_blocks(watch->slow), watch->distance);
    bool rose = still_rise_add(&watch->rise, number, slow_picture_brightness(watch->slow), watch->distance, cells,
                               watch->rises);
    follow_light(watch, number);

    *ret = (struct still_result){.foreign = number < 0 ? NAN : foreign_share(light, watch->distance, cells, watch->regions),
                                 .statistic = rose ? still_statistic(light, watch->rises, cells, watch->regions) : (double)NAN,
                                 .level = NAN, .zone = -1};
    for (int i = 0; i < cells; i++) {
        if (!regions_hold(watch->regions, REGIONS_ALL, i))
            continue;
        int zone;
        float shift = regions_shift(watch->regions, i, &zone);
        float own = rose ? still_level(light, log_ratio(watch->rises[i], light->limit[i])) + shift : -INFINITY;
        if (own >= watch->threshold)
            hold(watch, i, own);
        else if (watch->held[i].level > -INFINITY && number >= 0 && number == watch->light)
            let_go(watch, i);
        ret->held = ret->held || watch->held[i].level > -INFINITY;
        own = fmaxf(own, watch->held[i].level);
        if (own > -INFINITY && !(own <= ret->level)) {         /* the level may be NAN */
            ret->level = own;
            ret->zone = zone;
        }
    }
    if (ret->held)
        find_boxes(watch, &ret->boxes);
    return true;
}
