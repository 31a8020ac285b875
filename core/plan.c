#include "core/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/conv3d.h"
#include "core/kernels.h"
#include "core/memory.h"
#include "core/score.h"

#define NORM_EPS 1e-5f
enum { ALIGN_FLOATS = 16 };

struct plan_layer {
    struct conv3d conv;
    bool gather;
    float *weight, *bias;       /* packed, with the norm folded in; the plan's */
    enum activation activation;
    float slope;
};

struct plan {
    struct arch arch;
    struct arch_shapes shapes;
    struct plan_layer encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
    struct memory memory;
    float *slots, *columns;     /* of the memory, as memory_forward() takes them */
    /* Where things lie in a workspace, in floats. */
    size_t x, x_hat, z, z_hat, weights, unit, ping[2], scratch, score, workspace;
};

static int compile_layer(struct plan_layer *ret, const struct layer_spec *spec, const struct layer_params *p,
                         struct dims in, struct dims out)
{
    size_t n = (size_t)out.c;
    conv3d_init(&ret->conv, spec, in, out);
    ret->gather = !layer_is_transposed(spec->type);
    ret->activation = spec->activation;
    ret->slope = spec->slope;
    ret->weight = aligned_alloc(64, (conv3d_packed(&ret->conv) * sizeof(float) + 63) / 64 * 64);
    ret->bias = malloc(n * sizeof(float));
    float *scale = spec->norm ? malloc(n * sizeof(float)) : NULL;
    if (!ret->weight || !ret->bias || (spec->norm && !scale)) {
        free(scale);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        ret->bias[i] = p->bias[i];
        if (scale) {
            scale[i] = p->norm_weight[i] / sqrtf(p->running_var[i] + NORM_EPS);
            ret->bias[i] = (p->bias[i] - p->running_mean[i]) * scale[i] + p->norm_bias[i];
        }
    }
    (ret->gather ? conv3d_pack_gather : conv3d_pack_scatter)(&ret->conv, p->weight, scale, ret->weight);
    free(scale);
    return 0;
}

static size_t reserve(struct plan *p, size_t floats)
{
    size_t at = p->workspace;
    p->workspace += (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    return at;
}

/* Layers inside the encoder or the decoder write to two buffers in turn; the last of either has a place of its own. */
static void size_part(const struct plan_layer *layers, const struct dims *shapes, int n, size_t ping[2], size_t *scratch)
{
    for (int i = 0; i < n; i++) {
        size_t out = dims_elements(shapes[i + 1]), s = conv3d_scratch(&layers[i].conv);
        if (i < n - 1 && out > ping[i % 2])
            ping[i % 2] = out;
        if (s > *scratch)
            *scratch = s;
    }
}

static void lay_out(struct plan *p)
{
    const struct arch *a = &p->arch;
    struct dims z = p->shapes.decoder[0];
    size_t ping[2] = {0}, scratch = 0;
    p->x = reserve(p, dims_elements(p->shapes.encoder[0]));
    p->x_hat = reserve(p, dims_elements(p->shapes.encoder[0]));
    p->z = p->z_hat = reserve(p, dims_elements(z));
    if (a->has_memory) {
        p->z_hat = reserve(p, dims_elements(z));
        p->weights = reserve(p, dims_positions(z) * (size_t)a->memory.slots);
        p->unit = reserve(p, dims_elements(z));
    }
    size_part(p->encoder, p->shapes.encoder, a->n_encoder, ping, &scratch);
    size_part(p->decoder, p->shapes.decoder, a->n_decoder, ping, &scratch);
    p->ping[0] = reserve(p, ping[0]);
    p->ping[1] = reserve(p, ping[1]);
    p->scratch = reserve(p, scratch);
    p->score = reserve(p, score_scratch(a));
}

int plan_open(struct plan **ret, const struct model *model, struct error *err)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, -ENOMEM, "out of memory");
    p->arch = model->arch;
    p->shapes = model->shapes;
    int r = 0;
    for (int i = 0; r == 0 && i < p->arch.n_encoder; i++)
        r = compile_layer(&p->encoder[i], &p->arch.encoder[i], &model->encoder[i], p->shapes.encoder[i],
                          p->shapes.encoder[i + 1]);
    for (int i = 0; r == 0 && i < p->arch.n_decoder; i++)
        r = compile_layer(&p->decoder[i], &p->arch.decoder[i], &model->decoder[i], p->shapes.decoder[i],
                          p->shapes.decoder[i + 1]);
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
    lay_out(p);
    *ret = p;
    return 0;
}

void plan_close(struct plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < ARCH_MAX_LAYERS; i++) {
        free(plan->encoder[i].weight);
        free(plan->encoder[i].bias);
        free(plan->decoder[i].weight);
        free(plan->decoder[i].bias);
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

size_t plan_workspace_size(const struct plan *plan)
{
    return plan->workspace * sizeof(float);
}

static void run_part(const struct plan *p, const struct plan_layer *layers, int n, const float *in, float *ws, float *out)
{
    for (int i = 0; i < n; i++) {
        float *to = i == n - 1 ? out : ws + p->ping[i % 2];
        const struct epilogue e = {layers[i].bias, layers[i].activation, layers[i].slope};
        (layers[i].gather ? conv3d_gather : conv3d_scatter)(&layers[i].conv, in, layers[i].weight, &e, to,
                                                            ws + p->scratch);
        in = to;
    }
}

static void run(const struct plan *p, float *ws, struct plan_result *ret)
{
    struct dims in = p->shapes.encoder[0], z = p->shapes.decoder[0];
    run_part(p, p->encoder, p->arch.n_encoder, ws + p->x, ws, ws + p->z);
    if (p->arch.has_memory)
        memory_forward(&p->memory, p->slots, p->columns, ws + p->z, (int)dims_positions(z), ws + p->z_hat,
                       ws + p->weights, NULL, ws + p->unit);
    run_part(p, p->decoder, p->arch.n_decoder, ws + p->z_hat, ws, ws + p->x_hat);
    double residual = kernels->residual_norm(ws + p->x_hat, ws + p->x, dims_positions(in), (size_t)in.c);
    *ret = (struct plan_result){
        .reference = (float)(residual / (double)dims_positions(in)),
        .x = ws + p->x, .x_hat = ws + p->x_hat, .z = ws + p->z, .z_hat = ws + p->z_hat,
        .weights = p->arch.has_memory ? ws + p->weights : NULL,
        .scratch = ws + p->score,
    };
}

void plan_run(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret)
{
    float *ws = workspace;
    size_t n = (size_t)plan->arch.height * (size_t)plan->arch.width;
    float scale = 1 / (255 * plan->arch.std), shift = -plan->arch.mean / plan->arch.std;
    for (int t = 0; t < plan->arch.frames; t++)
        kernels->bytes_to_float(ws + plan->x + (size_t)t * n, frames[t], n, scale, shift);
    run(plan, ws, ret);
}

void plan_run_cube(const struct plan *plan, const float *cube, void *workspace, struct plan_result *ret)
{
    float *ws = workspace;
    memcpy(ws + plan->x, cube, dims_elements(plan->shapes.encoder[0]) * sizeof *cube);
    run(plan, ws, ret);
}
