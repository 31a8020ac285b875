/* The body of peak_int8_run_*(), compiled once per instruction set. An including file defines PEAK_NAME, PEAK_VECTOR (the
 * type of a register), PEAK_CHAINS (see peak_kernel.h) and PEAK_DOT(x, a, b). PEAK_DOT adds the four products of bytes in a
 * and b to each 32-bit lane of x. It is assembler, so that the compiler cannot move a sum out of the loop. */
#include <immintrin.h>

#include "core/kernels/peak/peak.h"

double PEAK_NAME(long rounds, float *sink)
{
    volatile long long ones = 0x0101010101010101;
    PEAK_VECTOR a = (PEAK_VECTOR){0} + ones, b = a, x[PEAK_CHAINS], sum = {0};

#pragma GCC unroll 16
    for (int i = 0; i < PEAK_CHAINS; i++)
        x[i] = a + i;
    for (long round = 0; round < rounds; round++)
#pragma GCC unroll 16
        for (int i = 0; i < PEAK_CHAINS; i++)
            PEAK_DOT(x[i], a, b);
#pragma GCC unroll 16
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum ^= x[i];
    *sink = (float)sum[0];
    return 2.0 * sizeof a * PEAK_CHAINS * (double)rounds;
}
