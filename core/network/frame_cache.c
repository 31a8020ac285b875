#include "core/network/frame_cache.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64,
       /* A byte that takes fewer multiply-adds than this is computed again: copying it in and out is no faster. */
       CHEAP = 32 };
#define NOTHING UINT64_MAX      /* number of a place that holds no frame */

struct layer {
    int frames;                 /* of the output; frame t sees t*stride - padding … + kernel - 1 of the layer before's */
    int stride, padding, kernel;
    int begin, end;             /* frames that see no padding, back to the pictures */
    int step;                   /* pictures from a frame to the next: frame t is numbered as the window + t*step */
    int unit, places;           /* that number is held at place number / unit % places; 0 places: nothing is */
    size_t size;                /* bytes of a frame */
    uint64_t *number;           /* [places] */
    unsigned char *held;        /* [places][size] */
};

struct frame_cache {
    int n;
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

/* The frames of a layer that see only such of the one before. false: none does, or two windows never have the same. */
static bool find_frames(struct layer *l, const struct layer *before, const struct layer_spec *spec, struct dims out, int window)
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

/* How many frames are to be held of a layer: from the first one that a window shares with one before to the last that there
 * is before it runs. */
static int count_places(const struct layer *l, int stride, double cost)
{
    int fresh = stride / l->unit;       /* since the window before that is in step */
    if (cost < CHEAP || fresh >= l->end - l->begin)
        return 0;
    return (l->end - l->begin - 1) * (l->step / l->unit) + 1 - fresh;
}

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void list_layers(struct frame_cache *h, const struct frame_cache_options *o)
{
    struct layer before = {.begin = 0, .end = o->arch->frames, .step = 1};
    for (int i = 0; i < o->layers; before = h->layers[i++]) {
        struct layer *l = &h->layers[i];
        struct dims in = o->shapes->encoder[i], out = o->shapes->encoder[i + 1];
        if (!find_frames(l, &before, &o->arch->encoder[i], out, o->arch->frames))
            return;
        l->size = dims_elements(out) / (size_t)out.t * o->element[i];
        l->unit = common_divisor(l->step, o->stride);
        double cost = arch_layer_cost(&o->arch->encoder[i], in, out).multiply_adds /
                      (double)(l->size * (size_t)l->frames);
        l->places = count_places(l, o->stride, cost);
        if (l->places > 0)
            h->n = i + 1;
    }
}

struct frame_cache *frame_cache_new(const struct frame_cache_options *options)
{
    struct frame_cache h = {.bytes = aligned(sizeof h)};
    list_layers(&h, options);
    for (int i = 0; i < h.n; i++)
        h.bytes += aligned((size_t)h.layers[i].places * sizeof *h.layers[i].number) +
                   aligned((size_t)h.layers[i].places * h.layers[i].size);
    struct frame_cache *ret = aligned_alloc(ALIGNMENT, h.bytes);
    if (!ret)
        return NULL;
    unsigned char *at = (unsigned char *)ret + aligned(sizeof h);
    for (int i = 0; i < h.n; i++) {
        struct layer *l = &h.layers[i];
        l->number = (uint64_t *)at;
        l->held = at += aligned((size_t)l->places * sizeof *l->number);
        at += aligned((size_t)l->places * l->size);
    }
    *ret = h;
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
        for (int k = 0; k < cache->layers[i].places; k++)
            cache->layers[i].number[k] = NOTHING;
}

int frame_cache_layers(const struct frame_cache *cache)
{
    return cache->n;
}

static uint64_t number_of(const struct layer *l, uint64_t window, int t)
{
    return window + (uint64_t)t * (uint64_t)l->step;
}

static int place_of(const struct layer *l, uint64_t number)
{
    return (int)(number / (uint64_t)l->unit % (uint64_t)l->places);
}

static bool is_shared(const struct layer *l, int t)
{
    return l->places > 0 && t >= l->begin && t < l->end;
}

void frame_cache_look(const struct frame_cache *cache, uint64_t number, struct frame_cache_look *ret)
{
    memset(ret, FRAME_CACHE_UNSEEN, sizeof *ret);
    memset(ret->frame[cache->n - 1], FRAME_CACHE_MISSING, (size_t)cache->layers[cache->n - 1].frames);
    for (int i = cache->n - 1; i >= 0; i--) {
        const struct layer *l = &cache->layers[i];
        for (int t = 0; t < l->frames; t++) {
            if (ret->frame[i][t] == FRAME_CACHE_UNSEEN)
                continue;
            uint64_t k = number_of(l, number, t);
            if (is_shared(l, t) && l->number[place_of(l, k)] == k) {
                ret->frame[i][t] = FRAME_CACHE_HELD;
                continue;
            }
            for (int tap = 0, at = t * l->stride - l->padding; i > 0 && tap < l->kernel; tap++, at++)
                if (at >= 0 && at < cache->layers[i - 1].frames)
                    ret->frame[i - 1][at] = FRAME_CACHE_MISSING;
        }
    }
}

void frame_cache_fetch(const struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_look *look, void *out)
{
    const struct layer *l = &cache->layers[layer];
    for (int t = 0; t < l->frames; t++)
        if (look->frame[layer][t] == FRAME_CACHE_HELD)
            memcpy((unsigned char *)out + (size_t)t * l->size,
                   l->held + (size_t)place_of(l, number_of(l, number, t)) * l->size, l->size);
}

void frame_cache_keep(struct frame_cache *cache, int layer, uint64_t number, const struct frame_cache_look *look, const void *out)
{
    struct layer *l = &cache->layers[layer];
    for (int t = 0; t < l->frames; t++) {
        uint64_t k = number_of(l, number, t);
        if (look->frame[layer][t] != FRAME_CACHE_MISSING || !is_shared(l, t))
            continue;
        l->number[place_of(l, k)] = k;
        memcpy(l->held + (size_t)place_of(l, k) * l->size, (const unsigned char *)out + (size_t)t * l->size, l->size);
    }
}
