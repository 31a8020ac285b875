#include "core/conv3d.h"

#include <string.h>

#include "core/kernels.h"

/* A block of output positions, and the runs of inputs under each (a tap's channels), that one call of a kernel takes: so
 * many that the table of pointers is small beside the first-level cache, and of weights what stays in the second. */
enum { BLOCK_ROWS = 128, BLOCK_RUNS = 32, BLOCK_WEIGHTS = 96 * 1024 };
/* What of the coarse tensor is multiplied with every tap in turn for the gradient: floats that stay in the first-level
 * cache, but positions enough for the sums to stay in registers. */
enum { CHUNK_FLOATS = 8192, CHUNK_POSITIONS = 64 };
/* A source of fewer channels is copied with zeros around it, so that the columns of a window are one run. */
enum { NARROW = 8 };
/* Up to so many channels on its fine side, scatter multiplies first and adds up the taps afterwards. */
enum { FEW_CHANNELS = 4 };

/* Which inputs an output sees: position j on an axis reads the source at step*j + first … + n - 1, zero outside. */
struct window3d {
    struct dims src;
    int n[3], first[3], step[3], out[3];
};

/* Where outputs go: position (t, y, x) at base + t*step[0] + y*step[1] + x*step[2]. */
struct placement {
    float *base;
    size_t step[3];
};

void conv3d_init(struct conv3d *ret, const struct layer_spec *spec, struct dims in, struct dims out)
{
    bool transposed = layer_is_transposed(spec->type);
    ret->fine = transposed ? out : in;
    ret->coarse = transposed ? in : out;
    for (int a = 0; a < 3; a++) {
        ret->kernel[a] = spec->kernel[a];
        ret->stride[a] = spec->stride[a];
        ret->padding[a] = spec->padding[a];
    }
}

static size_t taps(const struct conv3d *g)
{
    return (size_t)g->kernel[0] * (size_t)g->kernel[1] * (size_t)g->kernel[2];
}

size_t conv3d_weights(const struct conv3d *g)
{
    return taps(g) * (size_t)g->fine.c * (size_t)g->coarse.c;
}

static size_t in_panels(size_t n)
{
    return (n + KERNEL_PANEL - 1) / KERNEL_PANEL * KERNEL_PANEL;
}

static bool few_channels(const struct conv3d *g)
{
    return g->fine.c <= FEW_CHANNELS;
}

