#include "daemon/watch/connect/cameras.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/health/measure.h"
#include "daemon/base/camera_settings.h"
#include "daemon/base/isolation.h"
#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/base/thread.h"

struct camera {
    const struct config_camera *config;
    const struct arch *arch;
    double fps;                 /* frames analysed a second; 0: every frame */
    atomic_bool stop;           /* ends the reading */
    _Atomic int64_t until_us;   /* CLOCK_MONOTONIC: when the reading is to end; INT64_MAX: not known yet */
    struct connect_result result;       /* the thread's until done */
    atomic_bool done;
};

struct connect_cameras {
    size_t n;
    atomic_size_t next;         /* the camera that a thread takes next */
    atomic_bool stop;           /* no camera is opened any more */
    int changed_fd;
    pthread_t threads[CONNECT_AT_ONCE];
    size_t n_threads;
    struct camera cameras[];    /* [n] */
};

static void tell_change(const struct connect_cameras *cameras)
{
    eventfd_write(cameras->changed_fd, 1);
}

/* ---- a reading ------------------------------------------------------------------------------------------------------ */

/* The functions that a reading calls. If one returns false, the reading ends with 0. pixels NULL: the source has ended. */
struct reader {
    bool (*opened)(void *arg);
    bool (*picture)(void *arg, const uint8_t *pixels);
    void *arg;
};

/* Opens a source and reads it until its end, until a function of reader ends it, or with -EINTR once options->stop is set. 0 or
 * -errno with the cause in err; stats is written once the source is open. */
static int read_source(const char *url, const struct source_options *options, const struct reader *reader,
                       struct source_stats *stats, struct error *err)
{
    struct capture *capture;
    struct source_frame frame;
    const struct capture_options how = {.source = *options, .host = isolation_host(), .files_stall = true};
    uint8_t *pixels = malloc((size_t)options->width * (size_t)options->height);
    if (!pixels)
        return error_set(err, -ENOMEM, "out of memory");
    int r = capture_open(&capture, url, &how, err);
    if (r == 0) {
        bool more = reader->opened(reader->arg);
        while (more && (r = capture_read(capture, pixels, &frame, err)) > 0)
            more = reader->picture(reader->arg, pixels);
        if (more && r == 0)
            reader->picture(reader->arg, NULL);
        capture_stats(capture, stats);
        capture_close(capture);
    }
    free(pixels);
    return r < 0 ? r : 0;
}

/* ---- one camera ----------------------------------------------------------------------------------------------------- */

struct reading {
    struct connect_cameras *cameras;
    struct camera *camera;
    int64_t start_us;
    int pictures;
};

static bool on_opened(void *arg)
{
    struct reading *reading = arg;
    reading->camera->result.opened_us = monotonic_us() - reading->start_us;
    return true;
}

static bool on_picture(void *arg, const uint8_t *pixels)
{
    struct reading *reading = arg;
    struct camera *camera = reading->camera;
    struct measure measure;
    if (!pixels) {
        camera->result.ended = true;
        return false;
    }
    measure.high = 255;         /* of a picture that is too small to tell */
    if (camera->arch->height >= CELLS_DOWN && camera->arch->width >= CELLS_ACROSS)
        measure_picture(&measure, pixels, NULL, camera->arch->height, camera->arch->width);
    camera->result.brightest = fmaxf(camera->result.brightest, measure.high);
    if (reading->pictures++ == 0) {
        int64_t now_us = monotonic_us();
        camera->result.first_us = now_us - reading->start_us;
        atomic_store(&camera->until_us, now_us + CONNECT_MEASURE_US);
        tell_change(reading->cameras);
    }
    return !camera_settings_is_local_file(camera->config) || reading->pictures < CONNECT_PICTURES;
}

static bool end_at_once(void *arg)
{
    (void)arg;
    return false;
}

static bool no_picture(void *arg, const uint8_t *pixels)
{
    (void)arg, (void)pixels;
    return false;
}

/* The URL without user and password; the caller's. NULL: memory is short. source_check() has passed: an '@' before the path
 * ends the user. */
static char *without_user(const char *url)
{
    char *ret = strdup(url), *host = ret ? strstr(ret, "://") : NULL;
    if (!host)
        return ret;
    host += 3;
    char *at = memrchr(host, '@', strcspn(host, "/?#"));
    if (at)
        memmove(host, at + 1, strlen(at + 1) + 1);
    return ret;
}

