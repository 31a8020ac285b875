#include "daemon/watch/camera/camera.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/backoff.h"
#include "daemon/base/log.h"
#include "daemon/watch/camera/keeping.h"
#include "daemon/watch/camera/results.h"
#include "daemon/watch/camera/status.h"
#include "daemon/watch/camera/stream.h"
#include "daemon/watch/camera/windows.h"
#include "io/base/clock.h"
#include "io/base/thread.h"
#include "io/video/source.h"

struct camera {
    uint32_t id;
    struct config *owner;
    const struct config_camera *config;
    const struct plan *plan;
    struct camera_status status;
    struct camera_windows *windows;
    struct camera_stream *stream;
    struct scheduler *scheduler;
    struct scheduled *client;           /* NULL: the scheduler does not know the camera */
    struct evidence *evidence;
    struct packet_ring *packets;        /* NULL: no evidence is kept */
    struct packet_ring *kept;           /* of the other stream that is kept; NULL: none */
    struct camera_keeping *keeping;     /* reads that stream */
    struct heartbeats *heartbeats;
    struct heartbeat beat;
    struct backoff backoff;             /* the thread's own */
    pthread_t thread;
    bool started, joined, ended;

    struct lock go_lock;                /* guards: */
    pthread_cond_t may_go;
    bool go;
};

/* Packets are kept for this much longer than pre_roll_s, because an alert opens some windows after its cause began. */
#define PACKETS_LATER_US INT64_C(6000000)

/* A camera without an alert rule has no clips. It has pictures of faults. */
static bool keeps_clips(const struct camera_options *options)
{
    return options->rule && options->config->evidence.clips;
}

static bool keeps_packets(const struct camera_options *options)
{
    const struct config_camera *config = options->config;
    return options->evidence &&
           (keeps_clips(options) || (config->evidence.snapshots && (options->rule || config->health.enabled)));
}

/* Opens the rings of packets where evidence is kept. */
static int open_packets(struct camera *camera, const struct camera_options *options)
{
    const struct config_evidence *rolls = &options->config->evidence;
    const size_t bytes = (size_t)rolls->ring_mib << 20;
    const int64_t keep_us = (keeps_clips(options) ? (int64_t)(1e6 * rolls->pre_roll_s) : 0) + PACKETS_LATER_US;
    const bool keeps_other = rolls->source && keeps_clips(options);
    const int memory_mib = options->owner ? options->owner->max_decoder_mib : 0;
    if (!keeps_packets(options))
        return 0;
    int r = packet_ring_open(&camera->packets, bytes, keep_us);
    if (r == 0 && keeps_other)
        r = packet_ring_open(&camera->kept, bytes, keep_us);
    if (r == 0 && keeps_other)
        r = camera_keeping_open(&camera->keeping,
                                &(struct camera_keeping_options){.config = options->config,
                                                                 .host = options->host,
                                                                 .memory_mib = memory_mib,
                                                                 .packets = camera->kept,
                                                                 .heartbeats = options->heartbeats});
    return r;
}

/* Alerts of the camera have evidence from now on. */
static int join_evidence(struct camera *camera, const struct camera_options *options)
{
    const struct pictures_camera pictures = {.memory_mib = options->owner ? options->owner->max_decoder_mib : 0,
                                             .zones = options->config->zones,
                                             .peak = camera_windows_peak(camera->windows),
                                             .plan = options->plan,
                                             .calibration = camera_windows_calibration(camera->windows),
                                             .regions = camera_windows_regions(camera->windows)};
    struct config_evidence rolls = options->config->evidence;
    rolls.clips = keeps_clips(options);
    return evidence_add(options->evidence, &(struct evidence_camera){.name = options->config->name,
                                                                     .rolls = &rolls,
                                                                     .ring = camera->packets,
                                                                     .other = camera->kept,
                                                                     .pictures = &pictures});
}

static int open_parts(struct camera *camera, const struct camera_options *options)
{
    const bool keeps_peak = options->evidence && options->config->evidence.snapshots;
    int r = open_packets(camera, options);
    if (r < 0)
        return r;
    r = camera_windows_open(&camera->windows,
                                &(struct camera_windows_options){.config = options->config,
                                                                 .calibration = options->calibration,
                                                                 .plan = options->plan,
                                                                 .fps = options->fps,
                                                                 .rule = options->rule,
                                                                 .zone_shifts = options->zone_shifts,
                                                                 .readers = options->readers,
                                                                 .keeps_peak = keeps_peak,
                                                                 .shared = options->host != NULL,
                                                                 .alerts = options->alerts,
                                                                 .events = options->events, .arming = options->arming});
    if (r == 0)
        r = camera_stream_open(&camera->stream,
                               &(struct camera_stream_options){.config = options->config,
                                                               .fps = options->fps,
                                                               .windows = camera->windows,
                                                               .packets = camera->packets,
                                                               .keeping = camera->keeping,
                                                               .host = options->host,
                                                               .memory_mib = options->owner ? options->owner->max_decoder_mib : 0,
                                                               .still = options->still,
                                                               .zone_shifts = options->zone_shifts,
                                                               .still_threshold = options->rule ? options->rule->threshold
                                                                                                : INFINITY,
                                                               .status = &camera->status,
                                                               .events = options->events,
                                                               .alerts = options->alerts,
                                                               .baselines = options->baselines,
                                                               .beat = &camera->beat});
    if (r == 0 && camera->packets)
        r = join_evidence(camera, options);
    if (r < 0)
        return r;
    const struct scheduler_client client = camera_windows_client(camera->windows);
    r = scheduler_add(options->scheduler, &client, &camera->client);
    if (r == 0)
        camera_stream_set_scheduler(camera->stream, options->scheduler, camera->client);
    return r;
}

