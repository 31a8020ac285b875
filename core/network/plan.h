/* The frozen network: a model compiled once into what runs fastest. Batch norm is folded into the layer before it,
 * weights are laid out in the order in which the matrix products take them, the memory is normalised, all scratch is
 * sized. A plan is immutable: any number of threads run it at once, each with a workspace of its own; running allocates
 * nothing and takes no lock.
 *
 * Source: Gong et al., ICCV 2019, sections 3.2 and 3.3; arithmetic in docs/model-format.md. */
#ifndef MEMAED_CORE_NETWORK_PLAN_H
#define MEMAED_CORE_NETWORK_PLAN_H

#include <stdint.h>

#include "core/network/frame_cache.h"
#include "core/network/model.h"
#include "core/network/ranges.h"
#include "core/precision.h"

struct plan;

/* What a run leaves; the pointers lie in the workspace and hold until its next run. */
struct plan_result {
    float reference;        /* the score of docs/model-format.md: mean over t, h, w of the residual's norm over channels */
    const float *x;         /* [t, h, w, c] the input in the network's own units */
    const float *x_hat;     /* [t, h, w, c] */
    const float *z;         /* [queries, channels of z], queries in the order t, h, w */
    const float *z_hat;     /* likewise; == z without a memory */
    const float *weights;   /* [queries, slots]; NULL without a memory */
    float *scratch;         /* scratch_floats of plan_open(), for what reads the result */
};

/* Packs the weights of a model for inference. The model is only read, and may be closed afterwards. scratch_floats: how many
 * floats of every workspace are set aside for the reader of a result (plan_result.scratch); a score needs score_scratch().
 * 0, or -EINVAL, -ENOMEM with the cause in err. */
int plan_open(struct plan **ret, const struct model *model, size_t scratch_floats, struct error *err);

/* The same with 8-bit arithmetic (core/network/convolution/conv3d_int8.h): weights and what goes from layer to layer are bytes, of activations
 * within the ranges of `ranges`; z, the memory, ẑ, the last layer and x̂ are in floats. A picture is read as it is; a
 * cube is rounded to what a picture could hold. What bytes can't do is done in floats: layers of too many inputs, a first
 * layer that takes no picture. For the kernels chosen. -EINVAL where the ranges are of another number of channels. */
int plan_open_int8(struct plan **ret, const struct model *model, size_t scratch_floats, const struct ranges *ranges,
                   struct error *err);
void plan_close(struct plan *plan);             /* takes NULL */

const struct arch *plan_arch(const struct plan *plan);
const struct arch_shapes *plan_shapes(const struct plan *plan);
enum precision plan_precision(const struct plan *plan);

/* Bytes of a workspace; it must be aligned to 64 bytes, as plan_workspace_new() is. */
size_t plan_workspace_size(const struct plan *plan);
void *plan_workspace_new(const struct plan *plan);      /* free() it; NULL: out of memory */

/* Runs the network on a window of `frames` gray pictures, each [height * width] bytes, read in place and not kept.
 * Only for models of one input channel. */
void plan_run(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret);

/* Of one sequence of pictures (a camera, a clip): what its windows share, for windows that begin `stride` pictures apart
 * (core/network/frame_cache.h). free() it; NULL: out of memory. One thread at a time; a plan may have any number. */
struct frame_cache *plan_frame_cache_new(const struct plan *plan, int stride);

/* plan_run() of the window whose pictures have the numbers first … first + frames - 1, bit for bit. What its layers put out
 * for pictures that windows before it had as well is taken from the frame_cache where it is there; windows may come at any
 * distance, in any order, or not at all. A number stands for one picture until frame_cache_clear(). NULL: nothing is shared. */
void plan_run_sliding(const struct plan *plan, struct frame_cache *frame_cache, uint64_t first, const uint8_t *const frames[],
                      void *workspace, struct plan_result *ret);

/* plan_run() of a plan in fp32, and what goes into each layer is seen; seen->n is ranges_count(), at most RANGES_MAX. */
void plan_observe(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                  struct ranges_seen *seen);

/* plan_run(), and passed(arg) is called as each step is done: the pictures read, each layer of the encoder, the memory where
 * there is one, each layer of the decoder, the residual. For who measures: there is no clock here. */
void plan_run_steps(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                    void (*passed)(void *arg), void *arg);

/* plan_run() on a cube in the network's own units, [t, h, w, c], borrowed for the call (copied in). */
void plan_run_cube(const struct plan *plan, const float *cube, void *workspace, struct plan_result *ret);

#endif
