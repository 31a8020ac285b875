#include "core/still/still_builder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/score.h"

/* One tick of the footage. */
struct tick {
    float contrast, brightness;
    bool broken;                /* the sequence broke since the tick before it */
};

/* The ticks of a part. */
struct store {
    size_t n, room;             /* ticks held; ticks that there is room for */
    struct tick *ticks;         /* [room] */
    int8_t *blocks;             /* [room, rows, columns, SLOW_VALUES] */
    size_t seen, stride;        /* ticks seen; every stride-th run is held */
};

struct still_builder {
    struct slow_shape shape;
    struct slow_picture *slow;
    size_t description, store_bytes;    /* bytes of a tick's description; of a part's, at most */
    bool broken;                /* since the last tick */
    enum still_part part;
    struct store store[STILL_PARTS];
};

/* The working data of still_builder_finish(). */
struct work {
    struct still_memory memory;
    struct still_rise rise;
    float distance[SLOW_BLOCKS_MAX], rises[SLOW_BLOCKS_MAX];
    int first;                  /* the first part to measure: STILL_CALIBRATED if STILL_LEARNED is that of a memory */
    long measured[STILL_PARTS][STILL_LIGHTS];           /* rises of a part */
    size_t *members;            /* [most ticks] ticks of one light */
    int *nearest;               /* [most ticks] squared differences to the exemplars so far */
    double *values;             /* [all ticks] */
    struct tail_window *windows;        /* [all ticks] */
};

int still_builder_open(struct still_builder **ret, int height, int width, size_t store_bytes)
{
    struct still_builder *builder = calloc(1, sizeof *builder);
    if (!builder)
        return -ENOMEM;
    int r = slow_picture_open(&builder->slow, height, width);
    if (r < 0) {
        free(builder);
        return r;
    }
    slow_shape_of(&builder->shape, height, width);
    builder->store_bytes = store_bytes;
    builder->description = (size_t)(builder->shape.rows * builder->shape.columns) * SLOW_VALUES;
    for (int p = 0; p < STILL_PARTS; p++)
        builder->store[p].stride = 1;
    *ret = builder;
    return 0;
}

void still_builder_close(struct still_builder *builder)
{
    if (!builder)
        return;
    for (int p = 0; p < STILL_PARTS; p++) {
        free(builder->store[p].ticks);
        free(builder->store[p].blocks);
    }
    slow_picture_close(builder->slow);
    free(builder);
}

void still_builder_leave_out(struct still_builder *builder, const uint8_t *covered)
{
    slow_picture_leave_out(builder->slow, covered);
}

static int grow(struct store *s, size_t description)
{
    size_t room = s->room ? 2 * s->room : 4 * STILL_RUN;
    struct tick *ticks = realloc(s->ticks, room * sizeof *ticks);
    if (!ticks)
        return -ENOMEM;
    s->ticks = ticks;
    int8_t *blocks = realloc(s->blocks, room * description);
    if (!blocks)
        return -ENOMEM;
    s->blocks = blocks;
    s->room = room;
    return 0;
}

/* Drops every second run. */
static void thin(struct store *s, size_t description)
{
    size_t kept = 0;
    for (size_t run = 0; run * STILL_RUN < s->n; run += 2, kept += STILL_RUN) {
        memmove(s->ticks + kept, s->ticks + run * STILL_RUN, STILL_RUN * sizeof *s->ticks);
        memmove(s->blocks + kept * description, s->blocks + run * STILL_RUN * description, STILL_RUN * description);
        s->ticks[kept].broken = true;
    }
    s->n = kept;
    s->stride *= 2;
}

static int keep(struct still_builder *b, struct store *s, bool broken)
{
    const struct slow_picture *slow = b->slow;
    size_t description = b->description, run = s->seen / STILL_RUN, in_run = s->seen % STILL_RUN;
    s->seen++;
    if (in_run == 0 && s->n == s->room) {
        if (s->room >= 4 * STILL_RUN && 2 * s->room * description > b->store_bytes)
            thin(s, description);
        else if (grow(s, description) < 0)
            return -ENOMEM;
    }
    if (run % s->stride != 0)
        return 0;
    s->ticks[s->n] = (struct tick){slow_picture_contrast(slow), slow_picture_brightness(slow),
                                   broken || (in_run == 0 && s->stride > 1)};
    memcpy(s->blocks + s->n * description, slow_picture_blocks(slow), description);
    s->n++;
    return 0;
}

