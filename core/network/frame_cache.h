/* A cache of output frames of the encoder's first layers, which overlapping windows of one sequence share.
 *
 * A frame of a layer's output can be shared if no padding in time reaches it, through any layer back to the pictures. It
 * then depends on its pictures alone. A window that begins d pictures later has the same frame if d is a multiple of the product
 * of the strides in time up to that layer. If a window begins at each picture, for example, the paper's second layer repeats a
 * frame two windows later, and its third layer four windows later.
 *
 * A frame is stored under the number of the picture at its place. So windows may come in any order and with gaps: a frame
 * that is not in the cache is computed. A layer has entries for the frames that windows at the given stride share. It has
 * none if computing a frame again is as fast as copying it, as in a first layer of one input channel.
 *
 * core/network/plan.h uses it in plan_run_sliding(). One thread at a time. */
#ifndef MEMAED_CORE_NETWORK_FRAME_CACHE_H
#define MEMAED_CORE_NETWORK_FRAME_CACHE_H

#include <stdint.h>

#include "core/network/arch.h"

enum { FRAME_CACHE_MAX_FRAMES = 64 };       /* of a layer's output; a longer output, and the layers after it, are not shared */

struct frame_cache;

struct frame_cache_options {
    const struct arch *arch;
    const struct arch_shapes *shapes;
    int layers;                 /* the encoder's first layers that can be computed frame by frame; none is transposed */
    const size_t *element_size; /* [layers] bytes of an element of the layer's output */
    int stride;                 /* pictures from one window to the next, >= 1 */
};

/* Makes an empty cache in one block of memory, for free(). The options are borrowed for the call. NULL: out of memory. */
struct frame_cache *frame_cache_new(const struct frame_cache_options *options);
size_t frame_cache_size(const struct frame_cache *cache);     /* bytes of the block */
/* Empties the cache. Call it before numbers of pictures are used again for other pictures. */
void frame_cache_clear(struct frame_cache *cache);

/* The number of layers that are shared, counted from the first; 0: none. No layer after them has an entry. */
int frame_cache_layers(const struct frame_cache *cache);

/* The states of a window's output frames, layer by layer. */
enum frame_cache_state {
    FRAME_CACHE_UNUSED,         /* no missing frame of the next layer reads it */
    FRAME_CACHE_HIT,            /* in the cache */
    FRAME_CACHE_MISSING         /* to be computed */
};
struct frame_cache_lookup {
    unsigned char frame[ARCH_MAX_LAYERS][FRAME_CACHE_MAX_FRAMES];       /* enum frame_cache_state */
};

/* Finds the states for the window that begins with picture `number`. No frame of the last shared layer is unused.
 * frame_cache_layers() must be 1 or more. */
void frame_cache_find(const struct frame_cache *cache, uint64_t number, struct frame_cache_lookup *ret);
/* Copies the layer's frames that are hits to their places in out, the whole output of the layer [t, h, w, c]. */
void frame_cache_fetch(const struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_lookup *found,
                       void *out);
/* Stores the frames of the layer that were missing, once they are computed, if later windows can share them. Each overwrites the
 * frame in its entry, so call frame_cache_fetch() for the same window first. */
void frame_cache_store(struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_lookup *found,
                       const void *out);

#endif
