#include "daemon/watch/evidence/pictures.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain/explain.h"
#include "core/network/plan.h"
#include "core/utc.h"
#include "daemon/base/log.h"
#include "daemon/watch/evidence/fault_pictures.h"
#include "daemon/watch/evidence/snapshot.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"
#include "io/picture/jpeg.h"

enum { LONGEST = 1280, DECODE_MS = 1800 };

#define PATIENCE_US INT64_C(60000000)
#define HOUR_US INT64_C(3600000000)
/* As an alert opens, its cause has just entered its first window, whose centre frame does not show it yet. So the score may rise
 * for this long before the window with the peak is taken. */
#define RISE_US INT64_C(800000)

struct member {                 /* a camera */
    struct pictures_camera camera;
    char name[RECORD_NAME_SIZE];
    atomic_bool leaves;         /* the camera leaves: decoding for it is given up */
    bool busy;                  /* the thread uses it */
    int64_t hour_us;            /* CLOCK_MONOTONIC: when the hour began in which faults are counted */
    int faults;                 /* that opened in it and have pictures */
    struct member *next;
};

struct job {                    /* an alert, or a fault that opened or closed */
    uint64_t id;
    bool is_fault;
    bool closed;                /* of a fault: it closed */
    struct sight *before, *now; /* of a fault; references, or NULL */
    bool has_windows;           /* it is made from windows: not from what stands still, and no test */
    char camera[RECORD_NAME_SIZE];
    int64_t opened_us, peak_us; /* UTC */
    int64_t told_us, peak_at_us;        /* CLOCK_MONOTONIC: when it was told, and of peak_us */
    int64_t due_us;             /* CLOCK_MONOTONIC: the snapshot is made then */
    struct boxes boxes;
    uint8_t *frames;            /* of the window with the peak; NULL: it is not known */
    struct peak_window window;
    struct picture picture;     /* the frame, without what is drawn; width 0: none yet */
    bool wants_why;             /* the snapshot is made */
    struct job *next;
};

struct pictures {
    struct pictures_options options;
    struct heartbeat beat;
    pthread_t thread;

    struct lock lock;           /* guards all below */
    pthread_cond_t wake, idle;  /* idle: a member is not busy any more */
    struct member *members;     /* the newest first */
    struct job *jobs;           /* the oldest first */
    size_t n_jobs;
    bool stop;
    struct pictures_stats stats;
};

/* ---- cameras ---------------------------------------------------------------------------------------------------------- */

int pictures_add(struct pictures *pictures, const struct pictures_camera *camera)
{
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return -ENOMEM;
    member->camera = *camera;
    snprintf(member->name, sizeof member->name, "%s", camera->name);
    member->camera.name = member->name;
    packet_ring_ref(camera->ring);
    lock_take(&pictures->lock);
    member->next = pictures->members;
    pictures->members = member;
    lock_give(&pictures->lock);
    return 0;
}

static void free_member(struct member *member)
{
    packet_ring_unref(member->camera.ring);
    free(member);
}

void pictures_remove(struct pictures *pictures, const struct packet_ring *ring)
{
    lock_take(&pictures->lock);
    struct member **at = &pictures->members;
    while (*at && (*at)->camera.ring != ring)
        at = &(*at)->next;
    struct member *member = *at;
    if (member) {
        *at = member->next;
        atomic_store(&member->leaves, true);
        while (member->busy)
            lock_wait(&pictures->lock, &pictures->idle);
    }
    lock_give(&pictures->lock);
    if (member)
        free_member(member);
}

/* ---- alerts and faults ------------------------------------------------------------------------------------------------ */

static void free_job(struct job *job)
{
    picture_close(&job->picture);
    sight_unref(job->before);
    sight_unref(job->now);
    free(job->frames);
    free(job);
}

/* The key of the id in the log. */
static const char *key_of(const struct job *job)
{
    return job->is_fault ? "fault" : "alert";
}

static void log_failure(const struct job *job, const char *kind, const char *reason)
{
    struct log_number id;
    log_event(LOG_ERR, "evidence_failed", "camera", job->camera, key_of(job), log_int(&id, (long long)job->id), "kind", kind,
              "reason", reason, NULL);
}

