#define PEAK_NAME peak_run_avx512
#define PEAK_WIDTH 16
#define PEAK_CHAINS 16
#include "core/kernels/peak/peak_kernel.h"