int still_builder_add(struct still_builder *builder, enum still_part part, const uint8_t *frame, int64_t pts_us, bool gap)
{
    bool turn = part != builder->part;
    enum slow_event event = slow_picture_add(builder->slow, frame, pts_us, gap || turn);
    builder->part = part;
    builder->broken = builder->broken || turn || event == SLOW_BROKEN;
    if (event != SLOW_TICK)
        return 0;
    int r = keep(builder, &builder->store[part], builder->broken);
    builder->broken = false;
    return r;
}

/* Finds how many lights there are. */
static void find_lights(const struct still_builder *b, struct work *w)
{
    struct still_memory *m = &w->memory;
    size_t n = 0;
    for (int p = 0; p < STILL_PARTS; p++)
        for (size_t t = 0; t < b->store[p].n; t++)
            w->values[n++] = (double)b->store[p].ticks[t].contrast;
    m->lights = n > 0 && score_conditions_differ(w->values, n, STILL_LEAST_TICKS, &m->boundary) ? 2 : 1;
    for (int l = 0; l < STILL_LIGHTS; l++) {
        m->light[l].known = l < m->lights;
        m->light[l].least = INFINITY;
        m->light[l].most = -INFINITY;
    }
}

/* Widens the contrasts of each light by those of the parts measured. */
static void find_contrasts(const struct still_builder *b, struct work *w)
{
    for (int p = w->first; p < STILL_PARTS; p++)
        for (size_t t = 0; t < b->store[p].n; t++) {
            float contrast = b->store[p].ticks[t].contrast;
            struct still_light *light = &w->memory.light[still_light_of(&w->memory, contrast)];
            light->least = fminf(light->least, contrast);
            light->most = fmaxf(light->most, contrast);
        }
}

static int compare(const void *a, const void *b)
{
    int8_t x = *(const int8_t *)a, y = *(const int8_t *)b;
    return (x > y) - (x < y);
}

/* Writes the median of each value of a block over n > 0 ticks. `column`: room for n bytes. */
static void median_description(int8_t *ret, const int8_t *blocks, size_t description, const size_t *members, size_t n,
                               int8_t *column)
{
    for (int i = 0; i < SLOW_VALUES; i++) {
        for (size_t t = 0; t < n; t++)
            column[t] = blocks[members[t] * description + (size_t)i];
        qsort(column, n, sizeof *column, compare);
        ret[i] = column[n / 2];
    }
}

