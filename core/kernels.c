#include "core/kernels.h"

#include <errno.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "core/int8_kernels.h"

const struct kernels *kernels = &kernels_c;
const struct int8_kernels *int8_kernels = &int8_kernels_c;

static bool cpu_has(const struct kernels *k)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (k == &kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    if (k == &kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return k == &kernels_c;
}

#ifdef __x86_64__
/* Whether the CPU multiplies tiles of bytes, and Linux keeps them for this process: a bit of the CPU's state that has to be
 * asked for, once, before there are threads (Documentation/arch/x86/xstate.rst). */
static bool has_amx(void)
{
    enum { LEAF = 7, TILE = 1 << 24, INT8 = 1 << 25 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(LEAF, 0, &a, &b, &c, &d) || !(d & TILE) || !(d & INT8))
        return false;
#ifdef __linux__
    enum { ARCH_PRCTL = 158, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    long r = ARCH_PRCTL;
    __asm__ volatile("syscall" : "+a"(r) : "D"(ARCH_REQ_XCOMP_PERM), "S"(XFEATURE_XTILEDATA) : "rcx", "r11", "memory");
    return r == 0;
#else
    return false;
#endif
}
#endif

/* The 8-bit ones that go with a table. */
static const struct int8_kernels *int8_kernels_of(const struct kernels *k, bool amx)
{
#ifdef __x86_64__
    if (k == &kernels_avx512 && amx && __builtin_cpu_supports("avx512vnni") && has_amx())
        return &int8_kernels_amx;
    if (k == &kernels_avx512 && __builtin_cpu_supports("avx512vnni"))
        return &int8_kernels_avx512;
#endif
    return k == &kernels_c ? &int8_kernels_c : &int8_kernels_avx2;
}

int kernels_choose(const char *limit)
{
    static const struct kernels *const tables[] = {&kernels_avx512, &kernels_avx2, &kernels_c};
    bool amx = !limit || strcmp(limit, "amx") == 0;
    if (limit && amx) {
        if (!cpu_has(&kernels_avx512) || int8_kernels_of(&kernels_avx512, true) != &int8_kernels_amx)
            return -ENOTSUP;
        limit = NULL;
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (limit ? strcmp(tables[i]->name, limit) != 0 : !cpu_has(tables[i]))
            continue;
        if (!cpu_has(tables[i]))
            return -ENOTSUP;
        kernels = tables[i];
        int8_kernels = int8_kernels_of(kernels, amx);
        return 0;
    }
    return -EINVAL;
}

void int8_pack(void *panels, size_t n_inputs, size_t i, size_t j, int weight)
{
    size_t g = int8_kernels->group, size = int8_kernels->weight_size;
    size_t at = j / KERNEL_PANEL * n_inputs * KERNEL_PANEL + (i / g * KERNEL_PANEL + j % KERNEL_PANEL) * g + i % g;
    int8_t byte = (int8_t)weight;
    int16_t word = (int16_t)weight;
    memcpy((char *)panels + at * size, size == 1 ? (const void *)&byte : (const void *)&word, size);
}
