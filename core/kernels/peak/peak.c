#include "core/kernels/peak/peak.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/kernels/cpu.h"

#if defined __x86_64__
#define HAS(feature) (__builtin_cpu_supports(feature) != 0)
#else
#define HAS(feature) false
#endif

static struct peak peak_of_fp32(void)
{
    if (HAS("avx512f"))
        return (struct peak){"avx512", peak_run_avx512};
    if (HAS("avx2") && HAS("fma"))
        return (struct peak){"avx2", peak_run_avx2};
    return (struct peak){"c", peak_run_c};
}

static struct peak peak_of_int8(void)
{
    if (HAS("avx512vnni"))
        return (struct peak){"avx512_vnni", peak_int8_run_avx512};
    if (cpu_has_avx_vnni())
        return (struct peak){"avx_vnni", peak_int8_run_avxvnni};
    if (HAS("avx2"))
        return (struct peak){"avx2", peak_int8_run_avx2};
    return (struct peak){NULL, NULL};
}

struct peak peak_of(enum precision precision)
{
    return precision == PRECISION_INT8 ? peak_of_int8() : peak_of_fp32();
}
