/* The register operations that core/kernels/int8_kernels_body.h needs, for AVX-512. */
#ifndef MEMAED_CORE_KERNELS_INT8_AVX512_H
#define MEMAED_CORE_KERNELS_INT8_AVX512_H

#include <immintrin.h>

typedef __m512i ints;
typedef __m512 floats;
#define zero_ints() _mm512_setzero_si512()
#define load_ints(p) _mm512_loadu_si512(p)
#define store_ints(p, v) _mm512_storeu_si512(p, v)
/* Assembler, because with the intrinsic GCC 12 copies every sum before it adds to it. */
#define dot(sum, w, x) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w))
#define to_floats(v) _mm512_cvtepi32_ps(v)
#define load_floats(p) _mm512_loadu_ps(p)
#define store_floats(p, v) _mm512_storeu_ps(p, v)
#define splat(x) _mm512_set1_ps(x)
#define times(a, b) _mm512_mul_ps(a, b)
#define plus(a, b) _mm512_add_ps(a, b)

static inline ints broadcast(const void *p)
{
    int x;
    __builtin_memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}

static inline floats leaky(floats v, floats slope)
{
    return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NGT_UQ), v, slope);
}

static inline void store_bytes(void *p, floats v)
{
    v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(255));      /* max(NaN, 0) is 0 */
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

#endif
