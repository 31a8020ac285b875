#include "daemon/watch/camera/camera.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/base/backoff.h"
#include "daemon/base/log.h"
#include "daemon/base/static_gate.h"
#include "daemon/watch/camera/results.h"
#include "daemon/watch/events.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/redact.h"
#include "io/base/thread.h"
#include "io/video/source.h"

/* What the watchdog grants beyond the source's own time limits: opening may wait for name resolution, that nothing can
 * interrupt; all else is short. */
#define OPEN_PATIENCE_US INT64_C(300000000)
#define READ_PATIENCE_US INT64_C(60000000)
#define WAIT_PATIENCE_US INT64_C(10000000)
/* A file that is later than this (the machine slept, say) goes on from here instead of catching up. */
#define MAX_LATE_US INT64_C(2000000)
enum { SCORES_KEPT = 16384, DEFAULT_FPS = 25 };

struct camera {
    uint32_t id;
    const struct config_camera *config;
    const struct plan *plan;
    bool has_calibration;
    struct calibration calibration;
    bool has_rule;
    struct alert_rule rule;
    double fps;
    int length;                 /* frames of a window */
    struct frame_cache *frame_cache;    /* of its windows; the worker's that set in_frame_cache */
    atomic_flag in_frame_cache;
    bool is_live, is_local;     /* paces itself; is a file, whose end is no loss */
    struct frame_ring *ring;
    struct results *results;
    struct static_gate *gate;   /* NULL: all windows are computed */
    struct events *events;
    struct scheduler *scheduler;
    size_t index;               /* in the scheduler */
    int changed_fd;
    struct heartbeat beat;
    pthread_t thread;
    bool started, joined;
    atomic_bool stop;           /* set with wait_lock held */

    /* The decoder thread's own. */
    struct backoff backoff;
    int unbroken;               /* frames since the sequence began, at most length */
    bool lost;                  /* told, and not restored since */
    int64_t anchor_us;          /* CLOCK_MONOTONIC at pts 0, while a file plays; 0: not begun */
    int64_t last_pts_us;
    uint64_t published;         /* frames */
    struct static_repeat repeat;        /* last: a picture */
    uint64_t corrupt_before;    /* frames of sources closed since */

    struct lock wait_lock;      /* for waiting on `stopped` */
    pthread_cond_t stopped;

    struct lock view_lock;      /* guards what camera_view() copies: */
    enum view_camera_state state;
    char reason[256];
    double fps_in;
    uint64_t frames_corrupt, reconnects;
    bool frozen;
};

static bool is_local_file(const char *url)
{
    return !source_is_live(url) && (!strstr(url, "://") || strncmp(url, "file:", 5) == 0);
}

/* Where the model bounds what it changes. */
static int open_gate(struct camera *camera, const struct camera_options *options)
{
    if (options->config->compute_all || !calibration_static_holds(options->calibration))
        return 0;
    const struct alert_rule *rule = options->rule;
    return static_gate_open(&camera->gate, &camera->calibration, camera->plan,
                            rule ? &(struct static_rule){rule->threshold, rule->close_threshold, rule->k, rule->n} : NULL);
}

