#include "core/network/convolution/conv3d_int8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/network/convolution/window3d.h"

/* One call of a kernel takes at most so many output positions and pointers to runs. These take half a first-level cache. */
enum { BLOCK_ROWS = 128, BLOCK_POINTERS = 2048 };

/* A part is a span of the gather, or of a phase of the scatter. One pass over its outputs computes it. The spans of one gather or
 * phase share its weights. */
struct part {
    struct span3d span;
    struct phase3d phase;       /* of a scatter; for a gather only its window is set */
    int begin;                  /* the span's first output frame, counted in the gather or the phase */
    size_t origin, step[3];     /* the placement of its outputs: bytes from the tensor's first */
    size_t k;                   /* bytes of a run, a multiple of INT8_GROUP */
    size_t weight, column;      /* offsets of its weights, and of its scales and biases */
    size_t run, runs;           /* its first run among those of the window, and the number of its runs */
    size_t inputs;              /* bytes of all runs of the window */
};

struct conv3d_int8 {
    struct conv3d g;
    const struct int8_kernels *kernels;
    enum activation activation;
    float slope;
    bool to_bytes;
    size_t n;                   /* output channels */
    size_t scratch;
    int n_parts;
    struct part *parts;
    unsigned char *weight;
    float *scale, *bias;        /* [parts, columns in whole panels] */
    float *gain, *zero;         /* [n in whole panels], of the output's bytes */
    uint8_t *outside;           /* [run] a run of padding */
    size_t run;                 /* bytes of the longest run */
};

struct quantum quantum_of(float low, float high)
{
    float step = (high - low) / 255, zero = rintf(-low / step);
    return (struct quantum){step, zero > 0 ? zero < 255 ? zero : 255 : 0};
}

static size_t up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* Bytes of a run, rounded up to whole groups. */
static size_t run_bytes(const struct window3d *w)
{
    return up((size_t)w->src.c * (window3d_is_narrow(w) ? (size_t)w->n[2] : 1), INT8_GROUP);
}

static bool window_possible(const struct window3d *w)
{
    return window3d_runs(w) <= WINDOW3D_RUNS && (size_t)window3d_runs(w) * run_bytes(w) <= INT8_MAX_INPUTS;
}

bool conv3d_int8_possible(const struct conv3d *g, bool gather)
{
    struct window3d w = window3d_gather(g);
    if (gather)
        return window_possible(&w);
    for (int i = 0; i < window3d_phases(g); i++) {
        struct phase3d p;
        if (window3d_phase(g, i, &p) && !window_possible(&p.w))
            return false;
    }
    return true;
}

/* ---- packing ------------------------------------------------------------------------------------------------------ */

/* The weight between an input and an output channel at a tap of the kernel, per step of the input's bytes. */
static float weight_at(const struct conv3d_int8_options *o, size_t out, size_t in, size_t tap)
{
    size_t n_taps = (size_t)o->geometry.kernel[0] * (size_t)o->geometry.kernel[1] * (size_t)o->geometry.kernel[2];
    size_t coarse = o->gather ? out : in, fine = o->gather ? in : out;
    return o->weight[(coarse * (size_t)o->geometry.fine.c + fine) * n_taps + tap] * (o->scale ? o->scale[out] : 1) *
           o->in[in].step;
}

/* The value of a weight byte of 1, for each output channel. */
static void weight_steps(const struct conv3d_int8_options *o, size_t n_out, size_t n_in, size_t n_taps, float *steps)
{
    for (size_t j = 0; j < n_out; j++) {
        float top = 0;
        for (size_t i = 0; i < n_in; i++)
            for (size_t k = 0; k < n_taps; k++)
                top = fmaxf(top, fabsf(weight_at(o, j, i, k)));
        steps[j] = top / 127;
    }
}

static int rounded(float weight, float step)
{
    float v = step > 0 ? rintf(weight / step) : 0;
    return v > 127 ? 127 : v < -127 ? -127 : v == v ? (int)v : 0;      /* NaN: a folded norm may overflow a float */
}

/* The kernel's tap for tap number `tap` of the window of a gather or a phase. */
static size_t kernel_tap(const struct conv3d_int8_options *o, const struct phase3d *phase, size_t tap)
{
    if (o->gather)
        return tap;
    const struct conv3d *g = &o->geometry;
    int i = (int)tap, w = phase->w.n[2], at[3] = {i / w / phase->w.n[1], i / w % phase->w.n[1], i % w};
    for (int a = 0; a < 3; a++)
        at[a] = phase->last_tap[a] - at[a] * g->stride[a];
    return (size_t)((at[0] * g->kernel[1] + at[1]) * g->kernel[2] + at[2]);
}

