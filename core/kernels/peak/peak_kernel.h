/* The body of peak_run_*(), compiled once per instruction set. An including file defines PEAK_NAME, PEAK_WIDTH (floats in a
 * vector) and PEAK_CHAINS, the number of independent sums. They must hide the latency of a multiply-add: 4 cycles at two per
 * cycle need 8 sums or more. They must fit the registers beside the two factors. */
#include "core/kernels/peak/peak.h"

typedef float vector __attribute__((vector_size(PEAK_WIDTH * sizeof(float))));

double PEAK_NAME(long rounds, float *sink)
{
    /* x <- x / 2 + 1/2 converges to 1, without overflow or subnormal values. Volatile hides the factor from the compiler. */
    volatile float half = 0.5f;
    vector factor = (vector){0} + half, x[PEAK_CHAINS], sum = {0};
    float total = 0;

    for (int i = 0; i < PEAK_CHAINS; i++)
        x[i] = factor * (float)i;
    for (long round = 0; round < rounds; round++)
#pragma GCC unroll 16
        for (int i = 0; i < PEAK_CHAINS; i++)
            x[i] = x[i] * factor + factor;
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum += x[i];
    for (int i = 0; i < PEAK_WIDTH; i++)
        total += sum[i];
    *sink = total;
    return 2.0 * PEAK_WIDTH * PEAK_CHAINS * (double)rounds;
}
