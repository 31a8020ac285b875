#define PEAK_NAME peak_int8_run_avx512
#define PEAK_VECTOR __m512i
#define PEAK_CHAINS 16
#define PEAK_DOT(x, a, b) __asm__("vpdpbusd %2, %1, %0" : "+v"(x) : "v"(a), "v"(b))
#include "core/kernels/peak/peak_int8_kernel.h"
