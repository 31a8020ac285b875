#include "daemon/explain/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const struct search *search;
    const struct plan *plan;
    const struct calibration *calibration;
    void *workspace;
    struct frame_cache *cache;
    int length;                 /* frames of a window */
    size_t frame_size;
    uint8_t *ring;              /* [length, frame_size]; frame i is at i % length */
    int64_t *times;             /* [length] pts_us of them */
    const uint8_t **frames;     /* [length] of the present window, in order */
    uint64_t n;                 /* frames read */
    uint64_t start;             /* the first frame of the unbroken sequence */
    bool has_found;
    float score;                /* of the best window so far, for SEARCH_PEAK */
    struct found_window found;
};

static void keep(struct reader *r, uint64_t centre, int64_t pts_us)
{
    r->has_found = true;
    r->found.frame = centre;
    r->found.pts_us = pts_us;
    for (int i = 0; i < r->length; i++)
        memcpy(r->found.pixels + (size_t)i * r->frame_size, r->frames[i], r->frame_size);
}

static float score_window(struct reader *r, uint64_t first)
{
    struct plan_result result;
    struct score_features features;
    struct voices voices;
    plan_run_sliding(r->plan, r->cache, first, r->frames, r->workspace, &result);
    return calibration_score(r->calibration, r->plan, &result, NULL, &features, &voices);
}

/* Considers the window that ends with the frame read last. Returns true once no later window can be the wanted one. */
static bool look(struct reader *r)
{
    uint64_t length = (uint64_t)r->length, first = r->n - length, centre = first + length / 2;
    int64_t pts_us = r->times[centre % length];
    for (uint64_t i = 0; i < length; i++)
        r->frames[i] = r->ring + (first + i) % length * r->frame_size;
    switch (r->search->by) {
    case SEARCH_FRAME:
        if (centre == r->search->frame)
            keep(r, centre, pts_us);
        return centre >= r->search->frame;
    case SEARCH_TIME:
        if (pts_us <= r->search->pts_us)
            keep(r, centre, pts_us);
        return pts_us >= r->search->pts_us;
    default: {
        float score = score_window(r, first);
        if (!r->has_found || score > r->score) {
            keep(r, centre, pts_us);
            r->score = score;
        }
        return false;
    }
    }
}

static int read_all(struct reader *r, struct capture *capture, struct error *err)
{
    for (;;) {
        struct source_frame frame;
        uint64_t at = r->n % (uint64_t)r->length;
        int result = capture_read(capture, r->ring + at * r->frame_size, &frame, err);
        if (result <= 0)
            return result;
        r->times[at] = frame.pts_us;
        if (frame.gap || frame.corrupt)
            r->start = r->n + frame.corrupt;
        r->n++;
        if (r->n >= r->start + (uint64_t)r->length && look(r))
            return 0;
    }
}

static int not_found(const struct reader *r, struct error *err)
{
    if (r->n < (uint64_t)r->length)
        return error_set(err, -ENOENT, "expected at least %d frames, one window, got %" PRIu64, r->length, r->n);
    if (r->search->by == SEARCH_FRAME)
        return error_set(err, -ENOENT, "no window has its centre at frame %" PRIu64 ": it lies within %d frames of the beginning "
                                       "or the end, or the window spans a gap or a corrupt frame", r->search->frame,
                         r->length / 2);
    return error_set(err, -ENOENT, "no window%s is without a gap or a corrupt frame",
                     r->search->by == SEARCH_TIME ? " whose centre is at that time or before" : "");
}

int search_window(struct found_window *ret, struct capture *capture, const struct search *search, const struct plan *plan,
                  const struct calibration *calibration, void *workspace, struct error *err)
{
    const struct arch *arch = plan_arch(plan);
    struct reader r = {.search = search, .plan = plan, .calibration = calibration, .workspace = workspace, .length = arch->frames,
                       .frame_size = (size_t)arch->height * (size_t)arch->width};
    size_t length = (size_t)r.length;
    r.cache = plan_frame_cache_new(plan, 1);
    r.ring = calloc(length, r.frame_size);
    r.times = calloc(length, sizeof *r.times);
    r.frames = calloc(length, sizeof *r.frames);
    r.found.pixels = calloc(length, r.frame_size);
    r.found.frames = calloc(length, sizeof *r.found.frames);
    int result = -ENOMEM;
    if (r.cache && r.ring && r.times && r.frames && r.found.pixels && r.found.frames) {
        for (size_t i = 0; i < length; i++)
            r.found.frames[i] = r.found.pixels + i * r.frame_size;
        result = read_all(&r, capture, err);
        if (result == 0 && !r.has_found)
            result = not_found(&r, err);
    } else {
        error_set(err, result, "out of memory");
    }
    if (result == 0)
        *ret = r.found;
    else
        found_window_close(&r.found);
    free(r.cache);
    free(r.ring);
    free(r.times);
    free(r.frames);
    return result;
}

void found_window_close(struct found_window *window)
{
    free(window->pixels);
    free(window->frames);
    *window = (struct found_window){0};
}
