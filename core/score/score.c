#include "core/score/score.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/score/largest.h"

enum { BLOCK = 4, SUMS = MOTION_SUMS };
/* The values of a window that score_measure() keeps for the functions called after it. */
enum { KEPT_CONDITION, KEPT_SHARED_RISE, KEPT };
/* Speed and change are means over the cells with the highest values: one cell in so many. */
enum { FASTEST = 120, MOST_CHANGED = 30 };
/* λ of the speed: gradients below two gray levels, or below four times the noise's amplitude, give little speed. */
#define LEAST_CONTRAST 2.0
#define NOISE_FACTOR 16.0
/* The least spread of a logarithm, so that footage in which nothing differs does not make every small change an alarm. */
#define LEAST_SPREAD 0.1
/* On other footage a voice varies this many times as much as in the calibration footage. Errors depend on the light and on where
 * objects lie that day. The figures behind the factor are in docs/score.md. */
static const double margin_of[SCORE_VOICES] = {1, 1, 1, 5};

struct layout {
    int rows, columns;          /* of cells */
    int block_rows, block_columns;
    float *line, *blocks, *cells, *smooth, *mean, *speed, *change, *error, *order, *kept, *map, *boxes;
    size_t floats;
};

static struct boxes_grid grid_of(const struct layout *l, const struct arch *a)
{
    return (struct boxes_grid){l->rows, l->columns, BLOCK, 2 * BLOCK, a->height, a->width};
}

static void lay_out(struct layout *l, const struct arch *a, float *base)
{
    l->block_rows = a->height / BLOCK;
    l->block_columns = a->width / BLOCK;
    l->rows = l->block_rows - 1;
    l->columns = l->block_columns - 1;
    const struct boxes_grid grid = grid_of(l, a);
    size_t n = (size_t)l->rows * (size_t)l->columns, at = 0;
    const size_t sizes[] = {SUMS * (size_t)a->width, SUMS * (size_t)l->block_rows * (size_t)l->block_columns, SUMS * n, n,
                            2 * (size_t)a->frames, n, n, n, n, KEPT, n, boxes_scratch(&grid)};
    float **const places[] = {&l->line, &l->blocks, &l->cells, &l->smooth, &l->mean, &l->speed, &l->change, &l->error,
                              &l->order, &l->kept, &l->map, &l->boxes};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        *places[i] = base ? base + at : NULL;
        at += sizes[i];
    }
    l->floats = at;
}

bool score_cells(const struct arch *arch, int *rows, int *columns)
{
    if (arch->channels != 1 || arch->frames < 4 || arch->height < 2 * BLOCK || arch->width < 2 * BLOCK)
        return false;
    *rows = arch->height / BLOCK - 1;
    *columns = arch->width / BLOCK - 1;
    return true;
}

size_t score_scratch(const struct arch *arch)
{
    int rows, columns;
    struct layout l;
    if (!score_cells(arch, &rows, &columns))
        return 0;
    lay_out(&l, arch, NULL);
    return l.floats;
}

/* Sums kernels->motion() over blocks of 4 x 4 pixels and over frames first … end - 1. */
static void sum_blocks(const struct layout *l, const struct arch *a, const float *x, const float *x_hat, int first, int end)
{
    size_t w = (size_t)a->width, frame = (size_t)a->height * w;
    for (int t = 0; t < a->frames; t++) {
        l->mean[t] = (float)(kernels->sum(x + (size_t)t * frame, frame) / (double)frame);
        l->mean[a->frames + t] = (float)(kernels->sum(x_hat + (size_t)t * frame, frame) / (double)frame);
    }
    for (int b = 0; b < l->block_rows; b++) {
        memset(l->line, 0, SUMS * w * sizeof *l->line);
        for (int t = first; t < end; t++) {
            float light = (l->mean[t + 1] - l->mean[t - 1]) / 2, step = l->mean[t] - l->mean[t - 1],
                  step_hat = l->mean[a->frames + t] - l->mean[a->frames + t - 1];
            for (int y = b * BLOCK; y < (b + 1) * BLOCK; y++) {
                const float *row = x + (size_t)t * frame + (size_t)y * w, *hat = x_hat + (size_t)t * frame + (size_t)y * w;
                kernels->motion(l->line, w, row, y > 0 ? row - w : row, y + 1 < a->height ? row + w : row, row - frame,
                                row + frame, hat, hat - frame, y > 0 && y + 1 < a->height ? 0.5f : 0, light, step, step_hat);
            }
        }
        for (int s = 0; s < SUMS; s++)
            for (int c = 0; c < l->block_columns; c++) {
                const float *v = l->line + (size_t)s * w + (size_t)(c * BLOCK);
                l->blocks[(s * l->block_rows + b) * l->block_columns + c] = v[0] + v[1] + v[2] + v[3];
            }
    }
}

