/* AVX2: its only product of bytes, vpmaddubsw, saturates. So inputs and weights are widened to 16 bits and multiplied by
 * vpmaddwd, which is exact. It gives two products and a sum per lane, 1.5 times as many per cycle as in fp32. */
#include <immintrin.h>
#include <stddef.h>

#define INT8_KERNELS int8_kernels_avx2
#define INT8_KERNELS_NAME "avx2"
#define VECTOR 8
#define TILE_ROWS 5
#define TILE_PANELS 1
#define GROUP 2
#define WEIGHT_SIZE 2
#define WIDEN 256

#define dot(sum, w, x) ((sum) = _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)))
#include "core/kernels/int8_kernels_ymm.h"

/* Widens n bytes, a multiple of 4, to 16 bits each. */
static inline void widen(unsigned char *to, const unsigned char *from, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i_u *)(to + 2 * i), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i_u *)(from + i))));
    for (; i < n; i += 4) {
        int x;
        __builtin_memcpy(&x, from + i, sizeof x);
        _mm_storel_epi64((__m128i_u *)(to + 2 * i), _mm_cvtepu8_epi16(_mm_cvtsi32_si128(x)));
    }
}

#include "core/kernels/int8_kernels_body.h"
