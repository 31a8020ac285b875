/* A model: an architecture and its parameters, as plain float tensors in PyTorch's layout and under PyTorch's names, so
 * that a model file is one copy per tensor. It is what is learned, saved and loaded; what watches is a plan (plan.h),
 * compiled from a model. The same struct holds gradients and the moments of the optimizer.
 *
 * One block of memory, owned by the model. No locks: one thread writes, or many read. */
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
    float *storage;         /* all of the above */
    size_t n_storage;       /* floats */
};

/* One tensor of a model, for those that walk over all of them. */
struct model_tensor {
    char name[64];          /* as in docs/model-format.md: "encoder.0.weight", "mem_rep.memory.weight" */
    int ndim;
    size_t shape[5];
    size_t n;               /* elements */
    float *data;            /* the model's */
    bool trainable;         /* false: running statistics */
};

/* All parameters zero. 0, -EINVAL (arch, cause in err) or -ENOMEM. *ret is the caller's: model_close(). */
int model_open(struct model **ret, const struct arch *arch, struct error *err);
void model_close(struct model *model);          /* takes NULL */

/* PyTorch's default start: weights and biases uniform in ±1/sqrt(fan-in), norms the identity, slots uniform in
 * ±1/sqrt(channels). Depends on the seed alone. */
void model_init(struct model *model, uint64_t seed);

/* Tensor i of the model, in the order of the file; false after the last. arch and shapes alone serve for all but data
 * (a loader asks for them before it takes memory). */
bool model_tensor(const struct model *model, int i, struct model_tensor *ret);

#endif
