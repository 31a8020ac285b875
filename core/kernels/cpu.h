/* CPU features that __builtin_cpu_supports() does not know in every compiler. Any thread. */
#ifndef MEMAED_CORE_KERNELS_CPU_H
#define MEMAED_CORE_KERNELS_CPU_H

#include <stdbool.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* Returns true if the CPU has AVX-VNNI. clang's builtin knows it from version 15 on. The builtin for AVX2 also checks that the
 * system saves the registers. */
static inline bool cpu_has_avx_vnni(void)
{
#ifdef __x86_64__
    enum { LEAF = 7, PART = 1, AVX_VNNI = 1 << 4 };
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(LEAF, PART, &a, &b, &c, &d) && (a & AVX_VNNI);
#else
    return false;
#endif
}

#endif
