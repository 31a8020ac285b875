/* Scoring a window allocates nothing: counts calls of malloc, calloc, realloc and aligned_alloc while plans run. */
#include <cblas.h>
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/score/calibration.h"
#include "tests/suite.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0       /* the sanitizer has an allocator of its own */
#else
#define COUNTED 1
static atomic_long allocations;

/* The functions of glibc that ours call. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(alignment, size);
}
#endif

START_TEST(test_none_per_window)
{
#if COUNTED
    static const char *const profiles[] = {"nano", "small"};
    struct error err;
    struct arch arch = *arch_profile(profiles[_i / 6]);
    if (_i / 2 % 3 == 1)
        arch.memory.similarity = SIMILARITY_DOT;
    if (_i / 2 % 3 == 2) {
        arch.height = arch.width = 16;      /* products of few rows */
        arch.memory.slots = 5;
        arch.memory.shrink = 0.1f;
    }
    kernels_choose(NULL);
    openblas_set_num_threads(1);        /* as the program sets it */
    struct model *model;
    struct plan *plan;
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 1);
    struct ranges ranges = {.n = ranges_count(&model->arch, &model->shapes)};
    for (int i = 0; i < ranges.n; i++)
        ranges.channels[i] = (struct range){-1, 4};
    size_t scratch = score_scratch(&model->arch);
    ck_assert_int_eq(_i % 2 ? plan_open_int8(&plan, model, scratch, &ranges, &err) : plan_open(&plan, model, scratch, &err), 0);
    void *ws = plan_workspace_new(plan);
    struct frame_cache *cache = plan_frame_cache_new(plan, 1);
    uint8_t *picture = calloc(1, (size_t)arch.height * (size_t)arch.width);
    const uint8_t *frames[ARCH_MAX_FRAMES];
    for (int t = 0; t < arch.frames; t++)
        frames[t] = picture;
    struct plan_result result;
    plan_run(plan, frames, ws, &result);        /* OpenBLAS allocates its buffers at the first call */
    static const struct calibration calibration = {
        .has_score = true,
        .score = {.conditions = 1, .has_places = true,
                  .condition = {{.usual = {{0, 1}, {0, 1}, {0, 1}, {0, 1}}, .rare = {.share = 1, .scale = 1}}}}};
    struct boxes boxes = {0};
    long before = atomic_load(&allocations);
    for (int i = 0; i < 3; i++) {
        plan_run(plan, frames, ws, &result);
        plan_run_sliding(plan, cache, (uint64_t)i, frames, ws, &result);
        struct score_features features;
        struct voices voices;
        float score = calibration_score(&calibration, plan, &result, NULL, &features, &voices);
        calibration_boxes(&calibration, plan, &result, NULL, score, score, score, &boxes);
    }
    long during = atomic_load(&allocations) - before;
    ck_assert_msg(before > 0, "allocations are not counted");
    ck_assert_int_eq(during, 0);
    ck_assert_int_ge(boxes.n, 1);
    free(picture);
    free(cache);
    free(ws);
    plan_close(plan);
    model_close(model);
#else
    printf("SKIPPED: allocations cannot be counted under a sanitizer\n");
#endif
}
END_TEST

int main(void)
{
    Suite *s = suite_create("allocations");
    TCase *t = tcase_create("allocations");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_none_per_window, 0, 12);
    suite_add_tcase(s, t);
    return suite_run(s);
}
