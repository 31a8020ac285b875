#include "core/network/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/kernels/kernels.h"
#include "core/network/convolution/conv3d.h"
#include "core/network/convolution/conv3d_int8.h"
#include "core/network/memory.h"

enum { ALIGN_FLOATS = 16 };

struct plan_layer {
    struct conv3d conv;
    bool gather;
    float *weight, *bias;       /* packed, with the norm folded in; owned by the plan */
    enum activation activation;
    float slope;
    /* A layer in 8 bits has these in place of weight; owned by the plan. */
    struct conv3d_int8 *int8;
    struct quantum *in;         /* [input channels] */
    float *gain, *zero;         /* [input channels] as int8_kernels->quantize() takes them, from `in` */
};

struct plan {
    enum precision precision;
    struct arch arch;
    struct arch_shapes shapes;
    struct plan_layer encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
    struct memory memory;
    float *slots, *columns;     /* as memory_forward() takes them */
    /* Offsets in a workspace, and its size, in floats. */
    size_t x, x_hat, z, z_hat, weights, unit, bytes, ping[2], scratch, readers, workspace;
};

static void shape_layer(struct plan_layer *ret, const struct layer_spec *spec, struct dims in, struct dims out)
{
    conv3d_init(&ret->conv, spec, in, out);
    ret->gather = !layer_is_transposed(spec->type);
    ret->activation = spec->activation;
    ret->slope = spec->slope;
}

static struct dims layer_in(const struct plan_layer *l)
{
    return l->gather ? l->conv.fine : l->conv.coarse;
}

static struct dims layer_out(const struct plan_layer *l)
{
    return l->gather ? l->conv.coarse : l->conv.fine;
}

/* Returns true if layer i of n has bytes as output: it takes bytes, and so does the next layer. */
static bool gives_bytes(const struct plan_layer *layers, int i, int n)
{
    return i + 1 < n && layers[i].in && layers[i + 1].in;
}

/* next: the quanta of the layer's output bytes, [output channels]; NULL: its output is floats. */
static int compile_layer(struct plan_layer *ret, const struct layer_spec *spec, const struct layer_params *p,
                         const struct quantum *next)
{
    bool int8 = ret->in != NULL;
    size_t n = (size_t)layer_out(ret).c;
    ret->weight = int8 ? NULL : aligned_alloc(64, (conv3d_packed(&ret->conv) * sizeof(float) + 63) / 64 * 64);
    ret->bias = malloc(n * sizeof(float));
    float *scale = spec->norm ? malloc(n * sizeof(float)) : NULL;
    if ((!int8 && !ret->weight) || !ret->bias || (spec->norm && !scale)) {
        free(scale);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        ret->bias[i] = p->bias[i];
        if (scale) {
            scale[i] = p->norm_weight[i] / sqrtf(p->running_var[i] + ARCH_NORM_EPS);
            ret->bias[i] = (p->bias[i] - p->running_mean[i]) * scale[i] + p->norm_bias[i];
        }
    }
    int r = 0;
    if (int8)
        r = conv3d_int8_open(&ret->int8, &(struct conv3d_int8_options){
                                             .geometry = ret->conv, .gather = ret->gather, .weight = p->weight, .scale = scale,
                                             .bias = ret->bias, .in = ret->in, .activation = ret->activation,
                                             .slope = ret->slope, .out = next});
    else
        (ret->gather ? conv3d_pack_gather : conv3d_pack_scatter)(&ret->conv, p->weight, scale, ret->weight);
    free(scale);
    return r;
}

/* The quantum of a picture's bytes. */
static struct quantum picture(const struct arch *a)
{
    return (struct quantum){1 / (255 * a->std), 255 * a->mean};
}

static bool takes_picture(const struct arch *a)
{
    return a->kind != INPUT_TABLE && a->mean >= 0 && a->mean <= 1;
}

