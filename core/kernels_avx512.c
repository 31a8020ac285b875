#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#include "core/kernels_body.h"
