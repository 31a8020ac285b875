/* The architecture of a MemAE as plain data (docs/model-format.md, "memae.arch"): its layers, and the shapes that follow
 * from them. Source: Gong et al., ICCV 2019, sections 3 and 4. Pure functions, any thread.
 *
 * Axes are always in the order frames (t), rows (h), columns (w), for every kind of input. An image is a video of one
 * frame. A row of a table is a video of one frame of one pixel, with a channel for each feature. So conv2d is conv3d with a
 * kernel of 1 in time, and linear is conv3d with a kernel of 1 on all axes. One convolution serves all; only this module and the
 * model file distinguish them. */
#ifndef MEMAED_CORE_NETWORK_ARCH_H
#define MEMAED_CORE_NETWORK_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/kernels/activation.h"

enum { ARCH_MAX_LAYERS = 32,            /* in the encoder, and in the decoder */
       ARCH_MAX_FRAMES = 64 };          /* of a window */

#define ARCH_NORM_EPS 1e-5f             /* of every batch norm, as in PyTorch */

enum input_kind { INPUT_VIDEO, INPUT_IMAGE, INPUT_TABLE };
/* conv3d and deconv3d for video, conv2d and deconv2d for images, linear for tables. */
enum layer_type { LAYER_CONV3D, LAYER_DECONV3D, LAYER_CONV2D, LAYER_DECONV2D, LAYER_LINEAR };
enum similarity { SIMILARITY_COSINE, SIMILARITY_DOT };

struct layer_spec {
    enum layer_type type;
    int out;                            /* channels */
    int kernel[3], stride[3], padding[3];       /* 1, 1 and 0 on axes that the type lacks: t of conv2d, all of linear */
    int output_padding[3];              /* deconv3d and deconv2d only, else 0 */
    bool norm;                          /* batch norm */
    enum activation activation;
    float slope;                        /* leaky_relu only */
};

struct memory_spec {
    int slots;
    enum similarity similarity;
    float shrink;                       /* λ; 0: none */
    float temperature;                  /* τ; 1 in the paper */
};

struct arch {
    enum input_kind kind;
    int channels, frames, height, width;        /* of the input cube; image: 1 frame; table: 1x1x1, a channel per feature */
    float mean, std;                            /* a pixel p in 0…255 enters as (p/255 - mean)/std; table: 0 and 1 */
    int n_encoder, n_decoder;
    struct layer_spec encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS];
    bool has_memory;                            /* false: the plain autoencoder */
    struct memory_spec memory;
};

struct dims {
    int c, t, h, w;
};

static inline size_t dims_positions(struct dims d) { return (size_t)d.t * (size_t)d.h * (size_t)d.w; }
static inline size_t dims_elements(struct dims d) { return (size_t)d.c * dims_positions(d); }

/* The shapes between layers, of one sample: layer i takes [i] and puts out [i + 1]. encoder[0] is the input,
 * encoder[n_encoder] is z, decoder[0] is ẑ, decoder[n_decoder] is x̂. */
struct arch_shapes {
    struct dims encoder[ARCH_MAX_LAYERS + 1], decoder[ARCH_MAX_LAYERS + 1];
};

/* Checks every number of the architecture and derives the shapes. The numbers must lie in their ranges, products must not
 * overflow, and x̂ must have the input's shape. 0, or -EINVAL with the layer and the cause in err ("decoder layer 2: …");
 * ret untouched on failure. */
int arch_shapes(struct arch_shapes *ret, const struct arch *arch, struct error *err);

/* Checks that the network takes windows of gray frames, as a camera's must. 0, or -EINVAL with the cause in err. */
int arch_check_camera(const struct arch *arch, struct error *err);

/* Returns true if the type is a transposed convolution: it adds each input, times the kernel, to the outputs under the
 * kernel. */
static inline bool layer_is_transposed(enum layer_type type) { return type == LAYER_DECONV3D || type == LAYER_DECONV2D; }
/* The number of axes of the type's kernel, counted from the last of t, h, w: 3, 2 or 0. */
int layer_axes(enum layer_type type);
const char *layer_type_name(enum layer_type type);      /* "conv3d" */
/* Finds the type with that name, if inputs of this kind can have it. Else returns false, ret untouched. */
bool layer_type_find(enum layer_type *ret, enum input_kind kind, const char *name);
const char *layer_types_of(enum input_kind kind);       /* "conv3d or deconv3d": for messages */

/* The nominal cost of a part of the network. A convolution counts all taps of each output, a transposed one all taps of each
 * input, also those that meet the padding. Norms and activations are not counted. */
struct arch_cost {
    size_t parameters;          /* number of learned values: without running statistics */
    double multiply_adds;       /* per cube; two floating-point operations each */
};

struct arch_cost arch_layer_cost(const struct layer_spec *spec, struct dims in, struct dims out);
struct arch_cost arch_memory_cost(const struct arch *arch, const struct arch_shapes *shapes);   /* {0} without a memory */
struct arch_cost arch_total_cost(const struct arch *arch, const struct arch_shapes *shapes);

/* A built-in architecture by name; NULL if there is none. "paper" and "released" are 16x256x256, 96-128-256-256, 2,000 slots
 * (cosine or dot). For CPUs there are "compact" (16x128x128, 32-48-64-64, 500 slots), "small" (16x128x128, 16-32-96-192) and
 * "nano" (as small, of 16x64x64). Each of these three exists without a memory, too: "compact-ae" and so on.
 * arch_profile_name(i) lists the names, NULL after the last. */
const struct arch *arch_profile(const char *name);
const char *arch_profile_name(int i);
/* Returns true if the profile is one for CPUs, whose pictures may have any shape. The others keep to the paper's square. */
bool arch_profile_fits(const char *name);

/* Replaces the size of a camera's pictures (each 1 or more) by the size of a network with about arch's number of pixels.
 * Both sides are multiples of 16, at least 32, and at most the camera's side rounded to a multiple of 16 (and at least 32).
 * The area is at most 1.15 of arch's. Among these sizes it takes the least |ln(aspect ratio / the camera's)| + 0.5 · max(0,
 * ln(arch's area / area)). Pixels count as square. */
void arch_fit_size(const struct arch *arch, int *width, int *height);

/* Returns true if pictures of this size (each 1 or more) have the network's aspect, or nearly. The tolerance is half a step of 16
 * pixels of the shorter side. A size that arch_fit_size() gives of a profile fits its camera, too, however far it is off. A square
 * network takes any: the paper's profiles stretch all. */
bool arch_fits_aspect(const struct arch *arch, int width, int height);

/* The index that PyTorch's nn.Sequential gives layer i of specs. A layer counts one, its norm one, its activation one. */
int arch_module_index(const struct layer_spec *specs, int i);

#endif
