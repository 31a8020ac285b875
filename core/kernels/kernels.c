#include "core/kernels/kernels.h"

#include <errno.h>
#include <string.h>

#include "core/kernels/cpu.h"
#include "core/kernels/int8_kernels.h"

const struct kernels *kernels = &kernels_c;
const struct int8_kernels *int8_kernels = &int8_kernels_c;

#ifdef __x86_64__
/* Returns true if the CPU has AMX with int8, and Linux saves its tile registers for this process. The process must
 * request that once, before it starts threads (Documentation/arch/x86/xstate.rst of Linux). */
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

/* Best first. AVX-512 without VNNI uses the 8-bit kernels of AVX2. */
enum set { AMX, AVX512_VNNI, AVX512, AVX_VNNI, AVX2, C };
static const struct {
    const char *limit;
    const struct kernels *kernels;
    const struct int8_kernels *int8;
} sets[] = {
    [AMX] = {"amx", &kernels_avx512, &int8_kernels_amx},
    [AVX512_VNNI] = {"avx512", &kernels_avx512, &int8_kernels_avx512},
    [AVX512] = {"avx512", &kernels_avx512, &int8_kernels_avx2},
    [AVX_VNNI] = {"avxvnni", &kernels_avx2, &int8_kernels_avxvnni},
    [AVX2] = {"avx2", &kernels_avx2, &int8_kernels_avx2},
    [C] = {"c", &kernels_c, &int8_kernels_c},
};
enum { N_SETS = sizeof sets / sizeof sets[0] };

static bool cpu_has(enum set set)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    switch (set) {
    case AMX:
        return cpu_has(AVX512_VNNI) && has_amx();
    case AVX512_VNNI:
        return cpu_has(AVX512) && __builtin_cpu_supports("avx512vnni");
    case AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    case AVX_VNNI:
        return cpu_has(AVX2) && cpu_has_avx_vnni();
    case AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case C:
        break;
    }
#endif
    return set == C;
}

int kernels_choose(const char *limit)
{
    int r = -EINVAL;
    for (int i = 0; i < N_SETS; i++) {
        if (limit && strcmp(sets[i].limit, limit) != 0)
            continue;
        r = -ENOTSUP;
        if (!cpu_has((enum set)i))
            continue;
        kernels = sets[i].kernels;
        int8_kernels = sets[i].int8;
        return 0;
    }
    return r;
}

void int8_pack(void *panels, size_t n_inputs, size_t i, size_t j, int weight)
{
    size_t g = int8_kernels->group, size = int8_kernels->weight_size;
    size_t at = j / KERNEL_PANEL * n_inputs * KERNEL_PANEL + (i / g * KERNEL_PANEL + j % KERNEL_PANEL) * g + i % g;
    int8_t byte = (int8_t)weight;
    int16_t word = (int16_t)weight;
    memcpy((char *)panels + at * size, size == 1 ? (const void *)&byte : (const void *)&word, size);
}
