#include "core/network/convolution/conv3d.h"

#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/convolution/window3d.h"

/* One call of a kernel takes a block of output positions and of runs (a tap's channels) under each. The table of pointers is
 * small beside the first-level cache, and the weights stay in the second-level cache. */
enum { BLOCK_ROWS = 128, BLOCK_RUNS = 32, BLOCK_WEIGHTS = 96 * 1024 };
/* For the gradient, a chunk of the coarse tensor is multiplied with all taps in turn. Its floats stay in the first-level
 * cache, but it has enough positions to keep the sums in registers for long. */
enum { CHUNK_FLOATS = 8192, CHUNK_POSITIONS = 64 };
/* Up to so many fine channels, and so many taps times channels, scatter multiplies first and adds up the taps afterwards. */
enum { FEW_CHANNELS = 4, MOST_COLUMNS = 128 };

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
    return g->fine.c <= FEW_CHANNELS && taps(g) * (size_t)g->fine.c <= MOST_COLUMNS;
}

size_t conv3d_packed(const struct conv3d *g)
{
    size_t fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    size_t gather = taps(g) * fc * in_panels(cc);
    size_t scatter = few_channels(g) ? cc * in_panels(taps(g) * fc) : taps(g) * cc * in_panels(fc);
    return gather > scatter ? gather : scatter;
}

static size_t padded_floats(const struct window3d *w)
{
    return window3d_is_narrow(w) ? window3d_padded(w) * (size_t)w->src.c : 0;
}

/* Sums of a scatter to few channels. The products of a coarse position with all taps are a row of numbers; add_line() adds
 * them to planes [ring, fine.t, kernel[2], fine.c, width]. For each unfinished fine line and each tap along it, element
 * before + x holds the sum of the products of coarse column x. Elements beyond either end stay zero. Coarse line y of all frames
 * is done before line y + 1 of any, so a ring of fine lines suffices and stays in cache. */
struct planes {
    float *base;
    int ring, before, width;
    size_t line;
};

static struct planes planes_of(const struct conv3d *g, float *base)
{
    int before = (g->kernel[2] - 1) / g->stride[2], last = (g->fine.w - 1 + g->padding[2]) / g->stride[2];
    int width = before + (last < g->coarse.w ? g->coarse.w : last + 1);
    return (struct planes){base, g->kernel[1] > g->stride[1] ? g->kernel[1] : g->stride[1], before, width,
                           (size_t)g->kernel[2] * (size_t)g->fine.c * (size_t)width};
}

static size_t planes_floats(const struct conv3d *g)
{
    struct planes p = planes_of(g, NULL);
    return (size_t)p.ring * (size_t)g->fine.t * p.line;
}

