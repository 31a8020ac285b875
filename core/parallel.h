/* The work that core/ can split is handed to a parallel_for of the caller's: core starts no threads.
 * run(p, n, fn, arg) calls fn(arg, i, worker) once for every i in 0…n-1, 0 <= worker < p->threads, no two calls with the
 * same worker at once, and returns when all are done. The order is free, so fn must not depend on it. */
#ifndef MEMAED_CORE_PARALLEL_H
#define MEMAED_CORE_PARALLEL_H

struct parallel {
    int threads;
    void (*run)(const struct parallel *p, int n, void (*fn)(void *arg, int i, int worker), void *arg);
    void *context;      /* of run's own */
};

/* Calls in order, on the caller's thread. */
extern const struct parallel parallel_serial;

#endif
