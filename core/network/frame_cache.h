/* What past windows of one sequence of pictures left that the next ones need again: output frames of the first layers of an
 * encoder. A frame whose taps, back to the pictures, all lie inside of the window (none sees the padding at either end) is a
 * function of those pictures alone; so a window that begins d pictures later has the same frame, where d is a multiple of the
 * product of the strides in time so far. At a stride of 1 the paper's second layer has it two windows later, the third one four.
 *
 * Frames are held by the number of the picture at their place, so windows may come in any order and with gaps: what is not
 * held is missing, and that is all. Of a layer as many are held as windows at the stride share; none of a layer that is
 * computed again as fast as it is fetched (the first, of one channel).
 *
 * core/network/plan.h runs it. One thread at a time. */
#ifndef MEMAED_CORE_NETWORK_FRAME_CACHE_H
#define MEMAED_CORE_NETWORK_FRAME_CACHE_H

#include <stdint.h>

#include "core/network/arch.h"

enum { FRAME_CACHE_MAX_FRAMES = 64 };       /* of a layer's output: what comes after a longer one is not shared */

struct frame_cache;

struct frame_cache_options {
    const struct arch *arch;
    const struct arch_shapes *shapes;
    int layers;                 /* of the encoder, the first ones, that can be computed by frames; none is transposed */
    const size_t *element;      /* [layers] bytes of an element of what each puts out */
    int stride;                 /* pictures from a window to the next, >= 1 */
};

/* One block, for free(); NULL: out of memory. */
struct frame_cache *frame_cache_new(const struct frame_cache_options *options);
size_t frame_cache_size(const struct frame_cache *cache);     /* bytes of that block */
/* Forgets all: pictures are numbered anew. */
void frame_cache_clear(struct frame_cache *cache);

/* The first so many layers are shared between windows; none holds a frame beyond them. 0: there is nothing to share. */
int frame_cache_layers(const struct frame_cache *cache);

/* A frame of a shared layer's output, for one window. */
enum frame_cache_state { FRAME_CACHE_UNSEEN, FRAME_CACHE_HELD, FRAME_CACHE_MISSING };  /* nothing missing sees it; held; to be computed */
struct frame_cache_look {
    unsigned char frame[ARCH_MAX_LAYERS][FRAME_CACHE_MAX_FRAMES];
};

/* What there is for the window that begins with picture `number`. Of the last shared layer all frames are seen; there is one
 * at least. */
void frame_cache_look(const struct frame_cache *cache, uint64_t number, struct frame_cache_look *ret);
/* Copies what is held of a layer to its places in out, the layer's whole output. */
void frame_cache_fetch(const struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_look *look, void *out);
/* Takes what was missing from there, where later windows can use it. After frame_cache_fetch(). */
void frame_cache_keep(struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_look *look, const void *out);

#endif
