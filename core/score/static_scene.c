#include "core/score/static_scene.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/alert.h"

struct static_scene {
    struct arch arch;
    const struct static_limits *limits;
    const struct score_spec *spec;
    double bound;
    struct static_rule rule;
    size_t pixels;

    uint64_t windows;               /* decided so far */
    int unscored;                   /* windows that are computed but not scored yet */

    /* The last window that was computed. */
    bool has_reference;
    uint8_t *picture;               /* [pixels] the reference */
    unsigned lights;                /* bit c: its frames, and all since, are within the noise of condition c */
    uint64_t number, next_frame;    /* its number; the number of the first frame not compared yet */
    bool is_usable;                 /* its score is known and may be reused */
    int condition;
    struct static_score score;

    /* Numbers of windows; the first window has 1, so 0 means none. Windows are scored in any order. */
    uint64_t alarms, last_alarm;    /* windows at or above the threshold: bit i is window last_alarm - i */
    uint64_t last_opening;          /* the last window that may have opened an alert */
    uint64_t last_high;             /* the last window not below the closing threshold */
};

int static_cells(const struct arch *arch)
{
    int rows, columns;
    if (!score_cells(arch, &rows, &columns))
        return 0;
    long cells = (long)(arch->height / STATIC_CELL) * (arch->width / STATIC_CELL);
    return cells <= STATIC_CELLS_MAX ? (int)cells : 0;
}

/* The sum of squared differences over a cell 8 pixels wide. Eight sums in parallel let the compiler vectorise it. */
static uint32_t narrow_sum(const uint8_t *a, const uint8_t *b, int rows, size_t width)
{
    uint32_t sums[STATIC_CELL] = {0}, sum = 0;
    for (int y = 0; y < rows; y++, a += width, b += width)
        for (int x = 0; x < STATIC_CELL; x++) {
            int d = a[x] - b[x];
            sums[x] += (uint32_t)(d * d);
        }
    for (int x = 0; x < STATIC_CELL; x++)
        sum += sums[x];
    return sum;
}

static float cell_difference(const struct arch *arch, const uint8_t *a, const uint8_t *b, int row, int column)
{
    int y = row * STATIC_CELL, x = column * STATIC_CELL,
        rows = row + 1 < arch->height / STATIC_CELL ? STATIC_CELL : arch->height - y,
        columns = column + 1 < arch->width / STATIC_CELL ? STATIC_CELL : arch->width - x;
    size_t at = (size_t)y * (size_t)arch->width + (size_t)x;
    uint32_t sum = narrow_sum(a + at, b + at, rows, (size_t)arch->width);
    for (int i = 0; i < rows && columns > STATIC_CELL; i++)
        for (int j = STATIC_CELL; j < columns; j++) {
            size_t k = at + (size_t)i * (size_t)arch->width + (size_t)j;
            int d = a[k] - b[k];
            sum += (uint32_t)(d * d);
        }
    return (float)sum / (float)(rows * columns);
}

void static_differences(const struct arch *arch, const uint8_t *a, const uint8_t *b, float *ret)
{
    for (int row = 0; row < arch->height / STATIC_CELL; row++)
        for (int column = 0; column < arch->width / STATIC_CELL; column++)
            *ret++ = cell_difference(arch, a, b, row, column);
}

void static_mean(uint8_t *ret, const uint8_t *const *pictures, int n, size_t pixels)
{
    enum { CHUNK = 256 };
    for (size_t at = 0; at < pixels; at += CHUNK) {
        size_t size = pixels - at < CHUNK ? pixels - at : CHUNK;
        uint32_t sums[CHUNK];
        for (size_t i = 0; i < size; i++)
            sums[i] = (uint32_t)n / 2;
        for (int t = 0; t < n; t++)
            for (size_t i = 0; i < size; i++)
                sums[i] += pictures[t][at + i];
        for (size_t i = 0; i < size; i++)
            ret[at + i] = (uint8_t)(sums[i] / (uint32_t)n);
    }
}

int static_scene_open(struct static_scene **ret, const struct arch *arch, const struct static_limits *limits,
                      const struct score_spec *spec, double bound, const struct static_rule *rule)
{
    struct static_scene *scene = calloc(1, sizeof *scene);
    if (!scene)
        return -ENOMEM;
    assert(limits->cells == static_cells(arch) && limits->cells > 0);
    scene->arch = *arch;
    scene->limits = limits;
    scene->spec = spec;
    scene->bound = bound;
    scene->rule = *rule;
    scene->pixels = (size_t)arch->height * (size_t)arch->width;
    scene->picture = malloc(scene->pixels);
    if (!scene->picture) {
        static_scene_close(scene);
        return -ENOMEM;
    }
    *ret = scene;
    return 0;
}

void static_scene_close(struct static_scene *scene)
{
    if (!scene)
        return;
    free(scene->picture);
    free(scene);
}