int camera_open(struct camera **ret, const struct camera_options *options, struct error *err)
{
    const struct arch *arch = plan_arch(options->plan);
    const char *camera_name = options->config->name;
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return error_set(err, -ENOMEM, "%s: out of memory", camera_name);
    camera->id = options->id;
    camera->owner = config_ref(options->owner);
    camera->config = options->config;
    camera->plan = options->plan;
    camera->scheduler = options->scheduler;
    camera->evidence = options->evidence;
    camera->heartbeats = options->heartbeats;
    camera_status_init(&camera->status, options->changed_fd);
    lock_init(&camera->go_lock, LOCK_WAIT);
    lock_cond_init(&camera->may_go);
    char name[HEARTBEAT_NAME_SIZE];
    snprintf(name, sizeof name, "camera %s", camera_name);
    heartbeat_add(options->heartbeats, &camera->beat, name);
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed = (uint64_t)monotonic_us();
    backoff_init(&camera->backoff, seed);
    int r = open_parts(camera, options);
    if (r < 0) {
        camera_close(camera);
        return error_set(err, r, "%s: no memory for windows of %d pictures of %dx%d: %s", camera_name, arch->frames,
                         arch->width, arch->height, strerror(-r));
    }
    *ret = camera;
    return 0;
}

void camera_close(struct camera *camera)
{
    if (!camera)
        return;
    assert(!camera->started || camera->joined);
    if (camera->client)         /* it never ran, or all workers have ended: no window runs */
        camera_leave(camera, INT64_MAX);
    heartbeat_remove(camera->heartbeats, &camera->beat);
    camera_stream_close(camera->stream);
    if (camera->packets)
        evidence_remove(camera->evidence, camera->packets);
    camera_windows_close(camera->windows);
    camera_keeping_close(camera->keeping);
    packet_ring_unref(camera->packets);
    packet_ring_unref(camera->kept);
    pthread_cond_destroy(&camera->may_go);
    lock_destroy(&camera->go_lock);
    camera_status_destroy(&camera->status);
    config_unref(camera->owner);
    free(camera);
}

uint32_t camera_id(const struct camera *camera)
{
    return camera->id;
}

const char *camera_name(const struct camera *camera)
{
    return camera->config->name;
}

const struct config_camera *camera_config(const struct camera *camera)
{
    return camera->config;
}

