/* The peak speed of this CPU: a loop of independent multiply-adds on registers. `memaed bench` compares the network with it.
 * core/ has no clock: the caller measures the time, with one call per thread, all threads at once. */
#ifndef MEMAED_CORE_KERNELS_PEAK_PEAK_H
#define MEMAED_CORE_KERNELS_PEAK_PEAK_H

#include "core/precision.h"

struct peak {
    const char *kernel;         /* "avx512", "avx2" …; NULL: this CPU has none, and run is NULL */
    /* Runs `rounds` rounds and returns the number of operations, two per multiply-add. Writes to *sink a value that depends
     * on all of them, so that the compiler cannot remove them. Any thread. */
    double (*run)(long rounds, float *sink);
};

/* The loop with the widest vectors of this CPU, for PRECISION_FP32 or PRECISION_INT8 (products of bytes summed in 32 bits).
 * It does not use AMX tiles, which can exceed this peak. It ignores MEMAED_CPU: the peak is the machine's. */
struct peak peak_of(enum precision precision);

/* The loops, one per instruction set: peak_kernel.h and peak_int8_kernel.h, compiled three times each. The caller checks
 * that the CPU has the instruction set. */
double peak_run_c(long rounds, float *sink);
double peak_run_avx2(long rounds, float *sink);
double peak_run_avx512(long rounds, float *sink);
double peak_int8_run_avx2(long rounds, float *sink);
double peak_int8_run_avxvnni(long rounds, float *sink);
double peak_int8_run_avx512(long rounds, float *sink);

#endif
