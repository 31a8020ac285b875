#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#define VECTOR 16
#define TILE_ROWS 8
#define TILE_PANELS 3
#include "core/kernels/kernels_body.h"
