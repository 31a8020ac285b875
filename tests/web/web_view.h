/* The view behind the server, which a test of web/ controls. */
#ifndef MEMAED_TESTS_WEB_WEB_VIEW_H
#define MEMAED_TESTS_WEB_WEB_VIEW_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "web/view.h"

enum { SCORES_MAX = 4096, ALERTS_MAX = 256 };

static struct {
    pthread_mutex_t mutex;
    struct view_camera cameras[3];
    size_t n_cameras;
    struct view_process process;
    struct score_record scores[SCORES_MAX];
    struct record_range scores_range[3];
    struct alert_record alerts[ALERTS_MAX];
    struct alert_labels labels[ALERTS_MAX];
    struct record_range alerts_range;
    int database_status;            /* what reading the database returns; 0: it succeeds */
    uint32_t replaced_by;           /* not 0: cameras[0] gets this id once, right after the next look-up by name */
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void lock(void) { pthread_mutex_lock(&world.mutex); }
static inline void unlock(void) { pthread_mutex_unlock(&world.mutex); }

static inline int view_cameras(void *context, struct view_camera **ret, size_t *n)
{
    (void)context;
    lock();
    *n = world.n_cameras;
    *ret = malloc((*n + 1) * sizeof **ret);
    if (*ret)
        memcpy(*ret, world.cameras, *n * sizeof **ret);
    unlock();
    return *ret ? 0 : -ENOMEM;
}

static inline bool view_camera(void *context, const char *name, struct view_camera *ret)
{
    (void)context;
    bool found = false;
    lock();
    for (size_t i = 0; i < world.n_cameras && !found; i++)
        if ((found = strcmp(world.cameras[i].name, name) == 0))
            *ret = world.cameras[i];
    if (world.replaced_by) {
        world.cameras[0].id = world.replaced_by;
        world.replaced_by = 0;
    }
    unlock();
    return found;
}

static inline void view_process_now(void *context, struct view_process *ret)
{
    (void)context;
    lock();
    *ret = world.process;
    unlock();
}


static inline int view_webhooks(void *context, struct view_webhook **ret, size_t *n)
{
    (void)context;
    *ret = calloc(2, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = (struct view_webhook){.name = "yard", .delivered = 7, .dropped = 3, .queued = 2, .failed = 5,
                                       .dead = 9, .dead_letters = 8, .disabled = 1,
                                       .delays = {.n = {[2] = 1, [7] = 2, [DELAYS_BOUNDS] = 4}, .sum_s = 30.5}};
    (*ret)[1] = (struct view_webhook){.name = "http://[::1]:8080", .delivered = 1};
    *n = 2;
    return 0;
}

static inline int view_endpoints(void *context, struct view_endpoint **ret, size_t *n)
{
    (void)context;
    *ret = calloc(2, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = (struct view_endpoint){.id = "yard", .name = "yard", .delivered = 7, .queued = 2, .dead_letters = 8,
                                       .oldest_us = 1700000000123000, .attempts = 3, .next_us = 1700000001123000,
                                       .failed_us = 1700000000223000, .cause = "HTTP status 500", .newest_us = 1700000000000000,
                                       .events = event_bit(EVENT_ALERT_OPENED) | event_bit(EVENT_WEBHOOK_DISABLED)};
    (*ret)[1] = (struct view_endpoint){.id = "url-01234567", .name = "http://[::1]:8080", .disabled_us = 1700000000323000,
                                       .disabled_reason = "gone", .events = EVENT_ALL};
    *n = 2;
    return 0;
}

static inline int view_dead_letters(void *context, const char *id, size_t max, struct view_dead_letter **ret, size_t *n)
{
    (void)context;
    if (strcmp(id, "yard") != 0)
        return -ENOENT;
    *n = max < 3 ? max : 3;
    *ret = calloc(*n, sizeof **ret);
    for (size_t i = 0; i < *n; i++)
        (*ret)[i] = (struct view_dead_letter){.id = "msg_1", .time_us = 1700000000123000, .died_us = 1700000000323000,
                                              .attempts = 9, .reason = "too old",
                                              .body = strdup(i == 0 ? "{\"type\":\"x\"}" : "[")};
    return 0;
}

static struct {
    int action;                     /* the action of the last call; -1: there was none */
    char id[RECORD_NAME_SIZE];
} acted = {.action = -1};

static inline int view_act_on_webhook(void *context, const char *id, enum view_webhook_action action)
{
    (void)context;
    if (strcmp(id, "yard") != 0)
        return -ENOENT;
    acted.action = (int)action;
    snprintf(acted.id, sizeof acted.id, "%s", id);
    return 0;
}

static inline int view_test_alert(void *context, const char *camera, struct view_test_alert *ret)
{
    (void)context;
    if (strcmp(camera, "gate") != 0)
        return -ENOENT;
    *ret = (struct view_test_alert){.alert = {.id = 1700000000123, .test = true, .camera = "gate", .opened_us = 1700000000123000,
                                              .closed_us = 1700000000124000},
                                    .endpoints = {"yard", "url-01234567"}, .n = 2};
    return 0;
}

static inline struct score_record score_at(size_t camera, uint64_t i)
{
    return (struct score_record){.window = i, .frame = 2 * i + 8, .is_static = i % 2, .is_slow = i % 3 == 1,
                               .time_us = 1700000000000000 + (int64_t)i * 100000,
                               .pts_us = (int64_t)i * 100000 + 4567, .reference = 0.1f + (float)camera,
                               .score = (float)i / 8, .p_value = i % 2 ? 1 / (float)(i + 2) : NAN,
                               .boxes = {(int)(i % 3), {{0.25f, 0.0625f, 0.5f, 0.9355f, 7.5f}, {0, 0.1f, 1, 0.2f, INFINITY}}}};
}

static inline bool view_scores(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                               struct record_range *range, size_t *n)
{
    (void)context;
    bool found = false;
    *n = 0;
    lock();
    for (size_t i = 0; i < world.n_cameras; i++)
        found = found || world.cameras[i].id == id;
    if (found) {
        *range = world.scores_range[id];
        if (from < range->oldest)
            from = range->oldest;
        for (; *n < max && from + *n < range->next; ++*n)
            ret[*n] = score_at(id, from + *n);
    }
    unlock();
    return found;
}

static inline bool flag_takes(enum filter_flag flag, bool value)
{
    return flag == FILTER_ANY || (flag == FILTER_YES) == value;
}

static inline bool filter_takes(const struct alert_filter *filter, const struct alert_record *alert,
                                const struct alert_labels *labels)
{
    static const char *const states[] = {NULL, "open", "closed", "interrupted"};
    bool is_open = alert->closed_us == 0;
    return (!*filter->camera || strcmp(filter->camera, alert->camera) == 0) &&
           (!filter->state || strcmp(states[filter->state], alert_state_name(alert)) == 0) &&
           (!filter->has_kind || filter->kind == alert->kind) &&
           (!filter->has_from || is_open || alert->closed_us >= filter->from_us) &&
           (!filter->has_to || alert->opened_us < filter->to_us) &&
           (filter->suppressed == ALERT_TOLD_OR_NOT || (filter->suppressed == ALERT_NOT_TOLD) == (alert->suppressed != 0)) &&
           flag_takes(filter->acknowledged, labels->acknowledged_us != 0) && flag_takes(filter->marked, labels->marked);
}

/* Entries of world.alerts without an id were left by alerts that closed. */
static inline int view_alerts(void *context, const struct view_alerts_wanted *wanted, struct alert_record *ret,
                              struct alert_labels *labels, struct view_alerts *found)
{
    (void)context;
    lock();
    int r = world.database_status;
    const struct record_range range = world.alerts_range;
    *found = (struct view_alerts){.store = 77, .range = range, .next = range.next};
    size_t matches = 0;
    for (int pass = 0; pass < 2 && r == 0; pass++) {            /* the first pass counts matches */
        size_t skip = pass && wanted->latest && matches > wanted->limit ? matches - wanted->limit : 0;
        for (uint64_t i = range.oldest > wanted->from ? range.oldest : wanted->from; i < range.next; i++) {
            const struct alert_record *alert = &world.alerts[i];
            if (alert->id == 0 || !filter_takes(&wanted->filter, alert, &world.labels[i]))
                continue;
            matches += pass == 0;
            if (pass == 0 || skip-- > 0)
                continue;
            skip = 0;
            if (found->n == wanted->limit)
                break;
            if (labels)
                labels[found->n] = world.labels[i];
            ret[found->n++] = *alert;
            if (found->n == wanted->limit && !wanted->latest)
                found->next = i + 1;
        }
    }
    unlock();
    return r;
}

static inline int view_alert(void *context, uint64_t id, struct alert_record *ret, struct alert_labels *labels)
{
    (void)context;
    lock();
    int r = world.database_status ? world.database_status : -ENOENT;
    for (uint64_t i = world.alerts_range.oldest; i < world.alerts_range.next && r == -ENOENT; i++)
        if (world.alerts[i].id == id) {
            *ret = world.alerts[i];
            *labels = world.labels[i];
            r = 0;
        }
    unlock();
    return r;
}

/* The times of 1000 windows of the camera gate: one every 250 ms from 1700000000 on, from the 500th on two in each
 * millisecond. */
static inline int64_t history_time(uint64_t i)
{
    return 1700000000000000 + (i < 500 ? (int64_t)i * 250000 : 500 * INT64_C(250000) + (int64_t)(i - 500) * 500);
}

static inline int view_history(void *context, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n)
{
    (void)context;
    lock();
    int r = world.database_status;
    unlock();
    *n = 0;
    for (uint64_t i = 0; i < 1000 && r == 0 && strcmp(wanted->camera, "gate") == 0 && *n < wanted->limit; i++) {
        int64_t time_us = wanted->by_minute ? 1700000040000000 + (int64_t)i * 60000000 : history_time(i);
        if (time_us >= wanted->from_us && time_us < wanted->to_us)
            ret[(*n)++] = (struct view_history){.time_us = time_us, .window = i, .score = 0.1f, .reference = NAN, .slow = i % 2,
                                                .n = 240, .n_slow = i, .minimum = -1, .mean = 0.5, .maximum = 2, .p = NAN};
    }
    return r;
}

static inline void view_storage(void *context, struct view_store *ret)
{
    (void)context;
    *ret = (struct view_store){.events_queued = 3, .scores_queued = 40, .events_dropped = 5, .scores_dropped = 6, .commits = 70,
                               .failures = 8, .commit_seconds = 1.25, .failing = true, .bytes = 4096000};
}

static inline void view_room(void *context, struct view_room *ret)
{
    (void)context;
    *ret = (struct view_room){.bytes = 123456789, .files = 42, .free_bytes = 5000000, .oldest_us = 1709210096789000,
                              .pruned_age = 7, .pruned_size = 8, .pruned_space = 9, .paused = true};
}

/* Reloads that the server asked for; the test ends them with end_reload(). */
enum { RELOADS_MAX = 64 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int refusal;                    /* reload() returns it; 0: it takes the request */
    const struct view_reload *at_once;      /* not NULL: another thread ends each reload with it before reload() returns */
    struct { view_reload_done *done; void *arg; } asked[RELOADS_MAX];
    size_t n_asked, n_ended;        /* how many in all */
} reloads = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Waits until the server has asked for n reloads in all. */
static inline void wait_reloads(size_t n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&reloads.mutex);
    while (reloads.n_asked < n)
        ck_assert_msg(pthread_cond_timedwait(&reloads.changed, &reloads.mutex, &until) == 0, "no reload within 60 s");
    pthread_mutex_unlock(&reloads.mutex);
}

/* Ends the oldest reload that has not ended. */
static inline void end_reload(const struct view_reload *result)
{
    pthread_mutex_lock(&reloads.mutex);
    ck_assert_uint_lt(reloads.n_ended, reloads.n_asked);
    size_t i = reloads.n_ended++;
    pthread_mutex_unlock(&reloads.mutex);
    reloads.asked[i].done(reloads.asked[i].arg, result);
}

static inline void *end_reload_on_thread(void *arg)
{
    end_reload(arg);
    return NULL;
}

static inline int view_reload(void *context, view_reload_done *done, void *arg)
{
    (void)context;
    pthread_mutex_lock(&reloads.mutex);
    int r = reloads.refusal;
    const struct view_reload *at_once = reloads.at_once;
    if (r == 0) {
        ck_assert_uint_lt(reloads.n_asked, RELOADS_MAX);
        reloads.asked[reloads.n_asked].done = done;
        reloads.asked[reloads.n_asked++].arg = arg;
        pthread_cond_broadcast(&reloads.changed);
    }
    pthread_mutex_unlock(&reloads.mutex);
    if (r == 0 && at_once) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, end_reload_on_thread, (void *)(uintptr_t)at_once), 0);
        pthread_join(thread, NULL);
    }
    return r;
}

