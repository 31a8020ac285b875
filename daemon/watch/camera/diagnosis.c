#include "daemon/watch/camera/diagnosis.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/health/health.h"
#include "daemon/base/health_picture.h"
#include "daemon/base/log.h"
#include "daemon/watch/health/baseline_file.h"
#include "daemon/watch/health/sights.h"
#include "io/base/clock.h"

/* A picture that has been the same for longer than this is no picture that a camera doubles. */
#define SAME_US INT64_C(2000000)
/* The baseline is kept again after so many more seconds were learned. */
enum { KEEP_S = 600 };

/* A picture as it is diagnosed. */
struct shown {
    const uint8_t *pixels;      /* borrowed; NULL: it is corrupt, and not to be seen */
    bool corrupt;
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when its packet came */
    int64_t time_us;            /* UTC */
    int64_t pts_us;
};

struct diagnosis {
    struct diagnosis_options options;
    struct health *health;
    struct sights *sights;      /* NULL: events have no pictures */
    struct baseline_basis basis;
    atomic_bool relearns;       /* what was learned is to be forgotten */
    bool begun;                 /* a picture has come */
    long kept;                  /* seconds that were learned, as they were kept last; 0: none was */
    bool anew;
    int64_t last_us;            /* time stamp of the last picture */
    int64_t shown_us;           /* that of the last one that was shown in the status */
    unsigned open;              /* kinds, as bits, and */
    bool alone;                 /* health_light_is_alone(), as alerts know them */
    bool told[HEALTH_KINDS];    /* health.opened went out, and no health.closed since */
    struct event_health fault[HEALTH_KINDS];            /* as it opened; of open faults */
    struct view_health view[HEALTH_KINDS];
};

int diagnosis_open(struct diagnosis **ret, const struct diagnosis_options *options)
{
    const struct config_health *config = &options->config->health;
    struct diagnosis *diagnosis = NULL;
    struct health *health = NULL;
    int r = 0;
    if (config->enabled && config->off != HEALTH_ALL)
        r = health_open(&health, &(struct health_options){.height = options->height, .width = options->width,
                                                          .learn_s = config->learn_s, .off = config->off});
    if (r == -EINVAL) {
        char reason[160];
        snprintf(reason, sizeof reason, "pictures are not diagnosed: expected a model of pictures of %d to %d pixels a side, got "
                 "%dx%d", (int)HEALTH_MIN_SIDE, (int)HEALTH_MAX_SIDE, options->width, options->height);
        log_event(LOG_NOTICE, "camera_not_diagnosed", "camera", options->config->name, "reason", reason, NULL);
    }
    struct sights *sights = NULL;
    if (health && options->config->evidence.snapshots)
        r = sights_open(&sights, options->height, options->width, options->packets);
    if (health && !(diagnosis = calloc(1, sizeof *diagnosis)))
        r = -ENOMEM;
    if (r == -ENOMEM) {
        free(diagnosis);
        sights_close(sights);
        health_close(health);
        return r;
    }
    if (diagnosis) {
        *diagnosis = (struct diagnosis){.options = *options, .health = health, .sights = sights, .anew = true,
                                        .basis = baseline_basis_of(options->config, options->height, options->width,
                                                                   options->fps)};
        for (int kind = 0; kind < HEALTH_KINDS; kind++)
            diagnosis->view[kind].on = !(config->off & health_bit((enum health_kind)kind));
        camera_status_set_health(options->status, diagnosis->view, true);
    }
    *ret = diagnosis;
    return 0;
}

