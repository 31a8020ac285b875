/* The interface of a parallel loop. core/ starts no threads: the caller passes a struct parallel, and core/ splits its work
 * by calling run.
 *
 * run(p, n, fn, arg) calls fn(arg, i, worker) once for every i in 0…n-1, with 0 <= worker < p->threads. No two calls with
 * the same worker overlap. run returns when all calls are done. fn must not depend on the order of the calls. */
#ifndef MEMAED_CORE_PARALLEL_H
#define MEMAED_CORE_PARALLEL_H

struct parallel {
    int threads;
    void (*run)(const struct parallel *p, int n, void (*fn)(void *arg, int i, int worker), void *arg);
    void *context;      /* run's own data */
};

/* Runs all calls in order on the caller's thread. */
extern const struct parallel parallel_serial;

#endif