/* The last order to arm or disarm a camera. */
static struct {
    char camera[RECORD_NAME_SIZE], by[RECORD_NAME_SIZE];
    enum arming_action action;
    int minutes;
    int n;                          /* the number of orders so far */
} ordered;

static inline int view_arm(void *context, const char *camera, enum arming_action action, int minutes, const char *by)
{
    static const enum arming states[] = {ARMING_ARMED, ARMING_DISARMED, ARMING_SNOOZED};
    struct view_camera found;
    if (!view_camera(context, camera, &found))
        return -ENOENT;
    lock();
    snprintf(ordered.camera, sizeof ordered.camera, "%s", camera);
    snprintf(ordered.by, sizeof ordered.by, "%s", by);
    ordered.action = action;
    ordered.minutes = minutes;
    ordered.n++;
    for (size_t i = 0; i < world.n_cameras; i++)
        if (strcmp(world.cameras[i].name, camera) == 0) {
            world.cameras[i].arming = states[action];
            world.cameras[i].arming_until_us = minutes ? 1700000000000000 : INT64_MAX;
        }
    unlock();
    return 0;
}

/* The camera whose baseline is to be learned anew; "": none. A camera whose kinds of faults are all off is not diagnosed. */
static char relearned[RECORD_NAME_SIZE];

