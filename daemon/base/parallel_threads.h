/* The parallel_for of core/parallel.h over a fixed set of threads. The thread that calls run is worker 0 and works too;
 * the others sleep between runs. Items go to whoever is free, by one atomic counter, so that items of unequal cost, or
 * a core that is busy elsewhere, don't hold up the rest.
 *
 * One run at a time: a set belongs to the thread that calls run. fn must not call run of the same set. */
#ifndef MEMAED_DAEMON_BASE_PARALLEL_THREADS_H
#define MEMAED_DAEMON_BASE_PARALLEL_THREADS_H

#include "core/parallel.h"

enum { PARALLEL_THREADS_MAX = 1024 };

struct parallel_threads;

/* n workers, the caller's thread among them: starts n - 1 threads, named "work-1" … with signals blocked.
 * 1 <= n <= PARALLEL_THREADS_MAX. 0, -EINVAL, -ENOMEM, -EAGAIN. *ret is the caller's. */
int parallel_threads_open(struct parallel_threads **ret, int n);
void parallel_threads_close(struct parallel_threads *threads);    /* takes NULL; no run may be under way */

/* Holds until parallel_threads_close(). */
struct parallel parallel_threads_parallel(struct parallel_threads *threads);

/* How many threads may run at once here: the cores of this process's affinity mask, at least 1. */
int parallel_threads_cores(void);

#endif
