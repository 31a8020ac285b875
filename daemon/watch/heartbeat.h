/* How the watchdog knows that every thread progresses. Each thread has a heartbeat, and says before each step by when
 * that step is done if all is well: a frame read, a back-off over, a window scored. Waiting for work has no deadline. A
 * thread is stuck where its deadline has passed.
 *
 * The set is put together before the threads start and taken apart after they end; in between any thread sets its own
 * beat, and any thread may look. */
#ifndef MEMAED_DAEMON_WATCH_HEARTBEAT_H
#define MEMAED_DAEMON_WATCH_HEARTBEAT_H

#include <stdatomic.h>
#include <stdint.h>

struct heartbeat {
    char name[80];                      /* of the thread, as the log shows it */
    _Atomic int64_t deadline_us;        /* CLOCK_MONOTONIC; INT64_MAX: none */
    struct heartbeat *next;             /* the set's */
};

struct heartbeats {
    struct heartbeat *first;
};

/* Adds a beat without a deadline to the set; it must outlive the set's use. name is copied, and cut to size. */
void heartbeat_add(struct heartbeats *set, struct heartbeat *beat, const char *name);

void heartbeat_until(struct heartbeat *beat, int64_t deadline_us);      /* what is at hand is done by then */
void heartbeat_idle(struct heartbeat *beat);                            /* waits for work */

/* The beat that is overdue the longest, or NULL where all threads are well. */
const struct heartbeat *heartbeats_stuck(const struct heartbeats *set, int64_t now_us);

#endif
