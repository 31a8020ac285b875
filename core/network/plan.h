/* The frozen network: a model compiled once for fast inference. plan_open() folds each batch norm into the layer before it
 * and packs weights in the order in which the products read them. It normalises the memory and sizes all scratch.
 *
 * A plan is immutable. Any number of threads run it at once, each with a workspace of its own. A run allocates nothing and
 * takes no lock. Pictures and cubes are borrowed for the call; a workspace must not be shared between calls that overlap.
 *
 * Source: Gong et al., ICCV 2019, sections 3.2 and 3.3; docs/model-format.md has the arithmetic. */
#ifndef MEMAED_CORE_NETWORK_PLAN_H
#define MEMAED_CORE_NETWORK_PLAN_H

#include <stdint.h>

#include "core/network/frame_cache.h"
#include "core/network/model.h"
#include "core/network/ranges.h"
#include "core/precision.h"

struct plan;

/* The result of a run. The pointers point into the workspace and are valid until its next run. */
struct plan_result {
    float reference;        /* the reference score of docs/model-format.md: mean over t, h, w of the residual's norm over c */
    const float *x;         /* [t, h, w, c] the input in the network's own units */
    const float *x_hat;     /* [t, h, w, c] */
    const float *z;         /* [queries, channels of z], queries in the order t, h, w */
    const float *z_hat;     /* [queries, channels of z]; equals z without a memory */
    const float *weights;   /* [queries, slots]; NULL without a memory */
    float *scratch;         /* [scratch_floats of plan_open()], free for the reader of the result */
};

/* Compiles a model, which is borrowed for the call. scratch_floats: size of plan_result.scratch in every workspace; a score
 * needs score_scratch() floats. 0, or -ENOMEM with the cause in err; *ret is untouched on failure. The caller owns *ret and
 * frees it by plan_close(). */
int plan_open(struct plan **ret, const struct model *model, size_t scratch_floats, struct error *err);

/* The same with 8-bit arithmetic (core/network/convolution/conv3d_int8.h). Weights and the activations between layers are
 * bytes, activations clipped to `ranges`, which is borrowed for the call. z, the memory, ẑ, the decoder's last layer and x̂
 * are floats. plan_run() reads a picture's bytes exactly; plan_run_cube() rounds a cube to gray levels first. Layers that
 * bytes cannot do use floats: a layer with too many inputs, and a first layer whose input is not a picture. The plan runs
 * with the kernels that are chosen when it is opened. -EINVAL if the number of ranges is not ranges_count(), or if that
 * exceeds RANGES_MAX. */
int plan_open_int8(struct plan **ret, const struct model *model, size_t scratch_floats, const struct ranges *ranges,
                   struct error *err);
void plan_close(struct plan *plan);             /* takes NULL */

const struct arch *plan_arch(const struct plan *plan);
const struct arch_shapes *plan_shapes(const struct plan *plan);
enum precision plan_precision(const struct plan *plan);

/* Bytes of a workspace of an fp32 plan, from the architecture alone. Nothing is allocated. */
size_t plan_workspace_of(const struct arch *arch, const struct arch_shapes *shapes, size_t scratch_floats);
/* Bytes of a workspace, which must be aligned to 64 bytes. plan_workspace_new() allocates one. */
size_t plan_workspace_size(const struct plan *plan);
void *plan_workspace_new(const struct plan *plan);      /* for free(); NULL: out of memory */

/* Runs the network on a window: frames[arch.frames], each a gray picture of [height * width] bytes. Only for models of one
 * input channel. */
void plan_run(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret);

/* A cache for one sequence of pictures (a camera, a clip), for windows that begin `stride` >= 1 pictures apart; see
 * core/network/frame_cache.h. For free(); NULL: out of memory. One thread at a time; a plan may have several caches. */
struct frame_cache *plan_frame_cache_new(const struct plan *plan, int stride);

/* plan_run() for the window of the pictures first … first + arch.frames - 1 of a sequence. The result has the same bits, but
 * frames that earlier windows computed come from the cache. Windows may come in any order and at any distance. A number
 * means the same picture until frame_cache_clear(). cache: from plan_frame_cache_new() of this plan, or NULL. */
void plan_run_sliding(const struct plan *plan, struct frame_cache *cache, uint64_t first, const uint8_t *const frames[],
                      void *workspace, struct plan_result *ret);

/* plan_run() that also adds each layer's input, except the picture, to the statistics `seen`. The plan is in fp32, and seen->n
 * is ranges_count(), at most RANGES_MAX. */
void plan_observe(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                  struct ranges_seen *seen);

/* plan_run() that also calls step_done(arg) after each step. The steps are reading the pictures, each layer of the encoder, the
 * memory if any, each layer of the decoder, and the residual. Time measurements use it, since core/ has no clock. */
void plan_run_steps(const struct plan *plan, const uint8_t *const frames[], void *workspace, struct plan_result *ret,
                    void (*step_done)(void *arg), void *arg);

/* plan_run() on a cube [t, h, w, c] in the network's own units, for any kind of model. */
void plan_run_cube(const struct plan *plan, const float *cube, void *workspace, struct plan_result *ret);

#endif
