#include "daemon/base/parallel_threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/thread.h"

struct worker {
    struct parallel_threads *threads;
    pthread_t thread;
    int index;
};

struct parallel_threads {
    int n, started;
    struct worker *workers;             /* [n - 1] */
    atomic_long next;                   /* next item of the run; long, because every worker counts one past the last item */

    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    unsigned long run;                  /* number of the run; workers sleep until it changes */
    int busy;                           /* workers, without the caller, that have not finished the run */
    bool closing;
    int n_items;                        /* of the run */
    void (*fn)(void *arg, int i, int worker);
    void *arg;
};

static void work(struct parallel_threads *threads, int worker)
{
    /* fn, arg and n_items do not change during a run, so they are read without the mutex that published them. */
    for (long i; (i = atomic_fetch_add_explicit(&threads->next, 1, memory_order_relaxed)) < threads->n_items;)
        threads->fn(threads->arg, (int)i, worker);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct parallel_threads *threads = worker->threads;
    unsigned long run = 0;

    pthread_mutex_lock(&threads->mutex);
    for (;;) {
        while (threads->run == run && !threads->closing)
            pthread_cond_wait(&threads->work, &threads->mutex);
        if (threads->closing)
            break;
        run = threads->run;
        pthread_mutex_unlock(&threads->mutex);
        work(threads, worker->index);
        pthread_mutex_lock(&threads->mutex);
        if (--threads->busy == 0)
            pthread_cond_signal(&threads->done);
    }
    pthread_mutex_unlock(&threads->mutex);
    return NULL;
}

static void run_threads(const struct parallel *p, int n, void (*fn)(void *arg, int i, int worker), void *arg)
{
    struct parallel_threads *threads = p->context;

    if (n <= 0)
        return;
    if (n == 1 || threads->n == 1) {
        for (int i = 0; i < n; i++)
            fn(arg, i, 0);
        return;
    }
    pthread_mutex_lock(&threads->mutex);
    threads->n_items = n;
    threads->fn = fn;
    threads->arg = arg;
    threads->busy = threads->n - 1;
    atomic_store_explicit(&threads->next, 0, memory_order_relaxed);
    threads->run++;
    pthread_cond_broadcast(&threads->work);
    pthread_mutex_unlock(&threads->mutex);

    work(threads, 0);

    pthread_mutex_lock(&threads->mutex);
    while (threads->busy > 0)
        pthread_cond_wait(&threads->done, &threads->mutex);
    pthread_mutex_unlock(&threads->mutex);
}

int parallel_threads_open(struct parallel_threads **ret, int n)
{
    struct parallel_threads *threads;
    int r = 0;

    if (n < 1 || n > PARALLEL_THREADS_MAX)
        return -EINVAL;
    threads = calloc(1, sizeof *threads);
    if (!threads)
        return -ENOMEM;
    threads->n = n;
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->work, NULL);
    pthread_cond_init(&threads->done, NULL);
    threads->workers = calloc((size_t)n, sizeof *threads->workers);
    if (!threads->workers) {
        r = -ENOMEM;
        goto fail;
    }
    for (int i = 0; i < n - 1 && r == 0; i++) {
        struct worker *worker = &threads->workers[i];
        char name[24];

        worker->threads = threads;
        worker->index = i + 1;
        snprintf(name, sizeof name, "work-%d", i + 1);
        r = thread_start(&worker->thread, name, worker_main, worker);
        threads->started += r == 0;
    }
    if (r < 0)
        goto fail;
    *ret = threads;
    return 0;
fail:
    parallel_threads_close(threads);
    return r;
}

void parallel_threads_close(struct parallel_threads *threads)
{
    if (!threads)
        return;
    pthread_mutex_lock(&threads->mutex);
    threads->closing = true;
    pthread_cond_broadcast(&threads->work);
    pthread_mutex_unlock(&threads->mutex);
    for (int i = 0; i < threads->started; i++)
        pthread_join(threads->workers[i].thread, NULL);
    pthread_cond_destroy(&threads->done);
    pthread_cond_destroy(&threads->work);
    pthread_mutex_destroy(&threads->mutex);
    free(threads->workers);
    free(threads);
}

struct parallel parallel_threads_parallel(struct parallel_threads *threads)
{
    return (struct parallel){.threads = threads->n, .run = run_threads, .context = threads};
}

int parallel_threads_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : n > PARALLEL_THREADS_MAX ? PARALLEL_THREADS_MAX : n;
}
