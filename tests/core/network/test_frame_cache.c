/* Windows that share a frame cache give the same bits as windows computed afresh, for random architectures, strides and
 * jumps. A built-in architecture shares as many frames as expected. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/plan.h"
#include "core/rng.h"
#include "core/score/score.h"
#include "tests/suite.h"

enum { MAX_SIDE = 10, MAX_FRAMES = 24, PICTURES = 64, WINDOWS = 24 };

static struct rng rng;
static struct error err;

static int between(int low, int high)
{
    return low + (int)rng_below(&rng, (uint64_t)(high - low + 1));
}

/* A layer that maps the size of z to the size of the input. */
static struct layer_spec inverse(struct dims z, struct dims in)
{
    const int from[3] = {z.t, z.h, z.w}, to[3] = {in.t, in.h, in.w};
    struct layer_spec s = {.type = LAYER_DECONV3D, .out = in.c, .stride = {1, 1, 1}};
    for (int a = 0; a < 3; a++) {
        s.kernel[a] = from[a] <= to[a] ? to[a] - from[a] + 1 : 1 + (from[a] - to[a]) % 2;
        s.padding[a] = (from[a] - 1 + s.kernel[a] - to[a]) / 2;
    }
    return s;
}

/* A random encoder of various kernels, strides and paddings. One layer in 16 is transposed. */
static struct arch random_arch(void)
{
    for (;;) {
        struct arch a = {.kind = INPUT_VIDEO, .channels = 1, .frames = between(6, MAX_FRAMES), .height = between(1, MAX_SIDE),
                         .width = between(1, MAX_SIDE), .mean = 0.5f, .std = 0.5f, .n_encoder = between(1, 4), .n_decoder = 1,
                         .has_memory = between(0, 1), .memory = {.slots = between(1, 9), .temperature = 1}};
        for (int i = 0; i < a.n_encoder; i++) {
            struct layer_spec *s = &a.encoder[i];
            *s = (struct layer_spec){.type = between(0, 15) ? LAYER_CONV3D : LAYER_DECONV3D,
                                     .out = between(0, 3) ? between(8, 20) : between(1, 7),
                                     .norm = between(0, 1), .activation = (enum activation)between(0, 3), .slope = 0.2f};
            for (int k = 0; k < 3; k++) {
                s->kernel[k] = between(k ? 2 : 1, k || between(0, 2) ? 3 : 5);
                s->stride[k] = between(1, k || between(0, 3) ? 2 : 4);
                s->padding[k] = between(0, 2);
            }
        }
        struct arch_shapes shapes;
        a.decoder[0] = (struct layer_spec){.type = LAYER_DECONV3D, .out = 1, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
        struct dims d = {1, a.frames, a.height, a.width}, in = d;
        bool fits = true;
        for (int i = 0; i < a.n_encoder && fits; i++) {
            const struct layer_spec *s = &a.encoder[i];
            int size[3] = {d.t, d.h, d.w};
            for (int k = 0; k < 3; k++) {
                size[k] = s->type == LAYER_CONV3D ? (size[k] + 2 * s->padding[k] - s->kernel[k]) / s->stride[k] + 1
                                                  : (size[k] - 1) * s->stride[k] - 2 * s->padding[k] + s->kernel[k];
                fits = fits && size[k] >= 1;
            }
            d = (struct dims){s->out, size[0], size[1], size[2]};
        }
        a.decoder[0] = inverse(d, in);
        if (fits && arch_shapes(&shapes, &a, &err) == 0)
            return a;
    }
}

/* Picture `number` of an epoch. An epoch is a sequence with a numbering of its own. */
static const uint8_t *picture(uint64_t epoch, uint64_t number)
{
    static uint8_t pixels[2][PICTURES][MAX_SIDE * MAX_SIDE];
    return pixels[epoch % 2][number % PICTURES];
}

static void draw_pictures(void)
{
    for (uint64_t e = 0; e < 2; e++)
        for (uint64_t i = 0; i < PICTURES; i++)
            for (int k = 0; k < MAX_SIDE * MAX_SIDE; k++)
                ((uint8_t *)picture(e, i))[k] = (uint8_t)rng_below(&rng, 256);
}

static void compare(const struct plan *plan, const struct plan_result *a, const struct plan_result *b, int seed, int window)
{
    const struct arch_shapes *s = plan_shapes(plan);
    bool same = a->reference == b->reference &&
                memcmp(a->z, b->z, dims_elements(s->decoder[0]) * sizeof(float)) == 0 &&
                memcmp(a->z_hat, b->z_hat, dims_elements(s->decoder[0]) * sizeof(float)) == 0 &&
                memcmp(a->x, b->x, dims_elements(s->encoder[0]) * sizeof(float)) == 0 &&
                memcmp(a->x_hat, b->x_hat, dims_elements(s->encoder[0]) * sizeof(float)) == 0;
    ck_assert_msg(same, "seed %d, %s, window %d: %.9g afresh, %.9g from the cache", seed,
                  plan_precision(plan) == PRECISION_INT8 ? "int8" : "fp32", window, (double)a->reference, (double)b->reference);
}

/* Returns the number of frames taken from the cache. */
static int slide(const struct plan *plan, int seed)
{
    int frames = plan_arch(plan)->frames, stride = between(1, 5), hits = 0;
    struct frame_cache *cache = plan_frame_cache_new(plan, stride);
    size_t size = plan_workspace_size(plan);
    void *ws = plan_workspace_new(plan), *ws_afresh = plan_workspace_new(plan);
    uint64_t epoch = 0, first = (uint64_t)between(0, 1000);
    const uint8_t *pictures[MAX_FRAMES];
    for (int w = 0; w < WINDOWS; w++) {
        for (int t = 0; t < frames; t++)
            pictures[t] = picture(epoch, first + (uint64_t)t);
        struct plan_result afresh, result;
        struct frame_cache_lookup found;
        if (frame_cache_layers(cache) > 0) {
            frame_cache_find(cache, first, &found);
            for (int i = 0; i < frame_cache_layers(cache); i++)
                for (int t = 0; t < FRAME_CACHE_MAX_FRAMES; t++)
                    hits += found.frame[i][t] == FRAME_CACHE_HIT;
        }
        memset(ws, 0xff, size);
        plan_run(plan, pictures, ws_afresh, &afresh);
        plan_run_sliding(plan, cache, first, pictures, ws, &result);
        compare(plan, &afresh, &result, seed, w);
        int what = between(0, 19);
        if (what == 0) {                            /* a new epoch: other pictures, numbered anew */
            frame_cache_clear(cache);
            epoch++;
        }
        first = what == 1 ? (uint64_t)between(0, 1000)                  /* a jump forwards or backwards */
              : what == 2 ? first                                       /* the same window again */
              : what == 3 ? first + (uint64_t)between(1, 7)             /* another distance than the stride */
                          : first + (uint64_t)stride;
    }
    free(ws);
    free(ws_afresh);
    free(cache);
    return hits;
}

START_TEST(test_bit_identical)
{
    enum { ARCHITECTURES = 6 };
    static const char *const limits[] = {"c", "avx2", "avxvnni", "avx512", "amx"};
    static struct ranges ranges;
    int hits = 0;
    for (int i = 0; i < ARCHITECTURES; i++) {
        int seed = _i * ARCHITECTURES + i;
        rng_seed(&rng, (uint64_t)seed);
        struct arch arch = random_arch();
        struct model *model;
        ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
        model_init(model, (uint64_t)seed);
        draw_pictures();
        ranges.n = ranges_count(&model->arch, &model->shapes);
        for (int k = 0; k < ranges.n; k++)
            ranges.channels[k] = (struct range){-1, 1};
        for (int k = 0; k < 10; k++) {
            struct plan *plan;
            if (kernels_choose(limits[k / 2]) < 0)
                continue;
            size_t scratch = score_scratch(&model->arch);
            ck_assert_int_eq(k % 2 ? plan_open_int8(&plan, model, scratch, &ranges, &err)
                                   : plan_open(&plan, model, scratch, &err), 0);
            hits += slide(plan, seed);
            plan_close(plan);
        }
        model_close(model);
    }
    kernels_choose(NULL);
    ck_assert_int_gt(hits, 0);
}
END_TEST

/* For each layer, the frames of the next window that are missing and that are cached, after many windows. The network has the
 * paper's strides. */
START_TEST(test_missing)
{
    static const struct {
        int stride, layers, missing[3], hits[3];
    } expected[] = {
        {1, 3, {7, 3, 3}, {0, 4, 1}},       /* no missing frame reads the eighth frame of the second layer */
        {2, 3, {7, 3, 3}, {0, 4, 1}},
        {3, 2, {11, 5}, {0, 3}},
        {4, 3, {9, 4, 3}, {0, 3, 1}},
        {8, 2, {13, 6}, {0, 2}},
        {16, 0, {0}, {0}},
    };
    struct model *model;
    struct plan *plan;
    struct frame_cache *cache;
    struct plan_result result;
    struct frame_cache_lookup found;
    struct arch arch = *arch_profile("nano");
    arch.height = arch.width = 32;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    static const uint8_t pixels[32 * 32];
    for (int t = 0; t < arch.frames; t++)
        frames[t] = pixels;
    ck_assert_int_eq(model_open(&model, &arch, &err), 0);
    model_init(model, 1);
    ck_assert_int_eq(plan_open(&plan, model, score_scratch(&model->arch), &err), 0);
    void *ws = plan_workspace_new(plan);
    cache = plan_frame_cache_new(plan, expected[_i].stride);
    uint64_t number = 0;
    for (int w = 0; w < 40; w++, number += (uint64_t)expected[_i].stride)
        plan_run_sliding(plan, cache, number, frames, ws, &result);
    ck_assert_int_eq(frame_cache_layers(cache), expected[_i].layers);
    if (expected[_i].layers > 0)
        frame_cache_find(cache, number, &found);
    for (int i = 0; i < expected[_i].layers; i++) {
        int missing = 0, hits = 0;
        for (int t = 0; t < FRAME_CACHE_MAX_FRAMES; t++) {
            missing += found.frame[i][t] == FRAME_CACHE_MISSING;
            hits += found.frame[i][t] == FRAME_CACHE_HIT;
        }
        ck_assert_int_eq(missing, expected[_i].missing[i]);
        ck_assert_int_eq(hits, expected[_i].hits[i]);
    }
    free(cache);
    free(ws);
    plan_close(plan);
    model_close(model);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame_cache");
    TCase *t = tcase_create("frame_cache");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_bit_identical, 0, 20);
    tcase_add_loop_test(t, test_missing, 0, 6);
    suite_add_tcase(s, t);
    return suite_run(s);
}
