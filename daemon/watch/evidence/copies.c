#include "daemon/watch/evidence/copies.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/zones/burning.h"
#include "daemon/base/log.h"
#include "daemon/watch/evidence/place.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"
#include "io/capture/copying/copy_process.h"

#define SECOND_US INT64_C(1000000)
/* The time that a copy may take beyond its limit, to open and to rename files. */
#define PATIENCE_US (60 * SECOND_US)
/* Jobs that are known: those that wait, the one at hand, and the last ones that failed. */
enum { JOBS = 2 * COPIES_WAITING_MAX };

static const char name[] = "copy.mp4";

struct job {
    uint64_t alert;             /* 0: none */
    uint64_t number;            /* rises from job to job */
    int64_t opened_us;
    char camera[RECORD_NAME_SIZE];
    enum view_copy_state state; /* waiting, running or failed */
    char reason[sizeof ((struct view_copy *)0)->reason];
};

struct copies {
    char *state_dir;
    struct evidence *evidence;
    struct capture_host *host;
    struct heartbeats *heartbeats;
    struct heartbeat beat;
    pthread_t thread;
    atomic_bool stop;

    struct lock lock;           /* guards all below */
    pthread_cond_t wake;
    struct config *config;      /* a reference; NULL: none yet */
    struct job jobs[JOBS];
    uint64_t last;              /* number */
};

/* ---- jobs ------------------------------------------------------------------------------------------------------------- */

static struct job *find_locked(struct copies *copies, uint64_t alert)
{
    for (size_t i = 0; i < JOBS; i++)
        if (copies->jobs[i].alert == alert)
            return &copies->jobs[i];
    return NULL;
}

/* The oldest job in that state; NULL: there is none. *n, if not NULL: how many there are. */
static struct job *oldest_locked(struct copies *copies, enum view_copy_state state, size_t *n)
{
    struct job *oldest = NULL;
    size_t found = 0;
    for (size_t i = 0; i < JOBS; i++) {
        struct job *job = &copies->jobs[i];
        if (job->alert == 0 || job->state != state)
            continue;
        found++;
        if (!oldest || job->number < oldest->number)
            oldest = job;
    }
    if (n)
        *n = found;
    return oldest;
}

static void tell(const struct job *job, struct view_copy *ret)
{
    *ret = (struct view_copy){.state = job ? job->state : VIEW_COPY_NONE};
    if (job)
        memcpy(ret->reason, job->reason, sizeof ret->reason);
}

void copies_status(struct copies *copies, uint64_t alert, struct view_copy *ret)
{
    lock_take(&copies->lock);
    tell(find_locked(copies, alert), ret);
    lock_give(&copies->lock);
}

/* Opens the alert's clip, so that retention leaves it. A descriptor; -ENOENT: there is none; -EBUSY: it is being written; or
 * another -errno. */
static int open_clip(const struct copies *copies, const struct place *place)
{
    int fd = place_read(copies->state_dir, place, "clip.mp4");
    if (fd == -ENOENT)
        fd = place_read(copies->state_dir, place, "clip.mkv");
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
        return fd;
    int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
    close(fd);
    return r;
}

/* Adds a job. It replaces the alert's failed job, or the oldest failed one if no entry is free. -EAGAIN: too many wait. */
static int add_locked(struct copies *copies, const struct alert_record *alert, struct job *failed)
{
    size_t waiting;
    oldest_locked(copies, VIEW_COPY_WAITING, &waiting);
    if (waiting >= COPIES_WAITING_MAX)
        return -EAGAIN;
    struct job *job = failed ? failed : find_locked(copies, 0);
    if (!job)
        job = oldest_locked(copies, VIEW_COPY_FAILED, NULL);
    *job = (struct job){.alert = alert->id, .number = ++copies->last, .opened_us = alert->opened_us, .state = VIEW_COPY_WAITING};
    memcpy(job->camera, alert->camera, sizeof job->camera);
    pthread_cond_signal(&copies->wake);
    return 0;
}

