#define PEAK_NAME peak_run_c
#define PEAK_WIDTH 4
#define PEAK_CHAINS 12
#include "core/kernels/peak/peak_kernel.h"
