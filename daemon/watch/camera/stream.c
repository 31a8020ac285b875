#include "daemon/watch/camera/stream.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/hiding.h"
#include "daemon/base/camera_settings.h"
#include "daemon/base/log.h"
#include "daemon/watch/camera/audio_log.h"
#include "daemon/watch/camera/breaks.h"
#include "daemon/watch/camera/diagnosis.h"
#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/capture/capture.h"

/* The watchdog waits this much longer than the source's own time limits. With isolation: thread, opening may wait for name
 * resolution, which nothing can interrupt; all else is short. */
#define OPEN_PATIENCE_US INT64_C(300000000)
#define READ_PATIENCE_US INT64_C(60000000)
#define WAIT_PATIENCE_US INT64_C(10000000)
/* If a picture of a file is later than this, because the machine slept, the file goes on from there and does not catch up. */
#define MAX_LATE_US INT64_C(2000000)
/* A stream is slow once it has given less than CALIBRATION_SLOW_RATE of the frames a second that are to be analysed for
 * SLOW_AFTER_US. It is slow no more once it has given at least SLOW_END_RATE for as long. */
#define SLOW_END_RATE 0.95
#define SLOW_AFTER_US INT64_C(10000000)

enum { WARNING_SIZE = 256 };

struct camera_stream {
    struct camera_stream_options options;
    struct frame_ring *ring;
    struct results *results;
    struct scheduler *scheduler;
    struct scheduled *client;
    size_t frame_size;          /* pixels */
    struct hiding *hiding;      /* of the masks; NULL: none */
    int length;                 /* frames of a window */
    bool is_live, is_file;

    /* The thread's own. */
    int unbroken;               /* frames since the sequence began, at most length */
    bool lost;                  /* camera.lost was posted, and no camera.restored since */
    char reason[512];           /* why it was lost last */
    bool frozen;
    bool slow;
    int64_t rate_us;            /* pts up to which the stream's rate was as `slow` says */
    int short_file;             /* frames of a file that is looped, if they are fewer than a window has; else 0 */
    struct breaks breaks;
    int width, height;          /* of the last picture, as a viewer shows it; 0: none yet */
    int64_t anchor_us;          /* CLOCK_MONOTONIC at pts 0 while a file plays; 0: not begun */
    int64_t last_pts_us;
    enum view_time time;        /* of this opening of the source; unknown: no picture yet */
    double fps_in;              /* of the stream, as it was last measured; 0: unknown */
    struct static_repeat repeat;        /* last: a picture */
    int64_t sound_us;           /* CLOCK_MONOTONIC of the last picture that was not corrupt, or of this opening */
    uint64_t corrupt_before;    /* frames of earlier openings of the source */
    struct still_memory *memory;        /* NULL: none */
    struct still_watch *watch;          /* NULL: no memory */
    struct diagnosis *diagnosis;        /* NULL: none */
    int foreign_ticks;          /* in a row at which the scene was not as `foreign` says */
    bool foreign;               /* the scene is not the one that the model learned */
    bool wrong_aspect;          /* of the last picture */
    char kept_fault[256];       /* why the stream that is kept for clips is lost; "": it is not */
    unsigned kept_version;
    struct audio_log audio;
    bool still_gap;             /* the sequence broke since the last picture that watch took */

    atomic_bool stop;           /* set with wait_lock held */
    struct lock wait_lock;      /* for waiting on `stopped` */
    pthread_cond_t stopped;
};

static int open_watch(struct camera_stream *stream, const struct camera_stream_options *options)
{
    stream->memory = malloc(sizeof *stream->memory);
    if (!stream->memory)
        return -ENOMEM;
    *stream->memory = *options->still;
    return still_watch_open(&stream->watch, stream->memory, options->still_threshold, options->config->zones,
                            options->zone_shifts);
}

