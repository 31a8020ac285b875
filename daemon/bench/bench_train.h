/* Measures how fast this machine trains: `memaed bench --train`. Main's thread. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_TRAIN_H
#define MEMAED_DAEMON_BENCH_BENCH_TRAIN_H

#include "core/network/arch.h"

struct bench_train_result {
    double seconds_per_cube;    /* time of the median step divided by the batch */
    double seconds;             /* of all measured steps, without warm-up */
    long steps;
};

/* Runs whole training steps on random windows for this many seconds: at least 3 steps, at most 10,000. Returns 0 or a negative
 * errno with the cause in err; -EDOM: the loss is not finite. */
int bench_train(struct bench_train_result *ret, const struct arch *arch, int batch, int threads, double seconds,
                struct error *err);

#endif
