#include "daemon/watch/evidence/evidence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/watch/evidence/alert_clip.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"

#define TICK_US INT64_C(250000)
/* A stream whose newest packet was older than this when the alert opened has stopped. */
#define FRESH_US INT64_C(3000000)
/* A step may wait for the disk, and for each clip's process. */
#define PATIENCE_US INT64_C(60000000)

struct keeper {                 /* a camera */
    char camera[RECORD_NAME_SIZE];
    struct config_evidence rolls;
    struct packet_ring *ring, *other;   /* references; other NULL: there is none */
    bool has_pictures;
    struct privacy privacy;     /* burned into clips; n 0: none */
    struct keeper *next;
};

struct alert {                  /* what the thread has to know of an event */
    bool closed;
    uint64_t id;
    char camera[RECORD_NAME_SIZE];
    int64_t time_us;            /* UTC: when it opened */
    int64_t at_us;              /* CLOCK_MONOTONIC: when it opened or closed */
};

struct evidence {
    struct evidence_options options;
    char *state_dir;
    struct pictures *pictures;
    struct heartbeat beat;
    pthread_t thread;

    /* The thread's own. */
    struct alert_clip *clips[EVIDENCE_CLIPS_MAX];
    char cameras[EVIDENCE_CLIPS_MAX][RECORD_NAME_SIZE];         /* of each */
    size_t n_clips;

    atomic_uint made;           /* files */
    atomic_bool no_space, paused;

    struct lock lock;           /* guards all below */
    pthread_cond_t wake;
    struct keeper *keepers;     /* the newest first */
    struct alert queue[EVIDENCE_QUEUE_MAX];
    size_t first, n;            /* of the queue */
    bool stop;
};

/* ---- cameras ---------------------------------------------------------------------------------------------------------- */

int evidence_add(struct evidence *evidence, const struct evidence_camera *camera)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return -ENOMEM;
    snprintf(keeper->camera, sizeof keeper->camera, "%s", camera->name);
    keeper->rolls = *camera->rolls;
    privacy_of(&keeper->privacy, camera->rolls->masked_clips ? camera->pictures->zones : NULL);
    keeper->has_pictures = camera->rolls->snapshots;
    if (keeper->has_pictures) {
        struct pictures_camera pictures = *camera->pictures;
        pictures.name = camera->name;
        pictures.ring = camera->ring;
        int r = pictures_add(evidence->pictures, &pictures);
        if (r < 0) {
            free(keeper);
            return r;
        }
    }
    keeper->ring = packet_ring_ref(camera->ring);
    keeper->other = camera->other ? packet_ring_ref(camera->other) : NULL;
    lock_take(&evidence->lock);
    keeper->next = evidence->keepers;
    evidence->keepers = keeper;
    lock_give(&evidence->lock);
    return 0;
}

static void free_keeper(struct keeper *keeper)
{
    packet_ring_unref(keeper->ring);
    packet_ring_unref(keeper->other);
    free(keeper);
}

void evidence_remove(struct evidence *evidence, const struct packet_ring *ring)
{
    lock_take(&evidence->lock);
    struct keeper **at = &evidence->keepers;
    while (*at && (*at)->ring != ring)
        at = &(*at)->next;
    struct keeper *keeper = *at;
    if (keeper)
        *at = keeper->next;
    lock_give(&evidence->lock);
    pictures_remove(evidence->pictures, ring);
    if (keeper)
        free_keeper(keeper);
}

static bool is_fresh(struct packet_ring *ring, int64_t at_us)
{
    struct packet_ring_stats stats;
    packet_ring_stats(ring, &stats);
    return stats.packets > 0 && stats.newest_us >= at_us - FRESH_US;
}

/* Chooses the ring of the alert's camera: writes a reference, the rolls, and the masks. false: it has no clips. */
static bool find_ring(struct evidence *evidence, const struct alert *alert, struct alert_clip_options *ret,
                      struct config_evidence *rolls, struct privacy *privacy)
{
    struct packet_ring *ring = NULL, *other = NULL;
    lock_take(&evidence->lock);
    for (const struct keeper *k = evidence->keepers; k && !ring; k = k->next)
        if (k->rolls.clips && strcmp(k->camera, alert->camera) == 0) {
            *rolls = k->rolls;
            *privacy = k->privacy;
            ring = packet_ring_ref(k->ring);
            other = k->other ? packet_ring_ref(k->other) : NULL;
        }
    lock_give(&evidence->lock);
    ret->is_other_stream = other && is_fresh(other, alert->at_us);
    ret->ring = ret->is_other_stream ? other : ring;
    packet_ring_unref(ret->is_other_stream ? ring : other);
    return ret->ring != NULL;
}

