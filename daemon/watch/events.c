#include "daemon/watch/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "io/base/clock.h"
#include "io/base/lock.h"

struct events {
    struct lock lock;           /* guards all below */
    struct event_sink sinks[EVENT_SINKS_MAX];
    size_t n;
};

int events_open(struct events **ret)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return -ENOMEM;
    lock_init(&events->lock, LOCK_EVENTS);
    *ret = events;
    return 0;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    lock_destroy(&events->lock);
    free(events);
}

int events_add(struct events *events, struct event_sink sink)
{
    lock_take(&events->lock);
    int r = events->n < EVENT_SINKS_MAX ? 0 : -ENOSPC;
    if (r == 0)
        events->sinks[events->n++] = sink;
    lock_give(&events->lock);
    return r;
}

void events_close(struct events *events)
{
    lock_take(&events->lock);
    events->n = 0;
    lock_give(&events->lock);
}

static int priority_of(enum event_type type)
{
    bool is_well = type == EVENT_CAMERA_RESTORED || type == EVENT_CAMERA_UNFROZEN || type == EVENT_CAMERA_SLOW_ENDED ||
                   type == EVENT_CAMERA_ARMED || type == EVENT_CAMERA_DISARMED || type == EVENT_HEALTH_CLOSED ||
                   type == EVENT_DRIFT_ENDED || type == EVENT_STORAGE_RECOVERED;
    return is_well ? LOG_NOTICE : LOG_WARNING;
}

/* The log's names have a "_" where those of events have a ".". */
static void write_log(const struct event *event)
{
    char name[32];
    snprintf(name, sizeof name, "%s", event_type_name(event->type));
    *strchr(name, '.') = '_';
    int priority = priority_of(event->type);
    struct log_number id, number;
    switch (event->type) {
    case EVENT_ALERT_OPENED:
    case EVENT_ALERT_CLOSED:
        log_event(priority, name, "camera", event->camera, "id", log_int(&id, (long long)event->alert->id), "kind",
                  alert_kind_name(event->alert->kind), "peak_score", log_real(&number, event->alert->peak_score),
                  event->alert->test ? "test" : NULL, "true", NULL);
        return;
    case EVENT_CAMERA_FROZEN:
    case EVENT_CAMERA_UNFROZEN:
        log_event(priority, name, "camera", event->camera, "seconds", log_real(&number, event->quantity), "reason",
                  event->reason, NULL);
        return;
    case EVENT_CAMERA_SLOW:
    case EVENT_CAMERA_SLOW_ENDED:
        log_event(priority, name, "camera", event->camera, "fps_in", log_real(&number, event->quantity), "reason",
                  event->reason, NULL);
        return;
    case EVENT_HEALTH_OPENED:
    case EVENT_HEALTH_CLOSED:
        log_event(priority, name, "camera", event->camera, "kind", event->health->kind, "quantity",
                  log_real(&number, event->health->quantity), "reason", event->reason, NULL);
        return;
    case EVENT_DRIFT_BEGAN:
    case EVENT_DRIFT_ENDED:
        log_event(priority, name, "camera", event->camera, "distance", log_real(&number, event->quantity), "reason",
                  event->reason, NULL);
        return;
    case EVENT_NORMAL_CHANGED:
        log_event(priority, name, "camera", event->camera, "hours", log_real(&number, event->quantity), "reason",
                  event->reason, NULL);
        return;
    case EVENT_WEBHOOK_DISABLED:
        log_event(priority, name, "webhook", event->webhook, "reason", event->reason, NULL);
        return;
    case EVENT_STORAGE_FULL:
    case EVENT_STORAGE_RECOVERED:
        log_event(priority, name, "free_bytes", log_int(&number, (long long)event->quantity), "reason", event->reason, NULL);
        return;
    default:
        log_event(priority, name, "camera", event->camera, "reason", event->reason, NULL);
    }
}

void events_post(struct events *events, const struct event *event)
{
    struct event now = *event;
    if (now.time_us == 0)
        now.time_us = utc_us();
    write_log(&now);
    lock_take(&events->lock);
    for (size_t i = 0; i < events->n; i++)
        if (events->sinks[i].take(events->sinks[i].arg, &now) < 0)
            log_event(LOG_ERR, "event_not_queued", "type", event_type_name(now.type), now.webhook ? "webhook" : "camera",
                      now.webhook ? now.webhook : now.camera, NULL);
    lock_give(&events->lock);
}
