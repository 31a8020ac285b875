#include "core/network/frame_cache.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64,
       CHEAP = 32 };            /* a frame with fewer multiply-adds per byte is computed again: to copy it would be no faster */
#define NO_PICTURE UINT64_MAX   /* number of an empty entry */

struct layer {
    int frames;                 /* of the output; frame t reads frames t*stride - padding … + kernel - 1 of the layer before */
    int stride, padding, kernel;
    int begin, end;             /* frames begin … end - 1 see no padding in time */
    int step;                   /* pictures from a frame to the next; frame t has the number of the window + t*step */
    int unit, entries;          /* a frame is kept in entry number / unit % entries; 0 entries: none is kept */
    size_t size;                /* bytes of a frame */
    uint64_t *number;           /* [entries] */
    unsigned char *data;        /* [entries, size] */
};

struct frame_cache {
    int n;                      /* layers shared */
    size_t bytes;
    struct layer layers[ARCH_MAX_LAYERS];
};

static int common_divisor(int a, int b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

static int up(int a, int b)
{
    return (a + b - 1) / b;
}

/* Finds begin and end from those of the layer before. false: no frame can be shared between two windows. */
static bool find_frames(struct layer *l, const struct layer *before, const struct layer_spec *spec, struct dims out,
                        int window)
{
    l->frames = out.t;
    l->stride = spec->stride[0];
    l->padding = spec->padding[0];
    l->kernel = spec->kernel[0];
    l->step = before->step * l->stride;
    l->begin = up(before->begin + l->padding, l->stride);
    int last = before->end + l->padding - l->kernel;
    l->end = last < 0 ? 0 : last / l->stride + 1;
    return l->begin < l->end && l->frames <= FRAME_CACHE_MAX_FRAMES && l->step < window;
}

/* Returns the number of entries of a layer. They hold the frames from the first that a coming window shares to the last that
 * earlier windows have computed. */
static int count_entries(const struct layer *l, int stride, double cost)
{
    int fresh = stride / l->unit;       /* new frames of a window since the last one whose frames' numbers match its own */
    if (cost < CHEAP || fresh >= l->end - l->begin)
        return 0;
    return (l->end - l->begin - 1) * (l->step / l->unit) + 1 - fresh;
}

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void list_layers(struct frame_cache *cache, const struct frame_cache_options *o)
{
    struct layer before = {.begin = 0, .end = o->arch->frames, .step = 1};
    for (int i = 0; i < o->layers; before = cache->layers[i++]) {
        struct layer *l = &cache->layers[i];
        struct dims in = o->shapes->encoder[i], out = o->shapes->encoder[i + 1];
        if (!find_frames(l, &before, &o->arch->encoder[i], out, o->arch->frames))
            return;
        l->size = dims_elements(out) / (size_t)out.t * o->element_size[i];
        l->unit = common_divisor(l->step, o->stride);
        double cost = arch_layer_cost(&o->arch->encoder[i], in, out).multiply_adds /
                      (double)(l->size * (size_t)l->frames);
        l->entries = count_entries(l, o->stride, cost);
        if (l->entries > 0)
            cache->n = i + 1;
    }
}

struct frame_cache *frame_cache_new(const struct frame_cache_options *options)
{
    struct frame_cache cache = {.bytes = aligned(sizeof cache)};
    list_layers(&cache, options);
    for (int i = 0; i < cache.n; i++)
        cache.bytes += aligned((size_t)cache.layers[i].entries * sizeof *cache.layers[i].number) +
                       aligned((size_t)cache.layers[i].entries * cache.layers[i].size);
    struct frame_cache *ret = aligned_alloc(ALIGNMENT, cache.bytes);
    if (!ret)
        return NULL;
    unsigned char *at = (unsigned char *)ret + aligned(sizeof cache);
    for (int i = 0; i < cache.n; i++) {
        struct layer *l = &cache.layers[i];
        l->number = (uint64_t *)at;
        l->data = at += aligned((size_t)l->entries * sizeof *l->number);
        at += aligned((size_t)l->entries * l->size);
    }
    *ret = cache;
    frame_cache_clear(ret);
    return ret;
}

size_t frame_cache_size(const struct frame_cache *cache)
{
    return cache->bytes;
}

void frame_cache_clear(struct frame_cache *cache)
{
    for (int i = 0; i < cache->n; i++)
        for (int k = 0; k < cache->layers[i].entries; k++)
            cache->layers[i].number[k] = NO_PICTURE;
}

int frame_cache_layers(const struct frame_cache *cache)
{
    return cache->n;
}

static uint64_t number_of(const struct layer *l, uint64_t window, int t)
{
    return window + (uint64_t)t * (uint64_t)l->step;
}

static int entry_of(const struct layer *l, uint64_t number)
{
    return (int)(number / (uint64_t)l->unit % (uint64_t)l->entries);
}

static bool is_shared(const struct layer *l, int t)
{
    return l->entries > 0 && t >= l->begin && t < l->end;
}

void frame_cache_find(const struct frame_cache *cache, uint64_t number, struct frame_cache_lookup *ret)
{
    memset(ret, FRAME_CACHE_UNUSED, sizeof *ret);
    memset(ret->frame[cache->n - 1], FRAME_CACHE_MISSING, (size_t)cache->layers[cache->n - 1].frames);
    for (int i = cache->n - 1; i >= 0; i--) {
        const struct layer *l = &cache->layers[i];
        for (int t = 0; t < l->frames; t++) {
            if (ret->frame[i][t] == FRAME_CACHE_UNUSED)
                continue;
            uint64_t k = number_of(l, number, t);
            if (is_shared(l, t) && l->number[entry_of(l, k)] == k) {
                ret->frame[i][t] = FRAME_CACHE_HIT;
                continue;
            }
            for (int tap = 0, at = t * l->stride - l->padding; i > 0 && tap < l->kernel; tap++, at++)
                if (at >= 0 && at < cache->layers[i - 1].frames)
                    ret->frame[i - 1][at] = FRAME_CACHE_MISSING;
        }
    }
}

void frame_cache_fetch(const struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_lookup *found,
                       void *out)
{
    const struct layer *l = &cache->layers[layer];
    for (int t = 0; t < l->frames; t++)
        if (found->frame[layer][t] == FRAME_CACHE_HIT)
            memcpy((unsigned char *)out + (size_t)t * l->size,
                   l->data + (size_t)entry_of(l, number_of(l, number, t)) * l->size, l->size);
}

void frame_cache_store(struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_lookup *found,
                       const void *out)
{
    struct layer *l = &cache->layers[layer];
    for (int t = 0; t < l->frames; t++) {
        uint64_t k = number_of(l, number, t);
        if (found->frame[layer][t] != FRAME_CACHE_MISSING || !is_shared(l, t))
            continue;
        l->number[entry_of(l, k)] = k;
        memcpy(l->data + (size_t)entry_of(l, k) * l->size, (const unsigned char *)out + (size_t)t * l->size, l->size);
    }
}