/* Packs the weights, scales and biases of a part. Spans that share weights write the same bytes. */
static void pack_part(struct conv3d_int8 *c, const struct conv3d_int8_options *o, const struct part *p, const float *steps)
{
    size_t n_in = (size_t)p->span.w.src.c;
    size_t columns = window3d_is_narrow(&p->span.w) ? (size_t)p->span.w.n[2] : 1;       /* taps of a run */
    for (size_t j = 0; j < c->n; j++) {
        double zeros = 0;       /* the sum of weights times the zero points of their inputs */
        for (size_t run = p->run; run < p->run + p->runs; run++)
            for (size_t x = 0; x < columns; x++)
                for (size_t i = 0; i < n_in; i++) {
                    float w = weight_at(o, j, i, kernel_tap(o, &p->phase, run * columns + x));
                    int q = rounded(w, steps[j]);
                    zeros += q * (double)o->in[i].zero;
                    int8_pack(c->weight + p->weight, p->inputs, run * p->k + x * n_in + i, j, q);
                }
        c->scale[p->column + j] = steps[j];
        c->bias[p->column + j] = (float)((double)o->bias[j] - (double)steps[j] * zeros);
    }
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

/* Adds a part for each span of a gather or a phase. */
static void add_parts(struct conv3d_int8 *c, const struct phase3d *phase, size_t origin, const size_t step[3], size_t *weights,
                      size_t *columns)
{
    const struct window3d *w = &phase->w;
    size_t panels = up(c->n, KERNEL_PANEL), k = run_bytes(w), runs = (size_t)window3d_runs(w);
    for (int t = 0; t < w->out[0]; t += c->parts[c->n_parts++].span.w.out[0]) {
        struct part *p = &c->parts[c->n_parts];
        *p = (struct part){.span = window3d_span(w, t, w->out[0]), .phase = *phase, .begin = t,
                           .origin = origin + (size_t)t * step[0], .step = {step[0], step[1], step[2]}, .k = k,
                           .weight = *weights, .column = *columns, .inputs = runs * k};
        p->run = p->span.tap > 0 ? runs / (size_t)w->n[0] * (size_t)p->span.tap : 0;
        p->runs = (size_t)window3d_runs(&p->span.w);
        *columns += panels;
    }
    *weights += runs * k * panels * int8_kernels->weight_size;
    size_t padded = window3d_is_narrow(w) ? window3d_padded(w) * (size_t)w->src.c : 0;
    if (padded + INT8_GROUP > c->scratch)
        c->scratch = padded + INT8_GROUP;
    if (k > c->run)
        c->run = k;
}

/* Lists all parts, for outputs of `size` bytes, and adds up the sizes of weights and columns. */
static void list_parts(struct conv3d_int8 *c, bool gather, size_t size, size_t *weights, size_t *columns)
{
    const struct dims *out = gather ? &c->g.coarse : &c->g.fine;
    size_t pixel = c->n * size, line = (size_t)out->w * pixel, frame = (size_t)out->h * line;
    if (gather) {
        add_parts(c, &(struct phase3d){.w = window3d_gather(&c->g)}, 0, (size_t[]){frame, line, pixel}, weights, columns);
        return;
    }
    for (int i = 0; i < window3d_phases(&c->g); i++) {
        struct phase3d p;
        if (!window3d_phase(&c->g, i, &p))
            continue;
        size_t origin = (size_t)p.origin[0] * frame + (size_t)p.origin[1] * line + (size_t)p.origin[2] * pixel;
        const size_t step[3] = {(size_t)c->g.stride[0] * frame, (size_t)c->g.stride[1] * line, (size_t)c->g.stride[2] * pixel};
        add_parts(c, &p, origin, step, weights, columns);
    }
}

int conv3d_int8_open(struct conv3d_int8 **ret, const struct conv3d_int8_options *o)
{
    struct conv3d_int8 *c = calloc(1, sizeof *c);
    float *steps = NULL;
    if (!c)
        return -ENOMEM;
    const struct conv3d *g = &o->geometry;
    size_t n_taps = (size_t)g->kernel[0] * (size_t)g->kernel[1] * (size_t)g->kernel[2], weights = 0, columns = 0;
    c->g = *g;
    bool narrow = (size_t)(o->gather ? g->fine.c : g->coarse.c) < int8_kernels->least_channels;
    c->kernels = narrow && int8_kernels->narrow ? int8_kernels->narrow : int8_kernels;
    c->activation = o->activation;
    c->slope = o->slope;
    c->to_bytes = o->out != NULL;
    c->n = (size_t)(o->gather ? g->coarse.c : g->fine.c);
    /* Each part has an output frame at least, so there are at most this many. */
    size_t most = o->gather ? (size_t)g->coarse.t : (size_t)g->fine.t * (size_t)g->stride[1] * (size_t)g->stride[2];
    c->parts = calloc(most, sizeof *c->parts);
    if (!c->parts)
        goto fail;
    list_parts(c, o->gather, c->to_bytes ? 1 : sizeof(float), &weights, &columns);
    c->weight = aligned_alloc(64, up(weights + 1, 64));
    c->scale = calloc(columns, sizeof *c->scale);
    c->bias = calloc(columns, sizeof *c->bias);
    c->gain = calloc(up(c->n, KERNEL_PANEL), sizeof *c->gain);
    c->zero = calloc(up(c->n, KERNEL_PANEL), sizeof *c->zero);
    c->outside = malloc(c->run + 1);
    steps = malloc(c->n * sizeof *steps);
    if (!c->weight || !c->scale || !c->bias || !c->gain || !c->zero || !c->outside || !steps)
        goto fail;
    for (size_t i = 0; i < c->run; i++)
        c->outside[i] = (uint8_t)rintf(o->in[i % (size_t)(o->gather ? g->fine.c : g->coarse.c)].zero);
    for (size_t j = 0; c->to_bytes && j < c->n; j++) {
        c->gain[j] = 1 / o->out[j].step;
        c->zero[j] = o->out[j].zero;
    }
    memset(c->weight, 0, weights);
    weight_steps(o, c->n, (size_t)(o->gather ? g->fine.c : g->coarse.c), n_taps, steps);
    for (int i = 0; i < c->n_parts; i++)
        pack_part(c, o, &c->parts[i], steps);
    free(steps);
    *ret = c;
    return 0;
fail:
    free(steps);
    conv3d_int8_close(c);
    return -ENOMEM;
}

void conv3d_int8_close(struct conv3d_int8 *c)
{
    if (!c)
        return;
    free(c->parts);
    free(c->weight);
    free(c->scale);
    free(c->bias);
    free(c->gain);
    free(c->zero);
    free(c->outside);
    free(c);
}

size_t conv3d_int8_scratch(const struct conv3d_int8 *c)
{
    return c->scratch;
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

/* Computes frames begin … end - 1 of a part's outputs. */
static void run_part(const struct conv3d_int8 *c, const struct part *part, int begin, int end, const uint8_t *in, void *out,
                     uint8_t *scratch)
{
    const void *rows[BLOCK_POINTERS];
    void *to[BLOCK_ROWS];
    struct span3d span = window3d_span(&part->span.w, begin, end);
    struct window3d w = span.w;
    in += (size_t)(part->span.source + span.source) * (size_t)w.src.h * (size_t)w.src.w * (size_t)w.src.c;
    const struct placement3d place = {(char *)out + part->origin + (size_t)begin * part->step[0],
                                      {part->step[0], part->step[1], part->step[2]}};
    size_t tile = c->kernels->tile_rows, runs = part->runs, fit = BLOCK_POINTERS / (runs ? runs : 1);
    size_t input = KERNEL_PANEL * c->kernels->weight_size;
    size_t m = window3d_positions(&w), most = (fit < BLOCK_ROWS ? fit : BLOCK_ROWS) / tile * tile;
    if (window3d_is_narrow(&w))
        in = window3d_pad(&w, in, 1, c->outside, scratch);
    struct byte_products p = {
        .rows = rows, .out = to, .runs = runs, .k = part->k, .n = c->n,
        .weight = c->weight + part->weight + part->run * part->k * input, .panel_step = part->inputs * input,
        .scale = c->scale + part->column, .bias = c->bias + part->column, .activation = c->activation, .slope = c->slope,
        .to_bytes = c->to_bytes, .gain = c->gain, .zero = c->zero,
    };
    struct window3d_block block = {.tile = tile, .runs = (int)runs};
    for (; block.m0 < m; block.m0 += most) {
        p.n_rows = block.n = m - block.m0 < most ? m - block.m0 : most;
        window3d_rows(&w, in, 1, c->outside, &place, &block, rows, to);
        c->kernels->byte_products(&p);
    }
}

void conv3d_int8_run(const struct conv3d_int8 *c, const uint8_t *in, void *out, void *scratch)
{
    for (int i = 0; i < c->n_parts; i++)
        run_part(c, &c->parts[i], 0, c->parts[i].span.w.out[0], in, out, scratch);
}

void conv3d_int8_run_frames(const struct conv3d_int8 *c, int begin, int end, const uint8_t *in, void *out, void *scratch)
{
    for (int i = 0; i < c->n_parts; i++) {
        const struct part *p = &c->parts[i];
        int first = begin > p->begin ? begin - p->begin : 0, frames = p->span.w.out[0];
        int last = end - p->begin < frames ? end - p->begin : frames;
        if (first < last)
            run_part(c, p, first, last, in, out, scratch);
    }
}
