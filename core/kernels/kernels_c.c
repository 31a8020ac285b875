#define KERNELS kernels_c
#define KERNELS_NAME "c"
#define VECTOR 4
#define TILE_ROWS 2
#define TILE_PANELS 1
#include "core/kernels/kernels_body.h"
