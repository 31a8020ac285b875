/* How fast this machine trains: the other half of memaed bench. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_TRAIN_H
#define MEMAED_DAEMON_BENCH_BENCH_TRAIN_H

#include "core/network/arch.h"

struct bench_train_result {
    double seconds_per_cube;    /* the median step, divided by the batch */
    double seconds;             /* measured over; warm-up is not counted */
    long steps;
};

/* Whole steps of training on random windows, for so many seconds and at least three steps. 0 or a negative errno, with the
 * cause in err. */
int bench_train(struct bench_train_result *ret, const struct arch *arch, int batch, int threads, double seconds,
                struct error *err);

#endif
