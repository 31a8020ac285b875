#include "daemon/measure/clip.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/alert.h"
#include "core/zones/hiding.h"
#include "daemon/base/static_gate.h"

/* More windows keep threads busier; fewer let the rows of a live source come sooner. */
enum { WINDOWS_PER_THREAD = 4, CELL = 8 };

struct kept_frame {
    int64_t pts_us;
    uint64_t sequence;          /* number of the unbroken sequence that it is in */
    int64_t same_since_us;      /* time of the first frame in the run of equal frames up to this one */
};

struct due_window {
    struct clip_window window;
    float still;                /* what VOICE_STILL says; scoring the window writes the other voices */
    uint64_t ticket;            /* for the static gate: number among the windows not left out */
    float *map;                 /* [map_h, map_w] */
    int r;
    struct error err;
};

struct clip_scorer {
    const struct plan *plan;
    const struct calibration *calibration;
    const struct still_memory *still;           /* NULL: none, or no calibration */
    const struct zones *zones;                  /* NULL: none */
    struct hiding *hiding;                      /* of the masks; NULL: none */
    struct regions *regions;                    /* of the masks; NULL: all cells count */
    struct parallel parallel;
    int length, stride, kept_per_window;        /* frames */
    size_t frame_size;
    int batch;                                  /* windows */
    enum clip_static statics;
    int map_h, map_w;
    double *sums;               /* [threads, map_h * map_w] */
    float *maps;                /* [2 * batch, map_h * map_w] */
    void **workspaces;                          /* [threads] */
    struct frame_cache **frame_caches;          /* [threads] each thread's, of this clip */
    const uint8_t **pictures;                   /* [threads, length] frames of the window that a thread runs */
    uint8_t *pixels;                            /* [capacity + 1, frame_size]; the last is for frames in no window */
    struct kept_frame *frames;                  /* [capacity + 1] */
    uint64_t capacity;

    /* The present clip. */
    struct capture *capture;
    const struct clip_sink *sink;
    struct clip_summary *summary;
    struct due_window *due, *next_due;          /* [batch] windows that run now; windows of the next batch */
    int n_due, n_next;
    uint64_t frame;                             /* number of the next frame to read */
    uint64_t window;                            /* number of the next window to complete */
    uint64_t sequence, sequence_start;          /* number of the unbroken sequence, and its first frame */
    uint64_t last_sequence;                     /* of the last window that was not left out */
    struct static_gate *gate;                   /* NULL: all windows are computed */
    struct static_repeat repeat;                /* repeat.last is [frame_size] */
    struct still_watch *watch;                  /* NULL: still is */
    struct still_result still_now;
    bool still_gap;                             /* the sequence broke since the last frame that watch took */
    bool ended;
    int source_result;
    struct error source_err;
};

static bool has_own_map(const struct calibration *calibration)
{
    return calibration && calibration->has_score;
}

int clip_open(struct clip_scorer **ret, const struct plan *plan, const struct calibration *calibration,
              const struct still_memory *still, const struct zones *zones, const struct parallel *parallel, int stride,
              enum clip_static statics, struct error *err)
{
    const struct arch *arch = plan_arch(plan);
    struct clip_scorer *s;

