/* The register operations that core/kernels/int8_kernels_body.h needs, except dot(), for registers of 256 bits. Included by
 * files that are compiled for AVX2. */
#include <immintrin.h>

typedef __m256i ints;
typedef __m256 floats;
#define zero_ints() _mm256_setzero_si256()
#define load_ints(p) _mm256_loadu_si256((const __m256i_u *)(p))
#define store_ints(p, v) _mm256_storeu_si256((__m256i_u *)(p), v)
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