static int squared_difference(const int8_t *a, const int8_t *b)
{
    int sum = 0;
    for (int i = 0; i < SLOW_VALUES; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* Chooses the exemplars of one block, whose description in tick t is at blocks + t * description. */
static void choose(int8_t *ret, int exemplars, const int8_t *blocks, size_t description, size_t n, struct work *w)
{
    median_description(ret, blocks, description, w->members, n, (int8_t *)w->nearest);
    for (size_t t = 0; t < n; t++)
        w->nearest[t] = squared_difference(blocks + w->members[t] * description, ret);
    for (int k = 1; k < exemplars; k++) {
        size_t farthest = 0;
        for (size_t t = 1; t < n; t++)
            if (w->nearest[t] > w->nearest[farthest])
                farthest = t;
        const int8_t *next = blocks + w->members[farthest] * description;
        memcpy(ret + k * SLOW_VALUES, next, SLOW_VALUES);
        for (size_t t = 0; t < n; t++) {
            int squared = squared_difference(blocks + w->members[t] * description, next);
            w->nearest[t] = squared < w->nearest[t] ? squared : w->nearest[t];
        }
    }
}

static void choose_all(const struct still_builder *b, struct work *w, int part, int light)
{
    struct still_memory *m = &w->memory;
    const struct store *s = &b->store[part];
    size_t n = 0;
    for (size_t t = 0; t < s->n; t++)
        if (still_light_of(m, s->ticks[t].contrast) == light)
            w->members[n++] = t;
    int8_t *ret = m->exemplar + still_exemplars_at(m, light, part);
    for (size_t at = 0; n > 0 && at < b->description; at += SLOW_VALUES)
        choose(ret + at * (size_t)m->exemplars, m->exemplars, s->blocks + at, b->description, n, w);
}

/* Writes the rises of tick t of a part, by the exemplars of the other. Ticks come in order. Returns false if it has none. */
static bool measure(const struct still_builder *b, struct work *w, int part, size_t t)
{
    const struct tick *tick = &b->store[part].ticks[t];
    int light = still_light_of(&w->memory, tick->contrast);
    if (tick->broken || t == 0)
        still_rise_break(&w->rise);
    still_distances(&w->memory, light, 1u << (1 - part), b->store[part].blocks + t * b->description, w->distance);
    return still_rise_add(&w->rise, light, tick->brightness, w->distance, still_cells(&b->shape), w->rises);
}

static void fit_limits(const struct still_builder *b, struct work *w)
{
    int cells = still_cells(&b->shape);
    for (int p = w->first; p < STILL_PARTS; p++) {
        for (int l = 0; l < STILL_LIGHTS; l++)
            memset(w->memory.light[l].largest[p], 0, sizeof w->memory.light[l].largest[p]);
        for (size_t t = 0; t < b->store[p].n; t++) {
            if (!measure(b, w, p, t))
                continue;
            int light = still_light_of(&w->memory, b->store[p].ticks[t].contrast);
            float *largest = w->memory.light[light].largest[p];
            w->measured[p][light]++;
            for (int i = 0; i < cells; i++)
                largest[i] = fmaxf(largest[i], w->rises[i]);
        }
    }
    for (int l = 0; l < STILL_LIGHTS; l++) {
        struct still_light *light = &w->memory.light[l];
        for (int p = w->first; p < STILL_PARTS; p++)
            light->known = light->known && w->measured[p][l] >= STILL_LEAST_TICKS;
        still_limits(&b->shape, light->largest[0], light->largest[1], light->limit);
    }
}

/* Fits the tail of a light to the statistics of each part, by the limits and the exemplars of the other. */
static int fit_tail(const struct still_builder *b, struct work *w, int light)
{
    struct still_light parted = {0}, *ret = &w->memory.light[light];
    struct tail tail;
    size_t n = 0;
    for (int p = w->first; p < STILL_PARTS; p++) {
        bool follows = false;
        still_limits(&b->shape, ret->largest[1 - p], NULL, parted.limit);
        for (size_t t = 0; t < b->store[p].n; t++) {
            bool rose = measure(b, w, p, t) && still_light_of(&w->memory, b->store[p].ticks[t].contrast) == light;
            if (rose)
                w->windows[n++] = (struct tail_window){still_statistic(&parted, w->rises, still_cells(&b->shape), NULL),
                                                       follows ? 1e-6 * SLOW_TICK_US : 0};
            follows = rose;
        }
    }
    int r = tail_fit(&tail, w->windows, n, 1, STILL_BACK, 0, 1, NULL);
    if (r < 0)
        return r;
    ret->rare = tail.run;
    ret->rare.share /= w->first == STILL_CALIBRATED ? STILL_AGAIN : STILL_BOTH;
    return 0;
}

static int learn(const struct still_builder *b, struct work *w)
{
    struct still_memory *m = &w->memory;
    find_contrasts(b, w);
    for (int l = 0; l < m->lights; l++)
        for (int p = w->first; p < STILL_PARTS; p++)
            if (m->light[l].known)
                choose_all(b, w, p, l);
    fit_limits(b, w);
    int r = 0;
    for (int l = 0; r == 0 && l < m->lights; l++)
        if (m->light[l].known)
            r = fit_tail(b, w, l);
    return r < 0 ? r : still_lights_known(m) > 0 ? 0 : -ENODATA;
}

int still_builder_finish(const struct still_builder *builder, const struct still_memory *learned, struct still_memory *ret)
{
    size_t a = builder->store[0].n, b = builder->store[1].n, most = a > b ? a : b;
    struct work *w = calloc(1, sizeof *w);
    int r = -ENOMEM;
    if (!w)
        return r;
    w->members = malloc((most + 1) * sizeof *w->members);
    w->nearest = malloc((most + 1) * sizeof *w->nearest);
    w->values = malloc((a + b + 1) * sizeof *w->values);
    w->windows = malloc((a + b + 1) * sizeof *w->windows);
    if (!w->members || !w->nearest || !w->values || !w->windows)
        goto out;
    if (learned) {
        w->memory = *learned;
        w->first = STILL_CALIBRATED;
    } else {
        w->memory.shape = builder->shape;
        w->memory.exemplars = still_exemplars(&builder->shape);
        find_lights(builder, w);
    }
    if ((r = learn(builder, w)) == 0)
        *ret = w->memory;
out:
    free(w->members);
    free(w->nearest);
    free(w->values);
    free(w->windows);
    free(w);
    return r;
}
