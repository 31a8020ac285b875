#include "core/conv3d.h"

#include <cblas.h>
#include <string.h>

#include "core/kernels.h"
#include "core/product.h"

/* The rows of a block: about a megabyte of im2row, so that it stays in the second-level cache of current machines, but
 * enough of them that packing the weight inside BLAS does not show. */
enum { BLOCK_FLOATS = 384 * 1024, MIN_ROWS = 128, MAX_ROWS = 2048 };
/* Up to so many channels on its fine side, scatter multiplies first and adds up the taps afterwards. */
enum { FEW_CHANNELS = 4 };

/* One im2row: output position j on an axis reads the source at step*j + first … + n - 1, zero outside. */
struct window3d {
    struct dims src;
    int n[3], first[3], step[3], out[3];
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

static int block_rows(size_t k)
{
    size_t rows = BLOCK_FLOATS / k;
    return rows < MIN_ROWS ? MIN_ROWS : rows > MAX_ROWS ? MAX_ROWS : (int)rows;
}

/* The widest row of im2row, or of products before they are added up, that any of the three operations makes. */
static size_t widest(const struct conv3d *g)
{
    int c = g->fine.c > g->coarse.c ? g->fine.c : g->coarse.c;
    return taps(g) * (size_t)c;
}

size_t conv3d_scratch(const struct conv3d *g)
{
    int c = g->fine.c > g->coarse.c ? g->fine.c : g->coarse.c;
    size_t block = (size_t)MIN_ROWS * widest(g);
    if (block < BLOCK_FLOATS)
        block = BLOCK_FLOATS;
    return block + (size_t)MAX_ROWS * (size_t)c;
}

static size_t row_floats(const struct window3d *w)
{
    return (size_t)w->n[0] * (size_t)w->n[1] * (size_t)w->n[2] * (size_t)w->src.c;
}

static bool is_identity(const struct window3d *w)
{
    for (int a = 0; a < 3; a++)
        if (w->n[a] != 1 || w->first[a] != 0 || w->step[a] != 1)
            return false;
    return w->out[0] <= w->src.t && w->out[1] == w->src.h && w->out[2] == w->src.w;
}

static size_t positions(const struct window3d *w)
{
    return (size_t)w->out[0] * (size_t)w->out[1] * (size_t)w->out[2];
}

/* The n_w columns of one line under one output position, with zeros where the line ends. */
static void copy_columns(float *dst, const float *line, const struct window3d *w, int x)
{
    int c = w->src.c, n = w->n[2], at = x * w->step[2] + w->first[2];
    int lead = at < 0 ? (-at < n ? -at : n) : 0;
    int end = at + n > w->src.w ? w->src.w - at : n;
    if (end < lead)
        end = lead;
    memset(dst, 0, (size_t)(lead * c) * sizeof *dst);
    memcpy(dst + lead * c, line + (ptrdiff_t)(at + lead) * c, (size_t)((end - lead) * c) * sizeof *dst);
    memset(dst + end * c, 0, (size_t)((n - end) * c) * sizeof *dst);
}

/* Rows m0 … m0+rows-1 of the im2row matrix of src, one row an output position. */
static void im2row(const struct window3d *w, const float *src, size_t m0, int rows, float *dst)
{
    size_t k = row_floats(w);
    int c = w->src.c, nw = w->n[2] * c;
    int x_first = 0;        /* columns whose window lies whole inside the line: x_first … x_last - 1 */
    while (x_first < w->out[2] && x_first * w->step[2] + w->first[2] < 0)
        x_first++;
    int x_last = w->out[2];
    while (x_last > x_first && (x_last - 1) * w->step[2] + w->first[2] + w->n[2] > w->src.w)
        x_last--;

    for (int m = 0; m < rows;) {
        size_t position = m0 + (size_t)m;
        int x0 = (int)(position % (size_t)w->out[2]);
        size_t line_index = position / (size_t)w->out[2];
        int y = (int)(line_index % (size_t)w->out[1]), t = (int)(line_index / (size_t)w->out[1]);
        int x1 = x0 + rows - m < w->out[2] ? x0 + rows - m : w->out[2];
        for (int a = 0; a < w->n[0]; a++)
            for (int b = 0; b < w->n[1]; b++) {
                int st = t * w->step[0] + w->first[0] + a, sy = y * w->step[1] + w->first[1] + b;
                float *d = dst + (size_t)m * k + (size_t)(a * w->n[1] + b) * (size_t)nw;
                if (st < 0 || st >= w->src.t || sy < 0 || sy >= w->src.h) {
                    for (int x = x0; x < x1; x++, d += k)
                        memset(d, 0, (size_t)nw * sizeof *d);
                    continue;
                }
                const float *line = src + ((size_t)st * (size_t)w->src.h + (size_t)sy) * (size_t)w->src.w * (size_t)c;
                int x = x0;
                for (; x < x1 && x < x_first; x++, d += k)
                    copy_columns(d, line, w, x);
                const float *s = line + (ptrdiff_t)(x * w->step[2] + w->first[2]) * c;
                ptrdiff_t hop = (ptrdiff_t)w->step[2] * c;
                if (nw <= 8)
                    for (; x < x1 && x < x_last; x++, d += k, s += hop)
                        for (int i = 0; i < nw; i++)
                            d[i] = s[i];
                else
                    for (; x < x1 && x < x_last; x++, d += k, s += hop)
                        memcpy(d, s, (size_t)nw * sizeof *d);
                for (; x < x1; x++, d += k)
                    copy_columns(d, line, w, x);
            }
        m += x1 - x0;
    }
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */

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

void conv3d_pack_gather(const struct conv3d *g, const float *weight, const float *scale, float *packed)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++)
            for (size_t k = 0; k < n_taps; k++)
                packed[(k * fc + i) * cc + o] = weight[(o * fc + i) * n_taps + k] * (scale ? scale[o] : 1);
}