int camera_open(struct camera **ret, const struct camera_options *options, struct error *err)
{
    const struct config_camera *config = options->config;
    const struct arch *arch = plan_arch(options->plan);
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return error_set(err, -ENOMEM, "%s: out of memory", config->name);
    lock_init(&camera->wait_lock, LOCK_WAIT);
    lock_init(&camera->view_lock, LOCK_VIEW);
    lock_cond_init(&camera->stopped);
    camera->id = options->id;
    camera->config = config;
    camera->plan = options->plan;
    camera->has_calibration = options->calibration != NULL;
    if (options->calibration)
        camera->calibration = *options->calibration;
    camera->has_rule = options->rule != NULL;
    if (options->rule)
        camera->rule = *options->rule;
    camera->fps = options->fps;
    camera->length = arch->frames;
    atomic_flag_clear(&camera->in_frame_cache);
    camera->is_live = source_is_live(config->source);
    camera->is_local = is_local_file(config->source);
    camera->events = options->events;
    camera->changed_fd = options->changed_fd;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed = (uint64_t)monotonic_us();
    backoff_init(&camera->backoff, seed);

    camera->frame_cache = plan_frame_cache_new(options->plan, config->stride);
    int r = camera->frame_cache ? 0 : -ENOMEM;
    if (r == 0)
        r = frame_ring_open(&camera->ring, &(struct frame_ring_options){.frame_size = (size_t)arch->height * (size_t)arch->width,
                                                                        .length = arch->frames,
                                                                        .stride = config->stride,
                                                                        .backlog = config->backlog,
                                                                        .readers = options->readers});
    if (r == 0)
        r = results_open(&camera->results,
                         &(struct results_options){.camera = config->name,
                                                   .rule = options->rule,
                                                   .tail = options->calibration && options->calibration->has_tail
                                                               ? &options->calibration->tail : NULL,
                                                   .windows_a_day = 86400 * (options->fps > 0 ? options->fps : 25) /
                                                                    config->stride,
                                                   .frames_per_window = config->stride < arch->frames ? config->stride
                                                                                                      : arch->frames,
                                                   .scores_kept = SCORES_KEPT,
                                                   .ring = camera->ring,
                                                   .alerts = options->alerts,
                                                   .events = options->events});
    camera->repeat.last = malloc((size_t)arch->height * (size_t)arch->width);
    if (r == 0)
        r = camera->repeat.last ? open_gate(camera, options) : -ENOMEM;
    if (r < 0) {
        camera_close(camera);
        return error_set(err, r, "%s: no buffer for windows of %d pictures of %dx%d: %s", config->name, arch->frames,
                         arch->width, arch->height, strerror(-r));
    }
    char name[80];
    snprintf(name, sizeof name, "camera %s", config->name);
    heartbeat_add(options->heartbeats, &camera->beat, name);
    *ret = camera;
    return 0;
}

void camera_close(struct camera *camera)
{
    if (!camera)
        return;
    assert(!camera->started || camera->joined);
    static_gate_close(camera->gate);
    free(camera->repeat.last);
    results_close(camera->results);
    frame_ring_close(camera->ring);
    free(camera->frame_cache);
    pthread_cond_destroy(&camera->stopped);
    lock_destroy(&camera->view_lock);
    lock_destroy(&camera->wait_lock);
    free(camera);
}

const char *camera_name(const struct camera *camera)
{
    return camera->config->name;
}

/* ---- the workers' side ---- */

static bool is_frozen(const struct camera *camera, const struct frame_ring_frame *frame)
{
    return camera->has_calibration && camera->calibration.has_static &&
           (double)(frame->pts_us - frame->same_since_us) > 1e6 * camera->calibration.still.frozen_s;
}

/* Whether a window is static; it has its result then. */
static bool is_static(const struct camera *camera, const struct frame_ring_window *window, const uint8_t *const *frames,
                      uint64_t *number, struct scheduler_result *ret)
{
    const struct static_window asked = {.frames = frames, .first = window->frames[0]->number, .gap_before = window->gap_before,
                                        .frozen = is_frozen(camera, window->frames[camera->length - 1])};
    struct static_score score;
    if (!static_gate_enter(camera->gate, window->ticket, &asked, number, &score))
        return false;
    ret->is_static = true;
    ret->reference = score.reference;
    ret->score = score.score;
    ret->boxes = score.boxes;
    return true;
}

/* A worker that runs a window of a camera while another is at one before shares nothing: waiting would cost more. */
static void run_window(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    struct camera *camera = arg;
    const uint8_t *frames[FRAME_RING_MAX_LENGTH];
    for (int i = 0; i < camera->length; i++)
        frames[i] = window->frames[i]->pixels;
    uint64_t number;
    if (camera->gate && is_static(camera, window, frames, &number, ret))
        return;
    struct plan_result result;
    struct score_features features;
    bool alone = !atomic_flag_test_and_set(&camera->in_frame_cache);
    plan_run_sliding(camera->plan, alone ? camera->frame_cache : NULL, window->frames[0]->number, frames, workspace, &result);
    if (alone)
        atomic_flag_clear(&camera->in_frame_cache);
    ret->reference = result.reference;
    const struct calibration *calibration = camera->has_calibration ? &camera->calibration : NULL;
    ret->score = calibration_score(calibration, camera->plan, &result, &features);
    if (camera->has_rule)
        calibration_boxes(calibration, camera->plan, &result, ret->score, camera->rule.threshold,
                          camera->rule.close_threshold, &ret->boxes);
    if (camera->gate)
        static_gate_leave(camera->gate, number, &features, &(struct static_score){ret->reference, ret->score, ret->boxes});
}