static inline int view_relearn(void *context, const char *camera)
{
    struct view_camera found = {0};
    if (!view_camera(context, camera, &found))
        return -ENOENT;
    if (!found.health[HEALTH_BLACK].on)
        return -ENOTSUP;
    snprintf(relearned, sizeof relearned, "%s", camera);
    return 0;
}

/* The orders that the server gives about alerts. They change world.labels at once. */
static struct {
    struct alert_order order;       /* the last one */
    int n;                          /* so far */
    int status;                     /* the status of the next orders, unless it is 0; view_label() returns -ENOMEM itself */
} labelled;

static inline int view_label(void *context, const struct alert_order *order, view_labelled *done, void *arg)
{
    (void)context;
    struct alert_labels labels = {.note = ""};
    lock();
    labelled.order = *order;
    labelled.n++;
    int status = labelled.status ? labelled.status : -ENOENT;
    for (uint64_t i = world.alerts_range.oldest; i < world.alerts_range.next && status == -ENOENT; i++)
        if (world.alerts[i].id == order->alert) {
            memcpy(world.labels[i].note, order->note, sizeof order->note);
            labels = world.labels[i];
            status = 0;
        }
    unlock();
    if (status == -ENOMEM)
        return status;
    done(arg, status, &labels);
    return 0;
}

