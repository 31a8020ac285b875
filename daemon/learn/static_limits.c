#include "daemon/learn/static_limits.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOISE_WINDOWS = 512,     /* windows, spread over all, from which the noise is measured */
       LEAST_LIGHT = 16,        /* least windows in a light for a noise */
       BLOCK = 256 };           /* frames read at once */
#define NOISE_QUANTILE 4        /* the noise is the 1 / NOISE_QUANTILE quantile over windows */
#define NOISE_FACTOR 8
/* Gray levels² added to the noise. The first is taken with which no score differs by more than MOST_DIFFERENCE. */
static const float noise_floors[] = {32, 16, 8, 4, 2};
#define MOST_DIFFERENCE 4.0
/* Later footage will exceed the largest difference on footage held out, hence the factor. */
#define BOUND_FACTOR 1.5
#define LEAST_BOUND 0.25
#define MARGIN_FACTOR 1.5
#define LEAST_MARGIN 0.05
#define FROZEN_FACTOR 3
#define FROZEN_LEAST_S 10.0

/* Reads frames of footage in turn, a block at a time. */
struct reader {
    struct footage *footage;
    size_t frame_size, begin, n;        /* frames begin … begin + n - 1 are in pixels */
    uint8_t *pixels;            /* [BLOCK, frame_size] */
};

/* Points frames[0] … frames[length - 1] to frames first … first + length - 1, until the next call. length <= BLOCK. */
static int read_frames(struct reader *r, const uint8_t **frames, size_t first, size_t length, struct error *err)
{
    if (first < r->begin || first + length > r->begin + r->n) {
        size_t all = footage_frames(r->footage);
        r->begin = first;
        r->n = all - first < BLOCK ? all - first : BLOCK;
        int e = footage_read(r->footage, first, r->n, r->pixels, err);
        if (e < 0) {
            r->n = 0;
            return e;
        }
    }
    for (size_t t = 0; t < length; t++)
        frames[t] = r->pixels + (first - r->begin + t) * r->frame_size;
    return 0;
}

