/* The architecture of a MemAE as plain data (docs/model-format.md, "memae.arch"): what the layers are, and the shapes
 * that follow. Source: Gong et al., ICCV 2019, section 3 and 4. Pure functions, any thread.
 *
 * Axes are always in the order frames (t), rows (h), columns (w), whatever the network takes: an image is a video of one
 * frame, a row of a table is one of a single pixel with a channel for each feature. So conv2d is conv3d with nothing to do
 * in time, linear is conv3d with a kernel of one, and one convolution serves all. Only arch and the model file tell them
 * apart. */
#ifndef MEMAED_CORE_NETWORK_ARCH_H
#define MEMAED_CORE_NETWORK_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/kernels/activation.h"

enum { ARCH_MAX_LAYERS = 32,            /* in the encoder, and in the decoder */
       ARCH_MAX_FRAMES = 64 };          /* of a window */

enum input_kind { INPUT_VIDEO, INPUT_IMAGE, INPUT_TABLE };
/* conv3d and deconv3d for video, conv2d and deconv2d for images, linear for tables. */
enum layer_type { LAYER_CONV3D, LAYER_DECONV3D, LAYER_CONV2D, LAYER_DECONV2D, LAYER_LINEAR };
enum similarity { SIMILARITY_COSINE, SIMILARITY_DOT };

struct layer_spec {
    enum layer_type type;
    int out;                            /* channels */
    int kernel[3], stride[3], padding[3];       /* 1, 1 and 0 on axes that the type has not got: conv2d t, linear all */
    int output_padding[3];              /* deconv3d and deconv2d only, else 0 */
    bool norm;                          /* batch norm, eps 1e-5 */
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
    int channels, frames, height, width;        /* of the input cube; image: 1 frame; table: 1x1x1, features as channels */
    float mean, std;                            /* pixel p in 0…255 enters as (p/255 - mean)/std; table: as it is, 0 and 1 */
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

/* What goes into and out of every layer: encoder[0] is the input, encoder[n_encoder] is z, decoder[0] is ẑ,
 * decoder[n_decoder] is x̂. */
struct arch_shapes {
    struct dims encoder[ARCH_MAX_LAYERS + 1], decoder[ARCH_MAX_LAYERS + 1];
};

/* Checks every number of the architecture (ranges, products without overflow, x̂ of the input's shape) and derives the
 * shapes. 0, or -EINVAL with the layer and the cause in err ("decoder layer 2: …"); ret untouched on failure. */
int arch_shapes(struct arch_shapes *ret, const struct arch *arch, struct error *err);

/* 0, or -EINVAL with the cause in err where this is no network for a camera, which takes windows of gray frames. */
int arch_check_camera(const struct arch *arch, struct error *err);

/* A transposed convolution, which spreads each input over its kernel. */
static inline bool layer_is_transposed(enum layer_type type) { return type == LAYER_DECONV3D || type == LAYER_DECONV2D; }
/* How many axes a kernel of the type has: the last so many of t, h, w. */
int layer_axes(enum layer_type type);
const char *layer_type_name(enum layer_type type);      /* "conv3d" */
/* The type of that name among those that the kind of input takes; false, ret untouched, where it takes none such. */
bool layer_type_find(enum layer_type *ret, enum input_kind kind, const char *name);
const char *layer_types_of(enum input_kind kind);       /* "conv3d or deconv3d": for messages */

/* What a part of the network has and costs, nominally: a conv3d takes every input within its kernel for each output, a
 * deconv3d spreads each input over its kernel; norms, activations and what falls into the padding are not counted. */
struct arch_cost {
    size_t parameters;          /* that are learned: without running statistics */
    double multiply_adds;       /* a cube, two floating-point operations each */
};

struct arch_cost arch_layer_cost(const struct layer_spec *spec, struct dims in, struct dims out);
struct arch_cost arch_memory_cost(const struct arch *arch, const struct arch_shapes *shapes);   /* {0} without one */
struct arch_cost arch_total_cost(const struct arch *arch, const struct arch_shapes *shapes);

/* A built-in architecture by name: "paper" and "released" (16x256x256, 96-128-256-256, 2,000 slots; cosine or dot),
 * "compact" (16x128x128, 32-48-64-64, 500 slots), "small" (16x128x128, 16-32-96-192), "nano" (the same of 16x64x64), and those
 * for CPUs without a memory, "compact-ae" and so on. NULL where there is none.
 * arch_profile_name(i) lists the names, NULL after the last. */
const struct arch *arch_profile(const char *name);
const char *arch_profile_name(int i);
/* Whether the profile is one for CPUs, whose pictures may have any shape; the others keep to the square of the paper. */
bool arch_profile_fits(const char *name);

/* Turns the size of a camera's pictures, both 1 or more, into that of a network of about arch's number of pixels: multiples
 * of 16, at least 32, and no more than the camera's as rounded to them; the area at most 1.15 of arch's. Nearest in aspect, where
 * half of what is lost in area counts as much as what is lost in aspect, both as logarithms. Pixels count as square. */
void arch_fit_size(const struct arch *arch, int *width, int *height);

/* The index that PyTorch's nn.Sequential gives layer i of specs: each layer counts one, its norm one, its activation
 * one. */
int arch_module_index(const struct layer_spec *specs, int i);

#endif
