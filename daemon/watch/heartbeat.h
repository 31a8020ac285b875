/* Heartbeats tell the watchdog that every thread progresses. A thread has a heartbeat. Before each step it sets the
 * deadline by which the step is done if all is well: a frame read, a back-off over, a window scored. A thread that waits
 * for work has no deadline. A thread is stuck once its deadline has passed.
 *
 * Heartbeats join and leave the set while the daemon runs. Any thread may call. */
#ifndef MEMAED_DAEMON_WATCH_HEARTBEAT_H
#define MEMAED_DAEMON_WATCH_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/base/lock.h"

enum { HEARTBEAT_NAME_SIZE = 80 };

struct heartbeat {
    char name[HEARTBEAT_NAME_SIZE];     /* of the thread, as the log shows it */
    _Atomic int64_t deadline_us;        /* CLOCK_MONOTONIC; INT64_MAX: none */
    struct heartbeat *next;             /* the set's */
};

struct heartbeats {
    struct lock lock;                   /* a leaf; guards: */
    struct heartbeat *first;
};

void heartbeats_init(struct heartbeats *set);
void heartbeats_destroy(struct heartbeats *set);

/* Adds a beat without a deadline. It must stay where it is until heartbeat_remove(). name is copied, and cut to size. */
void heartbeat_add(struct heartbeats *set, struct heartbeat *beat, const char *name);
void heartbeat_remove(struct heartbeats *set, struct heartbeat *beat);  /* does nothing where the beat is not in the set */

void heartbeat_until(struct heartbeat *beat, int64_t deadline_us);      /* the step at hand is done by then */
void heartbeat_idle(struct heartbeat *beat);                            /* the thread waits for work */

/* Copies the name of the beat that has been overdue the longest into name. false: all threads are well, name is
 * untouched. */
bool heartbeats_stuck(struct heartbeats *set, int64_t now_us, char name[HEARTBEAT_NAME_SIZE]);

#endif
