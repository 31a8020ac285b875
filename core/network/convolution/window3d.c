#include "core/network/convolution/window3d.h"

#include <string.h>

size_t window3d_positions(const struct window3d *w)
{
    return (size_t)w->out[0] * (size_t)w->out[1] * (size_t)w->out[2];
}

size_t window3d_taps(const struct window3d *w)
{
    return (size_t)w->n[0] * (size_t)w->n[1] * (size_t)w->n[2];
}

struct window3d window3d_gather(const struct conv3d *g)
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

/* On an axis, the fine position stride*j + phase reads the taps k for which the stride divides phase + padding - k. Tap k is at
 * coarse position j + (phase + padding - k) / stride. These offsets are consecutive; the largest tap has the smallest
 * offset. */
static void phase_axis(const struct conv3d *g, int axis, int phase, int *n, int *first, int *last_tap)
{
    int s = g->stride[axis], k = g->kernel[axis], p = g->padding[axis];
    int tap = (phase + p) % s;
    *n = tap < k ? (k - 1 - tap) / s + 1 : 0;
    *last_tap = tap + (*n - 1) * s;
    *first = floor_div(phase + p - *last_tap, s);
}

bool window3d_phase(const struct conv3d *g, int index, struct phase3d *ret)
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

int window3d_phases(const struct conv3d *g)
{
    return g->stride[0] * g->stride[1] * g->stride[2];
}

/* Writes the extent of the source on an axis with the padding that windows read: positions before it, and positions in all. */
static void reach(const struct window3d *w, int axis, int *before, int *size)
{
    const int src[3] = {w->src.t, w->src.h, w->src.w};
    int end = (w->out[axis] - 1) * w->step[axis] + w->first[axis] + w->n[axis];
    *before = w->first[axis] < 0 ? -w->first[axis] : 0;
    *size = *before + (end > src[axis] ? end : src[axis]);
}

size_t window3d_padded(const struct window3d *w)
{
    size_t n = 1;
    for (int a = 0, before, size; a < 3; a++) {
        reach(w, a, &before, &size);
        n *= (size_t)size;
    }
    return n;
}

const void *window3d_pad(struct window3d *w, const void *src, size_t element, const void *outside, void *dst)
{
    int before[3], size[3];
    for (int a = 0; a < 3; a++)
        reach(w, a, &before[a], &size[a]);
    size_t pixel = (size_t)w->src.c * element, line = (size_t)w->src.w * pixel;
    const unsigned char *from = src;
    size_t n = window3d_padded(w);
    if (!outside || pixel == 1)
        memset(dst, outside ? *(const unsigned char *)outside : 0, n * pixel);
    else
        for (size_t i = 0; i < n; i++)
            memcpy((unsigned char *)dst + i * pixel, outside, pixel);
    for (int t = 0; t < w->src.t; t++)
        for (int y = 0; y < w->src.h; y++, from += line) {
            size_t at = ((size_t)(t + before[0]) * (size_t)size[1] + (size_t)(y + before[1])) * (size_t)size[2] +
                        (size_t)before[2];
            memcpy((unsigned char *)dst + at * pixel, from, line);
        }
    w->src = (struct dims){w->src.c, size[0], size[1], size[2]};
    for (int a = 0; a < 3; a++)
        w->first[a] += before[a];
    return dst;
}

/* The taps in time, low … high - 1, of output frame t that lie inside the source; 0, 0 if none does. */
static void taps_inside(const struct window3d *w, int t, int *low, int *high)
{
    int at = t * w->step[0] + w->first[0], left = w->src.t - at;
    *low = at < 0 ? -at : 0;
    *high = left < w->n[0] ? left : w->n[0];
    if (*high <= *low)
        *low = *high = 0;
}

struct span3d window3d_span(const struct window3d *w, int begin, int end)
{
    struct span3d span = {.w = *w};
    int low, high, next = begin;
    taps_inside(w, begin, &span.tap, &span.w.n[0]);
    for (low = span.tap, high = span.w.n[0]; next < end && low == span.tap && high == span.w.n[0];)
        if (++next < end)
            taps_inside(w, next, &low, &high);
    span.w.n[0] -= span.tap;
    span.w.out[0] = next - begin;
    span.w.first[0] = 0;
    span.source = span.w.n[0] > 0 ? begin * w->step[0] + w->first[0] + span.tap : 0;
    span.w.src.t = span.w.n[0] > 0 ? (next - 1 - begin) * w->step[0] + span.w.n[0] : 0;
    return span;
}

