/* A model: an architecture and its parameters. Training changes a model, and model files hold one; a plan (plan.h) is
 * compiled from it to watch. The same struct holds gradients and the moments of the optimizer.
 *
 * Parameters are plain float tensors, contiguous, in PyTorch's layout and under PyTorch's names, so that a model file is
 * read by one copy per tensor. All lie in one block of memory that the model owns. No locks: one thread writes, or many
 * read. */
#ifndef MEMAED_CORE_NETWORK_MODEL_H
#define MEMAED_CORE_NETWORK_MODEL_H

#include <stdint.h>

#include "core/network/arch.h"

struct layer_params {
    float *weight;          /* conv3d [out, in, kt, kh, kw]; deconv3d [in, out, kt, kh, kw]; *2d: no kt; linear [out, in] */
    float *bias;            /* [out] */
    float *norm_weight, *norm_bias, *running_mean, *running_var;        /* [out], or NULL without a norm */
};

struct model {
    struct arch arch;
    struct arch_shapes shapes;
    struct layer_params encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
    float *memory;          /* [slots, channels of z], or NULL */
    float *storage;         /* the block that holds all of the above */
    size_t n_storage;       /* floats */
};

/* One tensor of a model, for callers that go through all of them. */
struct model_tensor {
    char name[64];          /* as in docs/model-format.md: "encoder.0.weight", "mem_rep.memory.weight" */
    int ndim;
    size_t shape[5];
    size_t n;               /* elements */
    float *data;            /* the model's */
    bool trainable;         /* false: running statistics */
};

/* Makes a model whose parameters are all zero. 0, or -EINVAL, -ENOMEM with the cause in err, *ret untouched. The caller owns
 * *ret and frees it by model_close(). */
int model_open(struct model **ret, const struct arch *arch, struct error *err);
void model_close(struct model *model);          /* takes NULL */

/* Sets PyTorch's default initial values: weights and biases uniform in ±1/sqrt(fan-in), norms the identity, slots uniform in
 * ±1/sqrt(channels). The result depends on the seed alone. */
void model_init(struct model *model, uint64_t seed);

/* Describes tensor i of the model, in the order of the file; false after the last. If only arch and shapes are set, all but data
 * is valid: so a loader checks a file before it allocates. */
bool model_tensor(const struct model *model, int i, struct model_tensor *ret);

#endif
