/* An event goes to the log, and then to each sink of a table. `run` has two: the store, which hands the event on once it is in
 * the database (daemon/watch/store/store.h), and evidence (daemon/watch/evidence/evidence.h). A sink takes an event without
 * waiting for the network or a disk. Any thread may post; LOCK_EVENTS is held while the sinks take the event. */
#ifndef MEMAED_DAEMON_WATCH_EVENTS_H
#define MEMAED_DAEMON_WATCH_EVENTS_H

#include "core/event.h"

enum { EVENT_SINKS_MAX = 8 };

struct event_sink {
    /* 0, or -errno where the event is lost to this sink; the log says so. The event is borrowed for the call. */
    int (*take)(void *arg, const struct event *event);
    void *arg;                  /* borrowed until events_close() */
};

struct events;

int events_open(struct events **ret);           /* without sinks; 0 or -ENOMEM */
void events_free(struct events *events);        /* takes NULL; nobody posts any more */

/* The sink gets later events. 0, or -ENOSPC past EVENT_SINKS_MAX. */
int events_add(struct events *events, struct event_sink sink);

/* Returns once no sink is at work. Later posts reach the log alone, so that the sinks can be taken apart although a thread
 * that is stuck may still post. */
void events_close(struct events *events);

/* Writes the event to the log, and hands it to every sink, in their order; time_us 0 means now. */
void events_post(struct events *events, const struct event *event);

#endif