const struct plan *camera_plan(const struct camera *camera)
{
    return camera->plan;
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static void wait_to_reconnect(struct camera *camera, const char *reason)
{
    int64_t delay_us = backoff_next_us(&camera->backoff);
    struct log_number delay;
    log_event(LOG_DEBUG, "camera_waits", "camera", camera->config->name, "reason", reason, "seconds",
              log_real(&delay, (double)delay_us / 1e6), NULL);
    if (camera_stream_wait_until(camera->stream, monotonic_us() + delay_us))
        camera_status_count_reconnect(&camera->status);
}

static bool wait_for_go(struct camera *camera)
{
    lock_take(&camera->go_lock);
    while (!camera->go)
        lock_wait(&camera->go_lock, &camera->may_go);
    lock_give(&camera->go_lock);
    return !camera_stream_stopped(camera->stream);
}

static void *camera_main(void *arg)
{
    struct camera *camera = arg;
    if (!wait_for_go(camera))
        return NULL;
    source_log_as(camera->config->name);
    log_event(LOG_INFO, "camera_started", "camera", camera->config->name, "source", camera->config->source, NULL);
    while (!camera_stream_stopped(camera->stream)) {
        struct error err;
        int64_t started_us = monotonic_us();
        uint64_t pictures;
        int r = camera_stream_play(camera->stream, &pictures, &err);
        if (camera_stream_stopped(camera->stream))
            break;
        if (r == 0 && pictures && camera->config->loop && !camera_stream_is_live(camera->stream)) {
            camera_stream_begin_again(camera->stream, pictures);
        } else if (r == 0 && pictures && camera_stream_is_file(camera->stream)) {
            camera_stream_end(camera->stream, pictures);
            break;
        } else {
            if (r == 0)
                error_set(&err, 0, pictures ? "the stream ended" : "the stream ended without a picture");
            camera_stream_lose(camera->stream, err.text);
            if (pictures && monotonic_us() - started_us >= BACKOFF_LAST_US)
                backoff_reset(&camera->backoff);
            wait_to_reconnect(camera, err.text);
        }
    }
    camera_stream_finish(camera->stream);
    heartbeat_idle(&camera->beat);
    return NULL;
}

int camera_start(struct camera *camera)
{
    char name[80];
    snprintf(name, sizeof name, "cam-%s", camera->config->name);
    int r = thread_start(&camera->thread, name, camera_main, camera);
    camera->started = r == 0;
    if (r < 0 || !camera->keeping || (r = camera_keeping_start(camera->keeping)) == 0)
        return r;
    camera_stop(camera);
    camera_join(camera, INT64_MAX);
    return r;
}

void camera_go(struct camera *camera)
{
    lock_take(&camera->go_lock);
    camera->go = true;
    pthread_cond_broadcast(&camera->may_go);
    lock_give(&camera->go_lock);
    if (camera->keeping)
        camera_keeping_go(camera->keeping);
}

void camera_stop(struct camera *camera)
{
    camera_stream_stop(camera->stream);
    if (camera->keeping)
        camera_keeping_stop(camera->keeping);
    camera_go(camera);
}

bool camera_join(struct camera *camera, int64_t deadline_us)
{
    if (camera->started && !camera->joined)
        camera->joined = thread_join(camera->thread, deadline_us);
    bool kept_joined = !camera->keeping || camera_keeping_join(camera->keeping, deadline_us);
    return (!camera->started || camera->joined) && kept_joined;
}

bool camera_leave(struct camera *camera, int64_t deadline_us)
{
    if (camera->client && scheduler_remove(camera->scheduler, camera->client, deadline_us))
        camera->client = NULL;
    return camera->client == NULL;
}

void camera_end(struct camera *camera)
{
    if (camera->ended)
        return;
    camera->ended = true;
    if (!camera->started)
        return;
    frame_ring_skip_pending(camera_windows_ring(camera->windows));
    results_end(camera_windows_results(camera->windows), utc_us());
    struct view_camera view;
    camera_view(camera, &view);
    struct log_number frames, dropped, due, scored, skipped;
    log_event(LOG_INFO, "camera_ended", "camera", view.name, "frames", log_int(&frames, (long long)view.frames),
              "frames_dropped", log_int(&dropped, (long long)view.frames_dropped), "windows_due",
              log_int(&due, (long long)view.windows_due), "windows_scored", log_int(&scored, (long long)view.windows_scored),
              "windows_skipped", log_int(&skipped, (long long)view.windows_skipped), NULL);
}

/* ---- for the web ---------------------------------------------------------------------------------------------------- */

void camera_view(struct camera *camera, struct view_camera *ret)
{
    *ret = (struct view_camera){.id = camera->id};
    snprintf(ret->name, sizeof ret->name, "%s", camera->config->name);
    const char *slash = strrchr(camera->config->model, '/');
    snprintf(ret->model, sizeof ret->model, "%s", slash ? slash + 1 : camera->config->model);
    ret->is_tls = source_is_tls(camera->config->source);
    ret->isolated = camera_windows_memory(camera->windows) != NULL;
    ret->tls_verified = camera->config->tls_verify;
    ret->precision = camera_windows_precision(camera->windows);
    camera_status_view(&camera->status, ret);

    /* Scored windows are read first: each of them is claimed in the counters that are read after it, so that the rest is
     * never negative. Pending windows include those that are being computed. */
    results_view(camera_windows_results(camera->windows), ret);
    struct frame_ring_stats stats;
    frame_ring_stats(camera_windows_ring(camera->windows), &stats);
    ret->frames = stats.frames;
    ret->frames_dropped = stats.frames_dropped;
    ret->windows_due = stats.windows_due;
    ret->windows_skipped = stats.windows_skipped;
    ret->windows_pending = stats.windows_due - stats.windows_skipped - ret->windows_scored;
    /* A file's end is shown once its last window is scored. */
    if (ret->state == VIEW_STOPPED && ret->windows_pending > 0) {
        ret->state = VIEW_WATCHING;
        ret->reason[0] = '\0';
    }
}

bool camera_relearn(struct camera *camera)
{
    return camera_stream_relearn(camera->stream);
}

size_t camera_scores(struct camera *camera, uint64_t from, struct score_record *ret, size_t max, struct record_range *range)
{
    return results_scores(camera_windows_results(camera->windows), from, ret, max, range);
}