static void mean_of_cells(const struct layout *l, int frames)
{
    float scale = 1 / (float)(4 * BLOCK * BLOCK * frames);
    float *cell = l->cells;
    for (int s = 0; s < SUMS; s++)
        for (int r = 0; r < l->rows; r++)
            for (int c = 0; c < l->columns; c++) {
                const float *b = l->blocks + (s * l->block_rows + r) * l->block_columns + c;
                *cell++ = (b[0] + b[1] + b[l->block_columns] + b[l->block_columns + 1]) * scale;
            }
}

static int clamp(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Binomial smoothing in place along rows and columns: five taps (1 4 6 4 1) or three (1 2 1). Edge cells repeat. */
static void smooth(const struct layout *l, float *map, bool five)
{
    int rows = l->rows, columns = l->columns;
    for (int pass = 0; pass < 2; pass++) {
        float *from = pass ? l->smooth : map, *to = pass ? map : l->smooth;
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) {
#define AT(d) from[pass ? clamp(r + (d), rows) * columns + c : r * columns + clamp(c + (d), columns)]
                to[r * columns + c] = five ? (AT(-2) + AT(2) + 4 * (AT(-1) + AT(1)) + 6 * AT(0)) / 16
                                           : (AT(-1) + AT(1) + 2 * AT(0)) / 4;
#undef AT
            }
    }
}

/* Copies the values of the cells in some regions to l->order. Returns their number. */
static size_t gather(const struct layout *l, const float *map, const struct regions *regions, uint32_t which)
{
    int cells = l->rows * l->columns;
    size_t n = 0;
    if (!regions) {
        memcpy(l->order, map, (size_t)cells * sizeof *map);
        return (size_t)cells;
    }
    for (int i = 0; i < cells; i++)
        if (regions_hold(regions, which, i))
            l->order[n++] = map[i];
    return n;
}

/* The logarithm of the mean of the largest values in some regions. Their number is one in `share` of all cells of the picture; if
 * the regions have fewer cells, the missing ones count as 0. */
static float log_mean_of_largest(const struct layout *l, const float *map, const struct regions *regions, uint32_t which,
                                 size_t share, float floor)
{
    size_t n = gather(l, map, regions, which);
    return logf(largest_mean(l->order, n, largest_share((size_t)l->rows * (size_t)l->columns, share)) + floor);
}

/* The median of the cells that count; 0 if none does. */
static float median_of(const struct layout *l, const float *map, const struct regions *regions)
{
    size_t n = gather(l, map, regions, REGIONS_ALL);
    return n > 0 ? largest_median(l->order, n) : 0;
}

/* A gray level in the network's units. */
static double level(const struct arch *a)
{
    return 1 / (255 * (double)a->std);
}

static float square_floor(const struct arch *a)
{
    return (float)(level(a) * level(a) / 16);
}

#define SPEED_FLOOR 1e-6f       /* (a thousandth of a pixel a frame)² */

/* The contrast of the median cell, because objects that pass must not change it. */
static float log_contrast(const struct layout *l, const struct arch *a, const struct regions *regions)
{
    int n = l->rows * l->columns;
    for (int i = 0; i < n; i++)
        l->map[i] = l->cells[MOTION_XX * n + i] + l->cells[MOTION_YY * n + i];
    return logf(median_of(l, l->map, regions) + square_floor(a));
}

static int condition_of(const struct score_spec *spec, float contrast)
{
    return spec->conditions > 1 && (double)contrast >= spec->boundary;
}

static void place_logs(const struct layout *l, const struct arch *a, enum places_map map, float *ret)
{
    const float *cells = map == PLACES_PACE ? l->speed : l->error, floor = map == PLACES_PACE ? SPEED_FLOOR : square_floor(a);
    for (int i = 0; i < l->rows * l->columns; i++)
        ret[i] = logf(cells[i] + floor);
}

/* Writes the voices of the cells in some regions of a window that was measured. */
static void measure_voices(const struct layout *l, const struct arch *arch, const struct score_spec *spec,
                           const struct regions *regions, uint32_t which, float voice[static SCORE_VOICES])
{
    int n = l->rows * l->columns;
    const struct places *places = &spec->places[(int)l->kept[KEPT_CONDITION]];
    voice[VOICE_SPEED] = log_mean_of_largest(l, l->speed, regions, which, FASTEST, SPEED_FLOOR);
    voice[VOICE_CHANGE] = log_mean_of_largest(l, l->change, regions, which, MOST_CHANGED, square_floor(arch));
    for (int m = 0; spec->has_places && m < PLACES_MAPS; m++) {
        enum places_map map = (enum places_map)m;
        place_logs(l, arch, map, l->map);
        float shared_rise = places_shared_rise(places, map, l->map, n, regions, l->order);
        voice[VOICE_PACE + m] = places_excess(places, map, l->map, n, regions, which, shared_rise, l->order);
        l->kept[KEPT_SHARED_RISE] = shared_rise;        /* of the last map, PLACES_APPEARANCE */
    }
}

