/* What so many threads reach at once in a loop of multiply-adds on registers (core/kernels/peak/peak.h), in operations a second: the best
 * of many short runs, as what takes a core away only ever lowers the figure. 0 where the CPU has none of that precision.
 * 1 <= threads <= p->threads. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_PEAK_H
#define MEMAED_DAEMON_BENCH_BENCH_PEAK_H

#include "core/parallel.h"
#include "core/precision.h"

double bench_peak(const struct parallel *p, int threads, enum precision precision);

#endif
