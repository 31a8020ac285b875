#include "core/evaluation/tracks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    uint32_t before, now;       /* regions, from 0 */
    uint64_t shared, either;    /* pixels of both, of at least one */
};

static int best_first(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    uint64_t left = x->shared * y->either, right = y->shared * x->either;

    if (left != right)
        return left < right ? 1 : -1;
    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    return x->now < y->now ? -1 : 1;
}

int tracks_link(uint32_t *continued, const uint32_t *before, uint32_t n_before, const uint32_t *now, uint32_t n_now,
                size_t pixels)
{
    uint32_t *shared = calloc((size_t)n_before * n_now + 1, sizeof *shared);    /* [n_before, n_now] */
    uint32_t *areas = calloc((size_t)n_before + n_now + 1, sizeof *areas);      /* those before, then the present ones */
    bool *taken = calloc((size_t)n_before + 1, sizeof *taken);
    struct pair *pairs = NULL;
    size_t n = 0, cells = (size_t)n_before * n_now;
    int r = -ENOMEM;

    if (!shared || !areas || !taken)
        goto end;
    for (size_t i = 0; i < pixels; i++) {
        if (before[i])
            areas[before[i] - 1]++;
        if (now[i])
            areas[n_before + now[i] - 1]++;
        if (before[i] && now[i])
            n += shared[(size_t)(before[i] - 1) * n_now + now[i] - 1]++ == 0;
    }
    pairs = malloc((n + 1) * sizeof *pairs);
    if (!pairs)
        goto end;
    n = 0;
    for (size_t i = 0; i < cells; i++) {
        uint32_t b = (uint32_t)(i / n_now), k = (uint32_t)(i % n_now);

        if (shared[i])
            pairs[n++] = (struct pair){b, k, shared[i], (uint64_t)areas[b] + areas[n_before + k] - shared[i]};
    }
    qsort(pairs, n, sizeof *pairs, best_first);
    memset(continued, 0, n_now * sizeof *continued);
    for (size_t i = 0; i < n; i++) {
        if (taken[pairs[i].before] || continued[pairs[i].now])
            continue;
        taken[pairs[i].before] = true;
        continued[pairs[i].now] = pairs[i].before + 1;
    }
    r = 0;
end:
    free(shared);
    free(areas);
    free(taken);
    free(pairs);
    return r;
}
