/* The parallel_for of core/parallel.h on a fixed set of threads. The thread that calls run() is worker 0 and works too; the
 * others sleep between runs. Workers take items from one atomic counter, so that neither items of unequal cost nor a core
 * that is busy elsewhere delay the others.
 *
 * A set belongs to the thread that calls run(), and does one run at a time. fn must not call run() of the same set. */
#ifndef MEMAED_DAEMON_BASE_PARALLEL_THREADS_H
#define MEMAED_DAEMON_BASE_PARALLEL_THREADS_H

#include "core/parallel.h"

enum { PARALLEL_THREADS_MAX = 1024 };

struct parallel_threads;

/* Makes a set of n workers, 1 <= n <= PARALLEL_THREADS_MAX. The caller's thread is one of them, so n - 1 threads are
 * started. They are named "work-1" … and have signals blocked. *ret is the caller's. Returns 0, -EINVAL, -ENOMEM or
 * -EAGAIN. */
int parallel_threads_open(struct parallel_threads **ret, int n);
void parallel_threads_close(struct parallel_threads *threads);    /* takes NULL; not during a run */

/* Valid until parallel_threads_close(). */
struct parallel parallel_threads_parallel(struct parallel_threads *threads);

/* Returns how many threads can run at once: the cores in this process's affinity mask, 1 to PARALLEL_THREADS_MAX. */
int parallel_threads_cores(void);

#endif