int camera_stream_open(struct camera_stream **ret, const struct camera_stream_options *options)
{
    const struct arch *arch = camera_windows_arch(options->windows);
    struct camera_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    lock_init(&stream->wait_lock, LOCK_WAIT);
    lock_cond_init(&stream->stopped);
    stream->options = *options;
    stream->ring = camera_windows_ring(options->windows);
    stream->results = camera_windows_results(options->windows);
    stream->frame_size = (size_t)arch->height * (size_t)arch->width;
    stream->length = arch->frames;
    stream->is_live = source_is_live(options->config->source);         /* until it is open: an HTTP answer tells more */
    stream->is_file = camera_settings_is_local_file(options->config);
    stream->repeat.last = malloc(stream->frame_size);
    int r = hiding_open(&stream->hiding, options->config->zones, arch->height, arch->width);
    if (r == 0 && options->still)
        r = open_watch(stream, options);
    const struct calibration *calibration = camera_windows_calibration(options->windows);
    if (r == 0)
        r = diagnosis_open(&stream->diagnosis, &(struct diagnosis_options){.config = options->config,
                                                                           .height = arch->height,
                                                                           .width = arch->width,
                                                                           .fps = options->fps,
                                                                           .alerts = options->alerts,
                                                                           .packets = options->packets,
                                                                           .baselines = options->baselines,
                                                                           .has_slow = options->fps > 0,
                                                                           .has_frozen = calibration && calibration->has_static,
                                                                           .status = options->status,
                                                                           .results = stream->results,
                                                                           .events = options->events});
    if (r < 0 || !stream->repeat.last) {
        camera_stream_close(stream);
        return r < 0 ? r : -ENOMEM;
    }
    *ret = stream;
    return 0;
}

void camera_stream_close(struct camera_stream *stream)
{
    if (!stream)
        return;
    diagnosis_close(stream->diagnosis);
    still_watch_close(stream->watch);
    free(stream->memory);
    hiding_close(stream->hiding);
    free(stream->repeat.last);
    pthread_cond_destroy(&stream->stopped);
    lock_destroy(&stream->wait_lock);
    free(stream);
}

void camera_stream_set_scheduler(struct camera_stream *stream, struct scheduler *scheduler, struct scheduled *client)
{
    stream->scheduler = scheduler;
    stream->client = client;
}

bool camera_stream_is_live(const struct camera_stream *stream)
{
    return stream->is_live;
}

