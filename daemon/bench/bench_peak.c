#include "daemon/bench/bench_peak.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/kernels/peak/peak.h"
#include "io/base/clock.h"

struct peaking {
    struct peak peak;
    long rounds;
    pthread_barrier_t barrier;  /* all threads start together; each has one item */
    _Atomic double operations;
};

static void run_one(void *arg, int item, int worker)
{
    struct peaking *peaking = arg;
    float sink;

    (void)item;
    (void)worker;
    pthread_barrier_wait(&peaking->barrier);
    double operations = peaking->peak.run(peaking->rounds, &sink), before = atomic_load(&peaking->operations);
    while (!atomic_compare_exchange_weak(&peaking->operations, &before, before + operations))
        ;
}

double bench_peak(const struct parallel *p, int threads, enum precision precision)
{
    enum { RUNS = 20 };
    const double run_s = 0.01;
    struct peaking peaking = {.peak = peak_of(precision), .rounds = 1000};
    double best = 0;

    if (!peaking.peak.kernel)
        return 0;
    pthread_barrier_init(&peaking.barrier, NULL, (unsigned)threads);
    for (int good = 0; good < RUNS;) {
        atomic_store(&peaking.operations, 0);
        int64_t start_us = monotonic_us();
        p->run(p, threads, run_one, &peaking);
        double seconds = (double)(monotonic_us() - start_us) * 1e-6;
        if (seconds < run_s) {
            peaking.rounds *= 2;
            continue;
        }
        double rate = atomic_load(&peaking.operations) / seconds;
        best = rate > best ? rate : best;
        good++;
    }
    pthread_barrier_destroy(&peaking.barrier);
    return best;
}