    if (arch_check_camera(arch, err) < 0)
        return -EINVAL;
    if (statics != CLIP_COMPUTE_ALL && !calibration_static_holds(calibration))
        return error_set(err, -EINVAL, "the model's calibration has no bound for static scenes; run memaed calibrate on footage "
                         "with quiet hours, or leave the option out");
    s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, -ENOMEM, "out of memory");
    s->plan = plan;
    s->calibration = calibration;
    s->still = calibration ? still : NULL;
    s->zones = zones;
    s->parallel = *parallel;
    s->length = arch->frames;
    s->stride = stride;
    s->statics = statics;
    s->kept_per_window = stride < arch->frames ? stride : arch->frames;
    s->frame_size = (size_t)arch->height * (size_t)arch->width;
    s->batch = parallel->threads * WINDOWS_PER_THREAD;
    /* Frames of two batches: the one that runs and the next one. */
    s->capacity = (uint64_t)s->length + 2 * (uint64_t)s->batch * (uint64_t)s->kept_per_window;
    s->pixels = calloc(s->capacity + 1, s->frame_size);
    s->frames = calloc(s->capacity + 1, sizeof *s->frames);
    s->pictures = calloc((size_t)parallel->threads, (size_t)s->length * sizeof *s->pictures);
    if (!has_own_map(calibration) || !score_cells(arch, &s->map_h, &s->map_w)) {
        s->map_h = (arch->height + CELL - 1) / CELL;
        s->map_w = (arch->width + CELL - 1) / CELL;
    }
    size_t cells = (size_t)s->map_h * (size_t)s->map_w;
    s->sums = calloc((size_t)parallel->threads * cells, sizeof *s->sums);
    s->maps = calloc(2 * (size_t)s->batch * cells, sizeof *s->maps);
    s->due = calloc((size_t)s->batch, sizeof *s->due);
    s->next_due = calloc((size_t)s->batch, sizeof *s->next_due);
    s->workspaces = calloc((size_t)parallel->threads, sizeof *s->workspaces);
    s->frame_caches = calloc((size_t)parallel->threads, sizeof *s->frame_caches);
    s->repeat.last = malloc(s->frame_size);
    int r = hiding_open(&s->hiding, zones, arch->height, arch->width);
    if (r == 0 && has_own_map(calibration))
        r = score_regions_open(&s->regions, zones, NULL, arch);
    if (r == -EINVAL) {
        clip_close(s);
        return error_set(err, r, "masks: " ZONES_NOTHING_LEFT);
    }
    if (r < 0 || !s->pixels || !s->repeat.last || !s->frames || !s->pictures || !s->sums || !s->maps || !s->due || !s->next_due ||
        !s->workspaces || !s->frame_caches)
        goto fail;
    for (int i = 0; i < s->batch; i++) {
        s->due[i].map = s->maps + (size_t)i * cells;
        s->next_due[i].map = s->maps + (size_t)(s->batch + i) * cells;
    }
    for (int i = 0; i < parallel->threads; i++) {
        s->workspaces[i] = plan_workspace_new(plan);
        s->frame_caches[i] = plan_frame_cache_new(plan, stride);
        if (!s->workspaces[i] || !s->frame_caches[i])
            goto fail;
    }
    *ret = s;
    return 0;
fail:
    clip_close(s);
    return error_set(err, -ENOMEM, "out of memory");
}

void clip_close(struct clip_scorer *s)
{
    if (!s)
        return;
    for (int i = 0; s->workspaces && i < s->parallel.threads; i++)
        free(s->workspaces[i]);
    for (int i = 0; s->frame_caches && i < s->parallel.threads; i++)
        free(s->frame_caches[i]);
    free(s->workspaces);
    free(s->frame_caches);
    static_gate_close(s->gate);
    still_watch_close(s->watch);
    hiding_close(s->hiding);
    regions_close(s->regions);
    free(s->repeat.last);
    free(s->sums);
    free(s->maps);
    free(s->next_due);
    free(s->due);
    free(s->pictures);
    free(s->frames);
    free(s->pixels);
    free(s);
}

/* The index in pixels of frame f. If the stride is longer than a window, frames between windows all go to the last place. */
static uint64_t slot_of(const struct clip_scorer *s, uint64_t f)
{
    uint64_t stride = (uint64_t)s->stride, length = (uint64_t)s->length;

    if (stride <= length)
        return f % s->capacity;
    if (f % stride >= length)
        return s->capacity;
    return (f / stride * length + f % stride) % s->capacity;
}

/* Adds the window whose last frame was just read to the next batch, or leaves it out. */
static void take_window(struct clip_scorer *s)
{
    uint64_t first = s->window * (uint64_t)s->stride, centre = first + (uint64_t)s->length / 2;

    if (first < s->sequence_start) {
        s->summary->left_out++;
    } else {
        struct due_window *due = &s->next_due[s->n_next++];
        due->r = 0;
        due->ticket = s->summary->windows;
        due->still = s->still_now.level;
        due->window = (struct clip_window){
            .index = s->window,
            .frame = centre,
            .pts_us = s->frames[slot_of(s, centre)].pts_us,
            .end_us = s->frames[slot_of(s, s->frame - 1)].pts_us,
            .gap_before = s->summary->windows > 0 && s->sequence != s->last_sequence,
            .still_boxes = s->still_now.boxes,
        };
        s->last_sequence = s->sequence;
        s->summary->windows++;
    }
    s->window++;
}

