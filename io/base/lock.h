/* Mutexes with ranks. A thread takes locks in rising rank only, and never holds two of the same rank. Debug builds
 * (MEMAED_DEBUG; the sanitizer builds set it) abort if a thread breaks this, so a test finds a possible deadlock without
 * running into it. Conditions wait by CLOCK_MONOTONIC. */
#ifndef MEMAED_IO_BASE_LOCK_H
#define MEMAED_IO_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Locks are taken in this order. From LOCK_ALERTS on they are leaves: a thread holds them for a copy, and takes no other. */
enum lock_rank {
    LOCK_FLEET = 1,         /* the list of cameras; the web copies their figures under it */
    LOCK_SCHEDULER,         /* the choice among cameras; a worker claims a window (LOCK_RING) under it */
    LOCK_STATIC,            /* the static scene of a camera */
    LOCK_RESULTS,           /* the alert state of a camera; its events are handed to sinks under it */
    LOCK_EVENTS,            /* the table of sinks; a sink takes its own lock under it */
    LOCK_PUBLISH,           /* events that are committed are handed on under it */
    LOCK_DATABASE,          /* a connection to the database that threads share */
    LOCK_RING,              /* the frames of a camera; its packets */
    LOCK_ALERTS,            /* the ids of alerts */
    LOCK_VIEW,              /* the values that the web server copies */
    LOCK_PICTURE_FILE,      /* the decoders of a picture file */
    LOCK_WAIT,              /* the sleep of a thread, and the flags that end it */
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
/* The caller holds the lock, and no other. It is released during the wait and held again afterwards. */
void lock_wait(struct lock *lock, pthread_cond_t *cond);
/* The same, but at most until deadline_us (CLOCK_MONOTONIC), which may be any number. false: the deadline has passed. */
bool lock_wait_until(struct lock *lock, pthread_cond_t *cond, int64_t deadline_us);

#endif