size_t conv3d_scratch(const struct conv3d *g)
{
    struct window3d w = window3d_gather(g);
    size_t fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c, padded = padded_floats(&w);
    size_t zeros = (fc > cc ? fc : cc) + WINDOW3D_NARROW * (size_t)g->kernel[2];
    for (int index = 0; index < window3d_phases(g); index++) {
        struct phase3d p;
        if (window3d_phase(g, index, &p) && padded_floats(&p.w) > padded)
            padded = padded_floats(&p.w);
    }
    size_t chunk = CHUNK_FLOATS + CHUNK_POSITIONS * in_panels(cc);
    size_t few = few_channels(g) ? BLOCK_ROWS * in_panels(taps(g) * fc) + planes_floats(g) : 0;
    return zeros + padded + (few > chunk ? few : chunk);
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */

/* Convolves a window whose output frames all read the same taps in time. The weight has panels of panel_step floats, each
 * beginning with [n[0], n[1], n[2], src.c, KERNEL_PANEL]; n: output channels. */
static void convolve_span(struct window3d w, const float *src, const float *weight, size_t panel_step, size_t n,
                          const struct epilogue *e, const struct placement3d *to, float *scratch)
{
    const void *rows[BLOCK_ROWS * BLOCK_RUNS];
    void *out[BLOCK_ROWS];
    bool narrow = window3d_is_narrow(&w);
    size_t c = (size_t)w.src.c, k = narrow ? c * (size_t)w.n[2] : c, tile = kernels->tile_rows;
    float *zeros = scratch;
    memset(zeros, 0, k * sizeof *zeros);
    int runs = window3d_runs(&w);
    if (narrow)
        src = window3d_pad(&w, src, sizeof *src, NULL, scratch + k);
    size_t fit = BLOCK_WEIGHTS / (k * in_panels(n));
    int at_once = fit < 1 ? 1 : fit > BLOCK_RUNS ? BLOCK_RUNS : (int)fit;
    struct row_products p = {.rows = rows, .out = out, .k = k, .n = n, .panel_step = panel_step, .bias = e->bias,
                             .slope = e->slope};
    size_t m = window3d_positions(&w), most = BLOCK_ROWS / tile * tile;
    struct window3d_block block = {.tile = tile};
    for (; block.m0 < m; block.m0 += most) {
        p.n_rows = block.n = m - block.m0 < most ? m - block.m0 : most;
        block.first = 0;
        do {
            block.runs = runs - block.first < at_once ? runs - block.first : at_once;
            window3d_rows(&w, src, sizeof *src, zeros, to, &block, rows, out);
            p.runs = (size_t)block.runs;
            p.weight = weight + (size_t)block.first * k * KERNEL_PANEL;
            p.add = block.first > 0;
            block.first += block.runs;
            p.activation = block.first == runs ? e->activation : ACTIVATION_NONE;
            kernels->row_products(&p);
        } while (block.first < runs);
    }
}

/* Convolves the output frames begin … end - 1, span by span. */
static void convolve(const struct window3d *w, int begin, int end, const float *src, const float *weight, size_t n,
                     const struct epilogue *e, const struct placement3d *to, float *scratch)
{
    size_t tap = (size_t)w->n[1] * (size_t)w->n[2] * (size_t)w->src.c * KERNEL_PANEL;
    size_t frame = (size_t)w->src.h * (size_t)w->src.w * (size_t)w->src.c;
    for (int t = begin; t < end;) {
        struct span3d span = window3d_span(w, t, end);
        struct placement3d there = *to;
        there.base = (char *)to->base + (size_t)t * to->step[0];
        convolve_span(span.w, src + (size_t)span.source * frame, weight + (size_t)span.tap * tap, (size_t)w->n[0] * tap, n, e,
                      &there, scratch);
        t += span.w.out[0];
    }
}

/* The place of row i and column j of a weight matrix in panels of [rows, KERNEL_PANEL]. Columns are output channels. */
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

void conv3d_gather_frames(const struct conv3d *g, int begin, int end, const float *fine, const float *packed,
                          const struct epilogue *e, float *coarse, float *scratch)
{
    struct window3d w = window3d_gather(g);
    size_t n = (size_t)g->coarse.c, pixel = n * sizeof *coarse, line = (size_t)w.out[2] * pixel;
    const struct placement3d to = {coarse, {(size_t)w.out[1] * line, line, pixel}};
    convolve(&w, begin, end, fine, packed, n, e, &to, scratch);
}

void conv3d_gather(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                   float *coarse, float *scratch)
{
    conv3d_gather_frames(g, 0, g->coarse.t, fine, packed, e, coarse, scratch);
}

/* ---- gradient ---------------------------------------------------------------------------------------------------- */

/* Narrows begin … end - 1, outputs on an axis, to those whose tap lies in the source. */
static void clip(const struct window3d *w, int axis, int tap, int src, int *begin, int *end)
{
    int at = w->first[axis] + tap, step = w->step[axis];
    int low = at < 0 ? (-at + step - 1) / step : 0, high = src - 1 - at < 0 ? 0 : (src - 1 - at) / step + 1;
    *begin = *begin > low ? *begin : low;
    *end = *end < high ? *end : high;
}

/* A chunk of the coarse tensor: lines y[0] … y[1] - 1, columns x[0] … x[1] - 1 of frame t. */
struct chunk {
    int t, y[2], x[2];
    const float *b;             /* its first position; positions are b_step floats apart, lines b_line */
    size_t b_step, b_line;
};

/* Adds the products of a chunk with all taps to the gradient. A tile of rows has the channels of one tap; for a narrow
 * source, which is padded, it has those of several. */
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
    struct window3d w = window3d_gather(g);
    window3d_merge(&w);
    bool narrow = window3d_is_narrow(&w);
    size_t n = (size_t)g->coarse.c, wide = in_panels(n);
    float *copy = scratch;
    if (narrow) {
        copy = scratch + padded_floats(&w);
        fine = window3d_pad(&w, fine, sizeof *fine, NULL, scratch);
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
                const float *b = coarse + ((size_t)chunk.t * (size_t)w.out[1] + (size_t)chunk.y[0]) * line +
                                 (size_t)chunk.x[0] * n;
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
    if (few_channels(g)) {       /* columns are [taps, fine.c] */
        memset(packed, 0, cc * in_panels(n_taps * fc) * sizeof *packed);
        for (size_t o = 0; o < cc; o++)
            for (size_t i = 0; i < fc; i++)
                for (size_t k = 0; k < n_taps; k++)
                    *panel_at(packed, cc, o, k * fc + i) = weight[(o * fc + i) * n_taps + k] * (scale ? scale[i] : 1);
        return;
    }
    memset(packed, 0, n_taps * cc * in_panels(fc) * sizeof *packed);
    for (int index = 0; index < window3d_phases(g); index++) {
        struct phase3d p;
        window3d_phase(g, index, &p);
        size_t rows = window3d_taps(&p.w) * cc, row = 0;
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
    size_t n = (size_t)g->fine.c, pixel = n * sizeof *fine, line = (size_t)g->fine.w * pixel, frame = (size_t)g->fine.h * line;
    for (int index = 0; index < window3d_phases(g); index++) {
        struct phase3d p;
        if (window3d_phase(g, index, &p)) {
            size_t origin = (size_t)p.origin[0] * frame + (size_t)p.origin[1] * line + (size_t)p.origin[2] * pixel;
            const struct placement3d to = {(char *)fine + origin, {(size_t)g->stride[0] * frame, (size_t)g->stride[1] * line,
                                                                   (size_t)g->stride[2] * pixel}};
            convolve(&p.w, 0, p.w.out[0], coarse, packed, n, e, &to, scratch);
        }
        packed += window3d_taps(&p.w) * (size_t)g->coarse.c * in_panels(n);
    }
}

/* ---- scatter to few channels ------------------------------------------------------------------------------------- */

static float *planes_at(const struct conv3d *g, const struct planes *p, int t, int y)
{
    return p->base + ((size_t)(y % p->ring) * (size_t)g->fine.t + (size_t)t) * p->line;
}

/* Adds the products of n positions of coarse line (t, y) from column x on, [n, in_panels(taps * fine.c)], to the planes. */
static void add_line(const struct conv3d *g, const struct planes *p, const float *products, int t, int y, size_t x, size_t n)
{
    float *to[MOST_COLUMNS] = {0};
    size_t run = (size_t)g->kernel[2] * (size_t)g->fine.c, j = 0;
    for (int a = 0; a < g->kernel[0]; a++)
        for (int b = 0; b < g->kernel[1]; b++) {
            int ft = t * g->stride[0] - g->padding[0] + a, fy = y * g->stride[1] - g->padding[1] + b;
            bool inside = ft >= 0 && ft < g->fine.t && fy >= 0 && fy < g->fine.h;
            for (size_t i = 0; i < run; i++)
                to[j++] = inside ? planes_at(g, p, ft, fy) + i * (size_t)p->width + (size_t)p->before + x : NULL;
        }
    kernels->add_columns(to, products, n, in_panels(j));
}

/* Writes the complete fine lines begin … end - 1 of all frames and clears their planes. Along a line, positions that are
 * equal modulo the stride read the same taps. */
static void finish_lines(const struct conv3d *g, const struct planes *p, int begin, int end, const struct epilogue *e,
                         float *fine)
{
    const float *from[MOST_COLUMNS];
    int c = g->fine.c, step = g->stride[2];
    for (int y = begin; y < end; y++)
        for (int t = 0; t < g->fine.t; t++) {
            float *line = fine + ((size_t)t * (size_t)g->fine.h + (size_t)y) * (size_t)g->fine.w * (size_t)c;
            float *plane = planes_at(g, p, t, y);
            for (int x = 0; x < step && x < g->fine.w; x++)
                for (int i = 0; i < c; i++) {
                    size_t n = 0, positions = (size_t)((g->fine.w - 1 - x) / step + 1);
                    int first = (x + g->padding[2]) % step, at = p->before + (x + g->padding[2]) / step;
                    for (int k = first; k < g->kernel[2]; k += step)
                        from[n++] = plane + (k * c + i) * p->width + at - k / step;
                    kernels->join_columns(line + x * c + i, (size_t)(step * c), from, n, positions, e->bias ? e->bias[i] : 0,
                                          e->activation, e->slope);
                }
            memset(plane, 0, p->line * sizeof *plane);
        }
}

static void scatter_few_channels(const struct conv3d *g, const float *coarse, const float *packed,
                                 const struct epilogue *e, float *fine, float *scratch)
{
    const void *rows[BLOCK_ROWS];
    void *out[BLOCK_ROWS];
    size_t n = in_panels(taps(g) * (size_t)g->fine.c), k = (size_t)g->coarse.c, width = (size_t)g->coarse.w;
    size_t frame = width * (size_t)g->coarse.h, m = width * (size_t)g->coarse.t;
    size_t most = BLOCK_ROWS / kernels->tile_rows * kernels->tile_rows;
    struct row_products p = {.rows = rows, .out = out, .runs = 1, .k = k, .n = n, .weight = packed,
                             .panel_step = k * KERNEL_PANEL};
    struct planes planes = planes_of(g, scratch + BLOCK_ROWS * n);
    memset(planes.base, 0, planes_floats(g) * sizeof *planes.base);
    int done = 0;
    for (int y = 0; y < g->coarse.h; y++) {
        /* The lines y of all frames count as one line: position m0 + r is column (m0 + r) % width of frame (m0 + r) / width. */
        for (size_t m0 = 0; m0 < m; m0 += p.n_rows) {
            p.n_rows = m - m0 < most ? m - m0 : most;
            for (size_t r = 0, at = m0 / width * frame + (size_t)y * width, x = m0 % width; r < p.n_rows; r++) {
                rows[r] = coarse + (at + x) * k;
                out[r] = scratch + r * n;
                if (++x == width) {
                    x = 0;
                    at += frame;
                }
            }
            kernels->row_products(&p);
            for (size_t r = 0, count; r < p.n_rows; r += count) {
                size_t x = (m0 + r) % width;
                count = width - x < p.n_rows - r ? width - x : p.n_rows - r;
                add_line(g, &planes, scratch + r * n, (int)((m0 + r) / width), y, x, count);
            }
        }
        int complete = (y + 1) * g->stride[1] - g->padding[1];
        if (y + 1 == g->coarse.h || complete > g->fine.h)
            complete = g->fine.h;
        finish_lines(g, &planes, done, complete, e, fine);
        done = complete > done ? complete : done;
    }
}

void conv3d_scatter(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                    float *fine, float *scratch)
{
    if (few_channels(g))
        scatter_few_channels(g, coarse, packed, e, fine, scratch);
    else
        scatter_by_phase(g, coarse, packed, e, fine, scratch);
}
