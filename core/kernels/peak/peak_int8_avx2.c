/* The fastest product of bytes without VNNI: three instructions, of which the first saturates. Exact sums are slower. */
#define PEAK_NAME peak_int8_run_avx2
#define PEAK_VECTOR __m256i
#define PEAK_CHAINS 10
#define PEAK_DOT(x, a, b) \
    do { \
        __m256i pairs; \
        __asm__("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0" \
                : "+x"(x), "=&x"(pairs) : "x"(a), "x"(b), "x"(_mm256_set1_epi16(1))); \
    } while (0)
#include "core/kernels/peak/peak_int8_kernel.h"