/* ---- the sink --------------------------------------------------------------------------------------------------------- */

static bool has_pictures(struct evidence *evidence, const char *camera)
{
    bool found = false;
    lock_take(&evidence->lock);
    for (const struct keeper *k = evidence->keepers; k && !found; k = k->next)
        found = k->has_pictures && strcmp(k->camera, camera) == 0;
    lock_give(&evidence->lock);
    return found;
}

/* Orders the pictures of an alert that opens, or reports that there will be none. */
static void take_opening(struct evidence *evidence, const struct alert_record *alert)
{
    if (has_pictures(evidence, alert->camera))
        pictures_take(evidence->pictures, alert);
    else
        evidence->options.ready(evidence->options.arg, alert->id);
}

/* The same of a fault that opens or closes. */
static void take_fault(struct evidence *evidence, const struct event *event)
{
    if (event->health->now && has_pictures(evidence, event->camera))
        pictures_take_fault(evidence->pictures, event);
    else
        evidence->options.ready(evidence->options.arg, event->health->id);
}

static int take_event(void *arg, const struct event *event)
{
    struct evidence *evidence = arg;
    if (event->health)
        take_fault(evidence, event);
    if (event->type != EVENT_ALERT_OPENED && event->type != EVENT_ALERT_CLOSED)
        return 0;
    const struct alert_record *record = event->alert;
    struct alert alert = {.closed = event->type == EVENT_ALERT_CLOSED, .id = record->id, .time_us = record->opened_us};
    snprintf(alert.camera, sizeof alert.camera, "%s", record->camera);
    alert.at_us = monotonic_us() - (utc_us() - (alert.closed ? record->closed_us : record->opened_us));
    int r = -ENOSPC;
    lock_take(&evidence->lock);
    if (evidence->n < EVIDENCE_QUEUE_MAX) {
        evidence->queue[(evidence->first + evidence->n++) % EVIDENCE_QUEUE_MAX] = alert;
        pthread_cond_signal(&evidence->wake);
        r = 0;
    }
    lock_give(&evidence->lock);
    if (!alert.closed)
        take_opening(evidence, record);
    return r;
}

struct event_sink evidence_sink(struct evidence *evidence)
{
    return (struct event_sink){.take = take_event, .arg = evidence};
}

/* ---- for retention ---------------------------------------------------------------------------------------------------- */

unsigned evidence_made_files(const struct evidence *evidence)
{
    return atomic_load(&evidence->made);
}

bool evidence_take_no_space(struct evidence *evidence)
{
    return atomic_exchange(&evidence->no_space, false);
}

void evidence_pause(struct evidence *evidence, bool paused)
{
    atomic_store(&evidence->paused, paused);
}

void evidence_add_file(struct evidence *evidence, const struct evidence_made *made)
{
    atomic_fetch_add(&evidence->made, 1);
    evidence->options.made(evidence->options.arg, made);
}

void evidence_lack_space(struct evidence *evidence)
{
    atomic_store(&evidence->no_space, true);
}

bool evidence_is_paused(const struct evidence *evidence)
{
    return atomic_load(&evidence->paused);
}