static void commit_result(void *arg, const struct scheduler_result *result)
{
    results_commit(((struct camera *)arg)->results, result);
}

struct scheduler_client camera_client(struct camera *camera)
{
    return (struct scheduler_client){.ring = camera->ring, .length = camera->length, .arg = camera, .run = run_window,
                                     .commit = commit_result};
}

/* ---- the decoder thread ---- */

static void set_state(struct camera *camera, enum view_camera_state state, const char *reason)
{
    lock_take(&camera->view_lock);
    bool changed = camera->state != state;
    camera->state = state;
    snprintf(camera->reason, sizeof camera->reason, "%s", reason);
    if (state == VIEW_LOST || state == VIEW_STOPPED)
        camera->fps_in = 0;
    lock_give(&camera->view_lock);
    if (changed && camera->changed_fd >= 0) {
        ssize_t r = write(camera->changed_fd, &(uint64_t){1}, sizeof(uint64_t));
        (void)r;        /* full only where nobody has looked for 2^64 changes */
    }
}

/* Waits until until_us (CLOCK_MONOTONIC); false: the thread is to end. */
static bool wait_until(struct camera *camera, int64_t until_us)
{
    heartbeat_until(&camera->beat, until_us + WAIT_PATIENCE_US);
    lock_take(&camera->wait_lock);
    while (!atomic_load(&camera->stop) && lock_wait_until(&camera->wait_lock, &camera->stopped, until_us))
        ;
    bool go_on = !atomic_load(&camera->stop);
    lock_give(&camera->wait_lock);
    return go_on;
}

static void post_event(struct camera *camera, enum event_type type, const char *reason, double quantity)
{
    events_post(camera->events, &(struct event){.type = type, .camera = camera->config->name, .reason = reason,
                                                .quantity = quantity});
}

static void post_frozen(struct camera *camera, bool frozen, int64_t us)
{
    post_event(camera, frozen ? EVENT_CAMERA_FROZEN : EVENT_CAMERA_UNFROZEN,
               frozen ? "pictures flow, but each is the same as the one before, for longer than ever in the model's footage"
                      : "pictures differ again, or the sequence has ended", 1e-6 * (double)us);
}

static void set_frozen(struct camera *camera, bool frozen)
{
    lock_take(&camera->view_lock);
    camera->frozen = frozen;
    lock_give(&camera->view_lock);
}

/* Nobody else writes camera->frozen, so it is read without the lock. */
static void end_sequence(struct camera *camera)
{
    if (camera->frozen)
        post_frozen(camera, false, camera->last_pts_us - camera->repeat.since_us);
    frame_ring_break(camera->ring);
    camera->unbroken = 0;
    camera->repeat.begun = false;
    set_frozen(camera, false);
}

/* Notes how long the picture has been the same, and tells when that becomes too long, and when it ends. */
static void count_repeat(struct camera *camera, struct frame_ring_frame *frame)
{
    const struct arch *arch = plan_arch(camera->plan);
    int64_t before_us = camera->repeat.since_us;
    frame->same_since_us = static_repeat_since(&camera->repeat, frame->pixels, (size_t)arch->height * (size_t)arch->width,
                                               frame->pts_us);
    bool frozen = is_frozen(camera, frame);
    if (frozen == camera->frozen)
        return;
    set_frozen(camera, frozen);
    post_frozen(camera, frozen, frame->pts_us - (frozen ? frame->same_since_us : before_us));
}

/* The sequence breaks, and goes on at once. */
static void break_sequence(struct camera *camera)
{
    if (camera->unbroken == camera->length)
        set_state(camera, VIEW_WARMING, "");
    end_sequence(camera);
}

static void tell_lost(struct camera *camera, const char *cause)
{
    char reason[256];
    redact(reason, sizeof reason, cause);
    end_sequence(camera);
    set_state(camera, VIEW_LOST, reason);
    results_break(camera->results, utc_us());
    if (!camera->lost)
        post_event(camera, EVENT_CAMERA_LOST, reason, 0);
    camera->lost = true;
}

static void count_frame(struct camera *camera)
{
    if (camera->unbroken == camera->length)
        return;
    if (camera->unbroken++ == 0)
        set_state(camera, VIEW_WARMING, "");
    if (camera->unbroken < camera->length)
        return;
    set_state(camera, VIEW_WATCHING, "");
    if (camera->lost)
        post_event(camera, EVENT_CAMERA_RESTORED, "pictures flow again", 0);
    camera->lost = false;
}