/* Passes a frame to the watch of what stands still. */
static void watch_still(struct clip_scorer *s, const uint8_t *pixels, const struct source_frame *frame)
{
    s->still_gap = s->still_gap || frame->gap || frame->corrupt;
    if (!s->watch || frame->corrupt)
        return;
    if (still_watch_add(s->watch, pixels, frame->pts_us, s->still_gap, &s->still_now) && !isnan(s->still_now.foreign)) {
        s->summary->ticks++;
        s->summary->foreign_ticks += s->still_now.foreign >= STILL_FOREIGN;
    }
    s->still_gap = false;
}

/* Reads frames until a batch of windows is complete, those left out included, or the source ends. */
static void decode_batch(struct clip_scorer *s)
{
    uint64_t end = s->window + (uint64_t)s->batch;

    s->n_next = 0;
    while (!s->ended && s->window < end) {
        uint64_t slot = slot_of(s, s->frame);
        struct source_frame frame;
        int r = capture_read(s->capture, s->pixels + slot * s->frame_size, &frame, &s->source_err);

        if (r <= 0) {
            s->ended = true;
            s->source_result = r;
            return;
        }
        hiding_fill(s->hiding, s->pixels + slot * s->frame_size);
        if (s->frame > 0 && frame.gap)
            s->summary->gaps++;
        if (frame.gap || frame.corrupt) {
            s->sequence++;
            s->sequence_start = s->frame + frame.corrupt;
        }
        s->summary->corrupt += frame.corrupt;
        s->summary->frames++;
        s->repeat.begun = s->repeat.begun && !frame.gap;
        watch_still(s, s->pixels + slot * s->frame_size, &frame);
        s->frames[slot] = (struct kept_frame){
            frame.pts_us, s->sequence,
            static_repeat_since(&s->repeat, s->pixels + slot * s->frame_size, s->frame_size, frame.pts_us)};
        if (s->frame++ == s->window * (uint64_t)s->stride + (uint64_t)s->length - 1)
            take_window(s);
    }
}

/* The first of n pixels in a cell: the smallest i with i * cells / n == cell. */
static int first_of(int cell, int cells, int n)
{
    return (cell * n + cells - 1) / cells;
}

/* Writes the mean squared error of each cell, over its pixels and all frames. sums: [map_h * map_w] scratch. */
static void map_window(const struct clip_scorer *s, const struct plan_result *result, double *sums, float *map)
{
    const struct arch *arch = plan_arch(s->plan);
    size_t cells = (size_t)s->map_h * (size_t)s->map_w, i = 0;

    memset(sums, 0, cells * sizeof *sums);
    for (int t = 0; t < arch->frames; t++)
        for (int y = 0; y < arch->height; y++) {
            double *row = sums + y * s->map_h / arch->height * s->map_w;

            for (int x = 0; x < arch->width; x++, i++) {
                float d = result->x_hat[i] - result->x[i];
                row[x * s->map_w / arch->width] += (double)(d * d);
            }
        }
    /* If a side is no multiple of the cells, cells differ in size by a pixel. */
    for (int y = 0; y < s->map_h; y++)
        for (int x = 0; x < s->map_w; x++) {
            int rows = first_of(y + 1, s->map_h, arch->height) - first_of(y, s->map_h, arch->height);
            int columns = first_of(x + 1, s->map_w, arch->width) - first_of(x, s->map_w, arch->width);

            map[y * s->map_w + x] = (float)(sums[y * s->map_w + x] / ((double)arch->frames * rows * columns));
        }
}

/* Asks the static gate. true: the window is static, and its score is set. */
static bool is_static(const struct clip_scorer *s, struct clip_window *window, uint64_t ticket, const uint8_t *const *pictures,
                      uint64_t *number)
{
    uint64_t first = window->index * (uint64_t)s->stride;
    const struct kept_frame *last = &s->frames[slot_of(s, first + (uint64_t)s->length - 1)];
    const struct static_window asked = {
        .frames = pictures, .first = first, .gap_before = window->gap_before,
        .frozen = (double)(last->pts_us - last->same_since_us) > 1e6 * s->calibration->still.frozen_s};
    struct static_score score;

    if (!static_gate_enter(s->gate, ticket, &asked, number, &score))
        return false;
    window->is_static = true;
    window->reference = score.reference;
    window->score = window->own_score = score.score;
    window->voices = score.voices;
    window->boxes = score.boxes;
    return true;
}

/* Item 0 decodes; it comes first because it may take longest. The others are the windows of the batch in their order, as
 * the static gate requires. */