void diagnosis_close(struct diagnosis *diagnosis)
{
    if (!diagnosis)
        return;
    sights_close(diagnosis->sights);
    health_close(diagnosis->health);
    free(diagnosis);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

/* Writes the measure of a fault as an event tells it. */
static void describe(const struct health *health, enum health_kind kind, const struct health_measure *m, struct event_health *ret)
{
    const struct health_kind_info *info = health_kind_info(kind);
    struct health_detail details[HEALTH_DETAILS];
    *ret = (struct event_health){.kind = info->name, .unit = info->unit, .quantity = m->quantity, .baseline = m->baseline,
                                 .opens_at = m->on, .closes_at = m->off};
    ret->n_details = health_details(health, kind, details);
    for (int i = 0; i < ret->n_details; i++) {
        ret->detail[i].key = details[i].key;
        ret->detail[i].value = details[i].value;
    }
}

/* Posts the fault with its pictures, and drops these. */
static void post(struct diagnosis *diagnosis, enum event_type type, enum health_kind kind, const char *reason, int64_t time_us)
{
    struct event_health *fault = &diagnosis->fault[kind];
    events_post(diagnosis->options.events, &(struct event){.type = type, .time_us = time_us, .reason = reason,
                                                           .camera = diagnosis->options.config->name, .health = fault});
    sight_unref(fault->before);
    sight_unref(fault->now);
    fault->before = fault->now = NULL;
}

/* The camera as this picture shows it. The caller holds a reference; NULL: events have no pictures, this one is not to be
 * seen, or there is no memory. */
static struct sight *see_now(const struct diagnosis *diagnosis, const struct shown *shown)
{
    const struct diagnosis_options *options = &diagnosis->options;
    if (!diagnosis->sights || !shown->pixels)
        return NULL;
    return sight_new(shown->pixels, options->height, options->width, shown->arrival_us, shown->time_us, NULL);
}

/* Returns true if another event tells the fault. same: the picture has been the same for SAME_US. */
static bool is_said(const struct diagnosis *diagnosis, enum health_kind kind, bool same)
{
    const struct diagnosis_options *options = &diagnosis->options;
    return (kind == HEALTH_SLOW && options->has_slow) || (kind == HEALTH_FROZEN && options->has_frozen && same);
}

/* Notes a fault that opens. */
static void open_fault(struct diagnosis *diagnosis, const struct health_change *change, const struct shown *shown, bool same)
{
    const enum health_kind kind = change->kind;
    struct event_health *fault = &diagnosis->fault[kind];
    describe(diagnosis->health, kind, &change->measure, fault);
    fault->since_us = shown->time_us - (shown->pts_us - change->time_us);
    diagnosis->told[kind] = !is_said(diagnosis, kind, same);
}

static void tell_fault(struct diagnosis *diagnosis, const struct health_change *change, const struct shown *shown)
{
    const enum health_kind kind = change->kind;
    const struct health_kind_info *info = health_kind_info(kind);
    struct event_health *fault = &diagnosis->fault[kind];
    const int64_t lasts_us = shown->pts_us - change->time_us;
    char reason[256];
    if (!diagnosis->told[kind])
        return;
    fault->id = alertlog_new_id(diagnosis->options.alerts, shown->time_us);
    fault->before = diagnosis->sights ? sights_before(diagnosis->sights, shown->arrival_us - lasts_us) : NULL;
    fault->now = see_now(diagnosis, shown);
    snprintf(reason, sizeof reason, "%s: %s is %.3g %s, and %.3g without a fault", info->says, info->quantity, fault->quantity,
             info->unit, fault->baseline);
    post(diagnosis, EVENT_HEALTH_OPENED, kind, reason, shown->time_us);
}

/* ended_us: when the quantity came back, or the last picture was taken. now: the camera without the fault; taken over; NULL: not
 * known. */
static void close_fault(struct diagnosis *diagnosis, enum health_kind kind, const struct health_measure *m, const char *why,
                        int64_t ended_us, int64_t time_us, struct sight *now)
{
    const struct health_kind_info *info = health_kind_info(kind);
    struct event_health *fault = &diagnosis->fault[kind];
    char reason[256];
    if (!diagnosis->told[kind]) {
        sight_unref(now);
        return;
    }
    diagnosis->told[kind] = false;
    fault->now = now;
    fault->quantity = m->quantity;
    fault->baseline = m->baseline;
    fault->opens_at = m->on;
    fault->closes_at = m->off;
    snprintf(reason, sizeof reason, "%s %s after %.3g s; at the worst, %s was %.3g %s", info->name, why,
             1e-6 * (double)(ended_us - fault->since_us), info->quantity, fault->quantity, info->unit);
    post(diagnosis, EVENT_HEALTH_CLOSED, kind, reason, time_us);
}

/* ---- what was learned ----------------------------------------------------------------------------------------------- */

/* Goes on with what was kept, if it is of the same pictures. */
static void restore(struct diagnosis *diagnosis)
{
    const char *camera = diagnosis->options.config->name;
    struct baselines *baselines = diagnosis->options.baselines;
    struct error err;
    struct log_number seconds;
    void *data = NULL;
    size_t size = 0;
    int r = baselines ? baselines_read(baselines, camera, &data, &size, &err) : -ENOENT;
    if (r == -ENOENT)
        return;
    if (r == 0)
        r = baseline_file_read(diagnosis->health, &diagnosis->basis, data, size, &err);
    free(data);
    if (r < 0) {
        log_event(LOG_WARNING, "health_baseline_discarded", "camera", camera, "reason", err.text, NULL);
        baselines_forget(baselines, camera);
        return;
    }
    diagnosis->kept = health_learned(diagnosis->health);
    log_event(LOG_INFO, "health_baseline_restored", "camera", camera, "seconds", log_int(&seconds, diagnosis->kept), NULL);
}

/* Keeps what was learned, if that is least_s seconds more than was kept. */
static void keep(struct diagnosis *diagnosis, long least_s)
{
    const struct diagnosis_options *options = &diagnosis->options;
    long learned = health_learned(diagnosis->health);
    bool due = !diagnosis->kept || learned >= diagnosis->kept + least_s;
    void *data;
    size_t size;
    if (!options->baselines || health_is_learning(diagnosis->health) || !due ||
        baseline_file_write(&data, &size, &diagnosis->basis, diagnosis->health) < 0)
        return;
    baselines_keep(options->baselines, options->config->name, data, size);
    diagnosis->kept = learned;
}

/* ---- pictures ------------------------------------------------------------------------------------------------------- */

static void tell_alerts(struct diagnosis *diagnosis, unsigned open, int64_t time_us)
{
    bool alone = health_light_is_alone(diagnosis->health);
    if ((open != diagnosis->open || alone != diagnosis->alone) && diagnosis->options.results)
        results_set_faults(diagnosis->options.results, open, alone, time_us);
    diagnosis->open = open;
    diagnosis->alone = alone;
}

/* Returns true if the light began or ceased to change with the last picture, which show() has not told yet. */
static bool light_turned(struct diagnosis *diagnosis, int64_t time_us)
{
    struct health_measure measures[HEALTH_KINDS];
    health_measures(diagnosis->health, measures);
    bool turned = measures[HEALTH_LIGHT].open != diagnosis->view[HEALTH_LIGHT].open;
    if (turned)
        diagnosis->fault[HEALTH_LIGHT].since_us = time_us;
    return turned;
}

/* Shows the measures, tells alerts which faults hold from this picture on, and keeps the picture if no fault holds or is about
 * to open. */
static void show(struct diagnosis *diagnosis, const struct shown *shown)
{
    unsigned open = 0;
    bool is_sound = !shown->corrupt;
    struct health_measure measures[HEALTH_KINDS];
    health_measures(diagnosis->health, measures);
    for (int kind = 0; kind < HEALTH_KINDS; kind++) {
        const struct health_measure *m = &measures[kind];
        struct view_health *view = &diagnosis->view[kind];
        if (view->on)
            *view = (struct view_health){.on = true, .known = m->known, .open = m->open, .quantity = m->quantity,
                                         .baseline = m->baseline, .opens_at = m->on,
                                         .since_us = m->open ? diagnosis->fault[kind].since_us : 0};
        open |= view->open ? health_bit((enum health_kind)kind) : 0;
        is_sound &= !view->on || (!m->open && !measure_is_bad(m));
    }
    camera_status_set_health(diagnosis->options.status, diagnosis->view, health_is_learning(diagnosis->health));
    tell_alerts(diagnosis, open, shown->time_us);
    if (diagnosis->sights)
        sights_see(diagnosis->sights, shown->pixels, shown->arrival_us, shown->time_us, is_sound);
}

/* All open faults close, as of now. */
static void close_all(struct diagnosis *diagnosis, const char *why)
{
    struct health_measure measures[HEALTH_KINDS];
    int64_t now_us = utc_us();
    health_measures(diagnosis->health, measures);
    for (int kind = 0; kind < HEALTH_KINDS; kind++) {
        if (diagnosis->view[kind].open)
            close_fault(diagnosis, (enum health_kind)kind, &measures[kind], why, now_us, now_us, NULL);
        diagnosis->view[kind] = (struct view_health){.on = diagnosis->view[kind].on};
    }
    tell_alerts(diagnosis, 0, now_us);
}

static void forget(struct diagnosis *diagnosis)
{
    close_all(diagnosis, "is learned anew");
    health_forget(diagnosis->health);
    if (diagnosis->sights)
        sights_forget(diagnosis->sights);
    diagnosis->kept = 0;
    if (diagnosis->options.baselines)   /* it may have been kept since the order */
        baselines_forget(diagnosis->options.baselines, diagnosis->options.config->name);
    log_event(LOG_NOTICE, "health_learns_anew", "camera", diagnosis->options.config->name, NULL);
}

void diagnosis_break(struct diagnosis *diagnosis)
{
    if (diagnosis)
        diagnosis->anew = true;
}

void diagnosis_add(struct diagnosis *diagnosis, const uint8_t *pixels, const struct source_frame *picture, int64_t time_us,
                   int64_t same_since_us)
{
    if (!diagnosis)
        return;
    if (atomic_exchange(&diagnosis->relearns, false))
        forget(diagnosis);
    else if (!diagnosis->begun)
        restore(diagnosis);
    diagnosis->begun = true;
    const int64_t pts_us = picture->pts_us;
    const bool anew = diagnosis->anew || pts_us - diagnosis->last_us > HEALTH_HOLE_US;
    const struct shown shown = {pixels, picture->corrupt, picture->arrival_us, time_us, pts_us};
    const struct health_picture measured = health_picture_of(pixels, picture, anew);
    struct health_change changes[HEALTH_KINDS];
    int n = health_add(diagnosis->health, &measured, changes);
    diagnosis->anew = false;
    diagnosis->last_us = pts_us;
    for (int i = 0; i < n; i++)
        if (changes[i].opened)
            open_fault(diagnosis, &changes[i], &shown, pts_us - same_since_us > SAME_US);
    if (light_turned(diagnosis, time_us) || n > 0 || anew || pts_us - diagnosis->shown_us >= 1000000) {
        diagnosis->shown_us = pts_us;
        show(diagnosis, &shown);
        keep(diagnosis, KEEP_S);
    }
    for (int i = 0; i < n; i++) {               /* REST shows it when an event tells it */
        const struct health_change *change = &changes[i];
        if (change->opened)
            tell_fault(diagnosis, change, &shown);
        else
            close_fault(diagnosis, change->kind, &change->measure, "has ended", time_us - (pts_us - change->time_us), time_us,
                        see_now(diagnosis, &shown));
    }
}

void diagnosis_end(struct diagnosis *diagnosis)
{
    if (!diagnosis)
        return;
    if (atomic_exchange(&diagnosis->relearns, false))
        forget(diagnosis);
    close_all(diagnosis, "is not watched any more");
    keep(diagnosis, 1);
    camera_status_set_health(diagnosis->options.status, diagnosis->view, health_is_learning(diagnosis->health));
}

bool diagnosis_relearn(struct diagnosis *diagnosis)
{
    if (!diagnosis)
        return false;
    atomic_store(&diagnosis->relearns, true);
    if (diagnosis->options.baselines)
        baselines_forget(diagnosis->options.baselines, diagnosis->options.config->name);
    return true;
}