/* Opens the camera once more without user and password, to see whether it asks for them. */
static enum connect_sign_in ask_sign_in(struct connect_cameras *cameras, const struct camera *camera,
                                        const struct source_options *options)
{
    const char *url = camera->config->source;
    char *bare = without_user(url);
    if (!bare || (!options->user && strcmp(bare, url) == 0)) {
        free(bare);
        return CONNECT_NO_SIGN_IN;
    }
    struct source_options nobody = *options;
    struct source_stats stats;
    struct error err;
    nobody.user = nobody.password = NULL;
    nobody.stop = &cameras->stop;
    int r = read_source(bare, &nobody, &(struct reader){end_at_once, no_picture, NULL}, &stats, &err);
    free(bare);
    return r == 0 ? CONNECT_NOT_ASKED : r == -EACCES ? CONNECT_SIGNED_IN : CONNECT_SIGN_IN_UNKNOWN;
}

static void read_camera(struct connect_cameras *cameras, struct camera *camera)
{
    struct connect_result *result = &camera->result;
    struct source_options options = camera_settings_source(camera->config);
    options.width = camera->arch->width;
    options.height = camera->arch->height;
    options.fps = camera->fps;
    options.stop = &camera->stop;
    options.decoder_threads = 1;
    struct reading reading = {.cameras = cameras, .camera = camera, .start_us = monotonic_us()};
    struct error err = {.text = ""};
    int r = read_source(camera->config->source, &options, &(struct reader){on_opened, on_picture, &reading}, &result->stats,
                        &err);
    result->ended_us = monotonic_us() - reading.start_us;
    bool in_time = r == -EINTR && result->first_us > 0 && !atomic_load(&cameras->stop);
    result->status = in_time ? 0 : r;
    if (result->status == 0 && result->first_us == 0)
        result->status = error_set(&err, -EINVAL, "the stream ended without a picture");
    if (result->status < 0)
        redact(result->err.text, sizeof result->err.text, err.text);
    else
        result->sign_in = ask_sign_in(cameras, camera, &options);
}

static void *run(void *arg)
{
    struct connect_cameras *cameras = arg;
    size_t i;
    while (!atomic_load(&cameras->stop) && (i = atomic_fetch_add(&cameras->next, 1)) < cameras->n) {
        struct camera *camera = &cameras->cameras[i];
        read_camera(cameras, camera);
        atomic_store(&camera->until_us, INT64_MAX);
        atomic_store(&camera->done, true);
        tell_change(cameras);
    }
    return NULL;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

int connect_cameras_open(struct connect_cameras **ret, const struct config *config, const struct check_models *models,
                         int changed_fd, struct error *err)
{
    struct connect_cameras *cameras = calloc(1, sizeof *cameras + config->n_cameras * sizeof cameras->cameras[0]);
    if (!cameras)
        return error_set(err, -ENOMEM, "out of memory");
    cameras->n = config->n_cameras;
    cameras->changed_fd = changed_fd;
    for (size_t i = 0; i < cameras->n; i++) {
        const struct model_file *file = &models->files[models->file_of[i]];
        struct camera *camera = &cameras->cameras[i];
        camera->config = &config->cameras[i];
        camera->arch = &file->model->arch;
        camera->fps = check_fps(camera->config, file);
        atomic_init(&camera->until_us, INT64_MAX);
    }
    source_set_log(NULL);       /* the reasons that FFmpeg logs stand in the errors of sources */
    int r = 0;
    while (r == 0 && cameras->n_threads < CONNECT_AT_ONCE && cameras->n_threads < cameras->n) {
        char name[16];
        snprintf(name, sizeof name, "connect-%zu", cameras->n_threads + 1);
        r = thread_start(&cameras->threads[cameras->n_threads], name, run, cameras);
        cameras->n_threads += r == 0;
    }
    if (cameras->n_threads > 0 || r == 0) {     /* fewer threads do, too */
        *ret = cameras;
        return 0;
    }
    free(cameras);
    return error_set(err, r, "cannot start the threads that open cameras: %s", strerror(-r));
}

int64_t connect_cameras_turn(struct connect_cameras *cameras)
{
    int64_t now_us = monotonic_us(), next_us = INT64_MAX;
    for (size_t i = 0; i < cameras->n; i++) {
        int64_t until_us = atomic_load(&cameras->cameras[i].until_us);
        if (until_us <= now_us)
            atomic_store(&cameras->cameras[i].stop, true);
        else if (until_us < next_us)
            next_us = until_us;
    }
    return next_us;
}

const struct connect_result *connect_cameras_result(const struct connect_cameras *cameras, size_t i)
{
    return atomic_load(&cameras->cameras[i].done) ? &cameras->cameras[i].result : NULL;
}

bool connect_cameras_close(struct connect_cameras *cameras, int64_t deadline_us)
{
    if (!cameras)
        return true;
    atomic_store(&cameras->stop, true);
    for (size_t i = 0; i < cameras->n; i++)
        atomic_store(&cameras->cameras[i].stop, true);
    bool all_ended = true;
    for (size_t i = 0; i < cameras->n_threads; i++)
        all_ended = thread_join(cameras->threads[i], deadline_us) && all_ended;
    if (all_ended)
        free(cameras);
    return all_ended;
}