/* Makes the layer take bytes. Their quanta follow from `ranges`, or all are `pixels` if that is not NULL. */
static int take_bytes(struct plan_layer *l, const struct range *ranges, const struct quantum *pixels)
{
    size_t n = (size_t)layer_in(l).c;
    l->in = malloc(n * sizeof *l->in);
    l->gain = malloc(n * sizeof *l->gain);
    l->zero = malloc(n * sizeof *l->zero);
    if (!l->in || !l->gain || !l->zero)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        l->in[i] = pixels ? *pixels : quantum_of(ranges[i].low, ranges[i].high);
        l->gain[i] = 1 / l->in[i].step;
        l->zero[i] = l->in[i].zero;
    }
    return 0;
}

static int compile_part(struct plan_layer *layers, const struct layer_spec *specs, const struct layer_params *params, int n)
{
    int r = 0;
    for (int i = 0; r == 0 && i < n; i++)
        r = compile_layer(&layers[i], &specs[i], &params[i], gives_bytes(layers, i, n) ? layers[i + 1].in : NULL);
    return r;
}

static void shape_layers(struct plan *p)
{
    for (int i = 0; i < p->arch.n_encoder; i++)
        shape_layer(&p->encoder[i], &p->arch.encoder[i], p->shapes.encoder[i], p->shapes.encoder[i + 1]);
    for (int i = 0; i < p->arch.n_decoder; i++)
        shape_layer(&p->decoder[i], &p->arch.decoder[i], p->shapes.decoder[i], p->shapes.decoder[i + 1]);
}

/* All layers that can take bytes do so, except the decoder's last: its rounding would be visible in x̂. */
static int choose_int8(struct plan *p, const struct ranges *ranges)
{
    const struct arch *a = &p->arch;
    const struct quantum pixels = picture(a);
    int r = 0;
    if (takes_picture(a) && conv3d_int8_possible(&p->encoder[0].conv, p->encoder[0].gather))
        r = take_bytes(&p->encoder[0], NULL, &pixels);
    for (int i = 1; r == 0 && i < a->n_encoder; i++)
        if (conv3d_int8_possible(&p->encoder[i].conv, p->encoder[i].gather))
            r = take_bytes(&p->encoder[i], ranges->channels + ranges_of_encoder(&p->shapes, i), NULL);
    for (int i = 0; r == 0 && i < a->n_decoder - 1; i++)
        if (conv3d_int8_possible(&p->decoder[i].conv, p->decoder[i].gather))
            r = take_bytes(&p->decoder[i], ranges->channels + ranges_of_decoder(a, &p->shapes, i), NULL);
    return r;
}