size_t conv3d_packed(const struct conv3d *g)
{
    size_t fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    size_t gather = taps(g) * fc * in_panels(cc);
    size_t scatter = few_channels(g) ? cc * in_panels(taps(g) * fc) : taps(g) * cc * in_panels(fc);
    return gather > scatter ? gather : scatter;
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static size_t positions(const struct window3d *w)
{
    return (size_t)w->out[0] * (size_t)w->out[1] * (size_t)w->out[2];
}

static struct window3d gather_window(const struct conv3d *g)
{
    struct window3d w = {.src = g->fine, .out = {g->coarse.t, g->coarse.h, g->coarse.w}};
    for (int a = 0; a < 3; a++) {
        w.n[a] = g->kernel[a];
        w.first[a] = -g->padding[a];
        w.step[a] = g->stride[a];
    }
    return w;
}

static int floor_div(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* The fine positions stride*j + phase on an axis see the taps k with (phase + padding - k) divisible by the stride, at
 * coarse position j + (phase + padding - k) / stride. The offsets are consecutive; the largest tap has the smallest. */
static void phase_axis(const struct conv3d *g, int axis, int phase, int *n, int *first, int *last_tap)
{
    int s = g->stride[axis], k = g->kernel[axis], p = g->padding[axis];
    int tap = (phase + p) % s;
    *n = tap < k ? (k - 1 - tap) / s + 1 : 0;
    *last_tap = tap + (*n - 1) * s;
    *first = floor_div(phase + p - *last_tap, s);
}

struct phase {
    struct window3d w;
    int origin[3];          /* of the fine positions; they follow at the stride */
    int last_tap[3];
};

static bool phase_at(const struct conv3d *g, int index, struct phase *ret)
{
    const int fine[3] = {g->fine.t, g->fine.h, g->fine.w};
    ret->w.src = g->coarse;
    bool any = true;
    for (int a = 2; a >= 0; a--) {
        int r = index % g->stride[a];
        index /= g->stride[a];
        phase_axis(g, a, r, &ret->w.n[a], &ret->w.first[a], &ret->last_tap[a]);
        ret->w.step[a] = 1;
        ret->w.out[a] = r < fine[a] ? (fine[a] - r - 1) / g->stride[a] + 1 : 0;
        ret->origin[a] = r;
        any = any && ret->w.out[a] > 0;
    }
    return any;
}

static int n_phases(const struct conv3d *g)
{
    return g->stride[0] * g->stride[1] * g->stride[2];
}

/* How far windows reach beyond the source on an axis: before it, and in all. */
static void reach(const struct window3d *w, int axis, int *before, int *size)
{
    const int src[3] = {w->src.t, w->src.h, w->src.w};
    int end = (w->out[axis] - 1) * w->step[axis] + w->first[axis] + w->n[axis];
    *before = w->first[axis] < 0 ? -w->first[axis] : 0;
    *size = *before + (end > src[axis] ? end : src[axis]);
}

static size_t padded_floats(const struct window3d *w)
{
    size_t n = (size_t)w->src.c;
    for (int a = 0, before, size; a < 3; a++) {
        reach(w, a, &before, &size);
        n *= (size_t)size;
    }
    return n;
}

/* The source with zeros around it, wherever a window reaches; w is then that of the copy. */
static const float *pad_source(struct window3d *w, const float *src, float *dst)
{
    int before[3], size[3];
    for (int a = 0; a < 3; a++)
        reach(w, a, &before[a], &size[a]);
    size_t c = (size_t)w->src.c, line = (size_t)w->src.w * c;
    memset(dst, 0, padded_floats(w) * sizeof *dst);
    for (int t = 0; t < w->src.t; t++)
        for (int y = 0; y < w->src.h; y++, src += line) {
            size_t at = ((size_t)(t + before[0]) * (size_t)size[1] + (size_t)(y + before[1])) * (size_t)size[2] + (size_t)before[2];
            memcpy(dst + at * c, src, line * sizeof *dst);
        }
    w->src = (struct dims){w->src.c, size[0], size[1], size[2]};
    for (int a = 0; a < 3; a++)
        w->first[a] += before[a];
    return dst;
}

static bool is_narrow(const struct window3d *w)
{
    return w->src.c < NARROW && w->n[0] * w->n[1] * w->n[2] > 0;
}

/* Axes that a window does not look along are one long axis: rows of a table are one line. */
static void merge_axes(struct window3d *w)
{
    int *src[3] = {&w->src.t, &w->src.h, &w->src.w};
    for (int a = 0; a < 2; a++) {
        bool trivial = true;
        for (int b = a; b <= a + 1; b++)
            trivial = trivial && w->n[b] == 1 && w->first[b] == 0 && w->step[b] == 1 && w->out[b] == *src[b];
        if (!trivial)
            continue;
        w->out[a + 1] *= w->out[a];
        *src[a + 1] *= *src[a];
        w->out[a] = *src[a] = 1;
    }
}

size_t conv3d_scratch(const struct conv3d *g)
{
    struct window3d w = gather_window(g);
    size_t fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c, padded = is_narrow(&w) ? padded_floats(&w) : 0;
    size_t zeros = (fc > cc ? fc : cc) + NARROW * (size_t)g->kernel[2];
    for (int index = 0; index < n_phases(g); index++) {
        struct phase p;
        if (phase_at(g, index, &p) && is_narrow(&p.w) && padded_floats(&p.w) > padded)
            padded = padded_floats(&p.w);
    }
    size_t products = BLOCK_ROWS * taps(g) * fc, chunk = CHUNK_FLOATS + CHUNK_POSITIONS * in_panels(cc);
    return zeros + padded + (few_channels(g) && products > chunk ? products : chunk);
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */

/* Where the runs first … first + n - 1 under output position (t, y, x) lie, tile_rows apart. */
static void find_runs(const struct window3d *w, const float *src, const float *zeros, bool narrow, int first, int n, int t,
                      int y, int x, const float **ret)
{
    size_t hop = kernels->tile_rows;
    if (n == 0)
        return;
    int columns = narrow ? 1 : w->n[2];
    int t0 = t * w->step[0] + w->first[0], y0 = y * w->step[1] + w->first[1], x0 = x * w->step[2] + w->first[2];
    int a = first / columns / w->n[1], b = first / columns % w->n[1], c = first % columns;
    for (int i = 0; i < n; i++, ret += hop) {
        int st = t0 + a, sy = y0 + b, sx = x0 + c;
        bool inside = st >= 0 && st < w->src.t && sy >= 0 && sy < w->src.h && sx >= 0 && sx < w->src.w;
        *ret = inside ? src + (((size_t)st * (size_t)w->src.h + (size_t)sy) * (size_t)w->src.w + (size_t)sx) * (size_t)w->src.c
                      : zeros;
        if (++c == columns) {
            c = 0;
            if (++b == w->n[1]) {
                b = 0;
                a++;
            }
        }
    }
}

static bool axis_inside(const struct window3d *w, int axis, int src, int at)
{
    int begin = at * w->step[axis] + w->first[axis];
    return begin >= 0 && begin + w->n[axis] <= src;
}

/* Every output position's sum over its window of source times weight (panels over [n[0], n[1], n[2], src.c]). */
static void convolve(struct window3d w, const float *src, const float *weight, size_t n, const struct epilogue *e,
                     const struct placement *to, float *scratch)
{
    const float *rows[BLOCK_ROWS * BLOCK_RUNS];
    float *out[BLOCK_ROWS];
    bool narrow = is_narrow(&w);
    size_t c = (size_t)w.src.c, k = narrow ? c * (size_t)w.n[2] : c, tile = kernels->tile_rows;
    float *zeros = scratch;
    memset(zeros, 0, k * sizeof *zeros);
    if (narrow)
        src = pad_source(&w, src, scratch + k);
    int runs = w.n[0] * w.n[1] * (narrow ? 1 : w.n[2]);
    size_t fit = BLOCK_WEIGHTS / (k * in_panels(n));
    int at_once = fit < 1 ? 1 : fit > BLOCK_RUNS ? BLOCK_RUNS : (int)fit;
    size_t offset[BLOCK_RUNS];
    struct row_products p = {.rows = rows, .out = out, .k = k, .n = n, .panel_step = (size_t)runs * k * KERNEL_PANEL,
                             .bias = e->bias, .slope = e->slope};

    size_t m = positions(&w), block = BLOCK_ROWS / tile * tile;
    for (size_t m0 = 0; m0 < m; m0 += block) {
        p.n_rows = m - m0 < block ? m - m0 : block;
        int first = 0;
        do {
            int n_runs = runs - first < at_once ? runs - first : at_once;
            p.runs = (size_t)n_runs;
            /* Of a window that lies whole in the source: from its first float. */
            for (int i = 0; i < n_runs; i++) {
                int columns = narrow ? 1 : w.n[2], run = first + i;
                offset[i] = (((size_t)(run / columns / w.n[1]) * (size_t)w.src.h + (size_t)(run / columns % w.n[1])) *
                             (size_t)w.src.w + (size_t)(run % columns)) * c;
            }
            int x = (int)(m0 % (size_t)w.out[2]), y = (int)(m0 / (size_t)w.out[2] % (size_t)w.out[1]),
                t = (int)(m0 / (size_t)w.out[2] / (size_t)w.out[1]);
            const float **ret = rows;
            for (size_t r = 0, n_line, in_tile = 0; r < p.n_rows; r += n_line) {
                n_line = (size_t)(w.out[2] - x) < p.n_rows - r ? (size_t)(w.out[2] - x) : p.n_rows - r;
                bool inside = axis_inside(&w, 0, w.src.t, t) && axis_inside(&w, 1, w.src.h, y);
                int line = ((t * w.step[0] + w.first[0]) * w.src.h + y * w.step[1] + w.first[1]) * w.src.w + w.first[2];
                float *to_line = to->base + (size_t)t * to->step[0] + (size_t)y * to->step[1];
                for (size_t i = 0; i < n_line; i++, x++) {
                    if (inside && axis_inside(&w, 2, w.src.w, x)) {
                        const float *from = src + (size_t)(line + x * w.step[2]) * c, **run = ret;
                        for (size_t j = 0; j < p.runs; j++, run += tile)
                            *run = from + offset[j];
                    } else {
                        find_runs(&w, src, zeros, narrow, first, n_runs, t, y, x, ret);
                    }
                    out[r + i] = to_line + (size_t)x * to->step[2];
                    ret++;
                    if (++in_tile == tile) {
                        in_tile = 0;
                        ret += tile * (p.runs - 1);
                    }
                }
                x = 0;
                if (++y == w.out[1]) {
                    y = 0;
                    t++;
                }
            }
            p.weight = weight + (size_t)first * k * KERNEL_PANEL;
            p.add = first > 0;
            first += n_runs;
            p.activation = first == runs ? e->activation : ACTIVATION_NONE;
            kernels->row_products(&p);
        } while (first < runs);
    }
}

/* Row i of a weight matrix whose columns are output channels: in panels of [rows, KERNEL_PANEL]. */
static float *panel_at(float *packed, size_t rows, size_t i, size_t j)
{
    return packed + (j / KERNEL_PANEL * rows + i) * KERNEL_PANEL + j % KERNEL_PANEL;
}

void conv3d_pack_gather(const struct conv3d *g, const float *weight, const float *scale, float *packed)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c, rows = n_taps * fc;
    memset(packed, 0, rows * in_panels(cc) * sizeof *packed);
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++)
            for (size_t k = 0; k < n_taps; k++)
                *panel_at(packed, rows, k * fc + i, o) = weight[(o * fc + i) * n_taps + k] * (scale ? scale[o] : 1);
}

void conv3d_unpack(const struct conv3d *g, const float *gradient, float *weight)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++)
            for (size_t k = 0; k < n_taps; k++)
                weight[(o * fc + i) * n_taps + k] = gradient[(k * fc + i) * cc + o];
}