static struct view view;

/* Events that the test posts, numbered from world_events.first. */
enum { EVENTS_MAX = 4096 };

static struct {
    pthread_mutex_t mutex;
    uint64_t first, oldest, next;
    size_t scanned;                 /* the most events that one reading looks at */
    int status;                     /* what reading returns */
    struct { enum event_type type; const char *camera; size_t padding; } events[EVENTS_MAX];
} world_events = {.mutex = PTHREAD_MUTEX_INITIALIZER, .first = 100, .oldest = 100, .next = 100, .scanned = EVENTS_MAX};

/* Posts an event. Its body holds its number and `padding` more bytes. */
static inline void post_event(enum event_type type, const char *camera, size_t padding)
{
    pthread_mutex_lock(&world_events.mutex);
    uint64_t i = world_events.next - world_events.first;
    ck_assert_uint_lt(i, EVENTS_MAX);
    world_events.events[i].type = type;
    world_events.events[i].camera = camera;
    world_events.events[i].padding = padding;
    world_events.next++;
    pthread_mutex_unlock(&world_events.mutex);
    const uint64_t one = 1;
    ck_assert_int_eq(write(view.events_fd, &one, sizeof one), sizeof one);
}

static inline int view_events(void *context, uint64_t from, const struct event_filter *filter, struct event_record *ret,
                              size_t max, size_t *found, uint64_t *next, struct record_range *range)
{
    (void)context;
    size_t n = 0;
    pthread_mutex_lock(&world_events.mutex);
    *range = (struct record_range){world_events.oldest, world_events.next};
    uint64_t i = from > range->oldest ? from : range->oldest;
    for (uint64_t end = i + world_events.scanned; i < range->next && i < end && n < max; i++) {
        size_t at = i - world_events.first;
        enum event_type type = world_events.events[at].type;
        bool of_alert = type == EVENT_ALERT_OPENED || type == EVENT_ALERT_CLOSED;
        struct alert_record alert = {.peak_score = (double)i - 100, .zones = {.n = 1}};     /* its zone: even or odd */
        strcpy(alert.zones.name[0], i % 2 ? "odd" : "even");
        if (!event_filter_takes(filter, &(struct event){.type = type, .camera = world_events.events[at].camera,
                                                        .alert = of_alert ? &alert : NULL}))
            continue;
        size_t padding = world_events.events[at].padding;
        ret[n] = (struct event_record){.seq = i, .type = world_events.events[at].type, .time_us = utc_us() - 4000000,
                                       .body = malloc(64 + padding)};
        int size = sprintf(ret[n].body, "{\"number\":%d,\"padding\":\"", (int)i);
        memset(ret[n].body + size, 'x', padding);
        strcpy(ret[n++].body + size + padding, "\"}");
    }
    *next = i;
    int r = world_events.status;
    *found = n;
    pthread_mutex_unlock(&world_events.mutex);
    while (r < 0 && n > 0)
        free(ret[--n].body);
    return r;
}