static size_t reserve(struct plan *p, size_t floats)
{
    size_t at = p->workspace;
    p->workspace += (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    return at;
}

static size_t floats_of(size_t bytes)
{
    return (bytes + sizeof(float) - 1) / sizeof(float);
}

/* Raises the sizes, in floats, of the buffers that these layers share. Layers inside the encoder or the decoder write to two
 * buffers in turn, `ping`; the last layer of either writes to a buffer of its own. Floats that a layer takes as bytes are
 * converted into a third buffer, `bytes`. */
static void size_part(const struct plan_layer *layers, const struct dims *shapes, int n, size_t ping[2], size_t *bytes,
                      size_t *scratch)
{
    for (int i = 0; i < n; i++) {
        size_t in = floats_of(dims_elements(shapes[i]) + INT8_GROUP), n_out = dims_elements(shapes[i + 1]);
        size_t out = gives_bytes(layers, i, n) ? floats_of(n_out + INT8_GROUP) : n_out;
        size_t s = layers[i].int8 ? floats_of(conv3d_int8_scratch(layers[i].int8)) : conv3d_scratch(&layers[i].conv);
        if (i < n - 1 && out > ping[i % 2])
            ping[i % 2] = out;
        if (layers[i].int8 && (i == 0 || !layers[i - 1].int8) && in > *bytes)
            *bytes = in;
        if (s > *scratch)
            *scratch = s;
    }
}

static void lay_out(struct plan *p, size_t readers_floats)
{
    const struct arch *a = &p->arch;
    struct dims z = p->shapes.decoder[0];
    size_t ping[2] = {0}, bytes = 0, scratch = 0;
    p->x = reserve(p, dims_elements(p->shapes.encoder[0]));
    p->x_hat = reserve(p, dims_elements(p->shapes.encoder[0]));
    p->z = p->z_hat = reserve(p, dims_elements(z));
    if (a->has_memory) {
        p->z_hat = reserve(p, dims_elements(z));
        p->weights = reserve(p, dims_positions(z) * (size_t)a->memory.slots);
        p->unit = reserve(p, dims_elements(z));
    }
    size_part(p->encoder, p->shapes.encoder, a->n_encoder, ping, &bytes, &scratch);
    size_part(p->decoder, p->shapes.decoder, a->n_decoder, ping, &bytes, &scratch);
    p->bytes = reserve(p, bytes);
    p->ping[0] = reserve(p, ping[0]);
    p->ping[1] = reserve(p, ping[1]);
    p->scratch = reserve(p, scratch);
    p->readers = reserve(p, readers_floats);
}

/* ranges: NULL for fp32. */
static int open_plan(struct plan **ret, const struct model *model, size_t scratch_floats, const struct ranges *ranges,
                     struct error *err)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, -ENOMEM, "out of memory");
    p->arch = model->arch;
    p->shapes = model->shapes;
    p->precision = ranges ? PRECISION_INT8 : PRECISION_FP32;
    shape_layers(p);
    int r = ranges ? choose_int8(p, ranges) : 0;
    if (r == 0)
        r = compile_part(p->encoder, p->arch.encoder, model->encoder, p->arch.n_encoder);
    if (r == 0)
        r = compile_part(p->decoder, p->arch.decoder, model->decoder, p->arch.n_decoder);
    if (r == 0 && p->arch.has_memory) {
        p->memory = (struct memory){.spec = p->arch.memory, .channels = p->shapes.decoder[0].c};
        size_t n = (size_t)p->memory.spec.slots * (size_t)p->memory.channels;
        p->slots = malloc(n * sizeof *p->slots);
        p->columns = malloc(n * sizeof *p->columns);
        float *keys = malloc(n * sizeof *keys);
        if (p->slots && p->columns && keys) {
            memcpy(p->slots, model->memory, n * sizeof *p->slots);
            memory_keys(&p->memory, p->slots, keys, p->columns, NULL);
        } else {
            r = -ENOMEM;
        }
        free(keys);
    }
    if (r < 0) {
        plan_close(p);
        return error_set(err, r, "out of memory for the frozen network");
    }
    lay_out(p, scratch_floats);
    *ret = p;
    return 0;
}

int plan_open(struct plan **ret, const struct model *model, size_t scratch_floats, struct error *err)
{
    return open_plan(ret, model, scratch_floats, NULL, err);
}

int plan_open_int8(struct plan **ret, const struct model *model, size_t scratch_floats, const struct ranges *ranges,
                   struct error *err)
{
    int n = ranges_count(&model->arch, &model->shapes);
    if (ranges->n != n || n > RANGES_MAX)
        return error_set(err, -EINVAL, "int8: expected ranges of %d channels, got %d", n, ranges->n);
    return open_plan(ret, model, scratch_floats, ranges, err);
}

static void clear_layer(struct plan_layer *l)
{
    free(l->weight);
    free(l->bias);
    free(l->in);
    free(l->gain);
    free(l->zero);
    conv3d_int8_close(l->int8);
}

void plan_close(struct plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < ARCH_MAX_LAYERS; i++) {
        clear_layer(&plan->encoder[i]);
        clear_layer(&plan->decoder[i]);
    }
    free(plan->slots);
    free(plan->columns);
    free(plan);
}

const struct arch *plan_arch(const struct plan *plan)
{
    return &plan->arch;
}

const struct arch_shapes *plan_shapes(const struct plan *plan)
{
    return &plan->shapes;
}

enum precision plan_precision(const struct plan *plan)
{
    return plan->precision;
}

size_t plan_workspace_of(const struct arch *arch, const struct arch_shapes *shapes, size_t scratch_floats)
{
    struct plan outline = {.precision = PRECISION_FP32, .arch = *arch, .shapes = *shapes};
    shape_layers(&outline);
    lay_out(&outline, scratch_floats);
    return plan_workspace_size(&outline);
}

