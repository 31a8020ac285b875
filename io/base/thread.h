/* Starts threads, with signals blocked and a name, and joins them until a deadline. Every thread of this program starts
 * here. */
#ifndef MEMAED_IO_BASE_THREAD_H
#define MEMAED_IO_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts main(arg). In the new thread all signals are blocked from its first instruction on, except those of its own faults
 * (SIGSEGV and the like). The kernel keeps 15 characters of a name, to which name is cut. 0 or -errno. */
int thread_start(pthread_t *ret, const char *name, void *(*main)(void *arg), void *arg);

/* Waits until the thread ends or deadline_us (CLOCK_MONOTONIC; INT64_MAX: no deadline) has passed. false: the thread still
 * runs. */
bool thread_join(pthread_t thread, int64_t deadline_us);

#endif
