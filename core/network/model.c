#include "core/network/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

enum { TENSORS_PER_LAYER = 6 };

/* Writes name, shape and kind of tensor j of a layer. Returns false if the layer has no such tensor. */
static bool layer_tensor(const struct layer_spec *spec, int in, int j, struct model_tensor *t)
{
    static const char name[TENSORS_PER_LAYER][16] = {"weight", "bias", "weight", "bias", "running_mean", "running_var"};
    if (j >= 2 && !spec->norm)
        return false;
    t->trainable = j < 4;
    t->ndim = 1;
    t->shape[0] = (size_t)spec->out;
    if (j == 0) {
        bool transposed = layer_is_transposed(spec->type);
        int axes = layer_axes(spec->type);
        t->ndim = 2 + axes;
        t->shape[0] = (size_t)(transposed ? in : spec->out);
        t->shape[1] = (size_t)(transposed ? spec->out : in);
        for (int a = 0; a < axes; a++)
            t->shape[2 + a] = (size_t)spec->kernel[3 - axes + a];
    }
    t->n = 1;
    for (int d = 0; d < t->ndim; d++)
        t->n *= t->shape[d];
    strcpy(t->name, name[j]);
    return true;
}

static float **layer_field(struct layer_params *p, int j)
{
    float **const fields[TENSORS_PER_LAYER] = {&p->weight, &p->bias, &p->norm_weight, &p->norm_bias,
                                               &p->running_mean, &p->running_var};
    return fields[j];
}

/* Tensor i of the model, in the file's order: encoder, memory, decoder. *field is the model's pointer to its data. */
static bool find_tensor(const struct model *model, int i, struct model_tensor *ret, float ***field)
{
    const struct arch *arch = &model->arch;
    for (int part = 0; part < 2; part++) {
        const struct layer_spec *specs = part ? arch->decoder : arch->encoder;
        const struct dims *shapes = part ? model->shapes.decoder : model->shapes.encoder;
        const struct layer_params *params = part ? model->decoder : model->encoder;
        if (part && arch->has_memory && i-- == 0) {
            *ret = (struct model_tensor){.name = "mem_rep.memory.weight", .ndim = 2, .trainable = true,
                                         .shape = {(size_t)arch->memory.slots, (size_t)shapes[0].c}};
            ret->n = ret->shape[0] * ret->shape[1];
            *field = (float **)&model->memory;
            return true;
        }
        for (int l = 0; l < (part ? arch->n_decoder : arch->n_encoder); l++)
            for (int j = 0; j < TENSORS_PER_LAYER; j++) {
                struct model_tensor t = {0};
                if (!layer_tensor(&specs[l], shapes[l].c, j, &t) || i-- > 0)
                    continue;
                *ret = t;
                snprintf(ret->name, sizeof ret->name, "%s.%d.%s", part ? "decoder" : "encoder",
                         arch_module_index(specs, l) + (j >= 2), t.name);
                *field = layer_field((struct layer_params *)&params[l], j);
                return true;
            }
    }
    return false;
}

bool model_tensor(const struct model *model, int i, struct model_tensor *ret)
{
    float **field;
    if (!find_tensor(model, i, ret, &field))
        return false;
    ret->data = *field;
    return true;
}

int model_open(struct model **ret, const struct arch *arch, struct error *err)
{
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_set(err, -ENOMEM, "out of memory");
    m->arch = *arch;
    int r = arch_shapes(&m->shapes, arch, err);
    if (r < 0)
        goto fail;

    struct model_tensor t;
    float **field;
    for (int i = 0; find_tensor(m, i, &t, &field); i++)
        m->n_storage += t.n;
    m->storage = calloc(m->n_storage, sizeof *m->storage);
    if (!m->storage) {
        r = error_set(err, -ENOMEM, "out of memory for %zu parameters", m->n_storage);
        goto fail;
    }
    size_t at = 0;
    for (int i = 0; find_tensor(m, i, &t, &field); i++) {
        *field = m->storage + at;
        at += t.n;
    }
    *ret = m;
    return 0;
fail:
    model_close(m);
    return r;
}

void model_close(struct model *model)
{
    if (!model)
        return;
    free(model->storage);
    free(model);
}

static void fill_uniform(float *data, size_t n, float bound, struct rng *rng)
{
    for (size_t i = 0; i < n; i++)
        data[i] = (2 * rng_uniform(rng) - 1) * bound;
}

static void fill(float *data, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        data[i] = value;
}

void model_init(struct model *model, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    for (int part = 0; part < 2; part++) {
        const struct layer_spec *specs = part ? model->arch.decoder : model->arch.encoder;
        const struct dims *shapes = part ? model->shapes.decoder : model->shapes.encoder;
        struct layer_params *params = part ? model->decoder : model->encoder;
        for (int l = 0; l < (part ? model->arch.n_decoder : model->arch.n_encoder); l++) {
            const struct layer_spec *s = &specs[l];
            size_t taps = (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)s->kernel[2];
            size_t out = (size_t)s->out, in = (size_t)shapes[l].c;
            /* PyTorch computes the fan-in from axis 1 of the weight. In a transposed convolution that is the output. */
            float bound = 1 / sqrtf((float)((layer_is_transposed(s->type) ? out : in) * taps));
            fill_uniform(params[l].weight, out * in * taps, bound, &rng);
            fill_uniform(params[l].bias, out, bound, &rng);
            if (s->norm) {
                fill(params[l].norm_weight, out, 1);
                fill(params[l].norm_bias, out, 0);
                fill(params[l].running_mean, out, 0);
                fill(params[l].running_var, out, 1);
            }
        }
    }
    if (model->memory) {
        size_t c = (size_t)model->shapes.decoder[0].c;
        fill_uniform(model->memory, (size_t)model->arch.memory.slots * c, 1 / sqrtf((float)c), &rng);
    }
}