/* Ends the job: nothing more comes of it. */
static void finish(struct pictures *pictures, struct job *job)
{
    pictures->options.ready(pictures->options.arg, job->id);
    free_job(job);
}

static void count_failure(struct pictures *pictures)
{
    lock_take(&pictures->lock);
    pictures->stats.failures++;
    lock_give(&pictures->lock);
}

static void count_snapshot(struct pictures *pictures, double seconds)
{
    int i = 0;
    while (i < VIEW_SNAPSHOTS && seconds > (double)view_snapshot_s[i])
        i++;
    lock_take(&pictures->lock);
    pictures->stats.snapshots[i]++;
    pictures->stats.seconds += seconds;
    lock_give(&pictures->lock);
}

static struct member *find_member_locked(struct pictures *pictures, const char *camera)
{
    struct member *found = pictures->members;
    while (found && strcmp(found->name, camera) != 0)
        found = found->next;
    return found;
}

static void append_locked(struct pictures *pictures, struct job *job)
{
    struct job **at = &pictures->jobs;
    while (*at)
        at = &(*at)->next;
    *at = job;
    pictures->n_jobs++;
}

/* Appends the job if there is room; else it stays the caller's. */
static bool append(struct pictures *pictures, struct job *job)
{
    lock_take(&pictures->lock);
    bool has_room = pictures->n_jobs < PICTURES_QUEUE_MAX && !pictures->stop;
    if (has_room) {
        append_locked(pictures, job);
        pthread_cond_signal(&pictures->wake);
    }
    lock_give(&pictures->lock);
    return has_room;
}

void pictures_take(struct pictures *pictures, const struct alert_record *alert)
{
    int64_t now_us = monotonic_us();
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return;                 /* its events wait until their time is over */
    job->id = alert->id;
    job->has_windows = alert->kind == ALERT_ANOMALY && !alert->test;
    snprintf(job->camera, sizeof job->camera, "%s", alert->camera);
    job->opened_us = alert->opened_us;
    job->peak_us = alert->peak_us;
    job->told_us = now_us;
    job->peak_at_us = now_us - (utc_us() - alert->peak_us);
    job->due_us = now_us + (job->has_windows ? RISE_US : 0);
    job->boxes = alert->boxes;
    if (append(pictures, job))
        return;
    log_failure(job, "snapshot", "too many alerts wait for pictures");
    count_failure(pictures);
    finish(pictures, job);
}

/* Counts a fault that opened. false: the camera has had so many in this hour that this one has no pictures. */
static bool count_fault(struct pictures *pictures, const char *camera)
{
    int64_t now_us = monotonic_us();
    lock_take(&pictures->lock);
    struct member *member = find_member_locked(pictures, camera);
    if (member && (member->faults == 0 || now_us - member->hour_us >= HOUR_US)) {
        member->hour_us = now_us;
        member->faults = 0;
    }
    bool is_within = member && member->faults < PICTURES_FAULTS_MAX;
    if (is_within)
        member->faults++;
    lock_give(&pictures->lock);
    return is_within;
}

void pictures_take_fault(struct pictures *pictures, const struct event *event)
{
    const struct event_health *fault = event->health;
    const bool closed = event->type == EVENT_HEALTH_CLOSED;
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return;                 /* its event waits until its time is over */
    *job = (struct job){.id = fault->id, .is_fault = true, .closed = closed, .before = sight_ref(fault->before),
                        .now = sight_ref(fault->now), .opened_us = (int64_t)fault->id * 1000, .told_us = monotonic_us()};
    snprintf(job->camera, sizeof job->camera, "%s", event->camera);
    const bool is_wanted = closed || count_fault(pictures, event->camera);
    if (is_wanted && append(pictures, job))
        return;
    if (is_wanted)
        log_failure(job, closed ? "after" : "fault", "too many alerts wait for pictures");
    finish(pictures, job);
}