void conv3d_unpack(const struct conv3d *g, const float *packed, float *weight)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++)
            for (size_t k = 0; k < n_taps; k++)
                weight[(o * fc + i) * n_taps + k] = packed[(k * fc + i) * cc + o];
}

void conv3d_gather(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                   float *coarse, float *scratch)
{
    struct window3d w = gather_window(g);
    int k = (int)row_floats(&w), n = g->coarse.c;
    size_t m = positions(&w);
    bool direct = is_identity(&w);
    int block = block_rows((size_t)k);
    for (size_t m0 = 0; m0 < m; m0 += (size_t)block) {
        int rows = m - m0 < (size_t)block ? (int)(m - m0) : block;
        const float *a = fine + m0 * (size_t)k;
        if (!direct) {
            im2row(&w, fine, m0, rows, scratch);
            a = scratch;
        }
        float *c = coarse + m0 * (size_t)n;
        product(rows, n, k, a, packed, c);
        kernels->affine_activation(c, (size_t)n, c, NULL, e->bias, (size_t)rows, (size_t)n, e->activation, e->slope);
    }
}

void conv3d_gradient(const struct conv3d *g, const float *fine, const float *coarse, float *packed_gradient,
                     float *scratch)
{
    struct window3d w = gather_window(g);
    int k = (int)row_floats(&w), n = g->coarse.c;
    size_t m = positions(&w);
    int block = block_rows((size_t)k);
    for (size_t m0 = 0; m0 < m; m0 += (size_t)block) {
        int rows = m - m0 < (size_t)block ? (int)(m - m0) : block;
        im2row(&w, fine, m0, rows, scratch);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, n, rows, 1, scratch, k, coarse + m0 * (size_t)n, n, 1,
                    packed_gradient, n);
    }
}

/* ---- scatter ----------------------------------------------------------------------------------------------------- */

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

static bool few_channels(const struct conv3d *g)
{
    return g->fine.c <= FEW_CHANNELS;
}

void conv3d_pack_scatter(const struct conv3d *g, const float *weight, const float *scale, float *packed)
{
    size_t n_taps = taps(g), fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    if (few_channels(g)) {      /* [coarse.c, taps, fine.c] */
        for (size_t o = 0; o < cc; o++)
            for (size_t i = 0; i < fc; i++)
                for (size_t k = 0; k < n_taps; k++)
                    packed[(o * n_taps + k) * fc + i] = weight[(o * fc + i) * n_taps + k] * (scale ? scale[i] : 1);
        return;
    }
    for (int index = 0; index < n_phases(g); index++) {
        struct phase p;
        phase_at(g, index, &p);
        for (int a = 0; a < p.w.n[0]; a++)
            for (int b = 0; b < p.w.n[1]; b++)
                for (int c = 0; c < p.w.n[2]; c++) {
                    int kt = p.last_tap[0] - a * g->stride[0], kh = p.last_tap[1] - b * g->stride[1],
                        kw = p.last_tap[2] - c * g->stride[2];
                    size_t k = (size_t)((kt * g->kernel[1] + kh) * g->kernel[2] + kw);
                    for (size_t o = 0; o < cc; o++)
                        for (size_t i = 0; i < fc; i++)
                            *packed++ = weight[(o * fc + i) * n_taps + k] * (scale ? scale[i] : 1);
                }
    }
}

