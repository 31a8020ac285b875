#include "daemon/watch/camera/keeping.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/backoff.h"
#include "daemon/base/camera_settings.h"
#include "daemon/base/log.h"
#include "daemon/watch/camera/audio_log.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/redact.h"
#include "io/base/thread.h"
#include "io/capture/capture.h"

/* The watchdog waits this much longer than the source's own time limits, as for the camera's thread. */
#define OPEN_PATIENCE_US INT64_C(300000000)
#define READ_PATIENCE_US INT64_C(60000000)

struct camera_keeping {
    struct camera_keeping_options options;
    struct heartbeat beat;
    struct backoff backoff;             /* the thread's own */
    struct audio_log audio;             /* the same */
    pthread_t thread;
    bool started, joined;
    atomic_bool stop;                   /* set with the lock held */

    struct lock lock;                   /* guards: */
    pthread_cond_t changed;
    bool go;
    char fault[256];
    unsigned version;
};

int camera_keeping_open(struct camera_keeping **ret, const struct camera_keeping_options *options)
{
    char name[HEARTBEAT_NAME_SIZE];
    struct camera_keeping *keeping = calloc(1, sizeof *keeping);
    if (!keeping)
        return -ENOMEM;
    keeping->options = *options;
    lock_init(&keeping->lock, LOCK_WAIT);
    lock_cond_init(&keeping->changed);
    backoff_init(&keeping->backoff, (uint64_t)monotonic_us());
    snprintf(name, sizeof name, "keep %s", options->config->name);
    heartbeat_add(options->heartbeats, &keeping->beat, name);
    *ret = keeping;
    return 0;
}

void camera_keeping_close(struct camera_keeping *keeping)
{
    if (!keeping)
        return;
    heartbeat_remove(keeping->options.heartbeats, &keeping->beat);
    pthread_cond_destroy(&keeping->changed);
    lock_destroy(&keeping->lock);
    free(keeping);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Waits until until_us, or for go where that is INT64_MAX. false: the thread is to end. */
static bool wait_until(struct camera_keeping *keeping, int64_t until_us)
{
    bool waits = true;
    lock_take(&keeping->lock);
    while (waits && !atomic_load(&keeping->stop) && !(until_us == INT64_MAX && keeping->go)) {
        if (until_us == INT64_MAX)
            lock_wait(&keeping->lock, &keeping->changed);
        else
            waits = lock_wait_until(&keeping->lock, &keeping->changed, until_us);
    }
    lock_give(&keeping->lock);
    return !atomic_load(&keeping->stop);
}

/* fault "": packets flow. */
static void set_fault(struct camera_keeping *keeping, const char *fault)
{
    char text[sizeof keeping->fault];
    redact(text, sizeof text, fault);
    lock_take(&keeping->lock);
    bool differs = strcmp(text, keeping->fault) != 0;
    memcpy(keeping->fault, text, sizeof text);
    keeping->version += differs;
    lock_give(&keeping->lock);
    if (!differs)
        return;
    log_event(*text ? LOG_WARNING : LOG_NOTICE, *text ? "evidence_source_lost" : "evidence_source_restored", "camera",
              keeping->options.config->name, "reason", *text ? text : "packets flow again", NULL);
}

/* Reads the stream until it fails. 0: it ended; -errno with the cause in err. */
static int play(struct camera_keeping *keeping, struct error *err)
{
    const struct config_camera *config = keeping->options.config;
    int64_t stall_us = (int64_t)(1e6 * config->stall_timeout_s);
    struct capture_options options = {.source = camera_settings_kept_source(config),
                                      .packets = keeping->options.packets,
                                      .host = keeping->options.host,
                                      .name = config->name,
                                      .memory_mib = keeping->options.memory_mib,
                                      .files_stall = true};
    struct capture *capture;
    struct source_frame frame;
    struct source_stats stats;
    options.source.stop = &keeping->stop;
    options.source.decoder_threads = 1;
    heartbeat_until(&keeping->beat, monotonic_us() + stall_us + OPEN_PATIENCE_US);
    int r = capture_open(&capture, config->evidence.source, &options, err);
    if (r < 0)
        return r;
    int64_t opened_us = monotonic_us();
    do {
        heartbeat_until(&keeping->beat, monotonic_us() + SOURCE_PICTURE_STALLS * stall_us + READ_PATIENCE_US);
        r = capture_read(capture, NULL, &frame, err);
        if (r == 1)
            set_fault(keeping, "");
        capture_stats(capture, &stats);
        audio_log_note(&keeping->audio, config->name, &stats);
    } while (r == 1);
    capture_close(capture);
    if (monotonic_us() - opened_us >= BACKOFF_LAST_US)
        backoff_reset(&keeping->backoff);
    return r == 0 ? error_set(err, 0, "the stream ended") : r;
}

static void *keeping_main(void *arg)
{
    struct camera_keeping *keeping = arg;
    source_log_as(keeping->options.config->name);
    for (bool more = wait_until(keeping, INT64_MAX); more;) {
        struct error err = {""};
        play(keeping, &err);
        if (atomic_load(&keeping->stop))
            break;
        set_fault(keeping, err.text);
        int64_t until_us = monotonic_us() + backoff_next_us(&keeping->backoff);
        heartbeat_until(&keeping->beat, until_us + READ_PATIENCE_US);
        more = wait_until(keeping, until_us);
    }
    heartbeat_idle(&keeping->beat);
    return NULL;
}

int camera_keeping_start(struct camera_keeping *keeping)
{
    char name[80];
    snprintf(name, sizeof name, "keep-%s", keeping->options.config->name);
    int r = thread_start(&keeping->thread, name, keeping_main, keeping);
    keeping->started = r == 0;
    return r;
}

static void set(struct camera_keeping *keeping, bool stop)
{
    lock_take(&keeping->lock);
    keeping->go = true;
    if (stop)
        atomic_store(&keeping->stop, true);
    pthread_cond_broadcast(&keeping->changed);
    lock_give(&keeping->lock);
}

void camera_keeping_go(struct camera_keeping *keeping)
{
    set(keeping, false);
}

void camera_keeping_stop(struct camera_keeping *keeping)
{
    set(keeping, true);
}

bool camera_keeping_join(struct camera_keeping *keeping, int64_t deadline_us)
{
    if (keeping->started && !keeping->joined)
        keeping->joined = thread_join(keeping->thread, deadline_us);
    return !keeping->started || keeping->joined;
}

unsigned camera_keeping_fault(struct camera_keeping *keeping, char *ret, size_t size)
{
    lock_take(&keeping->lock);
    snprintf(ret, size, "%s", keeping->fault);
    unsigned version = keeping->version;
    lock_give(&keeping->lock);
    return version;
}
