/* The state of a network that learns, shared by the forward pass (network.c) and the backward pass (backward.c); nobody else
 * includes this. Layouts and threads: core/network/network.h. */
#ifndef MEMAED_CORE_NETWORK_NETWORK_STATE_H
#define MEMAED_CORE_NETWORK_NETWORK_STATE_H

#include <string.h>

#include "core/network/convolution/conv3d.h"
#include "core/network/memory.h"
#include "core/network/network.h"

/* One layer with what the way back needs of the forward. */
struct layer {
    const struct layer_spec *spec;
    struct conv3d conv;
    struct dims in, out;
    float *forward, *backward;      /* the weight packed for either direction */
    float *y;                       /* [batch, positions, out.c] the convolution's output; == a where nothing follows */
    float *a;                       /* likewise, after norm and activation */
    float *scale, *shift;           /* [out.c]: a = activation(y*scale + shift) */
    float *origin, *inverse_std;    /* [out.c]: the mean of y and 1/sqrt(var + eps), with a norm */
};

struct network {
    struct arch arch;
    struct arch_shapes shapes;
    struct parallel parallel;
    int batch, n;                           /* room; samples of the last forward */
    int n_layers;
    struct layer layers[2 * ARCH_MAX_LAYERS];       /* encoder, then decoder */
    struct memory memory;
    size_t queries;                         /* that are addressed at once: a sample's, or several small ones' */
    float *keys, *columns, *norms, *weights, *softmax, *z_hat;
    float *x;
    float *g[2];                            /* gradients on the way back, in turn */
    /* For each part (thread): */
    size_t scratch_floats, gradient_floats, sums;
    float *scratch, *gradient, *work;
    double *sum;
    double *part_sum;                       /* [parts, 2] */
};

static inline bool is_gather(const struct layer *l)
{
    return !layer_is_transposed(l->spec->type);
}

static inline bool is_plain(const struct layer_spec *spec)
{
    return !spec->norm && spec->activation == ACTIVATION_NONE;
}

static inline size_t sample(const struct dims d)
{
    return dims_elements(d);
}

/* A layer that doesn't look across frames takes samples that follow on each other as frames of one: a batch of images, or
 * of rows of a table, is one product instead of a small one a sample. Returns how many samples a call takes, and the
 * geometry of such a call. */
static inline int samples_a_call(const struct layer *l, int samples, struct conv3d *ret)
{
    *ret = l->conv;
    if (samples < 1 || l->conv.kernel[0] != 1 || l->conv.stride[0] != 1 || l->conv.padding[0] != 0)
        return 1;
    ret->fine.t *= samples;
    ret->coarse.t *= samples;
    return samples;
}

/* What the parts of a parallel step share. Part i does samples first(i) … first(i + 1) - 1. */
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

/* Where a part's output begins, in floats, and how many rows of out.c channels it has. */
static inline size_t part_start(const struct network *net, const struct layer *l, int part)
{
    return (size_t)first_sample(net, part) * sample(l->out);
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

/* The sums of all parts, into those of part 0. */
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