void conv3d_gather(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                   float *coarse, float *scratch)
{
    struct window3d w = gather_window(g);
    size_t n = (size_t)g->coarse.c;
    const struct placement to = {coarse, {(size_t)w.out[1] * (size_t)w.out[2] * n, (size_t)w.out[2] * n, n}};
    convolve(w, fine, packed, n, e, &to, scratch);
}

/* ---- gradient ---------------------------------------------------------------------------------------------------- */

/* The outputs begin … end - 1 on an axis of `out` whose tap lies in the source. */
static void clip(const struct window3d *w, int axis, int tap, int src, int *begin, int *end)
{
    int at = w->first[axis] + tap, step = w->step[axis];
    int low = at < 0 ? (-at + step - 1) / step : 0, high = src - 1 - at < 0 ? 0 : (src - 1 - at) / step + 1;
    *begin = *begin > low ? *begin : low;
    *end = *end < high ? *end : high;
}

/* The rows of one tap, or of all where the source is padded, against a chunk of coarse lines y[0] … y[1] - 1, columns
 * x[0] … x[1] - 1 of frame t; b is its first float. */
struct chunk {
    int t, y[2], x[2];
    const float *b;
    size_t b_step, b_line;
};

static void chunk_gradient(const struct window3d *w, const float *src, const struct chunk *chunk, size_t n, bool narrow,
                           float *gradient)
{
    size_t c = (size_t)w->src.c, line = (size_t)w->src.w * c, tile = kernels->tile_rows;
    struct outer_products p = {.a_step = (size_t)w->step[2] * c, .a_line = (size_t)w->step[1] * line, .b_step = chunk->b_step,
                               .b_line = chunk->b_line, .n = n, .ldc = n};
    int t0 = chunk->t * w->step[0] + w->first[0], n_taps = w->n[0] * w->n[1] * w->n[2];
    size_t k = 0, all = (size_t)n_taps * c;
    while (k < all) {
        int tap = (int)(k / c), kt = tap / w->n[2] / w->n[1], kh = tap / w->n[2] % w->n[1], kw = tap % w->n[2];
        int y[2] = {chunk->y[0], chunk->y[1]}, x[2] = {chunk->x[0], chunk->x[1]};
        size_t left = narrow ? all - k : c - k % c;
        p.n_rows = left < tile ? left : tile;
        clip(w, 1, kh, w->src.h, &y[0], &y[1]);
        clip(w, 2, kw, w->src.w, &x[0], &x[1]);
        if (t0 + kt < 0 || t0 + kt >= w->src.t || y[0] >= y[1] || x[0] >= x[1]) {
            k += left;
            continue;
        }
        for (size_t r = 0; r < p.n_rows; r++) {
            tap = (int)((k + r) / c), kt = tap / w->n[2] / w->n[1], kh = tap / w->n[2] % w->n[1], kw = tap % w->n[2];
            p.rows[r] = src + ((size_t)(t0 + kt) * (size_t)w->src.h + (size_t)(y[0] * w->step[1] + w->first[1] + kh)) * line +
                        (size_t)(x[0] * w->step[2] + w->first[2] + kw) * c + (k + r) % c;
        }
        p.b = chunk->b + (size_t)(y[0] - chunk->y[0]) * chunk->b_line + (size_t)(x[0] - chunk->x[0]) * chunk->b_step;
        p.lines = (size_t)(y[1] - y[0]);
        p.count = (size_t)(x[1] - x[0]);
        p.c = gradient + k * n;
        kernels->outer_products(&p);
        k += p.n_rows;
    }
}

