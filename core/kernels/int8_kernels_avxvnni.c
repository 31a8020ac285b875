/* AVX-VNNI: vpdpbusd on registers of 256 bits, for CPUs without AVX-512. */
#include <immintrin.h>

#define INT8_KERNELS int8_kernels_avxvnni
#define INT8_KERNELS_NAME "avx_vnni"
#define VECTOR 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#define GROUP 4
#define WEIGHT_SIZE 1

/* Assembler for the reason given in int8_avx512.h. */
#define dot(sum, w, x) __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w))
#include "core/kernels/int8_kernels_ymm.h"
#include "core/kernels/int8_kernels_body.h"
