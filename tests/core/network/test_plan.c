/* The frozen plan agrees with the network's forward pass and with PyTorch, also with several threads on one plan and in 8 bits.
 * It stays within its workspace. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/network.h"
#include "core/network/plan.h"
#include "core/rng.h"
#include "core/score/score.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"
#include "tests/suite.h"

static const char *const names[] = {"tiny-cosine", "tiny-dot", "tiny-noshrink", "tiny-allshrunk", "mnist", "kddcup"};

static struct error err;
static struct model_file file;
static struct plan *plan;

static void load(const char *name)
{
    char path[128];
    kernels_choose(NULL);
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", name);
    ck_assert_msg(model_file_load(&file, path, &err) == 0, "%s", err.text);
    ck_assert_int_eq(plan_open(&plan, file.model, score_scratch(&file.model->arch), &err), 0);
}

static void unload(void)
{
    plan_close(plan);
    model_file_clear(&file);
}

static void *workspace(void)
{
    return plan_workspace_new(plan);
}

static void close_to(const char *what, const float *a, const float *b, size_t n, double r)
{
    double top = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        top = fmax(top, fabs((double)b[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    }
    ck_assert_msg(worst <= r * top, "%s: off by %g of %g", what, worst, top);
}

START_TEST(test_parity)
{
    load(names[_i]);
    char path[128];
    snprintf(path, sizeof path, "tests/golden/%s.golden.safetensors", names[_i]);
    struct safetensors *golden;
    ck_assert_msg(safetensors_open(&golden, path, &err) == 0, "%s", err.text);
    struct dims in = file.model->shapes.encoder[0], z = file.model->shapes.decoder[0];
    size_t n = dims_elements(in), nz = dims_elements(z);
    float *x = malloc(2 * n * sizeof *x), *last = malloc(2 * n * sizeof *last), score[2];
    memcpy(x, safetensors_find(golden, "input")->data, 2 * n * sizeof *x);
    char name[64];
    const struct arch *arch = &file.model->arch;
    snprintf(name, sizeof name, "decoder.%d.output", arch_module_index(arch->decoder, arch->n_decoder - 1));
    memcpy(last, safetensors_find(golden, name)->data, 2 * n * sizeof *last);
    memcpy(score, safetensors_find(golden, "score")->data, sizeof score);

    struct network *net;
    ck_assert_int_eq(network_open(&net, &file.model->arch, 1, &parallel_serial, &err), 0);
    void *ws = workspace();
    for (size_t s = 0; s < 2; s++) {            /* with one channel or one position, channels last is PyTorch's order */
        struct plan_result r;
        plan_run_cube(plan, x + s * n, ws, &r);
        close_to("x_hat, PyTorch", r.x_hat, last + s * n, n, 1e-4);
        ck_assert(fabsf(r.reference - score[s]) <= 1e-4f * score[s]);
        memcpy(network_input(net), x + s * n, n * sizeof *x);
        network_forward(net, file.model, 1, NETWORK_INFERENCE);
        close_to("x_hat", r.x_hat, network_output(net), n, 1e-4);
        close_to("z", r.z, network_z(net), nz, 1e-4);
        close_to("z_hat", r.z_hat, network_z_hat(net), nz, 1e-4);
    }
    free(ws);
    free(x);
    free(last);
    network_close(net);
    safetensors_close(golden);
    unload();
}
END_TEST

struct job {
    const uint8_t *const *frames;
    float reference;
};

static void *run_often(void *arg)
{
    struct job *job = arg;
    void *ws = workspace();
    for (int i = 0; i < 5; i++) {
        struct plan_result r;
        plan_run(plan, job->frames, ws, &r);
        ck_assert(i == 0 || r.reference == job->reference);
        job->reference = r.reference;
    }
    free(ws);
    return NULL;
}

START_TEST(test_shared_by_threads)
{
    enum { THREADS = 4 };
    load("tiny-cosine");
    size_t n = 32 * 48;
    uint8_t *pixels = malloc(16 * n);
    const uint8_t *frames[16];
    struct rng rng;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < 16 * n; i++)
        pixels[i] = (uint8_t)rng_below(&rng, 256);
    for (size_t t = 0; t < 16; t++)
        frames[t] = pixels + t * n;
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){frames, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_often, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(jobs[i].reference == jobs[0].reference);
    }
    /* Bytes enter as (p/255 - mean)/std. */
    float *cube = malloc(16 * n * sizeof *cube);
    for (size_t i = 0; i < 16 * n; i++)
        cube[i] = ((float)pixels[i] / 255 - 0.5f) / 0.5f;
    void *ws = workspace();
    struct plan_result r;
    plan_run_cube(plan, cube, ws, &r);
    ck_assert(fabsf(r.reference - jobs[0].reference) <= 1e-5f * r.reference);
    free(cube);
    free(ws);
    free(pixels);
    unload();
}
END_TEST

static void count_step(void *arg)
{
    ++*(int *)arg;
}