bool window3d_is_narrow(const struct window3d *w)
{
    return w->src.c < WINDOW3D_NARROW && w->n[0] * w->n[1] * w->n[2] > 0;
}

int window3d_runs(const struct window3d *w)
{
    return w->n[0] * w->n[1] * (window3d_is_narrow(w) ? 1 : w->n[2]);
}

void window3d_merge(struct window3d *w)
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

/* Writes the pointers to the block's runs under output position (t, y, x). */
static void find_runs(const struct window3d *w, const unsigned char *src, size_t pixel, const void *outside,
                      const struct window3d_block *block, int t, int y, int x, const void **ret)
{
    if (block->runs == 0)
        return;
    int columns = window3d_is_narrow(w) ? 1 : w->n[2];
    int t0 = t * w->step[0] + w->first[0], y0 = y * w->step[1] + w->first[1], x0 = x * w->step[2] + w->first[2];
    int a = block->first / columns / w->n[1], b = block->first / columns % w->n[1], c = block->first % columns;
    for (int i = 0; i < block->runs; i++, ret += block->tile) {
        int st = t0 + a, sy = y0 + b, sx = x0 + c;
        bool inside = st >= 0 && st < w->src.t && sy >= 0 && sy < w->src.h && sx >= 0 && sx < w->src.w;
        *ret = inside ? src + (((size_t)st * (size_t)w->src.h + (size_t)sy) * (size_t)w->src.w + (size_t)sx) * pixel : outside;
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

/* The output columns low … high - 1 whose windows lie inside the source. */
static void columns_inside(const struct window3d *w, int *low, int *high)
{
    int room = w->src.w - w->n[2] - w->first[2];
    *low = w->first[2] < 0 ? (w->step[2] - 1 - w->first[2]) / w->step[2] : 0;
    *high = room < 0 ? 0 : room / w->step[2] + 1;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t d = a < b ? a : b;
    return c < d ? c : d;
}

static void step_through(const void **ret, const unsigned char *from, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = from + i * step;
}

void window3d_rows(const struct window3d *w, const void *source, size_t element, const void *outside,
                   const struct placement3d *to, const struct window3d_block *block, const void **rows, void **out)
{
    const unsigned char *src = source;
    size_t pixel = (size_t)w->src.c * element, offset[WINDOW3D_RUNS], width = (size_t)w->out[2], height = (size_t)w->out[1];
    int columns = window3d_is_narrow(w) ? 1 : w->n[2];
    /* The offsets of runs from the first byte of a window that lies inside the source. */
    for (int i = 0; i < block->runs; i++) {
        int run = block->first + i;
        offset[i] = (((size_t)(run / columns / w->n[1]) * (size_t)w->src.h + (size_t)(run / columns % w->n[1])) *
                     (size_t)w->src.w + (size_t)(run % columns)) * pixel;
    }
    size_t step = (size_t)w->step[2] * pixel;
    int low, high;
    columns_inside(w, &low, &high);
    int x = (int)(block->m0 % width), y = (int)(block->m0 / width % height), t = (int)(block->m0 / width / height);
    for (size_t r = 0, n_line, in_tile = 0; r < block->n; r += n_line) {
        n_line = width - (size_t)x < block->n - r ? width - (size_t)x : block->n - r;
        bool inside = axis_inside(w, 0, w->src.t, t) && axis_inside(w, 1, w->src.h, y);
        int line = ((t * w->step[0] + w->first[0]) * w->src.h + y * w->step[1] + w->first[1]) * w->src.w + w->first[2];
        unsigned char *to_line = (unsigned char *)to->base + (size_t)t * to->step[0] + (size_t)y * to->step[1];
        for (size_t i = 0, count; i < n_line; i += count) {     /* positions of one tile */
            count = 1;
            if (inside && x >= low && x < high) {
                count = smallest(n_line - i, block->tile - in_tile, (size_t)(high - x));
                const unsigned char *from = src + (size_t)(line + x * w->step[2]) * pixel;
                for (int j = 0; j < block->runs; j++)
                    step_through(rows + (size_t)j * block->tile, from + offset[j], count, step);
            } else {
                find_runs(w, src, pixel, outside, block, t, y, x, rows);
            }
            for (size_t k = 0; k < count; k++, x++)
                out[r + i + k] = to_line + (size_t)x * to->step[2];
            rows += count;
            in_tile += count;
            if (in_tile == block->tile) {
                in_tile = 0;
                rows += block->tile * (size_t)block->runs - block->tile;
            }
        }
        x = 0;
        if (++y == w->out[1]) {
            y = 0;
            t++;
        }
    }
}