void conv3d_gradient(const struct conv3d *g, const float *fine, const float *coarse, float *gradient, float *scratch)
{
    struct window3d w = gather_window(g);
    merge_axes(&w);
    bool narrow = is_narrow(&w);
    size_t n = (size_t)g->coarse.c, wide = in_panels(n);
    float *copy = scratch;
    if (narrow) {
        copy = scratch + padded_floats(&w);
        fine = pad_source(&w, fine, scratch);
    }
    int fit = CHUNK_FLOATS / (int)wide, most = fit > CHUNK_POSITIONS ? fit : CHUNK_POSITIONS;
    int columns = w.out[2] < most ? w.out[2] : most, lines = most / columns;
    struct chunk chunk;
    for (chunk.t = 0; chunk.t < w.out[0]; chunk.t++)
        for (chunk.y[0] = 0; chunk.y[0] < w.out[1]; chunk.y[0] = chunk.y[1]) {
            chunk.y[1] = chunk.y[0] + lines < w.out[1] ? chunk.y[0] + lines : w.out[1];
            for (chunk.x[0] = 0; chunk.x[0] < w.out[2]; chunk.x[0] = chunk.x[1]) {
                chunk.x[1] = chunk.x[0] + columns < w.out[2] ? chunk.x[0] + columns : w.out[2];
                size_t line = (size_t)w.out[2] * n;
                const float *b = coarse + ((size_t)chunk.t * (size_t)w.out[1] + (size_t)chunk.y[0]) * line + (size_t)chunk.x[0] * n;
                chunk.b = b;
                chunk.b_step = n;
                chunk.b_line = line;
                if (wide != n) {        /* the kernel reads whole panels */
                    int width = chunk.x[1] - chunk.x[0];
                    for (int y = 0; y < chunk.y[1] - chunk.y[0]; y++)
                        for (int x = 0; x < width; x++) {
                            float *d = copy + (size_t)(y * width + x) * wide;
                            memcpy(d, b + (size_t)y * line + (size_t)x * n, n * sizeof *d);
                            memset(d + n, 0, (wide - n) * sizeof *d);
                        }
                    chunk.b = copy;
                    chunk.b_step = wide;
                    chunk.b_line = (size_t)width * wide;
                }
                chunk_gradient(&w, fine, &chunk, n, narrow, gradient);
            }
        }
}