START_TEST(test_steps)
{
    load(names[_i]);
    const struct arch *a = plan_arch(plan);
    if (a->channels == 1) {
        uint8_t *pixels = calloc((size_t)a->height * (size_t)a->width, 1);
        const uint8_t *frames[ARCH_MAX_FRAMES];
        for (int i = 0; i < a->frames; i++)
            frames[i] = pixels;
        void *ws = workspace();
        struct plan_result once, by_steps;
        int n = 0;
        plan_run(plan, frames, ws, &once);
        plan_run_steps(plan, frames, ws, &by_steps, count_step, &n);
        ck_assert_int_eq(n, a->n_encoder + a->has_memory + a->n_decoder + 2);
        ck_assert(by_steps.reference == once.reference);
        free(ws);
        free(pixels);
    }
    unload();
}
END_TEST

START_TEST(test_workspace_bounds)
{
    load(names[_i]);
    size_t size = plan_workspace_size(plan), guard = 4096;
    unsigned char *ws = aligned_alloc(64, (size + guard + 63) / 64 * 64);
    memset(ws + size, 0xa5, guard);
    float *cube = calloc(dims_elements(file.model->shapes.encoder[0]), sizeof *cube);
    struct plan_result first, second;
    plan_run_cube(plan, cube, ws, &first);
    memset(ws, 0xff, size);     /* a run must not depend on the content of the workspace */
    plan_run_cube(plan, cube, ws, &second);
    ck_assert(first.reference == second.reference);
    for (size_t i = 0; i < guard; i++)
        ck_assert_int_eq(ws[size + i], 0xa5);
    free(cube);
    free(ws);
    unload();
}
END_TEST

START_TEST(test_without_memory)
{
    kernels_choose(NULL);
    struct arch a = *arch_profile("nano");
    a.has_memory = false;
    struct model *m;
    ck_assert_int_eq(model_open(&m, &a, &err), 0);
    model_init(m, 3);
    ck_assert_int_eq(plan_open(&plan, m, score_scratch(&m->arch), &err), 0);
    model_close(m);
    void *ws = workspace();
    float *cube = calloc(dims_elements(plan_shapes(plan)->encoder[0]), sizeof *cube);
    struct plan_result r;
    plan_run_cube(plan, cube, ws, &r);
    ck_assert_ptr_null(r.weights);
    ck_assert_ptr_eq(r.z, r.z_hat);
    ck_assert(isfinite(r.reference) && r.reference > 0);
    free(cube);
    free(ws);
    plan_close(plan);
}
END_TEST

/* Observes the ranges of the loaded model's activations on the pictures. Returns false for a model of several channels. */
static bool observe(struct ranges *ret, const uint8_t *const frames[])
{
    const struct arch *a = plan_arch(plan);
    struct ranges_seen *seen = calloc(1, sizeof *seen);
    struct plan_result r;
    void *ws = workspace();
    seen->n = ranges_count(a, plan_shapes(plan));
    ck_assert_int_le(seen->n, RANGES_MAX);
    for (int pass = 0; a->channels == 1 && pass < 2; pass++) {
        seen->counting = pass == 1;
        plan_observe(plan, frames, ws, &r, seen);
    }
    ranges_fit(ret, seen, 0);
    free(ws);
    free(seen);
    return a->channels == 1;
}

/* In 8 bits, results are near fp32 and equal for pictures and cubes. Every table gives the same bits of z. A run stays
 * within its workspace, whatever that holds. */
START_TEST(test_int8)
{
    enum { SIZE = 16 * 64 * 64 };
    static uint8_t pixels[SIZE];
    const uint8_t *frames[ARCH_MAX_FRAMES];
    static struct ranges ranges;
    struct rng rng;
    struct plan_result exact, r;
    load(names[_i]);
    const struct arch a = file.model->arch;
    size_t n = (size_t)a.height * (size_t)a.width, all = dims_elements(file.model->shapes.encoder[0]),
           nz = dims_elements(file.model->shapes.decoder[0]);
    ck_assert(all <= SIZE);
    rng_seed(&rng, 3);
    for (size_t i = 0; i < all; i++)
        pixels[i] = (uint8_t)rng_below(&rng, 256);
    for (int t = 0; t < a.frames; t++)
        frames[t] = pixels + (size_t)t * n;
    float *cube = malloc(all * sizeof *cube), *z = NULL;
    for (size_t i = 0; i < all; i++)
        cube[i] = ((float)pixels[i] / 255 - a.mean) / a.std;
    bool picture = observe(&ranges, frames);
    for (int i = 0; !picture && i < ranges.n; i++)
        ranges.channels[i] = (struct range){-1, 1};
    void *ws_exact = workspace();
    plan_run_cube(plan, cube, ws_exact, &exact);
    struct plan *fp32 = plan;
    ck_assert_int_eq(plan_precision(plan), PRECISION_FP32);
    static const char *const limits[] = {"c", "avx2", "avxvnni", "avx512", "amx"};
    for (int k = 0; k < 5; k++) {
        if (kernels_choose(limits[k]) < 0)
            continue;
        ck_assert_int_eq(plan_open_int8(&plan, file.model, score_scratch(&file.model->arch), &ranges, &err), 0);
        ck_assert_int_eq(plan_precision(plan), PRECISION_INT8);
        size_t size = plan_workspace_size(plan), guard = 4096;
        unsigned char *ws = aligned_alloc(64, (size + guard + 63) / 64 * 64);
        for (int fill = 0; fill < 2; fill++) {
            memset(ws, fill ? 0xff : 0, size);
            memset(ws + size, 0xa5, guard);
            plan_run_cube(plan, cube, ws, &r);
            for (size_t i = 0; i < guard; i++)
                ck_assert_int_eq(ws[size + i], 0xa5);
            ck_assert(isfinite(r.reference));
            if (!z) {
                z = malloc(nz * sizeof *z);
                memcpy(z, r.z, nz * sizeof *z);
            }
            /* A first layer in floats rounds differently in each table. */
            ck_assert(!picture || memcmp(z, r.z, nz * sizeof *z) == 0);
        }
        if (picture) {
            close_to("z, int8", r.z, exact.z, nz, 0.06);
            ck_assert_msg(fabsf(r.reference - exact.reference) <= 0.02f * exact.reference, "%s: %g, not %g", limits[k],
                          (double)r.reference, (double)exact.reference);
            float before = r.reference;
            plan_run(plan, frames, ws, &r);
            ck_assert(memcmp(z, r.z, nz * sizeof *z) == 0);
            ck_assert(fabsf(r.reference - before) <= 1e-5f * before);
        }
        free(ws);
        plan_close(plan);
    }
    free(ws_exact);
    free(cube);
    free(z);
    plan = fp32;
    unload();
}
END_TEST

