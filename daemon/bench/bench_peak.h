/* Returns how many operations a second this many threads reach together in a loop of multiply-adds on registers
 * (core/kernels/peak/peak.h). It is the best of many short runs, because other work on the machine can only lower the
 * figure. 0: the CPU has no such instructions of that precision. 1 <= threads <= p->threads. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_PEAK_H
#define MEMAED_DAEMON_BENCH_BENCH_PEAK_H

#include "core/parallel.h"
#include "core/precision.h"

double bench_peak(const struct parallel *p, int threads, enum precision precision);

#endif
