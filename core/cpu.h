/* What __builtin_cpu_supports() does not know everywhere. */
#ifndef MEMAED_CORE_CPU_H
#define MEMAED_CORE_CPU_H

#include <stdbool.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* The builtin knows it in gcc, and in clang from 15 on. What it needs of the system is what AVX2 needs. */
static inline bool cpu_has_avx_vnni(void)
{
#ifdef __x86_64__
    enum { LEAF = 7, PART = 1, AVX_VNNI = 1 << 4 };
    unsigned a, b, c, d;
    return __get_cpuid_count(LEAF, PART, &a, &b, &c, &d) && (a & AVX_VNNI);
#else
    return false;
#endif
}

#endif
