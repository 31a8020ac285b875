#include "daemon/base/blas.h"

#include <cblas.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum level { LEVEL_SSE, LEVEL_AVX2, LEVEL_AVX512 };

static const char *const coretype[] = {"PRESCOTT", "HASWELL", "SKYLAKEX"};

static enum level level_of_cpu(void)
{
    enum level level = LEVEL_SSE;
    const char *cap = getenv("MEMAED_CPU");

#if defined __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        level = LEVEL_AVX2;
    if (level == LEVEL_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        level = LEVEL_AVX512;
#endif
    if (cap && strcmp(cap, "c") == 0)
        level = LEVEL_SSE;
    if (cap && strncmp(cap, "avx", 3) == 0 && strcmp(cap, "avx512") != 0 && level > LEVEL_AVX2)
        level = LEVEL_AVX2;
    return level;
}

static enum level level_of_kernels(const char *name)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"}, *const avx2[] = {"Haswell", "Zen"};

    for (size_t i = 0; i < sizeof avx512 / sizeof avx512[0]; i++)
        if (strcasecmp(name, avx512[i]) == 0)
            return LEVEL_AVX512;
    for (size_t i = 0; i < sizeof avx2 / sizeof avx2[0]; i++)
        if (strcasecmp(name, avx2[i]) == 0)
            return LEVEL_AVX2;
    return LEVEL_SSE;
}

/* Returns true if the environment has changed, so that OpenBLAS has to be loaded again. */
static bool set_environment(void)
{
    const char *threads = getenv("OPENBLAS_NUM_THREADS");
    bool changed = false;
    if (!threads || strcmp(threads, "1") != 0)
        changed = setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
#if defined __x86_64__
    enum level level = level_of_cpu();
    if (!getenv("OPENBLAS_CORETYPE") && level_of_kernels(openblas_get_corename()) != level)
        changed = setenv("OPENBLAS_CORETYPE", coretype[level], 1) == 0 || changed;
#endif
    return changed;
}

void blas_init(char **argv)
{
    /* Executed as /proc/self/exe, the program would be called "exe" in ps and pgrep. */
    char path[PATH_MAX];
    ssize_t n = set_environment() ? readlink("/proc/self/exe", path, sizeof path - 1) : 0;
    if (n > 0) {
        path[n] = '\0';
        execv(path, argv);
    }
    openblas_set_num_threads(1);
}

const char *blas_kernels(void)
{
    return openblas_get_corename();
}
