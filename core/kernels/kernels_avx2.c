#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#define VECTOR 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#include "core/kernels/kernels_body.h"
