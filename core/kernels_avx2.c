#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#include "core/kernels_body.h"
