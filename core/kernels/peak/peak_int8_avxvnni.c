#define PEAK_NAME peak_int8_run_avxvnni
#define PEAK_VECTOR __m256i
#define PEAK_CHAINS 12
#define PEAK_DOT(x, a, b) __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(x) : "x"(a), "x"(b))
#include "core/kernels/peak/peak_int8_kernel.h"
