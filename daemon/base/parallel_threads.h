/* The parallel_for of core/parallel.h over a fixed set of threads. The thread that calls run is worker 0 and works too;
 * the others sleep between runs. Items go to whoever is free, by one atomic counter, so that items of unequal cost, or
 * a core that is busy elsewhere, don't hold up the rest.
 *
 * One run at a time: a set belongs to the thread that calls run. fn must not call run of the same set. */
#ifndef MEMAED_DAEMON_THREADS_H
#define MEMAED_DAEMON_THREADS_H

#include "core/parallel.h"

enum { THREADS_MAX = 1024 };

struct threads;

/* n workers, the caller's thread among them: starts n - 1 threads, named "work-1" … with signals blocked.
 * 1 <= n <= THREADS_MAX. 0, -EINVAL, -ENOMEM, -EAGAIN. *ret is the caller's. */
int threads_open(struct threads **ret, int n);
void threads_close(struct threads *threads);    /* takes NULL; no run may be under way */

/* Holds until threads_close(). */
struct parallel threads_parallel(struct threads *threads);

/* How many threads may run at once here: the cores of this process's affinity mask, at least 1. */
int threads_cores(void);

#endif
