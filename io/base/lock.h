/* Mutexes with ranks. A thread takes locks in rising rank only; debug builds (MEMAED_DEBUG, which the sanitizer builds
 * set) abort where it doesn't, so that a deadlock shows in a test that never met it. Locks of equal rank are never held
 * together. Conditions wait by CLOCK_MONOTONIC. */
#ifndef MEMAED_IO_BASE_LOCK_H
#define MEMAED_IO_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Who may be held while what is taken. From LOCK_ALERTS on they are leaves: held for a copy, nothing is taken under them. */
enum lock_rank {
    LOCK_SCHEDULER = 1,          /* the choice among cameras; a window is claimed (LOCK_RING) under it */
    LOCK_STATIC,            /* a camera's static scene */
    LOCK_RESULTS,           /* a camera's alert state; alerts and snapshots are written under it */
    LOCK_EVENTS,            /* the table of sinks; a sink takes its own lock under it */
    LOCK_RING,
    LOCK_ALERTS,            /* the log of alerts */
    LOCK_VIEW,              /* what the web copies */
    LOCK_PICTURE_FILE,             /* a store's decoders */
    LOCK_WAIT,              /* a thread's sleep, and what ends it */
};

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock);
void lock_give(struct lock *lock);

void lock_cond_init(pthread_cond_t *cond);
/* The lock is held, and the only one: given up while waiting, held again after. */
void lock_wait(struct lock *lock, pthread_cond_t *cond);
/* false: deadline_us (CLOCK_MONOTONIC) has passed. */
bool lock_wait_until(struct lock *lock, pthread_cond_t *cond, int64_t deadline_us);

#endif
