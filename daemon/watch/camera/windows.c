#include "daemon/watch/camera/windows.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/base/static_gate.h"
#include "io/base/clock.h"
#include "io/video/source.h"

enum { SCORES_KEPT = 16384, SECONDS_A_DAY = 86400 };

struct camera_windows {
    const struct plan *plan;
    bool has_calibration;
    struct calibration calibration;
    double fps;                 /* frames analysed a second; 0: every frame */
    bool has_rule;
    struct alert_rule rule;
    struct regions *regions;    /* of masks and zones; NULL: all cells count alike */
    int length;                 /* frames of a window */
    struct frame_cache *frame_cache;    /* used by the worker that set in_frame_cache */
    atomic_flag in_frame_cache;
    struct capture_memory memory;       /* of the ring's pictures; zeroes: the ring's own */
    struct frame_ring *ring;
    struct results *results;
    struct static_gate *gate;   /* NULL: every window is computed */
    struct peak *peak;          /* NULL: nobody wants its frames */
};

/* Static windows are skipped where the model bounds how far that changes a score. */
static int open_gate(struct camera_windows *windows, const struct camera_windows_options *options)
{
    if (options->config->compute_all || !calibration_static_holds(options->calibration))
        return 0;
    const struct alert_rule *rule = options->rule;
    return static_gate_open(&windows->gate, &windows->calibration, windows->plan,
                            rule ? &(struct static_rule){rule->threshold, rule->close_threshold, rule->k, rule->n,
                                                         rule->smooth_us > 0} : NULL);
}

static int open_results(struct camera_windows *windows, const struct camera_windows_options *options)
{
    const struct calibration *calibration = options->calibration;
    int stride = options->config->stride;
    double fps = options->fps > 0 ? options->fps : SOURCE_DEFAULT_FPS;
    const struct config_alert *alert = &options->config->alert;
    const struct policy_rule policy = {
        .cooldown_us = (int64_t)(alert->cooldown_s * 1e6),
        .max_per_hour = alert->max_per_hour,
        .margin = options->rule ? policy_margin(calibration && calibration->has_score, (double)options->rule->threshold) : 0};
    return results_open(&windows->results,
                        &(struct results_options){.camera = options->config->name,
                                                  .zones = options->config->zones,
                                                  .model = options->config->model,
                                                  .rule = options->rule,
                                                  .policy = &policy,
                                                  .hold = options->config->health.hold,
                                                  .mark = options->config->health.mark,
                                                  .lasting_us = (int64_t)(alert->lasting_h * 3600e6),
                                                  .calibration = calibration,
                                                  .windows_a_day = SECONDS_A_DAY * fps / stride,
                                                  .frames_per_window = stride < windows->length ? stride : windows->length,
                                                  .scores_kept = SCORES_KEPT,
                                                  .ring = windows->ring,
                                                  .alerts = options->alerts,
                                                  .events = options->events, .arming = options->arming});
}

static int open_ring(struct camera_windows *windows, const struct camera_windows_options *options, const struct arch *arch)
{
    struct frame_ring_options ring = {.frame_size = (size_t)arch->height * (size_t)arch->width,
                                      .length = arch->frames,
                                      .stride = options->config->stride,
                                      .backlog = options->config->backlog,
                                      .readers = options->readers};
    int r = options->shared ? capture_memory_open(&windows->memory, frame_ring_bytes(&ring)) : 0;
    if (r < 0)
        return r;
    ring.memory = windows->memory.bytes;
    return frame_ring_open(&windows->ring, &ring);
}

int camera_windows_open(struct camera_windows **ret, const struct camera_windows_options *options)
{
    const struct arch *arch = plan_arch(options->plan);
    struct camera_windows *windows = calloc(1, sizeof *windows);
    if (!windows)
        return -ENOMEM;
    windows->plan = options->plan;
    windows->has_calibration = options->calibration != NULL;
    if (options->calibration)
        windows->calibration = *options->calibration;
    windows->fps = options->fps;
    windows->has_rule = options->rule != NULL;
    if (options->rule)
        windows->rule = *options->rule;
    windows->length = arch->frames;
    atomic_flag_clear(&windows->in_frame_cache);
    windows->frame_cache = plan_frame_cache_new(options->plan, options->config->stride);
    int r = windows->frame_cache ? 0 : -ENOMEM;
    if (r == 0)
        r = score_regions_open(&windows->regions, options->config->zones, options->zone_shifts, arch);
    if (r == 0)
        r = open_ring(windows, options, arch);
    if (r == 0)
        r = open_results(windows, options);
    if (r == 0)
        r = open_gate(windows, options);
    if (r == 0 && options->keeps_peak && options->rule)
        r = peak_open(&windows->peak, arch->frames, (size_t)arch->height * (size_t)arch->width, options->rule->smooth_us);
    if (r < 0)
        camera_windows_close(windows);
    else
        *ret = windows;
    return r;
}

void camera_windows_close(struct camera_windows *windows)
{
    if (!windows)
        return;
    regions_close(windows->regions);
    static_gate_close(windows->gate);
    peak_close(windows->peak);
    results_close(windows->results);
    frame_ring_close(windows->ring);
    capture_memory_close(&windows->memory);
    free(windows->frame_cache);
    free(windows);
}

const struct capture_memory *camera_windows_memory(const struct camera_windows *windows)
{
    return windows->memory.bytes ? &windows->memory : NULL;
}