int score_regions_open(struct regions **ret, const struct zones *zones, const float *shift, const struct arch *arch)
{
    struct regions_grid grid = {.step = BLOCK, .size = 2 * BLOCK, .height = arch->height, .width = arch->width};
    struct regions *regions = NULL;
    int r = score_cells(arch, &grid.rows, &grid.columns) ? regions_open(&regions, zones, shift, &grid) : 0;
    if (r == 0 && regions && regions_visible(regions) < score_least_cells(arch)) {
        regions_close(regions);
        r = -EINVAL;
    }
    if (r == 0)
        *ret = regions;
    return r;
}

double score_masked(const struct zones *zones, const struct arch *arch)
{
    struct regions *regions = NULL;
    int r = score_regions_open(&regions, zones, NULL, arch);
    double ret = regions ? 1 - (double)regions_visible(regions) / regions->cells : r == -EINVAL ? 1 : r;
    regions_close(regions);
    return ret;
}

int score_least_cells(const struct arch *arch)
{
    struct layout l;
    lay_out(&l, arch, NULL);
    return (int)largest_share((size_t)l.rows * (size_t)l.columns, FASTEST);
}

void score_measure(const struct arch *arch, const float *x, const float *x_hat, const struct score_spec *spec,
                   const struct regions *regions, float *scratch, struct score_features *ret)
{
    struct layout l;
    lay_out(&l, arch, scratch);
    int first = arch->frames / 4, end = arch->frames * 3 / 4, n = l.rows * l.columns;
    sum_blocks(&l, arch, x, x_hat, first, end);
    mean_of_cells(&l, end - first);
    memcpy(l.change, l.cells + MOTION_CHANGE * n, (size_t)n * sizeof *l.change);
    memcpy(l.error, l.cells + MOTION_ERROR * n, (size_t)n * sizeof *l.error);
    smooth(&l, l.change, false);
    smooth(&l, l.error, false);
    float noise = median_of(&l, l.cells + MOTION_DIFFERENCE * n, regions), contrast = log_contrast(&l, arch, regions);
    int condition = condition_of(spec, contrast);
    l.kept[KEPT_CONDITION] = (float)condition;
    for (int s = MOTION_XX; s <= MOTION_YT; s++)
        smooth(&l, l.cells + s * n, true);
    float lambda = (float)(pow(LEAST_CONTRAST * level(arch), 2) + NOISE_FACTOR * spec->condition[condition].noise);
    for (int i = 0; i < n; i++) {
        float xx = l.cells[MOTION_XX * n + i] + lambda, xy = l.cells[MOTION_XY * n + i],
              yy = l.cells[MOTION_YY * n + i] + lambda, xt = l.cells[MOTION_XT * n + i], yt = l.cells[MOTION_YT * n + i];
        float det = xx * yy - xy * xy, vx = (xy * yt - yy * xt) / det, vy = (xy * xt - xx * yt) / det;
        l.speed[i] = vx * vx + vy * vy;
    }
    *ret = (struct score_features){.noise = noise, .contrast = contrast, .condition = condition};
    measure_voices(&l, arch, spec, regions, REGIONS_ALL, ret->voice);
}

void score_place_logs(const struct arch *arch, const float *scratch, enum places_map map, float *ret)
{
    struct layout l;
    lay_out(&l, arch, (float *)scratch);
    place_logs(&l, arch, map, ret);
}

/* -ln pareto_exceeds(z), continued by its tangent below the level. */
static double log_hours(const struct pareto *p, double z)
{
    double x = (z - p->level) / p->scale;
    return (x > 0 && p->shape != 0 ? log1p(p->shape * x) / p->shape : x) - log(p->share);
}

static double spreads(const struct score_usual *usual, float value)
{
    return ((double)value - usual->centre) / usual->spread;
}

/* The score of `voices` values. */
static float combine(const struct score_condition *c, const float *values, int voices)
{
    double z[SCORE_VOICES], top = -INFINITY, sum = 0;
    for (int v = 0; v < voices; v++) {
        z[v] = spreads(&c->usual[v], values[v]);
        top = fmax(top, z[v]);
    }
    for (int v = 0; v < voices; v++)
        sum += exp(z[v] - top);
    return (float)log_hours(&c->rare, top + log(sum));
}

