/* How fast this CPU multiplies and adds: a loop of independent multiply-adds on registers, for `memaed bench` to hold the
 * network against. There is no clock here: the caller times it, one call a thread, all threads at once. */
#ifndef MEMAED_CORE_KERNELS_PEAK_PEAK_H
#define MEMAED_CORE_KERNELS_PEAK_PEAK_H

#include "core/precision.h"

struct peak {
    const char *kernel;         /* "avx512", "avx2" …; NULL: none for this CPU, and no run */
    /* Runs `rounds` rounds and returns the operations done, two a multiply-add. *sink takes a value that depends on all of
     * them, so that no compiler leaves them out. Any thread. */
    double (*run)(long rounds, float *sink);
};

/* With the widest vectors that the CPU has, for PRECISION_FP32 or PRECISION_INT8 (bytes by bytes, summed in 32 bits; by
 * vectors: tiles go beyond). MEMAED_CPU does not count here: the peak is the machine's, whatever the network is held to. */
struct peak peak_of(enum precision precision);

/* One per instruction set (peak_kernel.h and peak_int8_kernel.h compiled three times each); the caller sees to it that the CPU
 * has it. */
double peak_run_c(long rounds, float *sink);
double peak_run_avx2(long rounds, float *sink);
double peak_run_avx512(long rounds, float *sink);
double peak_int8_run_avx2(long rounds, float *sink);
double peak_int8_run_avxvnni(long rounds, float *sink);
double peak_int8_run_avx512(long rounds, float *sink);

#endif