/* Ranges of another network are refused. The channels of this one are numbered layer by layer. */
START_TEST(test_int8_ranges_fit)
{
    static struct ranges ranges;
    struct plan *p;
    load("tiny-cosine");
    const struct arch *a = plan_arch(plan);
    const struct arch_shapes *shapes = plan_shapes(plan);
    int n = 0;
    for (int i = 1; i < a->n_encoder; n += shapes->encoder[i++].c)
        ck_assert_int_eq(ranges_of_encoder(shapes, i), n);
    for (int i = 0; i < a->n_decoder; n += shapes->decoder[i++].c)
        ck_assert_int_eq(ranges_of_decoder(a, shapes, i), n);
    ck_assert_int_eq(ranges_count(a, shapes), n);
    for (int i = 0; i < n; i++)
        ranges.channels[i] = (struct range){-1, 1};
    ranges.n = n - 1;
    ck_assert_int_eq(plan_open_int8(&p, file.model, score_scratch(&file.model->arch), &ranges, &err), -EINVAL);
    ranges.n = n;
    ck_assert_int_eq(plan_open_int8(&p, file.model, score_scratch(&file.model->arch), &ranges, &err), 0);
    plan_close(p);
    unload();
}
END_TEST

START_TEST(test_ranges)
{
    static struct ranges_seen seen, other;
    static struct ranges r;
    float x[1000][2];
    for (int i = 0; i < 1000; i++) {
        x[i][0] = (float)i / 100 - 1;   /* -1 … 8.99 */
        x[i][1] = -x[i][0] / 2;
    }
    x[999][0] = 100;
    seen.n = other.n = 4;
    for (int pass = 0; pass < 2; pass++) {
        seen.counting = other.counting = pass == 1;
        memcpy(other.extremes, seen.extremes, sizeof other.extremes);
        ranges_see(&seen, 1, &x[0][0], 500, 2);
        ranges_see(&other, 1, &x[500][0], 500, 2);
        ranges_merge(&seen, &other);
    }
    ranges_fit(&r, &seen, 0);
    ck_assert_int_eq(r.n, 4);
    ck_assert(r.channels[1].low == -1 && r.channels[1].high == 100);
    ck_assert(r.channels[2].low == -4.495f && r.channels[2].high == 0.5f);
    ranges_fit(&r, &seen, 0.02);        /* ten values at each end are outside */
    ck_assert(r.channels[1].low >= -1 && r.channels[1].high > 8.8f && r.channels[1].high < 9.2f);
    ck_assert(r.channels[2].low > -4.47f && r.channels[2].low < -4.42f);
    ck_assert(r.channels[2].high > 0.43f && r.channels[2].high < 0.47f);
    for (int i = 0; i < 4; i += 3)      /* no value was observed */
        ck_assert(r.channels[i].low <= 0 && r.channels[i].high > r.channels[i].low);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plan");
    TCase *t = tcase_create("plan");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_parity, 0, 6);
    tcase_add_loop_test(t, test_steps, 0, 6);
    tcase_add_loop_test(t, test_workspace_bounds, 0, 6);
    tcase_add_loop_test(t, test_int8, 0, 6);
    tcase_add_test(t, test_int8_ranges_fit);
    tcase_add_test(t, test_ranges);
    tcase_add_test(t, test_shared_by_threads);
    tcase_add_test(t, test_without_memory);
    suite_add_tcase(s, t);
    return suite_run(s);
}