void pictures_stats(struct pictures *pictures, struct pictures_stats *ret)
{
    lock_take(&pictures->lock);
    *ret = pictures->stats;
    lock_give(&pictures->lock);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static struct place place_of(const struct job *job)
{
    return (struct place){.camera = job->camera, .opened_us = job->opened_us, .alert = job->id};
}

/* UTC of the frame that the pictures of an alert show. */
static int64_t time_of(const struct job *job)
{
    return job->frames ? job->window.time_us : job->peak_us;
}

/* Writes KIND.jpg, which shows what was at time_us (UTC). */
static int put(struct pictures *pictures, const struct job *job, const char *kind, const struct picture *picture,
               int64_t time_us, struct error *err)
{
    struct jpeg jpeg;
    char name[16], path[PLACE_PATH_SIZE];
    int r = jpeg_encode(&jpeg, picture, JPEG_QUALITY, err);
    if (r < 0)
        return r;
    snprintf(name, sizeof name, "%s.jpg", kind);
    const struct place place = place_of(job);
    r = place_put(pictures->options.state_dir, &place, name, jpeg.data, jpeg.size, path, err);
    if (r == 0) {
        struct log_number id, bytes, seconds;
        char taken[UTC_SIZE];
        utc_format(taken, time_us);
        log_event(LOG_INFO, "evidence_written", "camera", job->camera, key_of(job), log_int(&id, (long long)job->id), "kind",
                  kind, "path", path, "bytes", log_int(&bytes, (long long)jpeg.size), "taken", taken, "after_s",
                  log_real(&seconds, 1e-6 * (double)(monotonic_us() - job->told_us)), NULL);
        pictures->options.made(pictures->options.arg,
                               &(struct pictures_made){.alert = job->is_fault ? 0 : job->id, .camera = job->camera,
                                                       .kind = kind, .path = path, .bytes = (int64_t)jpeg.size});
    }
    jpeg_close(&jpeg);
    return r;
}

/* ---- the snapshot ----------------------------------------------------------------------------------------------------- */

/* Takes the window with the peak, if the alert is made from windows and it is still there. */
static void take_peak(const struct member *member, struct job *job)
{
    if (!job->has_windows || !member->camera.peak)
        return;
    job->frames = malloc(peak_bytes(member->camera.peak));
    if (job->frames && !peak_read(member->camera.peak, job->opened_us, &job->window, job->frames)) {
        free(job->frames);
        job->frames = NULL;
    }
}

/* The moment is still to be set. */
static struct snapshot_options decoding_of(struct pictures *pictures, struct member *member)
{
    return (struct snapshot_options){.is_masked = zones_hide(member->camera.zones), .longest = LONGEST, .limit_ms = DECODE_MS,
                                     .memory_mib = member->camera.memory_mib, .host = pictures->options.host,
                                     .stop = &member->leaves};
}

static int decode(struct pictures *pictures, struct member *member, struct job *job, struct error *err)
{
    struct snapshot_options options = decoding_of(pictures, member);
    options.arrival_us = job->frames ? job->window.arrival_us : job->peak_at_us;
    options.is_exact = job->frames != NULL;
    return snapshot_decode(&job->picture, member->camera.ring, &options, err);
}

/* The frame as the network saw it, where there is none in colour for `reason`. */
static int fall_back(struct pictures *pictures, const struct member *member, struct job *job, const char *reason,
                     struct error *err)
{
    const struct arch *arch = plan_arch(member->camera.plan);
    if (!job->frames)
        return error_set(err, -ENOENT, "%s", reason);
    size_t size = (size_t)arch->height * (size_t)arch->width;
    int r = picture_from_gray(&job->picture, job->frames + (size_t)(arch->frames / 2) * size, arch->width, arch->height);
    if (r < 0)
        return error_set(err, r, "out of memory");
    struct log_number id;
    log_event(LOG_WARNING, "snapshot_is_gray", "camera", job->camera, "alert", log_int(&id, (long long)job->id), "reason",
              reason, NULL);
    lock_take(&pictures->lock);
    pictures->stats.gray++;
    lock_give(&pictures->lock);
    return 0;
}

static int draw_snapshot(struct pictures *pictures, const struct member *member, const struct job *job, struct error *err)
{
    struct picture drawn;
    int r = picture_scale(&drawn, &job->picture, job->picture.width, job->picture.height);
    if (r < 0)
        return error_set(err, r, "out of memory");
    snapshot_hide(&drawn, member->camera.zones);
    draw_boxes(&drawn, job->frames ? &job->window.boxes : &job->boxes);
    r = put(pictures, job, "snapshot", &drawn, time_of(job), err);
    picture_close(&drawn);
    return r;
}

/* Returns true if a picture is to say why. */
static bool make_snapshot(struct pictures *pictures, struct member *member, struct job *job)
{
    struct error err = {""}, cause = {""};
    take_peak(member, job);
    int r = decode(pictures, member, job, &cause);
    if (r < 0)
        r = fall_back(pictures, member, job, cause.text, &err);
    if (r == 0)
        r = draw_snapshot(pictures, member, job, &err);
    if (r < 0) {
        log_failure(job, "snapshot", err.text);
        count_failure(pictures);
        return false;
    }
    count_snapshot(pictures, 1e-6 * (double)(monotonic_us() - job->told_us));
    return job->frames != NULL;
}

/* ---- the picture that says why ---------------------------------------------------------------------------------------- */

static int explain(const struct member *member, const struct job *job, struct explained *explained, struct error *err)
{
    const struct pictures_camera *camera = &member->camera;
    const struct arch *arch = plan_arch(camera->plan);
    const size_t size = (size_t)arch->height * (size_t)arch->width;
    void *workspace = plan_workspace_new(camera->plan);
    const uint8_t **frames = calloc((size_t)arch->frames, sizeof *frames);
    int r = workspace && frames ? explained_open(explained, arch, err) : error_set(err, -ENOMEM, "out of memory");
    if (r == 0) {
        for (int i = 0; i < arch->frames; i++)
            frames[i] = job->frames + (size_t)i * size;
        explain_window(camera->plan, camera->calibration, camera->regions, frames, workspace, explained);
    }
    free(frames);
    free(workspace);
    return r;
}

static int make_why(struct pictures *pictures, const struct member *member, const struct job *job, struct error *err)
{
    struct explained explained;
    struct snapshot_masks masks;
    struct picture why;
    char caption[UTC_SIZE];
    int r = explain(member, job, &explained, err);
    if (r < 0)
        return r;
    utc_format(caption, time_of(job));
    snapshot_masks(&masks, member->camera.zones);
    r = explain_draw(&why, &explained, &(struct explain_frame){.picture = &job->picture, .caption = caption,
                                                               .boxes = &job->window.boxes, .masks = masks.polygons,
                                                               .n_masks = masks.n});
    if (r < 0)
        error_set(err, r, "out of memory");
    if (r == 0) {
        r = put(pictures, job, "why", &why, time_of(job), err);
        picture_close(&why);
    }
    explained_close(&explained);
    return r;
}

/* ---- the pictures of a fault ------------------------------------------------------------------------------------------ */

struct fault_work {
    struct pictures *pictures;
    const struct job *job;
};

static int put_of_fault(void *arg, const char *kind, const struct picture *picture, int64_t time_us, struct error *err)
{
    const struct fault_work *work = arg;
    return put(work->pictures, work->job, kind, picture, time_us, err);
}

static void make_of_fault(struct pictures *pictures, struct member *member, const struct job *job)
{
    struct fault_work work = {pictures, job};
    fault_pictures_make(&(struct fault_pictures){.state_dir = pictures->options.state_dir, .place = place_of(job),
                                                 .decoding = decoding_of(pictures, member), .ring = member->camera.ring,
                                                 .zones = member->camera.zones, .closed = job->closed, .before = job->before,
                                                 .now = job->now, .put = put_of_fault, .arg = &work});
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Finds a job that can be done now: first those without a snapshot. NULL: there is none; *until_us is when there may be one. */
static struct job **find_job_locked(struct pictures *pictures, int64_t *until_us)
{
    struct job **why = NULL;
    int64_t now_us = monotonic_us();
    *until_us = INT64_MAX;
    for (struct job **at = &pictures->jobs; *at; at = &(*at)->next) {
        if ((*at)->wants_why)
            why = why ? why : at;
        else if ((*at)->due_us <= now_us)
            return at;
        else if ((*at)->due_us < *until_us)
            *until_us = (*at)->due_us;
    }
    return why;
}

/* Takes a job, and its camera for the time of a step. *member is NULL if the camera has left. NULL: the thread is to end. */
static struct job *next_job(struct pictures *pictures, struct member **member)
{
    struct job *job = NULL, **at;
    int64_t until_us;
    lock_take(&pictures->lock);
    while (!(at = find_job_locked(pictures, &until_us)) && !pictures->stop)
        if (until_us == INT64_MAX)
            lock_wait(&pictures->lock, &pictures->wake);
        else
            lock_wait_until(&pictures->lock, &pictures->wake, until_us);
    if (at && !pictures->stop) {
        job = *at;
        *at = job->next;
        job->next = NULL;
        pictures->n_jobs--;
        struct member *found = find_member_locked(pictures, job->camera);
        if (found)
            found->busy = true;
        *member = found;
    }
    lock_give(&pictures->lock);
    return job;
}

/* The thread no longer uses the member. again: the job, to go on with later; NULL: it has ended. */
static void put_back(struct pictures *pictures, struct member *member, struct job *again)
{
    lock_take(&pictures->lock);
    member->busy = false;
    pthread_cond_broadcast(&pictures->idle);
    if (again)
        append_locked(pictures, again);
    lock_give(&pictures->lock);
}

static void work(struct pictures *pictures, struct member *member, struct job *job)
{
    struct error err = {""};
    if (job->is_fault)
        make_of_fault(pictures, member, job);
    else if (!job->wants_why && make_snapshot(pictures, member, job)) {
        job->wants_why = true;
        put_back(pictures, member, job);
        return;
    }
    if (job->wants_why && make_why(pictures, member, job, &err) < 0)
        log_failure(job, "why", err.text);
    put_back(pictures, member, NULL);
    finish(pictures, job);
}

static void *pictures_main(void *arg)
{
    struct pictures *pictures = arg;
    struct member *member;
    struct job *job;
    for (;;) {
        heartbeat_idle(&pictures->beat);
        if (!(job = next_job(pictures, &member)))
            break;
        heartbeat_until(&pictures->beat, monotonic_us() + PATIENCE_US);
        if (member)
            work(pictures, member, job);
        else
            finish(pictures, job);
    }
    return NULL;
}

int pictures_open(struct pictures **ret, const struct pictures_options *options, struct error *err)
{
    struct pictures *pictures = calloc(1, sizeof *pictures);
    if (!pictures)
        return error_set(err, -ENOMEM, "out of memory");
    pictures->options = *options;
    lock_init(&pictures->lock, LOCK_WAIT);
    lock_cond_init(&pictures->wake);
    lock_cond_init(&pictures->idle);
    heartbeat_add(options->heartbeats, &pictures->beat, "pictures");
    int r = thread_start(&pictures->thread, "pictures", pictures_main, pictures);
    if (r < 0) {
        pictures_close(pictures);
        return error_set(err, r, "cannot start the pictures thread: %s", strerror(-r));
    }
    *ret = pictures;
    return 0;
}

bool pictures_end(struct pictures *pictures, int64_t deadline_us)
{
    if (!pictures)
        return true;
    lock_take(&pictures->lock);
    pictures->stop = true;
    for (struct member *m = pictures->members; m; m = m->next)
        atomic_store(&m->leaves, true);
    pthread_cond_signal(&pictures->wake);
    lock_give(&pictures->lock);
    return thread_join(pictures->thread, deadline_us);
}

void pictures_close(struct pictures *pictures)
{
    if (!pictures)
        return;
    heartbeat_remove(pictures->options.heartbeats, &pictures->beat);
    while (pictures->jobs) {
        struct job *job = pictures->jobs;
        pictures->jobs = job->next;
        free_job(job);
    }
    while (pictures->members) {
        struct member *member = pictures->members;
        pictures->members = member->next;
        free_member(member);
    }
    pthread_cond_destroy(&pictures->wake);
    pthread_cond_destroy(&pictures->idle);
    lock_destroy(&pictures->lock);
    free(pictures);
}
