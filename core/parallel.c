#include "core/parallel.h"

static void run_serial(const struct parallel *p, int n, void (*fn)(void *arg, int i, int worker), void *arg)
{
    (void)p;
    for (int i = 0; i < n; i++)
        fn(arg, i, 0);
}

const struct parallel parallel_serial = {.threads = 1, .run = run_serial};
