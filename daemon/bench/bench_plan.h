/* Measures a frozen network: an architecture with random weights, or a model, on random pictures. Figures are wall time of
 * all workers together. Each worker runs one window at least.
 *
 * One thread calls at a time. It is worker 0 of the set of threads that the plan is opened with. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_PLAN_H
#define MEMAED_DAEMON_BENCH_BENCH_PLAN_H

#include "core/error.h"
#include "core/network/plan.h"
#include "core/parallel.h"

enum { BENCH_MAX_STEPS = 2 * ARCH_MAX_LAYERS + 3 };

struct bench_plan;

struct bench_plan_options {
    const char *arch_name, *model_path;         /* one is NULL; borrowed until close */
    enum precision precision;                   /* PRECISION_FP32 or PRECISION_INT8 */
    const struct parallel *parallel;            /* borrowed until close */
};

struct bench_rate {
    long n;                     /* cubes or windows finished */
    double seconds;
};

static inline double bench_seconds_each(const struct bench_rate *rate) { return rate->seconds / (double)rate->n; }

/* Finds the architecture by its built-in name, or reads it from a JSON file. Returns 0 or a negative errno with the cause
 * in err. */
int bench_find_arch(const char *name, struct arch *ret, struct error *err);

/* Opens the network in one precision. For 8 bits, the ranges of activations are measured on the random pictures. Returns 0,
 * or a negative errno with the cause in err: -ENOTSUP if there are too many channels for 8 bits. */
int bench_plan_open(struct bench_plan **ret, const struct bench_plan_options *options, struct error *err);
void bench_plan_close(struct bench_plan *b);    /* takes NULL */

const struct plan *bench_plan_plan(const struct bench_plan *b);
double bench_plan_gflop(const struct bench_plan *b);            /* nominal, for one cube: arch_total_cost() */
bool bench_plan_takes_pictures(const struct bench_plan *b);     /* of one channel; else there are no windows, steps or 8 bits */

/* Runs cubes on this many workers for as many seconds; a cube that has begun is finished. workers <= threads of the set. */
void bench_plan_cubes(struct bench_plan *b, int workers, double seconds, struct bench_rate *ret);
/* The median time of one cube alone, of as many as fit in the time, from three to a hundred. */
double bench_plan_latency_s(struct bench_plan *b, double seconds);

/* Runs windows that slide by `stride` pictures. Each worker takes windows from `sequences` sequences in turn, as from as
 * many cameras. The first windows, for which nothing is cached, do not count. *history_bytes: size of the cache of one
 * sequence. Returns 0 or -ENOMEM. */
int bench_plan_windows(struct bench_plan *b, int workers, int stride, int sequences, double seconds, struct bench_rate *ret,
                       size_t *history_bytes);

struct bench_step {
    char name[32];              /* "encoder 0" */
    double seconds;             /* median */
    double gflop;               /* nominal; 0: the step has no multiply-adds that count */
};
/* Measures each step of one cube alone. Returns the number of steps. */
int bench_plan_steps(struct bench_plan *b, double seconds, struct bench_step ret[BENCH_MAX_STEPS]);

#endif
