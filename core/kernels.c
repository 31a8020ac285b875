#include "core/kernels.h"

#include <errno.h>
#include <string.h>

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

/* The 8-bit ones that go with a table. */
static const struct int8_kernels *int8_kernels_of(const struct kernels *k)
{
#ifdef __x86_64__
    if (k == &kernels_avx512 && __builtin_cpu_supports("avx512vnni"))
        return &int8_kernels_avx512;
#endif
    return k == &kernels_c ? &int8_kernels_c : &int8_kernels_avx2;
}

int kernels_choose(const char *limit)
{
    static const struct kernels *const tables[] = {&kernels_avx512, &kernels_avx2, &kernels_c};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (limit ? strcmp(tables[i]->name, limit) != 0 : !cpu_has(tables[i]))
            continue;
        if (!cpu_has(tables[i]))
            return -ENOTSUP;
        kernels = tables[i];
        int8_kernels = int8_kernels_of(kernels);
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
