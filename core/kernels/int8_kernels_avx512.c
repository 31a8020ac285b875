/* AVX-512 with VNNI: vpdpbusd adds four products of an unsigned and a signed byte to each 32-bit lane, exactly. */
#include "core/kernels/int8_avx512.h"

#define INT8_KERNELS int8_kernels_avx512
#define INT8_KERNELS_NAME "avx512_vnni"
#define VECTOR 16
#define TILE_ROWS 8
#define TILE_PANELS 3
#define GROUP 4
#define WEIGHT_SIZE 1

#include "core/kernels/int8_kernels_body.h"