size_t plan_workspace_size(const struct plan *plan)
{
    return plan->workspace * sizeof(float);
}

void *plan_workspace_new(const struct plan *plan)
{
    enum { ALIGNMENT = 64 };
    return aligned_alloc(ALIGNMENT, (plan_workspace_size(plan) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

/* An observer of a run either gathers statistics of each layer's input (`seen`) or is called after each step (`step_done`). The
 * other of the two is NULL. */
struct observer {
    struct ranges_seen *seen;
    void (*step_done)(void *arg);
    void *arg;
};

static void report_step(const struct observer *observer)
{
    if (observer && observer->step_done)
        observer->step_done(observer->arg);
}

/* Runs layers first … n - 1 and writes the last output to out. bytes: `in` holds bytes, else floats. observer may be NULL.
 * first_channel: the number of the input's first channel in struct ranges; negative for the picture. */
static void run_part(const struct plan *p, const struct plan_layer *layers, int first, int n, const void *in, bool bytes,
                     float *ws, float *out, const struct observer *observer, int first_channel)
{
    for (int i = first; i < n; i++) {
        const struct plan_layer *l = &layers[i];
        float *to = i == n - 1 ? out : ws + p->ping[i % 2];
        struct dims d = layer_in(l);
        if (observer && observer->seen && first_channel >= 0)
            ranges_see(observer->seen, first_channel, in, dims_positions(d), d.c);
        first_channel = first_channel < 0 ? 0 : first_channel + d.c;
        if (l->int8) {
            if (!bytes) {
                int8_kernels->quantize((uint8_t *)(ws + p->bytes), in, dims_positions(d), (size_t)d.c, l->gain, l->zero);
                in = ws + p->bytes;
            }
            conv3d_int8_run(l->int8, in, to, ws + p->scratch);
        } else {
            const struct epilogue e = {l->bias, l->activation, l->slope};
            (l->gather ? conv3d_gather : conv3d_scatter)(&l->conv, in, l->weight, &e, to, ws + p->scratch);
        }
        bytes = gives_bytes(layers, i, n);
        report_step(observer);
        in = to;
    }
}

/* The number of the encoder's first layers that can be computed by frames: none is transposed, and each takes the output before
 * it without conversion. */
static int layers_by_frames(const struct plan *p)
{
    int n = 0;
    while (n < p->arch.n_encoder && p->encoder[n].gather && (n == 0 || !p->encoder[n].int8 == !p->encoder[n - 1].int8))
        n++;
    return n;
}

struct frame_cache *plan_frame_cache_new(const struct plan *plan, int stride)
{
    size_t element_size[ARCH_MAX_LAYERS];
    int n = layers_by_frames(plan);
    for (int i = 0; i < n; i++)
        element_size[i] = gives_bytes(plan->encoder, i, plan->arch.n_encoder) ? 1 : sizeof(float);
    const struct frame_cache_options options = {
        .arch = &plan->arch, .shapes = &plan->shapes, .layers = n, .element_size = element_size, .stride = stride,
    };
    return frame_cache_new(&options);
}

/* Runs the layers that the cache shares. It computes only the frames that are missing. Returns the last one's output. */
static const void *run_shared(const struct plan *p, struct frame_cache *cache, uint64_t number, const void *in, float *ws)
{
    struct frame_cache_lookup found;
    frame_cache_find(cache, number, &found);
    for (int i = 0; i < frame_cache_layers(cache); i++) {
        const struct plan_layer *l = &p->encoder[i];
        const struct epilogue e = {l->bias, l->activation, l->slope};
        float *out = i == p->arch.n_encoder - 1 ? ws + p->z : ws + p->ping[i % 2];
        int frames = l->conv.coarse.t;
        frame_cache_fetch(cache, i, number, &found, out);
        for (int begin = 0, end; begin < frames; begin = end) {
            for (end = begin + 1; end < frames && found.frame[i][end] == found.frame[i][begin];)
                end++;
            if (found.frame[i][begin] != FRAME_CACHE_MISSING)
                continue;
            if (l->int8)
                conv3d_int8_run_frames(l->int8, begin, end, in, out, ws + p->scratch);
            else
                conv3d_gather_frames(&l->conv, begin, end, in, l->weight, &e, out, ws + p->scratch);
        }
        frame_cache_store(cache, i, number, &found, out);
        in = out;
    }
    return in;
}

/* The cache of the sequence that a window belongs to, and the number of the window's first picture. */
struct sequence {
    struct frame_cache *cache;
    uint64_t number;
};

/* Runs the network on x in the workspace. bytes: the picture's bytes are at ws + p->bytes as well. At least one of sequence
 * and observer is NULL. */
static void run(const struct plan *p, bool bytes, float *ws, const struct sequence *sequence, struct plan_result *ret,
                const struct observer *observer)
{
    struct dims in = p->shapes.encoder[0], z = p->shapes.decoder[0];
    const void *first = ws + (bytes ? p->bytes : p->x);
    int shared = sequence ? frame_cache_layers(sequence->cache) : 0;
    if (shared > 0)
        first = run_shared(p, sequence->cache, sequence->number, first, ws);
    run_part(p, p->encoder, shared, p->arch.n_encoder, first, bytes, ws, ws + p->z, observer, -1);
    if (p->arch.has_memory) {
        memory_forward(&p->memory, p->slots, p->columns, ws + p->z, (int)dims_positions(z), ws + p->z_hat,
                       ws + p->weights, NULL, ws + p->unit);
        report_step(observer);
    }
    run_part(p, p->decoder, 0, p->arch.n_decoder, ws + p->z_hat, false, ws, ws + p->x_hat, observer,
             ranges_of_decoder(&p->arch, &p->shapes, 0));
    double residual = kernels->residual_norm(ws + p->x_hat, ws + p->x, dims_positions(in), (size_t)in.c);
    report_step(observer);
    *ret = (struct plan_result){
        .reference = (float)(residual / (double)dims_positions(in)),
        .x = ws + p->x, .x_hat = ws + p->x_hat, .z = ws + p->z, .z_hat = ws + p->z_hat,
        .weights = p->arch.has_memory ? ws + p->weights : NULL,
        .scratch = ws + p->readers,
    };
}

static void run_frames(const struct plan *plan, const uint8_t *const frames[], float *ws, const struct sequence *sequence,
                       struct plan_result *ret, const struct observer *observer)
{
    size_t n = (size_t)plan->arch.height * (size_t)plan->arch.width;
    float scale = 1 / (255 * plan->arch.std), shift = -plan->arch.mean / plan->arch.std;
    bool bytes = plan->encoder[0].int8 != NULL;
    for (int t = 0; t < plan->arch.frames; t++) {
        kernels->bytes_to_float(ws + plan->x + (size_t)t * n, frames[t], n, scale, shift);
        if (bytes)
            memcpy((uint8_t *)(ws + plan->bytes) + (size_t)t * n, frames[t], n);
    }
    report_step(observer);
    run(plan, bytes, ws, sequence, ret, observer);
}

void plan_run(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret)
{
    run_frames(plan, frames, workspace, NULL, ret, NULL);
}

void plan_run_sliding(const struct plan *plan, struct frame_cache *cache, uint64_t first, const uint8_t *const frames[],
                      void *workspace, struct plan_result *ret)
{
    run_frames(plan, frames, workspace, cache ? &(struct sequence){cache, first} : NULL, ret, NULL);
}

void plan_observe(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                  struct ranges_seen *seen)
{
    run_frames(plan, frames, workspace, NULL, ret, &(struct observer){.seen = seen});
}

void plan_run_steps(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                    void (*step_done)(void *arg), void *arg)
{
    run_frames(plan, frames, workspace, NULL, ret, &(struct observer){.step_done = step_done, .arg = arg});
}

void plan_run_cube(const struct plan *plan, const float *cube, void *workspace, struct plan_result *ret)
{
    float *ws = workspace;
    memcpy(ws + plan->x, cube, dims_elements(plan->shapes.encoder[0]) * sizeof *cube);
    run(plan, false, ws, NULL, ret, NULL);
}
