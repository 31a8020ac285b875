/* The frozen network under measurement: a plan of an architecture with random weights, or of a model, random pictures for it,
 * and what each worker needs. Figures are of wall time, all workers together; each worker does one window at least.
 *
 * One thread at a time, which is worker 0 of the set of threads that it is opened with. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_PLAN_H
#define MEMAED_DAEMON_BENCH_BENCH_PLAN_H

#include "core/error.h"
#include "core/network/plan.h"
#include "core/parallel.h"

enum { BENCH_MAX_STEPS = 2 * ARCH_MAX_LAYERS + 3 };

struct bench_plan;

struct bench_plan_options {
    const char *arch_name, *model_path;         /* one of them; borrowed until close */
    enum precision precision;                   /* PRECISION_FP32 or PRECISION_INT8 */
    const struct parallel *parallel;            /* borrowed until close */
};

struct bench_rate {
    long n;                     /* cubes, or windows */
    double seconds;
};

static inline double bench_seconds_each(const struct bench_rate *rate) { return rate->seconds / (double)rate->n; }

/* The architecture of a built-in name or a file of JSON. 0 or a negative errno with the cause in err. */
int bench_find_arch(const char *name, struct arch *ret, struct error *err);

/* 0 or a negative errno with the cause in err. Bytes stand for what the pictures make of the network. */
int bench_plan_open(struct bench_plan **ret, const struct bench_plan_options *options, struct error *err);
void bench_plan_close(struct bench_plan *b);    /* takes NULL */

const struct plan *bench_plan_plan(const struct bench_plan *b);
double bench_plan_gflop(const struct bench_plan *b);            /* nominal, of a cube: arch_total_cost() */
bool bench_plan_takes_pictures(const struct bench_plan *b);     /* gray ones: else there are no windows, no steps, no 8 bits */

/* Cubes each by itself, of so many workers, begun within so many seconds; workers <= the threads. */
void bench_plan_cubes(struct bench_plan *b, int workers, double seconds, struct bench_rate *ret);
/* One cube alone: the median of at least three, of as many as fit in the time, of at most a hundred. */
double bench_plan_latency_s(struct bench_plan *b, double seconds);

/* Windows that slide by `stride` pictures over sequences, so many of each worker in turn, as cameras would have it. The first
 * windows, which find nothing kept, do not count. history_bytes: kept of each sequence. 0 or -ENOMEM. */
int bench_plan_windows(struct bench_plan *b, int workers, int stride, int sequences, double seconds, struct bench_rate *ret,
                       size_t *history_bytes);

/* The seconds of each step of one cube alone, medians, and what the steps are; returns how many steps. */
struct bench_step {
    char name[32];              /* "encoder 0" */
    double seconds, gflop;      /* nominal; 0: none that count */
};
int bench_plan_steps(struct bench_plan *b, double seconds, struct bench_step ret[BENCH_MAX_STEPS]);

#endif
