#include "daemon/learn/recorder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/backoff.h"
#include "daemon/base/camera_settings.h"
#include "daemon/base/log.h"
#include "io/base/clock.h"
#include "io/base/redact.h"

#define SHOW_US INT64_C(60000000)

struct recorder {
    const struct config_camera *camera;
    double wanted_s;
    int64_t shown_us;
    bool lost;                  /* the loss was logged, and no frame has come since */
    int64_t lost_us, told_us;   /* when it was lost, and when that was logged last */
    char reason[512];           /* what was logged */
};

static void show(void *arg, double seconds)
{
    struct recorder *r = arg;
    int64_t now = monotonic_us();
    if (r->lost)
        log_event(LOG_INFO, "camera_restored", "camera", r->camera->name, NULL);
    r->lost = false;
    if (now - r->shown_us < SHOW_US)
        return;
    struct log_number there, wanted;
    log_event(LOG_INFO, "recording", "camera", r->camera->name, "seconds", log_real(&there, seconds), "of",
              log_real(&wanted, r->wanted_s), NULL);
    r->shown_us = now;
}

/* Logs that the camera is lost: at once, when the reason is another one, and each minute. */
static void tell_lost(struct recorder *r, const char *cause)
{
    char reason[sizeof r->reason];
    int64_t now = monotonic_us();
    struct log_number seconds;
    redact(reason, sizeof reason, cause);
    if (!r->lost)
        r->lost_us = now;
    else if (strcmp(reason, r->reason) == 0 && now - r->told_us < SHOW_US)
        return;
    if (r->lost)
        log_event(LOG_WARNING, "camera_still_lost", "camera", r->camera->name, "reason", reason, "seconds",
                  log_real(&seconds, (double)(now - r->lost_us) / 1e6), NULL);
    else
        log_event(LOG_WARNING, "camera_lost", "camera", r->camera->name, "reason", reason, NULL);
    r->lost = true;
    r->told_us = now;
    memcpy(r->reason, reason, sizeof reason);
}

static void wait_us(int64_t us, const atomic_bool *stop)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    /* The signals are blocked until ppoll() waits, so that none is missed between the test of *stop and the wait. */
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    if (!atomic_load(stop))
        ppoll(NULL, 0, &(struct timespec){us / 1000000, us % 1000000 * 1000}, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void show_start(const struct footage *footage, const struct config_camera *camera, const char *path)
{
    struct log_number there, frames, size, seconds;
    uint64_t bytes;
    size_t lost = footage_lost(footage, &bytes);
    double fps = footage_fps(footage);
    if (lost > 0)
        log_event(LOG_WARNING, "recording_damaged", "path", path, "frames_lost", log_int(&frames, (long long)lost), "bytes_lost",
                  log_int(&size, (long long)bytes), "seconds_lost", log_real(&seconds, fps > 0 ? (double)lost / fps : 0),
                  "reason", "damaged pictures were left out; recording goes on", NULL);
    log_event(LOG_INFO, "recording", "camera", camera->name, "path", path, "seconds",
              log_real(&there, footage_seconds(footage)), NULL);
}

static int record(struct footage *footage, const struct config_camera *camera, double seconds, const atomic_bool *stop,
                  struct error *err)
{
    struct recorder recorder = {.camera = camera, .wanted_s = seconds};
    const struct footage_stream stream = {.source = camera_settings_source(camera), .seconds = seconds, .shown = show,
                                          .arg = &recorder};
    struct backoff backoff;
    uint64_t seed = 0;
    size_t frames = footage_frames(footage);
    int refusals = 0, failed;
    int checked = source_check(camera->source, err);
    if (checked == 0)
        checked = source_check_sign_in(camera->source, camera->user, camera->password, err);
    if (checked < 0)
        return checked;
    source_log_as(camera->name);
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed = (uint64_t)monotonic_us();
    backoff_init(&backoff, seed);
    if (camera_settings_is_local_file(camera) && footage_seconds(footage) < seconds) {
        int r = footage_clear(footage, err);
        if (r < 0)
            return r;
    }
    while (footage_seconds(footage) < seconds) {
        int64_t started = monotonic_us();
        size_t before = footage_frames(footage);
        int r = footage_record(footage, camera->source, &stream, &failed, err);
        if (r != 0)
            return r < 0 ? r : 0;
        bool any = footage_frames(footage) > before;
        if (camera_settings_is_local_file(camera))
            return any ? 0 : error_set(err, -EIO, "%s", err->text);
        tell_lost(&recorder, err->text);
        refusals = failed == -EACCES ? refusals + 1 : 0;
        if (refusals == RECORDER_TRIES && footage_frames(footage) == frames) {
            struct error cause = *err;
            return error_set(err, -EACCES, "%s; given up after %d attempts", cause.text, RECORDER_TRIES);
        }
        if (any && monotonic_us() - started >= BACKOFF_LAST_US)
            backoff_reset(&backoff);
        wait_us(backoff_next_us(&backoff), stop);
        if (atomic_load(stop))
            return error_set(err, -EINTR, "interrupted");
    }
    return 0;
}

int recorder_run(struct footage *footage, const struct config_camera *camera, const char *path, double seconds,
                 const atomic_bool *stop, struct error *err)
{
    show_start(footage, camera, path);
    int r = record(footage, camera, seconds, stop, err);
    if (r == -EINTR)
        return error_set(err, r, "interrupted with %.2f hours recorded; the same command with --resume continues %s",
                         footage_seconds(footage) / 3600, path);
    return r < 0 ? error_prefix(err, r, "camera %s", camera->name) : 0;
}
