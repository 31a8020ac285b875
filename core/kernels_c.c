#define KERNELS kernels_c
#define KERNELS_NAME "c"
#include "core/kernels_body.h"