static float *fine_at(const struct conv3d *g, float *fine, int t, int y, int x)
{
    return fine + (((size_t)t * (size_t)g->fine.h + (size_t)y) * (size_t)g->fine.w + (size_t)x) * (size_t)g->fine.c;
}

/* Spreads the rows of one phase over the fine tensor. */
static void write_phase(const struct conv3d *g, const struct phase *p, const struct epilogue *e, size_t m0, int rows,
                        const float *src, float *fine)
{
    size_t c = (size_t)g->fine.c;
    for (int m = 0; m < rows;) {
        size_t position = m0 + (size_t)m;
        int x0 = (int)(position % (size_t)p->w.out[2]);
        size_t line = position / (size_t)p->w.out[2];
        int y = (int)(line % (size_t)p->w.out[1]), t = (int)(line / (size_t)p->w.out[1]);
        int n = p->w.out[2] - x0 < rows - m ? p->w.out[2] - x0 : rows - m;
        float *d = fine_at(g, fine, t * g->stride[0] + p->origin[0], y * g->stride[1] + p->origin[1],
                           x0 * g->stride[2] + p->origin[2]);
        kernels->affine_activation(d, (size_t)g->stride[2] * c, src + (size_t)m * c, NULL, e->bias, (size_t)n, c,
                                         e->activation, e->slope);
        m += n;
    }
}

static void scatter_by_phase(const struct conv3d *g, const float *coarse, const float *packed, const struct epilogue *e,
                             float *fine, float *scratch)
{
    int n = g->fine.c;
    float *products = scratch;
    scratch += (size_t)MAX_ROWS * (size_t)n;
    for (int index = 0; index < n_phases(g); index++) {
        struct phase p;
        bool any = phase_at(g, index, &p);
        int k = (int)row_floats(&p.w);
        size_t m = any ? positions(&p.w) : 0;
        bool direct = is_identity(&p.w);
        int block = block_rows(k > 0 ? (size_t)k : 1);
        for (size_t m0 = 0; m0 < m; m0 += (size_t)block) {
            int rows = m - m0 < (size_t)block ? (int)(m - m0) : block;
            const float *a = coarse + m0 * (size_t)k;
            if (!direct) {
                im2row(&p.w, coarse, m0, rows, scratch);
                a = scratch;
            }
            if (k > 0)
                product(rows, n, k, a, packed, products);
            else
                memset(products, 0, (size_t)rows * (size_t)n * sizeof *products);
            write_phase(g, &p, e, m0, rows, products, fine);
        }
        packed += (size_t)k * (size_t)n;
    }
}

/* Adds the products of one coarse position, [taps, fine.c], to the fine positions under its taps. */
static void add_taps(const struct conv3d *g, const float *products, int t, int y, int x, float *fine)
{
    int c = g->fine.c, kw = g->kernel[2];
    int x0 = x * g->stride[2] - g->padding[2];
    int lead = x0 < 0 ? -x0 : 0, end = x0 + kw > g->fine.w ? g->fine.w - x0 : kw;
    for (int a = 0; a < g->kernel[0]; a++)
        for (int b = 0; b < g->kernel[1]; b++, products += kw * c) {
            int ft = t * g->stride[0] - g->padding[0] + a, fy = y * g->stride[1] - g->padding[1] + b;
            if (ft < 0 || ft >= g->fine.t || fy < 0 || fy >= g->fine.h || lead >= end)
                continue;
            float *d = fine_at(g, fine, ft, fy, x0 + lead);
            for (int i = lead * c; i < end * c; i++)
                *d++ += products[i];
        }
}

static void scatter_few_channels(const struct conv3d *g, const float *coarse, const float *packed,
                                 const struct epilogue *e, float *fine, float *scratch)
{
    size_t n_fine = dims_positions(g->fine), fc = (size_t)g->fine.c, m = dims_positions(g->coarse);
    int n = (int)(taps(g) * fc), k = g->coarse.c, block = block_rows((size_t)n);
    memset(fine, 0, n_fine * fc * sizeof *fine);
    for (size_t m0 = 0; m0 < m; m0 += (size_t)block) {
        int rows = m - m0 < (size_t)block ? (int)(m - m0) : block;
        product(rows, n, k, coarse + m0 * (size_t)k, packed, scratch);
        for (int r = 0; r < rows; r++) {
            size_t position = m0 + (size_t)r, line = position / (size_t)g->coarse.w;
            add_taps(g, scratch + (size_t)r * (size_t)n, (int)(line / (size_t)g->coarse.h),
                     (int)(line % (size_t)g->coarse.h), (int)(position % (size_t)g->coarse.w), fine);
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