static void show_stream(struct camera *camera, const struct source *source)
{
    struct source_stats stats;
    source_stats(source, &stats);
    lock_take(&camera->view_lock);
    camera->fps_in = stats.fps_in;
    camera->frames_corrupt = camera->corrupt_before + stats.frames_corrupt;
    lock_give(&camera->view_lock);
}

/* Waits until a picture of a file is due; false: the thread is to end. */
static bool pace(struct camera *camera, int64_t pts_us)
{
    int64_t now_us = monotonic_us();
    if (camera->anchor_us == 0 || now_us > camera->anchor_us + pts_us + MAX_LATE_US)
        camera->anchor_us = now_us - pts_us;
    return camera->anchor_us + pts_us <= now_us || wait_until(camera, camera->anchor_us + pts_us);
}

/* Reads one picture into the ring. 1; 0 at the end; negative errno. */
static int take_picture(struct camera *camera, struct source *source, struct error *err)
{
    struct frame_ring_frame *frame = frame_ring_frame(camera->ring);
    struct source_frame picture;
    heartbeat_until(&camera->beat,
                    monotonic_us() + SOURCE_PICTURE_STALLS * (int64_t)(camera->config->stall_timeout_s * 1e6) +
                        READ_PATIENCE_US);
    int r = source_read(source, frame->pixels, &picture, err);
    show_stream(camera, source);
    if (r <= 0)
        return r;
    if (picture.gap || picture.corrupt)
        break_sequence(camera);
    if (picture.corrupt)
        return 1;
    if (picture.gap)
        camera->anchor_us = 0;      /* a jump of the timestamps is not waited for */
    if (!camera->is_live && !pace(camera, picture.pts_us))
        return -EINTR;
    frame->pts_us = picture.pts_us;
    frame->time_us = utc_us();
    frame->due_us = monotonic_us();
    count_repeat(camera, frame);
    if (frame_ring_publish(camera->ring))
        scheduler_due(camera->scheduler, camera->index);
    camera->last_pts_us = picture.pts_us;
    camera->published++;
    count_frame(camera);
    return 1;
}

/* Plays the source once. 0: it ended; negative errno with the cause in err. */
static int play(struct camera *camera, struct error *err)
{
    const struct config_camera *config = camera->config;
    const struct arch *arch = plan_arch(camera->plan);
    struct source_options options = {.width = arch->width,
                                     .height = arch->height,
                                     .fps = camera->fps,
                                     .udp = config->udp,
                                     .stall_timeout_ms = (int)(config->stall_timeout_s * 1e3),
                                     .stop = &camera->stop,
                                     .decoder_threads = 1};
    struct source *source;
    heartbeat_until(&camera->beat, monotonic_us() + (int64_t)(config->stall_timeout_s * 1e6) + OPEN_PATIENCE_US);
    int r = source_open(&source, config->source, &options, err);
    if (r < 0)
        return r;
    camera->anchor_us = 0;
    while ((r = take_picture(camera, source, err)) > 0)
        ;
    struct source_stats stats;
    source_stats(source, &stats);
    camera->corrupt_before += stats.frames_corrupt;
    source_close(source);
    return r;
}

/* A file has ended and begins again: its last picture stands as long as the others. */
static void begin_again(struct camera *camera)
{
    /* fps_in is read without the lock: nobody else writes it. */
    double fps = camera->fps > 0 ? camera->fps : camera->fps_in > 0 ? camera->fps_in : DEFAULT_FPS;
    int64_t interval_us = (int64_t)(1e6 / fps);
    wait_until(camera, camera->anchor_us + camera->last_pts_us + interval_us);
    break_sequence(camera);
}

static void end_of_file(struct camera *camera)
{
    static const char reason[] = "the file has ended";
    end_sequence(camera);
    results_break(camera->results, utc_us());
    set_state(camera, VIEW_STOPPED, reason);
    log_event(LOG_INFO, "camera_stopped", "camera", camera->config->name, "reason", reason, NULL);
}

static void wait_to_reconnect(struct camera *camera, const char *reason)
{
    int64_t delay_us = backoff_next_us(&camera->backoff);
    struct log_number delay;
    log_event(LOG_DEBUG, "camera_waits", "camera", camera->config->name, "reason", reason, "seconds",
              log_real(&delay, (double)delay_us / 1e6), NULL);
    if (!wait_until(camera, monotonic_us() + delay_us))
        return;
    lock_take(&camera->view_lock);
    camera->reconnects++;
    lock_give(&camera->view_lock);
}