static void run_item(void *arg, int item, int worker)
{
    struct clip_scorer *s = arg;
    const uint8_t **pictures = s->pictures + (size_t)worker * (size_t)s->length;
    struct plan_result result;
    struct score_features features;
    struct voices unused;
    uint64_t number;

    if (item == 0) {
        decode_batch(s);
        return;
    }
    struct due_window *due = &s->due[item - 1];
    uint64_t first = due->window.index * (uint64_t)s->stride;
    for (int i = 0; i < s->length; i++)
        pictures[i] = s->pixels + slot_of(s, first + (uint64_t)i) * s->frame_size;
    bool skip = s->gate && is_static(s, &due->window, due->ticket, pictures, &number);
    if (skip && s->statics == CLIP_STATIC)
        return;
    plan_run_sliding(s->plan, s->frame_caches[worker], first, pictures, s->workspaces[worker], &result);
    if (skip) {
        due->window.own_score = calibration_score(s->calibration, s->plan, &result, s->regions, &features, &unused);
        return;
    }
    due->window.reference = result.reference;
    due->window.score = calibration_score(s->calibration, s->plan, &result, s->regions, &features, &due->window.voices);
    if (s->calibration)
        calibration_boxes(s->calibration, s->plan, &result, s->regions, due->window.score,
                          (float)s->calibration->threshold,
                          (float)fmin(s->calibration->close_threshold, s->calibration->threshold), &due->window.boxes);
    if (s->gate)
        static_gate_leave(s->gate, number, &features,
                          &(struct static_score){.reference = due->window.reference, .score = due->window.score,
                                                 .level = due->window.score, .zone = -1, .voices = due->window.voices,
                                                 .boxes = due->window.boxes});
    if (has_own_map(s->calibration))
        score_map(&s->calibration->score, plan_arch(s->plan), s->regions, result.scratch, due->map);
    else
        map_window(s, &result, s->sums + (size_t)worker * (size_t)s->map_h * (size_t)s->map_w, due->map);
    due->window.map = due->map;
    due->window.map_h = s->map_h;
    due->window.map_w = s->map_w;
    if (s->sink->result)
        due->r = s->sink->result(s->sink->arg, &due->window, &result, &due->err);
}

int clip_score(struct clip_scorer *s, struct capture *capture, const struct clip_sink *sink, struct clip_summary *summary,
               struct error *err)
{
    *summary = (struct clip_summary){0};
    s->capture = capture;
    s->sink = sink;
    s->summary = summary;
    s->n_due = 0;
    s->frame = s->window = s->sequence = s->sequence_start = s->last_sequence = 0;
    s->ended = false;
    s->source_result = 0;
    for (int i = 0; i < s->parallel.threads; i++)
        frame_cache_clear(s->frame_caches[i]);
    s->repeat.begun = false;
    static_gate_close(s->gate);
    s->gate = NULL;
    still_watch_close(s->watch);
    s->watch = NULL;
    s->still_now = (struct still_result){.level = NAN};
    if (s->still && still_watch_open(&s->watch, s->still, (float)s->calibration->threshold, s->zones, NULL) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    if (s->statics != CLIP_COMPUTE_ALL) {
        const struct static_rule rule = {
            .threshold = (float)s->calibration->threshold,
            .close_threshold = (float)fmin(s->calibration->close_threshold, s->calibration->threshold),
            .k = ALERT_DEFAULT_K,
            .n = ALERT_DEFAULT_N};
        int r = static_gate_open(&s->gate, s->calibration, s->plan, &rule);
        if (r < 0)
            return error_set(err, r, "out of memory");
    }

    for (;;) {
        struct due_window *swap = s->due;

        s->parallel.run(&s->parallel, s->n_due + 1, run_item, s);
        for (int i = 0; i < s->n_due; i++) {
            struct due_window *due = &s->due[i];
            int r = due->r;

            if (r < 0)
                return error_set(err, r, "%s", due->err.text);
            if (due->window.is_static) {
                summary->windows_static++;
                summary->static_difference = fmaxf(summary->static_difference,
                                                   fabsf(due->window.own_score - due->window.score));
            }
            due->window.voices.score[VOICE_STILL] = due->still;
            r = sink->window(sink->arg, &due->window, err);
            if (r < 0)
                return r;
        }
        s->due = s->next_due;
        s->next_due = swap;
        s->n_due = s->n_next;
        s->n_next = 0;
        if (s->n_due == 0 && s->ended)
            break;
    }
    if (s->source_result < 0)
        return error_set(err, s->source_result, "%s", s->source_err.text);
    return 0;
}