bool camera_windows_is_frozen(const struct camera_windows *windows, const struct frame_ring_frame *frame)
{
    return windows->has_calibration && windows->calibration.has_static &&
           (double)(frame->pts_us - frame->same_since_us) > 1e6 * windows->calibration.still.frozen_s;
}

/* Returns true if the frames came too slowly for the calibration: what moves seems faster to the model. One frame that is
 * missing does not make a window slow. */
static bool is_slow(const struct camera_windows *windows, const struct frame_ring_window *window)
{
    int last = windows->length - 1;
    double seconds = 1e-6 * (double)(window->frames[last]->pts_us - window->frames[0]->pts_us);
    return last < CALIBRATION_SLOW_RATE * windows->fps * seconds;
}

/* Returns true if the window is static. Then ret has its score. */
static bool is_static(const struct camera_windows *windows, const struct frame_ring_window *window,
                      const uint8_t *const *frames, uint64_t *number, struct scheduler_result *ret)
{
    const struct static_window asked = {.frames = frames,
                                        .first = window->frames[0]->number,
                                        .gap_before = window->gap_before,
                                        .frozen = camera_windows_is_frozen(windows, window->frames[windows->length - 1])};
    struct static_score score;
    if (!static_gate_enter(windows->gate, window->ticket, &asked, number, &score))
        return false;
    ret->is_static = true;
    ret->reference = score.reference;
    ret->score = score.score;
    ret->level = score.level;
    ret->zone = score.zone;
    ret->voices = score.voices;
    ret->boxes = score.boxes;
    return true;
}

/* The frame cache serves one worker at a time. A worker that finds it in use computes its window without it, because waiting
 * would take longer; the result is the same. */
static void compute(struct camera_windows *windows, const struct frame_ring_window *window, const uint8_t *const *frames,
                    void *workspace, struct scheduler_result *ret, struct score_features *features)
{
    struct plan_result result;
    int64_t start_us = monotonic_us();
    bool alone = !atomic_flag_test_and_set(&windows->in_frame_cache);
    plan_run_sliding(windows->plan, alone ? windows->frame_cache : NULL, window->frames[0]->number, frames, workspace,
                     &result);
    if (alone)
        atomic_flag_clear(&windows->in_frame_cache);
    const struct calibration *calibration = windows->has_calibration ? &windows->calibration : NULL;
    ret->reference = result.reference;
    ret->score = calibration_score(calibration, windows->plan, &result, windows->regions, features, &ret->voices);
    ret->level = calibration_level(calibration, windows->plan, &result, windows->regions, ret->score, &ret->zone);
    if (windows->has_rule)
        calibration_boxes(calibration, windows->plan, &result, windows->regions, ret->level, windows->rule.threshold,
                          windows->rule.close_threshold, &ret->boxes);
    ret->computed_us = monotonic_us() - start_us;
}

/* Keeps the frames of a window that counts towards an alert, for the picture that says why. */
static void offer_peak(struct camera_windows *windows, const struct frame_ring_window *window, const uint8_t *const *frames,
                       const struct scheduler_result *result)
{
    const struct frame_ring_frame *centre = window->frames[windows->length / 2];
    if (!windows->peak || result->is_slow || !(result->level >= windows->rule.close_threshold))
        return;
    const struct peak_window offered = {.time_us = centre->time_us, .arrival_us = centre->arrival_us, .level = result->level,
                                        .boxes = result->boxes};
    peak_offer(windows->peak, &offered, frames);
}

static void run_window(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    struct camera_windows *windows = arg;
    const uint8_t *frames[FRAME_RING_MAX_LENGTH];
    for (int i = 0; i < windows->length; i++)
        frames[i] = window->frames[i]->pixels;
    ret->is_slow = is_slow(windows, window);
    uint64_t number;
    if (windows->gate && is_static(windows, window, frames, &number, ret))
        return;
    struct score_features features;
    compute(windows, window, frames, workspace, ret, &features);
    offer_peak(windows, window, frames, ret);
    if (windows->gate)
        static_gate_leave(windows->gate, number, &features,
                          &(struct static_score){ret->reference, ret->score, ret->level, ret->zone, ret->voices, ret->boxes});
}

static void commit_result(void *arg, const struct scheduler_result *result)
{
    results_commit(((struct camera_windows *)arg)->results, result);
}

struct scheduler_client camera_windows_client(struct camera_windows *windows)
{
    return (struct scheduler_client){.ring = windows->ring,
                                     .length = windows->length,
                                     .workspace_size = plan_workspace_size(windows->plan),
                                     .arg = windows,
                                     .run = run_window,
                                     .commit = commit_result};
}

struct frame_ring *camera_windows_ring(struct camera_windows *windows)
{
    return windows->ring;
}

struct results *camera_windows_results(struct camera_windows *windows)
{
    return windows->results;
}

struct peak *camera_windows_peak(struct camera_windows *windows)
{
    return windows->peak;
}

const struct calibration *camera_windows_calibration(const struct camera_windows *windows)
{
    return windows->has_calibration ? &windows->calibration : NULL;
}

const struct regions *camera_windows_regions(const struct camera_windows *windows)
{
    return windows->regions;
}

const struct arch *camera_windows_arch(const struct camera_windows *windows)
{
    return plan_arch(windows->plan);
}

enum precision camera_windows_precision(const struct camera_windows *windows)
{
    return plan_precision(windows->plan);
}