const atomic_bool *evidence_paused(const struct evidence *evidence)
{
    return &evidence->paused;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static void log_clip(const char *camera, uint64_t alert, const struct alert_clip_outcome *clip)
{
    struct log_number id, bytes, seconds, pre_roll, lost;
    if (clip->error.text[0])
        log_event(LOG_ERR, "evidence_failed", "camera", camera, "alert", log_int(&id, (long long)alert), "kind", "clip", "path",
                  clip->path, "reason", clip->error.text, NULL);
    else if (!clip->path[0])
        log_event(LOG_WARNING, "evidence_failed", "camera", camera, "alert", log_int(&id, (long long)alert), "kind", "clip",
                  "reason", "no packets were kept at that time", NULL);
    if (clip->path[0])
        log_event(LOG_INFO, "evidence_written", "camera", camera, "alert", log_int(&id, (long long)alert), "kind", "clip", "path",
                  clip->path, "bytes", log_int(&bytes, (long long)clip->bytes), "seconds",
                  log_real(&seconds, 1e-6 * (double)clip->duration_us), "pre_roll_s",
                  log_real(&pre_roll, 1e-6 * (double)clip->pre_roll_us), "codec", clip->codec, "codecs", clip->codecs,
                  "audio", clip->audio, "lost", log_int(&lost, (long long)clip->lost), "end", clip->end, NULL);
    if (clip->path[0] && clip->audio_lost > 0)
        log_event(LOG_WARNING, "evidence_audio_lost", "camera", camera, "alert", log_int(&id, (long long)alert), "path",
                  clip->path, "packets", log_int(&lost, (long long)clip->audio_lost), "reason",
                  "the file does not take the audio, or memory is short: the clip was written without these packets", NULL);
}

/* Closes clip i, logs it, and reports its file. */
static void finish(struct evidence *evidence, size_t i)
{
    struct alert_clip_outcome clip;
    char camera[RECORD_NAME_SIZE];
    uint64_t alert = alert_clip_alert(evidence->clips[i]);
    memcpy(camera, evidence->cameras[i], sizeof camera);
    alert_clip_close(evidence->clips[i], &clip);
    evidence->n_clips--;
    evidence->clips[i] = evidence->clips[evidence->n_clips];
    memmove(evidence->cameras[i], evidence->cameras[evidence->n_clips], sizeof camera);
    log_clip(camera, alert, &clip);
    atomic_fetch_add(&evidence->made, 1);
    if (clip.no_space)
        atomic_store(&evidence->no_space, true);
    const struct evidence_made made = {.alert = alert, .camera = camera, .kind = "clip", .path = clip.path, .bytes = clip.bytes,
                                       .codec = clip.codec, .codecs = clip.codecs};
    if (clip.path[0])
        evidence->options.made(evidence->options.arg, &made);
}

static void open_clip(struct evidence *evidence, const struct alert *alert)
{
    struct config_evidence rolls;
    struct privacy privacy;
    struct alert_clip_options options = {.state_dir = evidence->state_dir,
                                         .place = {.camera = alert->camera, .opened_us = alert->time_us, .alert = alert->id},
                                         .opened_us = alert->at_us,
                                         .rolls = &rolls,
                                         .privacy = &privacy,
                                         .host = evidence->options.host};
    if (!find_ring(evidence, alert, &options, &rolls, &privacy))
        return;                 /* the camera keeps no clips */
    size_t n = evidence->n_clips;
    int r = atomic_load(&evidence->paused) ? -ENOSPC
            : n < EVIDENCE_CLIPS_MAX ? alert_clip_open(&evidence->clips[n], &options) : -EMFILE;
    packet_ring_unref(options.ring);
    if (r < 0) {
        struct log_number id;
        log_event(LOG_ERR, "evidence_failed", "camera", alert->camera, "alert", log_int(&id, (long long)alert->id), "kind",
                  "clip", "reason", r == -EMFILE ? "too many clips are being written"
                                    : r == -ENOSPC ? "the disk is full" : "out of memory", NULL);
        return;
    }
    memcpy(evidence->cameras[n], alert->camera, sizeof alert->camera);
    evidence->n_clips++;
}

static void take_alert(struct evidence *evidence, const struct alert *alert)
{
    if (!alert->closed) {
        open_clip(evidence, alert);
        return;
    }
    for (size_t i = 0; i < evidence->n_clips; i++)
        if (alert_clip_alert(evidence->clips[i]) == alert->id)
            alert_clip_set_closed(evidence->clips[i], alert->at_us);
}

/* Takes an alert from the queue, or waits until clips are to be written again. false: the thread is to end, and the queue is
 * empty. *got: there is an alert. */
static bool wait_for_alert(struct evidence *evidence, int64_t until_us, struct alert *ret, bool *got)
{
    lock_take(&evidence->lock);
    bool waits = true;
    while (evidence->n == 0 && !evidence->stop && waits) {
        if (until_us == INT64_MAX)
            lock_wait(&evidence->lock, &evidence->wake);
        else
            waits = lock_wait_until(&evidence->lock, &evidence->wake, until_us);
    }
    *got = evidence->n > 0;
    if (*got) {
        *ret = evidence->queue[evidence->first];
        evidence->first = (evidence->first + 1) % EVIDENCE_QUEUE_MAX;
        evidence->n--;
    }
    bool goes_on = !evidence->stop || *got;
    lock_give(&evidence->lock);
    return goes_on;
}

static void write_clips(struct evidence *evidence)
{
    bool paused = atomic_load(&evidence->paused);
    for (size_t i = evidence->n_clips; i-- > 0;) {
        if (paused)
            alert_clip_stop(evidence->clips[i]);
        if (!alert_clip_write(evidence->clips[i], monotonic_us()))
            finish(evidence, i);
    }
}

static void *evidence_main(void *arg)
{
    struct evidence *evidence = arg;
    int64_t next_us = INT64_MAX;        /* when clips are to be written again */
    struct alert alert;
    bool got;
    for (;;) {
        if (evidence->n_clips == 0)
            heartbeat_idle(&evidence->beat);
        if (!wait_for_alert(evidence, next_us, &alert, &got))
            break;
        heartbeat_until(&evidence->beat, monotonic_us() + PATIENCE_US);
        if (got)
            take_alert(evidence, &alert);
        /* An alert that opens has its pre-roll on disk at once. */
        write_clips(evidence);
        next_us = evidence->n_clips > 0 ? monotonic_us() + TICK_US : INT64_MAX;
    }
    heartbeat_until(&evidence->beat, monotonic_us() + PATIENCE_US);
    write_clips(evidence);
    while (evidence->n_clips > 0)
        finish(evidence, evidence->n_clips - 1);
    heartbeat_idle(&evidence->beat);
    return NULL;
}

static void picture_made(void *arg, const struct pictures_made *made)
{
    struct evidence *evidence = arg;
    const struct evidence_options *options = &evidence->options;
    atomic_fetch_add(&evidence->made, 1);
    if (made->alert)            /* the database has no rows of faults */
        options->made(options->arg, &(struct evidence_made){.alert = made->alert, .camera = made->camera, .kind = made->kind,
                                                        .path = made->path, .bytes = made->bytes, .codec = "", .codecs = ""});
}

static void pictures_ready(void *arg, uint64_t id)
{
    const struct evidence_options *options = &((struct evidence *)arg)->options;
    options->ready(options->arg, id);
}

/* Frees the parts that are open. The thread does not run. */
static void free_evidence(struct evidence *evidence)
{
    heartbeat_remove(evidence->options.heartbeats, &evidence->beat);
    pictures_close(evidence->pictures);
    while (evidence->keepers) {
        struct keeper *keeper = evidence->keepers;
        evidence->keepers = keeper->next;
        free_keeper(keeper);
    }
    pthread_cond_destroy(&evidence->wake);
    lock_destroy(&evidence->lock);
    free(evidence->state_dir);
    free(evidence);
}

int evidence_open(struct evidence **ret, const struct evidence_options *options, struct error *err)
{
    struct evidence *evidence = calloc(1, sizeof *evidence);
    char *state_dir = strdup(options->state_dir);
    if (!evidence || !state_dir) {
        free(evidence);
        free(state_dir);
        return error_set(err, -ENOMEM, "out of memory");
    }
    evidence->options = *options;
    evidence->state_dir = state_dir;
    lock_init(&evidence->lock, LOCK_WAIT);
    lock_cond_init(&evidence->wake);
    heartbeat_add(options->heartbeats, &evidence->beat, "evidence");
    int r = pictures_open(&evidence->pictures, &(struct pictures_options){.state_dir = state_dir, .host = options->host,
                                                                          .heartbeats = options->heartbeats, .made = picture_made,
                                                                          .ready = pictures_ready, .arg = evidence}, err);
    if (r == 0 && (r = thread_start(&evidence->thread, "evidence", evidence_main, evidence)) < 0) {
        error_set(err, r, "cannot start the evidence thread: %s", strerror(-r));
        pictures_end(evidence->pictures, INT64_MAX);
    }
    if (r < 0)
        free_evidence(evidence);
    else
        *ret = evidence;
    return r;
}

bool evidence_end(struct evidence *evidence, int64_t deadline_us)
{
    if (!evidence)
        return true;
    lock_take(&evidence->lock);
    evidence->stop = true;
    pthread_cond_signal(&evidence->wake);
    lock_give(&evidence->lock);
    bool pictures_ended = pictures_end(evidence->pictures, deadline_us);
    return thread_join(evidence->thread, deadline_us) && pictures_ended;
}

void evidence_close(struct evidence *evidence)
{
    if (evidence)
        free_evidence(evidence);
}

void evidence_stats(struct evidence *evidence, struct pictures_stats *ret)
{
    pictures_stats(evidence->pictures, ret);
}