/* ---- scatter ----------------------------------------------------------------------------------------------------- */

void conv3d_pack_scatter(const struct conv3d *g, const float *weight, const float *scale, float *packed)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    if (few_channels(g)) {      /* columns are [taps, fine.c] */
        memset(packed, 0, cc * in_panels(n_taps * fc) * sizeof *packed);
        for (size_t o = 0; o < cc; o++)
            for (size_t i = 0; i < fc; i++)
                for (size_t k = 0; k < n_taps; k++)
                    *panel_at(packed, cc, o, k * fc + i) = weight[(o * fc + i) * n_taps + k] * (scale ? scale[i] : 1);
        return;
    }
    memset(packed, 0, n_taps * cc * in_panels(fc) * sizeof *packed);
    for (int index = 0; index < n_phases(g); index++) {
        struct phase p;
        phase_at(g, index, &p);
        size_t rows = (size_t)p.w.n[0] * (size_t)p.w.n[1] * (size_t)p.w.n[2] * cc, row = 0;
        for (int a = 0; a < p.w.n[0]; a++)
            for (int b = 0; b < p.w.n[1]; b++)
                for (int c = 0; c < p.w.n[2]; c++) {
                    int kt = p.last_tap[0] - a * g->stride[0], kh = p.last_tap[1] - b * g->stride[1],
                        kw = p.last_tap[2] - c * g->stride[2];
                    size_t k = (size_t)((kt * g->kernel[1] + kh) * g->kernel[2] + kw);
                    for (size_t o = 0; o < cc; o++, row++)
                        for (size_t i = 0; i < fc; i++)
                            *panel_at(packed, rows, row, i) = weight[(o * fc + i) * n_taps + k] * (scale ? scale[i] : 1);
                }
        packed += rows * in_panels(fc);
    }
}

