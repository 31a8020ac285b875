/* vpmaddubsw, the only product of bytes here, saturates: inputs and weights are widened, and vpmaddwd is exact. Two products
 * and a sum a lane: half again as many a cycle as of fp32. */
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

typedef __m256i ints;
typedef __m256 floats;
#define zero_ints() _mm256_setzero_si256()
#define load_ints(p) _mm256_loadu_si256((const __m256i_u *)(p))
#define store_ints(p, v) _mm256_storeu_si256((__m256i_u *)(p), v)
#define dot(sum, w, x) ((sum) = _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)))
#define to_floats(v) _mm256_cvtepi32_ps(v)
#define load_floats(p) _mm256_loadu_ps(p)
#define store_floats(p, v) _mm256_storeu_ps(p, v)
#define splat(x) _mm256_set1_ps(x)
#define times(a, b) _mm256_mul_ps(a, b)
#define plus(a, b) _mm256_add_ps(a, b)

static inline ints broadcast(const void *p)
{
    int x;
    __builtin_memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

static inline floats leaky(floats v, floats slope)
{
    return _mm256_blendv_ps(_mm256_mul_ps(v, slope), v, _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ));
}

static inline void store_bytes(void *p, floats v)
{
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255));      /* max(NaN, 0) is 0 */
    __m256i i = _mm256_cvtps_epi32(v);
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i_u *)p, _mm_packus_epi16(words, words));
}

/* n is a multiple of 4. */
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

#include "core/int8_kernels_body.h"