float score_of(const struct score_spec *spec, const struct score_features *features)
{
    return combine(&spec->condition[features->condition], features->voice, score_voices(spec));
}

float score_level(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, float *scratch,
                  float score, int *zone)
{
    struct layout l;
    float top = -INFINITY;
    *zone = -1;
    if (!regions || regions->n < 2)
        return score;
    lay_out(&l, arch, scratch);
    for (int r = 0; r < regions->n; r++) {
        float voice[SCORE_VOICES];
        if (regions->visible[r] == 0)
            continue;
        measure_voices(&l, arch, spec, regions, UINT32_C(1) << r, voice);
        float own = combine(&spec->condition[(int)l.kept[KEPT_CONDITION]], voice, score_voices(spec)) + regions->shift[r];
        if (own > top) {
            top = own;
            *zone = regions->zone[r];
        }
    }
    return top;
}

void score_by_voice(const struct score_spec *spec, const struct score_features *features, struct voices *ret)
{
    const struct score_condition *c = &spec->condition[features->condition];
    for (int v = 0; v < VOICES; v++)
        ret->score[v] = v < score_voices(spec) ? (float)log_hours(&c->rare, spreads(&c->usual[v], features->voice[v])) : NAN;
}

void score_map(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, const float *scratch,
               float *map)
{
    struct layout l;
    lay_out(&l, arch, (float *)scratch);
    float floor = square_floor(arch);
    int condition = (int)l.kept[KEPT_CONDITION];
    const struct places *places = &spec->places[condition];
    for (int i = 0; i < l.rows * l.columns; i++) {
        map[i] = -INFINITY;
        if (!regions_hold(regions, REGIONS_ALL, i))
            continue;
        float speed = logf(l.speed[i] + SPEED_FLOOR);
        const float values[SCORE_VOICES] = {
            [VOICE_SPEED] = speed,
            [VOICE_CHANGE] = logf(l.change[i] + floor),
            [VOICE_PACE] = speed - places->usual[PLACES_PACE][i],
            [VOICE_APPEARANCE] = logf(l.error[i] + floor) - places->usual[PLACES_APPEARANCE][i] - l.kept[KEPT_SHARED_RISE],
        };
        map[i] = combine(&spec->condition[condition], values, score_voices(spec));
    }
}

void score_boxes(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, float *scratch,
                 float level, struct boxes *ret)
{
    struct layout l;
    lay_out(&l, arch, scratch);
    const struct boxes_grid grid = grid_of(&l, arch);
    float top = -INFINITY;
    score_map(spec, arch, regions, scratch, l.map);
    for (int i = 0; i < l.rows * l.columns; i++) {
        l.map[i] += regions_shift(regions, i, NULL);
        top = fmaxf(top, l.map[i]);
    }
    /* Perhaps no cell reaches the level: the window's highest speed and highest change can lie in different cells. */
    boxes_find(ret, &grid, l.map, fminf(level, top), (uint32_t *)l.boxes);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool score_conditions_differ(double *contrasts, size_t n, size_t least, double *boundary)
{
    const double most_within = 0.2, least_share = 0.1, least_difference = log(1.5);
    double sum = 0, squares = 0, below = 0, best = 0;
    size_t least_part = (size_t)ceil(fmax(least_share * (double)n, (double)least));
    qsort(contrasts, n, sizeof *contrasts, compare);
    for (size_t i = 0; i < n; i++) {
        sum += contrasts[i];
        squares += pow(contrasts[i] - contrasts[0], 2);
    }
    double total = squares / (double)n - pow(sum / (double)n - contrasts[0], 2);
    bool differ = false;
    for (size_t i = 1; i < n; i++) {        /* i contrasts lie below the split */
        below += contrasts[i - 1];
        double low = below / (double)i, high = (sum - below) / (double)(n - i), share = (double)i / (double)n,
               between = share * (1 - share) * (high - low) * (high - low);
        if (between <= best)
            continue;
        best = between;
        differ = i >= least_part && n - i >= least_part && high - low >= least_difference &&
                 total - between <= most_within * total;
        *boundary = (low + high) / 2;
    }
    return differ;
}

void score_usual_fit(struct score_usual *ret, enum voice voice, double *logs, size_t n)
{
    assert(n > 0);
    qsort(logs, n, sizeof *logs, compare);
    const double z95 = 1.645, z99 = 2.326;
    double q95 = logs[n - 1 - n / 20], q99 = logs[n - 1 - n / 100];
    ret->spread = fmax(margin_of[voice] * (q99 - q95) / (z99 - z95), LEAST_SPREAD);
    ret->centre = q95 - z95 * ret->spread;
}