static void scatter_by_phase(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                             float *fine, float *scratch)
{
    size_t n = (size_t)g->fine.c, line = (size_t)g->fine.w * n, frame = (size_t)g->fine.h * line;
    for (int index = 0; index < n_phases(g); index++) {
        struct phase p;
        if (phase_at(g, index, &p)) {
            const struct placement to = {
                fine + (size_t)p.origin[0] * frame + (size_t)p.origin[1] * line + (size_t)p.origin[2] * n,
                {(size_t)g->stride[0] * frame, (size_t)g->stride[1] * line, (size_t)g->stride[2] * n}};
            convolve(p.w, coarse, packed, n, e, &to, scratch);
        }
        packed += (size_t)p.w.n[0] * (size_t)p.w.n[1] * (size_t)p.w.n[2] * (size_t)g->coarse.c * in_panels(n);
    }
}

static float *fine_at(const struct conv3d *g, float *fine, int t, int y, int x)
{
    return fine + (((size_t)t * (size_t)g->fine.h + (size_t)y) * (size_t)g->fine.w + (size_t)x) * (size_t)g->fine.c;
}

/* Adds the products of coarse positions x0 … x1 - 1 of a line, [taps, fine.c] each, to the fine positions under their taps.
 * A tap at a time: what follows on each other then adds to other places, and waits for no sum just stored. */
static void add_taps(const struct conv3d *g, const float *products, int t, int y, int x0, int x1, float *fine)
{
    size_t c = (size_t)g->fine.c, row = taps(g) * c, step = (size_t)g->stride[2] * c;
    for (int a = 0; a < g->kernel[0]; a++)
        for (int b = 0; b < g->kernel[1]; b++)
            for (int k = 0; k < g->kernel[2]; k++, products += c) {
                int ft = t * g->stride[0] - g->padding[0] + a, fy = y * g->stride[1] - g->padding[1] + b;
                int x = x0, end = x1, first = k - g->padding[2];
                if (ft < 0 || ft >= g->fine.t || fy < 0 || fy >= g->fine.h)
                    continue;
                while (x < end && x * g->stride[2] + first < 0)
                    x++;
                while (end > x && (end - 1) * g->stride[2] + first >= g->fine.w)
                    end--;
                if (x == end)
                    continue;
                float *d = fine_at(g, fine, ft, fy, x * g->stride[2] + first);
                const float *p = products + (size_t)(x - x0) * row;
                if (c == 1)
                    for (; x < end; x++, d += step, p += row)
                        *d += *p;
                else
                    for (; x < end; x++, d += step, p += row)
                        for (size_t i = 0; i < c; i++)
                            d[i] += p[i];
            }
}

static void scatter_few_channels(const struct conv3d *g, const float *coarse, const float *packed,
                                 const struct epilogue *e, float *fine, float *scratch)
{
    const float *rows[BLOCK_ROWS];
    float *out[BLOCK_ROWS];
    size_t n_fine = dims_positions(g->fine), fc = (size_t)g->fine.c, m = dims_positions(g->coarse);
    size_t n = taps(g) * fc, k = (size_t)g->coarse.c, block = BLOCK_ROWS / kernels->tile_rows * kernels->tile_rows;
    struct row_products p = {.rows = rows, .out = out, .runs = 1, .k = k, .n = n, .weight = packed, .panel_step = k * KERNEL_PANEL};
    memset(fine, 0, n_fine * fc * sizeof *fine);
    for (size_t m0 = 0; m0 < m; m0 += block) {
        p.n_rows = m - m0 < block ? m - m0 : block;
        for (size_t r = 0; r < p.n_rows; r++) {
            rows[r] = coarse + (m0 + r) * k;
            out[r] = scratch + r * n;
        }
        kernels->row_products(&p);
        for (size_t r = 0, n_line; r < p.n_rows; r += n_line) {
            size_t width = (size_t)g->coarse.w, x = (m0 + r) % width, line = (m0 + r) / width;
            n_line = width - x < p.n_rows - r ? width - x : p.n_rows - r;
            add_taps(g, scratch + r * n, (int)(line / (size_t)g->coarse.h), (int)(line % (size_t)g->coarse.h), (int)x,
                     (int)(x + n_line), fine);
        }
    }
    kernels->affine_activation(fine, fc, fine, NULL, e->bias, n_fine, fc, e->activation, e->slope);
}

void conv3d_scatter(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                    float *fine, float *scratch)
{
    if (few_channels(g))
        scatter_few_channels(g, coarse, packed, e, fine, scratch);
    else
        scatter_by_phase(g, coarse, packed, e, fine, scratch);
}
