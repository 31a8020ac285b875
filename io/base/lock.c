#include "io/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef MEMAED_DEBUG
/* Bit r is set while this thread holds a lock of rank r. */
static _Thread_local unsigned held;

static void note_taking(enum lock_rank rank)
{
    if (held >> rank) {
        fprintf(stderr, "lock of rank %d taken while ranks %#x are held\n", (int)rank, held);
        abort();
    }
    held |= 1u << rank;
}

static void note_giving(enum lock_rank rank)
{
    held &= ~(1u << rank);
}

static void note_waiting(enum lock_rank rank)
{
    if (held != 1u << rank) {
        fprintf(stderr, "waiting with the lock of rank %d while ranks %#x are held\n", (int)rank, held);
        abort();
    }
}
#else
static void note_taking(enum lock_rank rank) { (void)rank; }
static void note_giving(enum lock_rank rank) { (void)rank; }
static void note_waiting(enum lock_rank rank) { (void)rank; }
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
    lock->rank = rank;
    pthread_mutex_init(&lock->mutex, NULL);
}

void lock_destroy(struct lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

void lock_take(struct lock *lock)
{
    note_taking(lock->rank);
    int r = pthread_mutex_lock(&lock->mutex);
    assert(r == 0);
    (void)r;
}

void lock_give(struct lock *lock)
{
    note_giving(lock->rank);        /* first: once it is unlocked, another thread may free it */
    pthread_mutex_unlock(&lock->mutex);
}

void lock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void lock_wait(struct lock *lock, pthread_cond_t *cond)
{
    note_waiting(lock->rank);
    pthread_cond_wait(cond, &lock->mutex);
}

bool lock_wait_until(struct lock *lock, pthread_cond_t *cond, int64_t deadline_us)
{
    note_waiting(lock->rank);
    if (deadline_us < 0)
        deadline_us = 0;            /* it has passed; a time before 0 would be refused, and the caller would wait again at once */
    struct timespec at = {.tv_sec = deadline_us / 1000000, .tv_nsec = deadline_us % 1000000 * 1000};
    int r = pthread_cond_timedwait(cond, &lock->mutex, &at);
    assert(r == 0 || r == ETIMEDOUT);
    return r == 0;
}