static bool is_stopped(const struct windows_options *options)
{
    return options->stop && atomic_load(options->stop);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Writes, for each cell, the largest mean squared difference of a frame from the mean of the frames. one: [cells], mean:
 * [frame_size], both scratch. */
static void measure_noise(float *ret, float *one, uint8_t *mean, const uint8_t *const *frames, const struct arch *arch)
{
    int cells = static_cells(arch);
    static_mean(mean, frames, arch->frames, (size_t)arch->height * (size_t)arch->width);
    memset(ret, 0, (size_t)cells * sizeof *ret);
    for (int t = 0; t < arch->frames; t++) {
        static_differences(arch, frames[t], mean, one);
        for (int i = 0; i < cells; i++)
            ret[i] = fmaxf(ret[i], one[i]);
    }
}

/* Sets the limits to NOISE_FACTOR times the noise; to -1 in a light with too few windows. */
static int fit_noise(struct calibration *c, const struct windows *w, const struct windows_options *options,
                     struct reader *reader, const struct arch *arch, struct error *err)
{
    size_t n = w->n < NOISE_WINDOWS ? w->n : NOISE_WINDOWS, cells = (size_t)static_cells(arch);
    float *noise = malloc((n + 1) * cells * sizeof *noise), *values = malloc(n * sizeof *values);
    uint8_t *mean = malloc(reader->frame_size);
    const uint8_t *frames[ARCH_MAX_FRAMES];
    int r = noise && values && mean ? 0 : error_set(err, -ENOMEM, "out of memory");
    for (size_t k = 0; r == 0 && k < n; k++) {
        if (is_stopped(options))
            r = error_set(err, -EINTR, "interrupted");
        else if ((r = read_frames(reader, frames, w->first[k * w->n / n], (size_t)arch->frames, err)) == 0)
            measure_noise(noise + k * cells, noise + n * cells, mean, frames, arch);
    }
    c->still.cells = (int)cells;
    for (int light = 0; r == 0 && light < SCORE_CONDITIONS; light++)
        for (size_t i = 0; i < cells; i++) {
            size_t m = 0;
            for (size_t k = 0; k < n; k++)
                if (w->features[k * w->n / n].condition == light)
                    values[m++] = noise[k * cells + i];
            qsort(values, m, sizeof *values, compare);
            c->still.limit[light][i] = m < LEAST_LIGHT ? -1 : NOISE_FACTOR * values[m / NOISE_QUANTILE];
        }
    free(mean);
    free(values);
    free(noise);
    return r;
}

/* Result of a pass over all windows, for each light. */
struct trial {
    long windows[SCORE_CONDITIONS];
    double largest_difference[SCORE_CONDITIONS], longest_repeat_s;
    double crossing;            /* largest distance from the boundary of a window that gave its score to the other light */
};

/* Decides on all windows as the daemon would without a threshold. */
static int try_all(struct trial *ret, const struct calibration *c, const struct windows *w,
                   const struct windows_options *options, struct reader *reader, const struct arch *arch, struct error *err)
{
    struct static_scene *scene;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct static_score score;
    uint64_t number;
    double fps = footage_fps(options->footage);
    const struct score_features *given = NULL;      /* features of the last computed window */
    struct static_repeat repeat = {.last = malloc(reader->frame_size)};
    const struct static_rule rule = {.threshold = INFINITY, .close_threshold = INFINITY, .k = 1, .n = 1};
    int r = repeat.last ? static_scene_open(&scene, arch, &c->still, &c->score, 0, &rule) : -ENOMEM;
    if (r < 0) {
        free(repeat.last);
        return error_set(err, r, "out of memory");
    }
    *ret = (struct trial){0};
    size_t next = 0;                /* first frame not yet tested for repetition */
    for (size_t i = 0; r == 0 && i < w->n; i++) {
        bool gap = windows_step(w, i) == 0;
        if (is_stopped(options))
            r = error_set(err, -EINTR, "interrupted");
        else
            r = read_frames(reader, frames, w->first[i], (size_t)arch->frames, err);
        if (r < 0)
            break;
        if (gap) {
            repeat.begun = false;
            next = w->first[i];
        }
        for (; next < w->first[i] + (size_t)arch->frames; next++) {
            int64_t at_us = (int64_t)(1e6 * (double)next / fps);
            int64_t since_us = static_repeat_since(&repeat, frames[next - w->first[i]], reader->frame_size, at_us);
            ret->longest_repeat_s = fmax(ret->longest_repeat_s, 1e-6 * (double)(at_us - since_us));
        }
        double own = (double)score_of(&c->score, &w->features[i]);
        const struct static_window window = {.frames = frames, .first = w->first[i], .gap_before = gap};
        if (static_scene_decide(scene, &window, &number, &score) == STATIC_YES) {
            int light = given->condition;
            ret->windows[light]++;
            if (w->features[i].condition == light)
                ret->largest_difference[light] = fmax(ret->largest_difference[light], fabs(own - (double)score.score));
            else
                ret->crossing = fmax(ret->crossing, fabs((double)given->contrast - c->score.boundary));
        } else {
            given = &w->features[i];
            score = (struct static_score){.score = (float)own};
            static_scene_scored(scene, number, &w->features[i], &score);
        }
    }
    static_scene_close(scene);
    free(repeat.last);
    return r;
}

/* Chooses the floor of each light, and the margin between the lights. If no floor is low enough, nothing is static in that
 * light. noise: as fit_noise() left it. */
static int fit_floors(struct calibration *c, const struct static_limits *noise, const struct windows *w,
                      const struct windows_options *options, struct reader *reader, const struct arch *arch, struct error *err)
{
    struct static_limits *s = &c->still;
    size_t floors = sizeof noise_floors / sizeof noise_floors[0], floor[SCORE_CONDITIONS] = {0};
    s->light_margin = LEAST_MARGIN;
    for (bool again = true; again;) {
        struct trial trial;
        for (int light = 0; light < SCORE_CONDITIONS; light++)
            for (int i = 0; i < s->cells; i++)
                s->limit[light][i] = floor[light] == floors || noise->limit[light][i] < 0
                                         ? -1 : fminf(noise->limit[light][i] + noise_floors[floor[light]], STATIC_FARTHEST);
        int r = try_all(&trial, c, w, options, reader, arch, err);
        if (r < 0)
            return r;
        s->windows = 0;
        s->largest_difference = 0;
        again = false;
        for (int light = 0; light < SCORE_CONDITIONS; light++) {
            s->windows += trial.windows[light];
            s->largest_difference = fmax(s->largest_difference, trial.largest_difference[light]);
            if (trial.largest_difference[light] > MOST_DIFFERENCE) {
                floor[light]++;
                again = true;
            }
        }
        if (trial.crossing > 0) {
            s->light_margin = fmax(MARGIN_FACTOR * trial.crossing, MARGIN_FACTOR * s->light_margin);
            again = true;
        }
        s->frozen_s = fmax(FROZEN_FACTOR * trial.longest_repeat_s, FROZEN_LEAST_S);
    }
    s->bound = fmax(BOUND_FACTOR * s->largest_difference, LEAST_BOUND);
    return 0;
}

int static_limits_fit(struct calibration *ret, const struct windows *windows, const struct windows_options *options,
                      const struct arch *arch, struct error *err)
{
    ret->has_static = false;
    ret->still = (struct static_limits){0};
    if (!ret->has_score || static_cells(arch) == 0)
        return 0;
    struct reader reader = {.footage = options->footage, .frame_size = (size_t)arch->height * (size_t)arch->width};
    reader.pixels = malloc(BLOCK * reader.frame_size);
    if (!reader.pixels)
        return error_set(err, -ENOMEM, "out of memory");
    int r = fit_noise(ret, windows, options, &reader, arch, err);
    struct static_limits *noise = malloc(sizeof *noise);
    if (r == 0 && !noise)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        *noise = ret->still;
        r = fit_floors(ret, noise, windows, options, &reader, arch, err);
    }
    ret->has_static = r == 0;
    free(noise);
    free(reader.pixels);
    return r;
}
