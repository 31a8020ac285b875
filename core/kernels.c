#include "core/kernels.h"

#include <errno.h>
#include <string.h>

const struct kernels *kernels = &kernels_c;

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

int kernels_choose(const char *limit)
{
    static const struct kernels *const tables[] = {&kernels_avx512, &kernels_avx2, &kernels_c};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (limit ? strcmp(tables[i]->name, limit) != 0 : !cpu_has(tables[i]))
            continue;
        if (!cpu_has(tables[i]))
            return -ENOTSUP;
        kernels = tables[i];
        return 0;
    }
    return -EINVAL;
}