bool camera_stream_is_file(const struct camera_stream *stream)
{
    return stream->is_file;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------- */

void camera_stream_stop(struct camera_stream *stream)
{
    lock_take(&stream->wait_lock);
    atomic_store(&stream->stop, true);
    pthread_cond_broadcast(&stream->stopped);
    lock_give(&stream->wait_lock);
}

bool camera_stream_stopped(const struct camera_stream *stream)
{
    return atomic_load(&stream->stop);
}

bool camera_stream_wait_until(struct camera_stream *stream, int64_t until_us)
{
    heartbeat_until(stream->options.beat, until_us + WAIT_PATIENCE_US);
    lock_take(&stream->wait_lock);
    while (!atomic_load(&stream->stop) && lock_wait_until(&stream->wait_lock, &stream->stopped, until_us))
        ;
    bool go_on = !atomic_load(&stream->stop);
    lock_give(&stream->wait_lock);
    return go_on;
}

/* ---- the sequence of pictures --------------------------------------------------------------------------------------- */

static void post_event(struct camera_stream *stream, enum event_type type, const char *reason, double quantity)
{
    events_post(stream->options.events, &(struct event){.type = type, .camera = stream->options.config->name,
                                                        .reason = reason, .quantity = quantity});
}

static void set_frozen(struct camera_stream *stream, bool frozen, int64_t same_us)
{
    stream->frozen = frozen;
    camera_status_set_frozen(stream->options.status, frozen);
    post_event(stream, frozen ? EVENT_CAMERA_FROZEN : EVENT_CAMERA_UNFROZEN,
               frozen ? "pictures flow, but each is the same as the one before, for more than three times as long as ever "
                        "in the calibration footage"
                      : "pictures differ again, or the sequence has ended", 1e-6 * (double)same_us);
}

/* Counts the break of a sequence that had begun. */
static void count_break(struct camera_stream *stream, enum view_break cause)
{
    struct breaks_report report;
    camera_status_count_break(stream->options.status, cause);
    if (!breaks_note(&stream->breaks, cause, monotonic_us(), &report))
        return;
    struct log_number breaks, seconds;
    log_event(LOG_WARNING, "sequence_breaks", "camera", stream->options.config->name, "breaks",
              log_int(&breaks, (long long)report.breaks), "seconds", log_real(&seconds, report.seconds), "causes",
              report.causes, NULL);
}

static void end_sequence(struct camera_stream *stream)
{
    if (stream->frozen)
        set_frozen(stream, false, stream->last_pts_us - stream->repeat.since_us);
    frame_ring_break(stream->ring);
    stream->unbroken = 0;
    stream->repeat.begun = false;
    stream->still_gap = true;
}

/* The sequence breaks, and goes on at once. */
static void break_sequence(struct camera_stream *stream, enum view_break cause)
{
    if (stream->unbroken > 0)
        count_break(stream, cause);
    if (stream->unbroken == stream->length)
        camera_status_set(stream->options.status, VIEW_WARMING, "");
    end_sequence(stream);
}

/* Notes how long the picture has been the same, and posts an event when that becomes too long and when it ends. */
static void count_repeat(struct camera_stream *stream, struct frame_ring_frame *frame)
{
    int64_t before_us = stream->repeat.since_us;
    frame->same_since_us = static_repeat_since(&stream->repeat, frame->pixels, stream->frame_size, frame->pts_us);
    bool frozen = camera_windows_is_frozen(stream->options.windows, frame);
    if (frozen != stream->frozen)
        set_frozen(stream, frozen, frame->pts_us - (frozen ? frame->same_since_us : before_us));
}

static const char foreign_picture[] =
    "the picture is not the one that the model learned: it is another camera's, or this one was turned";

/* Writes what is wrong with the pictures while they flow: one thing, the worst; "": nothing. */
static void find_warning(const struct camera_stream *stream, char out[WARNING_SIZE])
{
    out[0] = '\0';
    if (stream->short_file > 0)
        snprintf(out, WARNING_SIZE, "the file has %d frames, but a window needs %d: none is scored", stream->short_file,
                 stream->length);
    else if (stream->wrong_aspect)
        snprintf(out, WARNING_SIZE, "pictures of %dx%d have another aspect than the %dx%d that the model learned", stream->width,
                 stream->height, camera_windows_arch(stream->options.windows)->width,
                 camera_windows_arch(stream->options.windows)->height);
    else if (stream->foreign)
        snprintf(out, WARNING_SIZE, "%s", foreign_picture);
    else if (stream->kept_fault[0])
        snprintf(out, WARNING_SIZE, "clips are made of the stream that is analysed, because the one of evidence.source is lost: "
                 "%s", stream->kept_fault);
}

/* Shows the warning, and logs it as event unless that is NULL. */
static void show_warning(struct camera_stream *stream, const char *event)
{
    char warning[WARNING_SIZE];
    find_warning(stream, warning);
    camera_status_warn(stream->options.status, warning);
    if (event)
        log_event(LOG_WARNING, event, "camera", stream->options.config->name, "reason", warning, NULL);
}

/* Notes whether the scene is the one that the model learned, once several ticks say the same. */
static void watch_scene(struct camera_stream *stream, float share)
{
    bool foreign = share >= STILL_FOREIGN;
    struct log_number percent;
    if (isnan(share))
        return;
    stream->foreign_ticks = foreign == stream->foreign ? 0 : stream->foreign_ticks + 1;
    if (stream->foreign_ticks < STILL_PERSIST)
        return;
    stream->foreign = foreign;
    stream->foreign_ticks = 0;
    show_warning(stream, NULL);
    log_event(foreign ? LOG_WARNING : LOG_NOTICE, "camera_scene", "camera", stream->options.config->name, "percent",
              log_real(&percent, round(100 * (double)share)), "reason",
              foreign ? foreign_picture : "the picture is again the one that the model learned", NULL);
}

/* Passes the picture to the watch of what stands still. */
static void watch_still(struct camera_stream *stream, const struct frame_ring_frame *frame)
{
    struct still_result still;
    if (stream->watch && still_watch_add(stream->watch, frame->pixels, frame->pts_us, stream->still_gap, &still)) {
        watch_scene(stream, still.foreign);
        results_still(stream->results, &still, frame->time_us, frame->pts_us);
    }
    stream->still_gap = false;
}

/* Shows that the stream which is kept for clips was lost or came back. Its own thread logs it. */
static void watch_keeping(struct camera_stream *stream)
{
    char fault[sizeof stream->kept_fault];
    unsigned version = stream->options.keeping ? camera_keeping_fault(stream->options.keeping, fault, sizeof fault) : 0;
    if (version == stream->kept_version)
        return;
    stream->kept_version = version;
    memcpy(stream->kept_fault, fault, sizeof fault);
    show_warning(stream, NULL);
}

/* A whole window of unbroken pictures means that the camera watches. */
static void count_frame(struct camera_stream *stream)
{
    if (stream->unbroken == stream->length)
        return;
    if (stream->unbroken++ == 0)
        camera_status_set(stream->options.status, VIEW_WARMING, "");
    if (stream->unbroken < stream->length)
        return;
    camera_status_set(stream->options.status, VIEW_WATCHING, "");
    if (stream->lost)
        post_event(stream, EVENT_CAMERA_RESTORED, "pictures flow again", 0);
    stream->lost = false;
}

void camera_stream_lose(struct camera_stream *stream, const char *cause)
{
    char reason[512];
    redact(reason, sizeof reason, cause);
    if (stream->unbroken > 0)
        count_break(stream, VIEW_BREAK_LOST);
    end_sequence(stream);
    camera_status_set(stream->options.status, VIEW_LOST, reason);
    results_break(stream->results, utc_us());
    if (!stream->lost)
        post_event(stream, EVENT_CAMERA_LOST, reason, 0);
    else if (strcmp(reason, stream->reason) != 0)
        log_event(LOG_WARNING, "camera_still_lost", "camera", stream->options.config->name, "reason", reason, NULL);
    stream->lost = true;
    memcpy(stream->reason, reason, sizeof reason);
}

void camera_stream_end(struct camera_stream *stream, uint64_t pictures)
{
    char reason[80] = "the file has ended";
    if (pictures < (uint64_t)stream->length)
        snprintf(reason, sizeof reason, "the file has ended after %d frames; a window needs %d", (int)pictures, stream->length);
    end_sequence(stream);
    results_break(stream->results, utc_us());
    results_still_end(stream->results, utc_us());
    camera_stream_finish(stream);
    camera_status_set(stream->options.status, VIEW_STOPPED, reason);
    log_event(LOG_INFO, "camera_stopped", "camera", stream->options.config->name, "reason", reason, NULL);
}

void camera_stream_finish(struct camera_stream *stream)
{
    diagnosis_end(stream->diagnosis);
}

bool camera_stream_relearn(struct camera_stream *stream)
{
    return diagnosis_relearn(stream->diagnosis);
}

/* Warns if the file has too few frames for a window. */
static void check_length(struct camera_stream *stream, uint64_t pictures)
{
    int short_file = pictures < (uint64_t)stream->length ? (int)pictures : 0;
    if (short_file == stream->short_file)
        return;
    stream->short_file = short_file;
    show_warning(stream, short_file > 0 ? "camera_short" : NULL);
}

void camera_stream_begin_again(struct camera_stream *stream, uint64_t pictures)
{
    check_length(stream, pictures);
    double fps = stream->options.fps > 0 ? stream->options.fps : stream->fps_in > 0 ? stream->fps_in : SOURCE_DEFAULT_FPS;
    camera_stream_wait_until(stream, stream->anchor_us + stream->last_pts_us + (int64_t)(1e6 / fps));
    break_sequence(stream, VIEW_BREAK_LOOP);
}

/* ---- one opening of the source -------------------------------------------------------------------------------------- */

/* Logs where the times of pictures come from, when that changes. At first, time stamps are expected. */
static void tell_time(struct camera_stream *stream, enum view_time time)
{
    static const char *const reasons[] = {
        [VIEW_TIME_STREAM] = "the stream's time stamps are sane again",
        [VIEW_TIME_ARRIVAL] = "the stream's time stamps are missing, stand still, leap or have a wrong unit: a picture counts as "
                              "taken when it arrives",
        [VIEW_TIME_RATE] = "there are no time stamps: pictures are taken to come at the file's rate, or at 25 a second where it "
                           "has none",
    };
    bool expected = time == VIEW_TIME_UNKNOWN || (stream->time == VIEW_TIME_UNKNOWN && time == VIEW_TIME_STREAM);
    if (time != stream->time && !expected)
        log_event(time == VIEW_TIME_STREAM ? LOG_NOTICE : LOG_WARNING, "camera_time_source", "camera",
                  stream->options.config->name, "time_source", view_time_names[time], "reason", reasons[time], NULL);
    stream->time = time;
}

/* Warns if the pictures have another aspect than the network, whenever their size changes. */
static void check_aspect(struct camera_stream *stream, int width, int height)
{
    if (width == stream->width && height == stream->height)
        return;
    stream->width = width;
    stream->height = height;
    stream->wrong_aspect = !arch_fits_aspect(camera_windows_arch(stream->options.windows), width, height);
    show_warning(stream, stream->wrong_aspect ? "camera_aspect" : NULL);
}

static void show_stream(struct camera_stream *stream, const struct capture *capture)
{
    static const enum view_time times[] = {
        [SOURCE_TIME_STREAM] = VIEW_TIME_STREAM, [SOURCE_TIME_ARRIVAL] = VIEW_TIME_ARRIVAL, [SOURCE_TIME_RATE] = VIEW_TIME_RATE,
    };
    struct source_stats stats;
    capture_stats(capture, &stats);
    audio_log_note(&stream->audio, stream->options.config->name, &stats);
    stream->is_live = stats.live;
    stream->fps_in = stats.fps_in;
    if (stats.width > 0)
        check_aspect(stream, stats.width, stats.height);
    tell_time(stream, stats.frames_decoded > 0 ? times[stats.time] : VIEW_TIME_UNKNOWN);
    camera_status_set_stream(stream->options.status, stats.fps_in, stream->time, stream->corrupt_before + stats.frames_corrupt);
}

/* Notes whether the stream gives as many frames a second as are to be analysed. */
static void watch_rate(struct camera_stream *stream, int64_t pts_us)
{
    double wanted = stream->options.fps;
    bool slow = stream->fps_in < (stream->slow ? SLOW_END_RATE : CALIBRATION_SLOW_RATE) * wanted;
    if (stream->fps_in <= 0 || slow == stream->slow)
        stream->rate_us = pts_us;
    if (pts_us - stream->rate_us < SLOW_AFTER_US)
        return;
    stream->slow = slow;
    stream->rate_us = pts_us;
    camera_status_set_slow(stream->options.status, slow);
    char reason[240];
    snprintf(reason, sizeof reason,
             slow ? "the stream gives fewer frames a second than the %g that are to be analysed: what moves seems faster, scores "
                    "are too high, and windows count towards no alert"
                  : "the stream gives the %g frames a second that are to be analysed", wanted);
    post_event(stream, slow ? EVENT_CAMERA_SLOW : EVENT_CAMERA_SLOW_ENDED, reason, stream->fps_in);
}

/* Waits until a picture of a file is due. false: the thread is to end. */
static bool pace(struct camera_stream *stream, int64_t pts_us)
{
    int64_t now_us = monotonic_us();
    if (stream->anchor_us == 0 || now_us > stream->anchor_us + pts_us + MAX_LATE_US)
        stream->anchor_us = now_us - pts_us;
    return stream->anchor_us + pts_us <= now_us || camera_stream_wait_until(stream, stream->anchor_us + pts_us);
}

static enum view_break view_break_of(const struct source_frame *picture)
{
    static const enum view_break views[] = {
        [SOURCE_BREAK_GAP] = VIEW_BREAK_GAP,         [SOURCE_BREAK_CLOCK] = VIEW_BREAK_CLOCK,
        [SOURCE_BREAK_LOST] = VIEW_BREAK_PACKETS,    [SOURCE_BREAK_SIZE] = VIEW_BREAK_SIZE,
        [SOURCE_BREAK_CORRUPT] = VIEW_BREAK_CORRUPT,
    };
    return picture->corrupt ? VIEW_BREAK_CORRUPT : views[picture->cause];
}

/* 1: a corrupt picture is left out. -ETIMEDOUT with the cause in err: all have been corrupt for as long as a decoder may take
 * for a picture (SOURCE_PICTURE_STALLS). */
static int leave_out(const struct camera_stream *stream, int64_t stall_us, struct error *err)
{
    if (monotonic_us() - stream->sound_us < SOURCE_PICTURE_STALLS * stall_us)
        return 1;
    char shown[256];
    redact(shown, sizeof shown, stream->options.config->source);
    return error_set(err, -ETIMEDOUT, "%s: pictures arrive, but for %g s every one was damaged or lacked another that it is "
                     "predicted from", shown, 1e-6 * (double)(SOURCE_PICTURE_STALLS * stall_us));
}

/* Reads one picture into the ring. 1; 0 at the end; -errno with the cause in err. */
static int take_picture(struct camera_stream *stream, struct capture *capture, uint64_t *pictures, struct error *err)
{
    struct frame_ring_frame *frame = frame_ring_frame(stream->ring);
    struct source_frame picture;
    int64_t stall_us = (int64_t)(stream->options.config->stall_timeout_s * 1e6);
    heartbeat_until(stream->options.beat, monotonic_us() + SOURCE_PICTURE_STALLS * stall_us + READ_PATIENCE_US);
    int r = capture_read(capture, frame->pixels, &picture, err);
    show_stream(stream, capture);
    if (r <= 0)
        return r;
    if (picture.gap || picture.corrupt)
        break_sequence(stream, view_break_of(&picture));
    if (picture.corrupt) {
        diagnosis_add(stream->diagnosis, stream->hiding ? NULL : frame->pixels, &picture, utc_us(), picture.pts_us);
        return leave_out(stream, stall_us, err);
    }
    hiding_fill(stream->hiding, frame->pixels);
    stream->sound_us = monotonic_us();
    if (picture.gap)
        stream->anchor_us = 0;      /* a jump of the time stamps is not waited for */
    if (!stream->is_live && !pace(stream, picture.pts_us))
        return -EINTR;
    frame->pts_us = picture.pts_us;
    frame->arrival_us = picture.arrival_us;
    frame->time_us = utc_us();
    frame->due_us = stream->is_live ? picture.arrival_us : monotonic_us();
    count_repeat(stream, frame);
    watch_still(stream, frame);
    if (picture.cause == SOURCE_BREAK_CLOCK)
        diagnosis_break(stream->diagnosis);
    diagnosis_add(stream->diagnosis, frame->pixels, &picture, frame->time_us, frame->same_since_us);
    watch_keeping(stream);
    if (frame_ring_publish(stream->ring))
        scheduler_due(stream->scheduler, stream->client);
    stream->last_pts_us = picture.pts_us;
    watch_rate(stream, picture.pts_us);
    ++*pictures;
    count_frame(stream);
    return 1;
}

int camera_stream_play(struct camera_stream *stream, uint64_t *pictures, struct error *err)
{
    const struct config_camera *config = stream->options.config;
    const struct arch *arch = camera_windows_arch(stream->options.windows);
    struct capture_options options = {.source = camera_settings_source(config),
                                      .packets = stream->options.packets,
                                      .host = stream->options.host,
                                      .memory = camera_windows_memory(stream->options.windows),
                                      .name = config->name,
                                      .memory_mib = stream->options.memory_mib,
                                      .files_stall = true};
    options.source.width = arch->width;
    options.source.height = arch->height;
    options.source.fps = stream->options.fps;
    options.source.stop = &stream->stop;
    options.source.decoder_threads = 1;
    options.source.audio = stream->options.packets && camera_settings_has_audio(config);
    options.source.chroma = stream->diagnosis != NULL;
    struct capture *capture;
    *pictures = 0;
    heartbeat_until(stream->options.beat, monotonic_us() + (int64_t)(config->stall_timeout_s * 1e6) + OPEN_PATIENCE_US);
    int r = capture_open(&capture, config->source, &options, err);
    if (r < 0)
        return r;
    stream->anchor_us = stream->rate_us = 0;
    stream->sound_us = monotonic_us();
    diagnosis_break(stream->diagnosis);
    if (!stream->is_file)               /* a file that is looped has the same times */
        stream->time = VIEW_TIME_UNKNOWN;
    while ((r = take_picture(stream, capture, pictures, err)) > 0)
        ;
    struct source_stats stats;
    capture_stats(capture, &stats);
    stream->corrupt_before += stats.frames_corrupt;
    capture_close(capture);
    return r;
}