/* Returns the conditions, of those in `lights` (bits), in which the frame's difference from the reference is noise. */
static unsigned lights_of(const struct static_scene *scene, const uint8_t *frame, unsigned lights)
{
    int columns = scene->arch.width / STATIC_CELL;
    for (int i = 0; lights && i < scene->limits->cells; i++) {
        float difference = cell_difference(&scene->arch, frame, scene->picture, i / columns, i % columns);
        for (int c = 0; c < SCORE_CONDITIONS; c++)
            if (!(difference <= scene->limits->limit[c][i]))
                lights &= ~(1u << c);
    }
    return lights;
}

static unsigned lights_of_window(const struct static_scene *scene, const struct static_window *window, uint64_t from,
                                 unsigned lights)
{
    uint64_t skip = from > window->first ? from - window->first : 0;
    for (uint64_t t = skip; lights && t < (uint64_t)scene->arch.frames; t++)
        lights = lights_of(scene, window->frames[t], lights);
    return lights;
}

/* Returns true if the reference's score is low enough to be reused for the next window. */
static bool is_below(const struct static_scene *scene)
{
    uint64_t high = scene->last_high > scene->last_opening ? scene->last_high : scene->last_opening;
    bool may_be_open = scene->rule.smooth || (scene->last_opening > 0 && scene->windows - high < (uint64_t)scene->rule.n);
    return (double)scene->score.level + scene->bound <
           (double)(may_be_open ? scene->rule.close_threshold : scene->rule.threshold);
}

static enum static_verdict compute(struct static_scene *scene, const struct static_window *window, uint64_t *number)
{
    scene->unscored++;
    scene->is_usable = false;
    scene->number = *number = ++scene->windows;
    scene->next_frame = window->first + (uint64_t)scene->arch.frames;
    scene->has_reference = false;
    if (window->frozen)
        return STATIC_NO;
    static_mean(scene->picture, window->frames, scene->arch.frames, scene->pixels);
    scene->lights = lights_of_window(scene, window, 0, (1u << scene->spec->conditions) - 1);
    scene->has_reference = scene->lights != 0;
    return STATIC_NO;
}

enum static_verdict static_scene_decide(struct static_scene *scene, const struct static_window *window, uint64_t *number,
                                        struct static_score *ret)
{
    if (!scene->has_reference || window->gap_before || window->frozen || scene->windows - scene->number >= STATIC_MOST)
        return compute(scene, window, number);
    scene->lights = lights_of_window(scene, window, scene->next_frame, scene->lights);
    scene->next_frame = window->first + (uint64_t)scene->arch.frames;
    if (!scene->lights)
        return compute(scene, window, number);
    if (scene->unscored > 0)
        return STATIC_WAIT;
    if (!scene->is_usable || !(scene->lights >> scene->condition & 1) || !is_below(scene))
        return compute(scene, window, number);
    scene->windows++;
    *ret = scene->score;
    return STATIC_YES;
}

/* Records a window at or above the threshold, and whether k of n windows may have opened an alert. */
static void count_alarm(struct static_scene *scene, uint64_t number)
{
    if (number > scene->last_alarm) {
        uint64_t by = number - scene->last_alarm;
        scene->alarms = by < ALERT_MAX_N ? scene->alarms << by : 0;
        scene->last_alarm = number;
    }
    uint64_t before = scene->last_alarm - number, n = ~UINT64_C(0) >> (ALERT_MAX_N - scene->rule.n);
    /* A window scored late may have opened an alert with windows that `alarms` no longer holds; assume that it did. */
    bool opened = before > (uint64_t)(ALERT_MAX_N - scene->rule.n);
    if (before < ALERT_MAX_N)
        scene->alarms |= UINT64_C(1) << before;
    for (int i = 0; i < ALERT_MAX_N && !opened; i++)
        opened = __builtin_popcountll(scene->alarms >> i & n) >= scene->rule.k;
    if (opened)
        scene->last_opening = scene->last_alarm;
}

void static_scene_scored(struct static_scene *scene, uint64_t number, const struct score_features *features,
                         const struct static_score *score)
{
    assert(scene->unscored > 0);
    scene->unscored--;
    if (score->level >= scene->rule.threshold)
        count_alarm(scene, number);
    if (!(score->level < scene->rule.close_threshold) && number > scene->last_high)
        scene->last_high = number;
    if (number != scene->number)
        return;
    scene->score = *score;
    scene->condition = features->condition;
    scene->is_usable = scene->spec->conditions < 2 ||
                       fabs((double)features->contrast - scene->spec->boundary) >= scene->limits->light_margin;
}

int64_t static_repeat_since(struct static_repeat *repeat, const uint8_t *picture, size_t pixels, int64_t pts_us)
{
    if (!repeat->begun || memcmp(repeat->last, picture, pixels) != 0) {
        memcpy(repeat->last, picture, pixels);
        repeat->begun = true;
        repeat->since_us = pts_us;
    }
    return repeat->since_us;
}
