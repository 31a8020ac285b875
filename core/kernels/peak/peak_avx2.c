#define PEAK_NAME peak_run_avx2
#define PEAK_WIDTH 8
#define PEAK_CHAINS 12
#include "core/kernels/peak/peak_kernel.h"