static void *camera_main(void *arg)
{
    struct camera *camera = arg;
    while (!atomic_load(&camera->stop)) {
        struct error err;
        int64_t started_us = monotonic_us();
        uint64_t published = camera->published;
        int r = play(camera, &err);
        if (atomic_load(&camera->stop))
            break;
        bool any = camera->published > published;
        if (r == 0 && any && camera->config->loop && !camera->is_live) {
            begin_again(camera);
        } else if (r == 0 && any && camera->is_local) {
            end_of_file(camera);
            break;
        } else {
            if (r == 0)
                error_set(&err, 0, any ? "the stream ended" : "the stream ended without a picture");
            tell_lost(camera, err.text);
            if (any && monotonic_us() - started_us >= BACKOFF_LAST_US)
                backoff_reset(&camera->backoff);
            wait_to_reconnect(camera, err.text);
        }
    }
    heartbeat_idle(&camera->beat);
    return NULL;
}

int camera_start(struct camera *camera, struct scheduler *scheduler, size_t index)
{
    camera->scheduler = scheduler;
    camera->index = index;
    char name[80];
    snprintf(name, sizeof name, "cam-%s", camera->config->name);
    log_event(LOG_INFO, "camera_started", "camera", camera->config->name, "source", camera->config->source, NULL);
    int r = thread_start(&camera->thread, name, camera_main, camera);
    camera->started = r == 0;
    return r;
}

void camera_stop(struct camera *camera)
{
    lock_take(&camera->wait_lock);
    atomic_store(&camera->stop, true);
    pthread_cond_broadcast(&camera->stopped);
    lock_give(&camera->wait_lock);
}

bool camera_join(struct camera *camera, int64_t deadline_us)
{
    if (camera->started && !camera->joined)
        camera->joined = thread_join(camera->thread, deadline_us);
    return !camera->started || camera->joined;
}

void camera_end(struct camera *camera)
{
    if (!camera->started)
        return;
    frame_ring_skip_pending(camera->ring);
    results_end(camera->results, utc_us());
    struct view_camera view;
    camera_view(camera, &view);
    struct log_number frames, dropped, due, scored, skipped;
    log_event(LOG_INFO, "camera_ended", "camera", view.name, "frames", log_int(&frames, (long long)view.frames),
              "frames_dropped", log_int(&dropped, (long long)view.frames_dropped), "windows_due",
              log_int(&due, (long long)view.windows_due), "windows_scored", log_int(&scored, (long long)view.windows_scored),
              "windows_skipped", log_int(&skipped, (long long)view.windows_skipped), NULL);
}

/* ---- for the web ---- */

void camera_view(struct camera *camera, struct view_camera *ret)
{
    *ret = (struct view_camera){.id = camera->id};
    snprintf(ret->name, sizeof ret->name, "%s", camera->config->name);
    const char *slash = strrchr(camera->config->model, '/');
    snprintf(ret->model, sizeof ret->model, "%s", slash ? slash + 1 : camera->config->model);
    ret->precision = plan_precision(camera->plan);
    lock_take(&camera->view_lock);
    ret->state = camera->state;
    memcpy(ret->reason, camera->reason, sizeof ret->reason);
    ret->fps_in = camera->fps_in;
    ret->frames_corrupt = camera->frames_corrupt;
    ret->reconnects = camera->reconnects;
    ret->frozen = camera->frozen;
    lock_give(&camera->view_lock);

    /* Scored first: every window that is scored by now is claimed in the counters read after it, so that what is left is
     * never negative. Pending are those under way too. */
    results_view(camera->results, ret);
    struct frame_ring_stats stats;
    frame_ring_stats(camera->ring, &stats);
    ret->frames = stats.frames;
    ret->frames_dropped = stats.frames_dropped;
    ret->windows_due = stats.windows_due;
    ret->windows_skipped = stats.windows_skipped;
    ret->windows_pending = stats.windows_due - stats.windows_skipped - ret->windows_scored;
    /* The end of a file is told when its last window is. */
    if (ret->state == VIEW_STOPPED && ret->windows_pending > 0) {
        ret->state = VIEW_WATCHING;
        ret->reason[0] = '\0';
    }
}

size_t camera_scores(struct camera *camera, uint64_t from, struct score_record *ret, size_t max, struct record_range *range)
{
    return results_scores(camera->results, from, ret, max, range);
}