int copies_ask(struct copies *copies, const struct alert_record *alert, struct view_copy *ret)
{
    struct error err;
    const struct place place = {.camera = alert->camera, .opened_us = alert->opened_us, .alert = alert->id};
    int fd = open_clip(copies, &place);
    if (fd < 0)
        return fd;
    close(fd);
    int r = capture_can_encode(&err);
    if (r < 0)
        return r;
    if (evidence_is_paused(copies->evidence))
        return -ENOSPC;
    lock_take(&copies->lock);
    struct job *job = find_locked(copies, alert->id);
    if (!job || job->state == VIEW_COPY_FAILED)
        r = add_locked(copies, alert, job);
    if (r == 0)
        tell(find_locked(copies, alert->id), ret);
    lock_give(&copies->lock);
    return r;
}

void copies_configure(struct copies *copies, struct config *config)
{
    struct config *now = config_ref(config);
    lock_take(&copies->lock);
    struct config *before = copies->config;
    copies->config = now;
    lock_give(&copies->lock);
    config_unref(before);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static void find_privacy_locked(const struct copies *copies, const char *camera, struct privacy *ret)
{
    const struct zones *zones = NULL;
    for (size_t i = 0; copies->config && i < copies->config->n_cameras; i++)
        if (strcmp(copies->config->cameras[i].name, camera) == 0)
            zones = copies->config->cameras[i].zones;
    privacy_of(ret, zones);
}

static void log_copy(const struct job *job, const char *path, const struct capture_copy *copy)
{
    struct log_number id, bytes, seconds, lost;
    log_event(LOG_INFO, "evidence_written", "camera", job->camera, "alert", log_int(&id, (long long)job->alert), "kind", "copy",
              "path", path, "bytes", log_int(&bytes, (long long)copy->bytes), "seconds",
              log_real(&seconds, 1e-6 * (double)copy->duration_us), "codec", "h264", "codecs", copy->codecs, "end",
              copy->is_cut ? "max_copy" : "clip", NULL);
    if (copy->audio_lost > 0)
        log_event(LOG_WARNING, "evidence_audio_lost", "camera", job->camera, "alert", log_int(&id, (long long)job->alert), "path",
                  path, "packets", log_int(&lost, (long long)copy->audio_lost), "reason",
                  "the clip's audio is damaged, or memory is short: the copy was written without these packets", NULL);
}

/* Copies clip `from` into a file that appears complete. 0; -errno with the cause in err. */
static int write_copy(struct copies *copies, const struct job *job, const struct place *place, const struct privacy *privacy,
                      int from, struct error *err)
{
    struct place_file file;
    struct capture_copy copy;
    const struct capture_copy_options options = {.privacy = privacy, .longest = COPIES_LONGEST,
                                                 .length_us = COPIES_LENGTH_S * SECOND_US,
                                                 .limit_us = COPIES_LIMIT_S * SECOND_US,
                                                 .stops = {&copies->stop, evidence_paused(copies->evidence)}};
    int r = place_create(&file, copies->state_dir, place, name, err);
    if (r < 0)
        return r;
    r = capture_copy(&copy, from, file.fd, &options, copies->host, err);
    if (r == 0)
        r = place_publish(&file, err);
    place_close(&file);
    if (r < 0)
        return r;
    log_copy(job, file.path, &copy);
    evidence_add_file(copies->evidence, &(struct evidence_made){.alert = job->alert, .camera = job->camera, .kind = "copy",
                                                                .path = file.path, .bytes = copy.bytes, .codec = "h264",
                                                                .codecs = copy.codecs});
    return 0;
}

static int do_job(struct copies *copies, const struct job *job, const struct privacy *privacy, struct error *err)
{
    const struct place place = {.camera = job->camera, .opened_us = job->opened_us, .alert = job->alert};
    int from = open_clip(copies, &place);
    if (from < 0)
        return error_set(err, from, from == -ENOENT ? "the clip is no longer kept"
                                    : from == -EBUSY ? "the clip is still being written" : "the clip cannot be opened");
    int there = place_read(copies->state_dir, &place, name), r = 0;
    if (there >= 0)
        close(there);           /* made since it was asked for */
    else
        r = write_copy(copies, job, &place, privacy, from, err);
    close(from);
    if (r == -ENOSPC || r == -EDQUOT)
        evidence_lack_space(copies->evidence);
    if (r == -EINTR && !atomic_load(&copies->stop))
        error_set(err, r, "the disk is full");
    return r;
}

/* Waits for a job, and claims it: *ret is a copy. false: the thread is to end. */
static bool claim(struct copies *copies, struct job *ret, struct privacy *privacy)
{
    struct job *job;
    lock_take(&copies->lock);
    while (!(job = oldest_locked(copies, VIEW_COPY_WAITING, NULL)) && !atomic_load(&copies->stop))
        lock_wait(&copies->lock, &copies->wake);
    bool goes_on = !atomic_load(&copies->stop);
    if (goes_on) {
        job->state = VIEW_COPY_RUNNING;
        *ret = *job;
        find_privacy_locked(copies, job->camera, privacy);
    }
    lock_give(&copies->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct copies *copies = arg;
    struct privacy privacy;
    struct job job;
    while (claim(copies, &job, &privacy)) {
        struct error err = {""};
        struct log_number id;
        heartbeat_until(&copies->beat, monotonic_us() + COPIES_LIMIT_S * SECOND_US + PATIENCE_US);
        int r = do_job(copies, &job, &privacy, &err);
        if (r < 0)
            log_event(LOG_WARNING, "evidence_failed", "camera", job.camera, "alert", log_int(&id, (long long)job.alert), "kind",
                      "copy", "reason", err.text, NULL);
        lock_take(&copies->lock);
        struct job *done = find_locked(copies, job.alert);
        if (r == 0)
            *done = (struct job){0};    /* the file itself says so */
        else
            done->state = VIEW_COPY_FAILED;
        snprintf(done->reason, sizeof done->reason, "%s", err.text);
        lock_give(&copies->lock);
        heartbeat_idle(&copies->beat);
    }
    return NULL;
}

int copies_open(struct copies **ret, const struct copies_options *options, struct error *err)
{
    struct copies *copies = calloc(1, sizeof *copies);
    char *state_dir = strdup(options->state_dir);
    if (!copies || !state_dir) {
        free(copies);
        free(state_dir);
        return error_set(err, -ENOMEM, "out of memory");
    }
    copies->state_dir = state_dir;
    copies->evidence = options->evidence;
    copies->host = options->host;
    copies->heartbeats = options->heartbeats;
    lock_init(&copies->lock, LOCK_WAIT);
    lock_cond_init(&copies->wake);
    heartbeat_add(copies->heartbeats, &copies->beat, "copies");
    int r = thread_start(&copies->thread, "copies", run, copies);
    if (r < 0) {
        copies_close(copies);
        return error_set(err, r, "cannot start the copies thread: %s", strerror(-r));
    }
    *ret = copies;
    return 0;
}

void copies_stop(struct copies *copies)
{
    if (!copies)
        return;
    lock_take(&copies->lock);
    atomic_store(&copies->stop, true);
    pthread_cond_signal(&copies->wake);
    lock_give(&copies->lock);
}

bool copies_end(struct copies *copies, int64_t deadline_us)
{
    copies_stop(copies);
    return !copies || thread_join(copies->thread, deadline_us);
}

void copies_close(struct copies *copies)
{
    if (!copies)
        return;
    heartbeat_remove(copies->heartbeats, &copies->beat);
    pthread_cond_destroy(&copies->wake);
    lock_destroy(&copies->lock);
    config_unref(copies->config);
    free(copies->state_dir);
    free(copies);
}