/* Evidence: files that the test puts here. */
static struct { const char *path, *type, *extension; int error; } world_files[VIEW_EVIDENCES];

static inline int view_evidence(void *context, const struct alert_record *alert, enum view_evidence which, struct view_file *ret)
{
    (void)context, (void)alert;
    if (world_files[which].error)
        return world_files[which].error;
    if (!world_files[which].path)
        return -ENOENT;
    int fd = open(world_files[which].path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    *ret = (struct view_file){fd, world_files[which].type, world_files[which].extension};
    return 0;
}

/* Camera gate has the picture `fault` of fault 7: world_files[VIEW_SNAPSHOT]. */
static inline int view_fault(void *context, const char *camera, uint64_t id, enum view_fault which, struct view_file *ret)
{
    const bool there = strcmp(camera, "gate") == 0 && id == 7 && which == VIEW_FAULT_OPENED;
    return there ? view_evidence(context, &(struct alert_record){.id = 1}, VIEW_SNAPSHOT, ret) : -ENOENT;
}

static inline unsigned view_evidence_kept(void *context, const struct alert_record *alert)
{
    (void)context, (void)alert;
    unsigned kept = 0;
    for (int i = 0; i < VIEW_EVIDENCES; i++)
        kept |= (world_files[i].path ? 1u : 0u) << i;
    return kept;
}

/* The videos as the database describes them; status: what reading them returns. */
static struct { struct view_video of[VIEW_EVIDENCES]; int status; } world_videos;

static inline int view_videos(void *context, uint64_t alert, struct view_video *ret)
{
    (void)context, (void)alert;
    if (world_videos.status == 0)
        memcpy(ret, world_videos.of, sizeof world_videos.of);
    return world_videos.status;
}

/* The state of a copy. result: what a call that asks for a copy returns; asked: how many did. */
static struct { struct view_copy copy; int result, asked; } world_copy;

static inline int view_copy(void *context, const struct alert_record *alert, bool asks, struct view_copy *ret)
{
    (void)context, (void)alert;
    world_copy.asked += asks;
    *ret = world_copy.copy;
    return asks ? world_copy.result : 0;
}

static struct view view = {
    .store = 0xfeedc0de12345678, .cameras = view_cameras, .camera = view_camera, .process = view_process_now,
    .webhooks = view_webhooks, .endpoints = view_endpoints, .dead_letters = view_dead_letters,
    .act_on_webhook = view_act_on_webhook, .test_alert = view_test_alert, .scores = view_scores, .alerts = view_alerts,
    .alert = view_alert, .history = view_history, .storage = view_storage, .room = view_room, .events = view_events,
    .events_fd = -1, .evidence = view_evidence, .fault = view_fault, .evidence_kept = view_evidence_kept, .videos = view_videos,
    .copy = view_copy, .arm = view_arm, .relearn = view_relearn, .label = view_label, .reload = view_reload,
};

static inline void add_alert(const char *camera)
{
    lock();
    uint64_t i = world.alerts_range.next++;
    struct alert_record *alert = &world.alerts[i];
    *alert = (struct alert_record){.id = i + 1, .opened_us = 1700000000123000 + (int64_t)i * 1000000, .peak_score = (double)0.7f,
                                 .peak_us = 1700000001000000,
                                 .boxes = {1, {{0.1f, 0.2f, 0.3f, 0.4f, 0.7f}}}};
    strcpy(alert->camera, camera);
    unlock();
}

#endif
