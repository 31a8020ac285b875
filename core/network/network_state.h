/* The state of a network that learns. Only the forward pass (network.c) and the backward pass (backward.c) include it. Layouts
 * and threads: core/network/network.h. */
#ifndef MEMAED_CORE_NETWORK_NETWORK_STATE_H
#define MEMAED_CORE_NETWORK_NETWORK_STATE_H

#include <string.h>

#include "core/network/convolution/conv3d.h"
#include "core/network/memory.h"
#include "core/network/network.h"

/* One layer, with the results of its forward pass that its backward pass needs. */
struct layer {
    const struct layer_spec *spec;
    struct conv3d conv;
    struct dims in, out;
    float *forward, *backward;      /* the weight, packed for either pass */
    float *y;                       /* [batch, positions, out.c] the convolution's output; equals a for a plain layer */
    float *a;                       /* [batch, positions, out.c] the output after norm and activation */
    float *scale, *shift;           /* [out.c]: a = activation(y*scale + shift) */
    float *origin, *inverse_std;    /* [out.c]: with a norm, the mean of y and 1/sqrt(var + eps) */
};

struct network {
    struct arch arch;
    struct arch_shapes shapes;
    struct parallel parallel;
    int batch, n;                           /* capacity in samples; samples of the last forward pass */
    int n_layers;
    struct layer layers[2 * ARCH_MAX_LAYERS];       /* encoder, then decoder */
    struct memory memory;
    size_t queries;                         /* addressed in one call: those of a sample, or of several small samples */
    float *keys, *columns, *norms;          /* of memory_keys() */
    float *weights, *softmax, *z_hat;       /* of memory_forward(), for the whole batch */
    float *x;                               /* [batch, t, h, w, c] */
    float *g[2];                            /* gradients by activations; layers read one and write the other in turn */
    /* These have a piece for each part, that is, for each thread. */
    size_t scratch_floats, gradient_floats, sums;
    float *scratch, *gradient;              /* [parts, scratch_floats], [parts, gradient_floats] */
    float *work;                            /* [parts, 2 * sums] */
    double *sum;                            /* [parts, 2 * sums]; sums: the most channels of a layer */
    double *part_sum;                       /* [parts, 2]: squared error, entropy */
};

static inline bool is_gather(const struct layer *l)
{
    return !layer_is_transposed(l->spec->type);
}

/* A plain layer has neither norm nor activation. */
static inline bool is_plain(const struct layer_spec *spec)
{
    return !spec->norm && spec->activation == ACTIVATION_NONE;
}

/* A layer with kernel 1 in time computes successive samples as frames of one sample. So a batch of images or of table rows
 * needs one product instead of a small one per sample. Returns the number of samples per call. Writes the geometry to *ret. */
static inline int samples_a_call(const struct layer *l, int samples, struct conv3d *ret)
{
    *ret = l->conv;
    if (samples < 1 || l->conv.kernel[0] != 1 || l->conv.stride[0] != 1 || l->conv.padding[0] != 0)
        return 1;
    ret->fine.t *= samples;
    ret->coarse.t *= samples;
    return samples;
}

/* The arguments that the parts of a parallel step share. Part i works on the samples from first_sample(i) up to, but not
 * including, first_sample(i + 1). */
struct step {
    struct network *net;
    struct layer *layer;
    const float *in;
    const float *slots;
    float *g_in, *g_out;            /* gradients by the layer's input (NULL: not needed) and output */
    float entropy_scale;
};

static inline int first_sample(const struct network *net, int part)
{
    return (int)((long)net->n * part / net->parallel.threads);
}

/* The start of a part's output, in floats, and its number of rows of out.c channels. */
static inline size_t part_start(const struct network *net, const struct layer *l, int part)
{
    return (size_t)first_sample(net, part) * dims_elements(l->out);
}

static inline size_t part_rows(const struct network *net, const struct layer *l, int part)
{
    return (size_t)(first_sample(net, part + 1) - first_sample(net, part)) * dims_positions(l->out);
}

static inline void each_part(struct network *net, void (*fn)(void *step, int part, int worker), struct step *step)
{
    net->parallel.run(&net->parallel, net->parallel.threads, fn, step);
}

static inline const float *layer_input(const struct network *net, int i)
{
    return i == 0 ? net->x : i == net->arch.n_encoder && net->arch.has_memory ? net->z_hat : net->layers[i - 1].a;
}

/* Adds the sums of all parts into those of part 0. */
static inline void add_sums(struct network *net, size_t c)
{
    for (int part = 1; part < net->parallel.threads; part++)
        for (size_t i = 0; i < 2 * c; i++)
            net->sum[i] += net->sum[(size_t)part * 2 * net->sums + i];
}

static inline double *part_sums(struct network *net, int part, size_t c)
{
    double *sum = net->sum + (size_t)part * 2 * net->sums;
    memset(sum, 0, 2 * c * sizeof *sum);
    return sum;
}

#endif
