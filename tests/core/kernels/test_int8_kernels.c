/* Every table of 8-bit kernels gives the same bits as plain C, over random sizes and tails, and writes no guard byte. Plain
 * C agrees with the formula. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/rng.h"
#include "tests/suite.h"

enum { ROWS = 45, MAX_RUNS = 9, MAX_K = 900, N = 110, INPUTS = MAX_RUNS * MAX_K, PANELS = (N + KERNEL_PANEL - 1) / KERNEL_PANEL,
       GUARD = 64, BYTES = 8192, OUT = ROWS * (N + 9) * (int)sizeof(float) };

static struct rng rng;
static uint8_t inputs[BYTES + MAX_K];
static int8_t weight[INPUTS * PANELS * KERNEL_PANEL];   /* [inputs, columns] */
static unsigned char packed[2 * sizeof weight];
static float scale[PANELS * KERNEL_PANEL], bias[PANELS * KERNEL_PANEL], gain[PANELS * KERNEL_PANEL],
             zero[PANELS * KERNEL_PANEL];
static unsigned char one[OUT + GUARD], two[OUT + GUARD];
static const void *place[ROWS][MAX_RUNS];

struct job {
    size_t n_rows, runs, k, n, stride;
    struct byte_products p;
};

static void random_job(struct job *ret)
{
    bool large = rng_below(&rng, 4) == 0, extreme = rng_below(&rng, 3) == 0;
    struct job j = {.n_rows = 1 + rng_below(&rng, ROWS), .runs = rng_below(&rng, MAX_RUNS + 1),
                    .k = INT8_GROUP * (1 + rng_below(&rng, large ? MAX_K / INT8_GROUP : 20)), .n = 1 + rng_below(&rng, N)};
    j.stride = j.n + rng_below(&rng, 9);
    for (size_t i = 0; i < sizeof inputs; i++)
        inputs[i] = extreme ? 255 : (uint8_t)rng_below(&rng, 256);
    for (size_t i = 0; i < j.runs * j.k * j.n; i++)
        weight[i] = extreme ? (i / j.n % 7 ? 127 : -127) : (int8_t)((int)rng_below(&rng, 255) - 127);
    float size = 1 / (float)(j.runs * j.k + 1) / 127;
    for (size_t i = 0; i < PANELS * KERNEL_PANEL; i++) {
        scale[i] = (rng_uniform(&rng) + 0.1f) * size * (extreme ? 1e6f : 1);
        bias[i] = 100 * rng_uniform(&rng) - 50;
        gain[i] = 0.5f + rng_uniform(&rng);
        zero[i] = (float)rng_below(&rng, 256);
    }
    for (size_t r = 0; r < j.n_rows; r++)
        for (size_t run = 0; run < j.runs; run++)
            place[r][run] = inputs + rng_below(&rng, BYTES);
    j.p = (struct byte_products){.n_rows = j.n_rows, .runs = j.runs, .k = j.k, .n = j.n, .weight = packed, .scale = scale,
                                 .bias = bias, .activation = (enum activation)rng_below(&rng, 4), .slope = 0.2f,
                                 .to_bytes = rng_below(&rng, 3) > 0, .gain = gain, .zero = zero};
    for (size_t i = 0; j.p.activation == ACTIVATION_TANH && i < PANELS * KERNEL_PANEL; i++)
        gain[i] *= 100;
    *ret = j;
}

/* Runs a kernel of the chosen table. out has guard bytes. */
static void run(struct job *j, unsigned char *out)
{
    static const void *rows[(ROWS + KERNEL_MAX_TILE_ROWS) * MAX_RUNS];
    void *to[ROWS];
    size_t tile = int8_kernels->tile_rows, size = j->p.to_bytes ? 1 : sizeof(float);
    ck_assert(tile >= 1 && tile <= KERNEL_MAX_TILE_ROWS);
    memset(out, 0x5a, OUT + GUARD);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = NULL;         /* pointers past n_rows are not read */
    for (size_t r = 0; r < j->n_rows; r++) {
        to[r] = out + r * j->stride * size;
        for (size_t i = 0; i < j->runs; i++)
            rows[(r / tile * j->runs + i) * tile + r % tile] = place[r][i];
    }
    size_t n_inputs = j->runs * j->k;
    j->p.panel_step = n_inputs * KERNEL_PANEL * int8_kernels->weight_size;
    memset(packed, 0, (j->n + KERNEL_PANEL - 1) / KERNEL_PANEL * j->p.panel_step);
    for (size_t i = 0; i < n_inputs; i++)
        for (size_t c = 0; c < j->n; c++)
            int8_pack(packed, n_inputs, i, c, weight[i * j->n + c]);
    j->p.rows = rows;
    j->p.out = to;
    int8_kernels->byte_products(&j->p);
}

static const char *const limits[] = {"c", "avx2", "avxvnni", "avx512", "amx"};

START_TEST(test_table)
{
    if (kernels_choose(limits[_i]) == -ENOTSUP) {
        printf("SKIPPED: this CPU has no %s\n", limits[_i]);
        return;
    }
    const struct int8_kernels *narrow = int8_kernels->narrow;
    ck_assert(!narrow || (narrow->group == int8_kernels->group && narrow->weight_size == int8_kernels->weight_size));
    for (int trial = 0; trial < 400; trial++) {
        struct job job;
        rng_seed(&rng, (uint64_t)trial);
        random_job(&job);
        kernels_choose("c");
        run(&job, one);
        kernels_choose(limits[_i]);
        run(&job, two);
        for (size_t i = 0; i < sizeof one; i++)
            if (one[i] != two[i])
                ck_abort_msg("%s, seed %d: %zu rows, %zu runs of %zu, %zu columns: byte %zu is %d, in C %d", int8_kernels->name,
                             trial, job.n_rows, job.runs, job.k, job.n, i, two[i], one[i]);

        float values[300];
        size_t columns = 1 + rng_below(&rng, 40), lines = rng_below(&rng, 300 / columns), n = columns * lines;
        for (size_t i = 0; i < n; i++)
            values[i] = i % 11 == 0 ? NAN : i % 7 == 0 ? (float)(i % 5) + 0.5f : i % 13 == 0 ? 3e38f
                                                                                            : 500 * rng_uniform(&rng) - 200;
        memset(one, 0x5a, 400);
        memset(two, 0x5a, 400);
        int8_kernels_c.quantize(one, values, lines, columns, gain, zero);
        int8_kernels->quantize(two, values, lines, columns, gain, zero);
        ck_assert(memcmp(one, two, 400) == 0);
    }
}
END_TEST

/* Plain C against the formula: sums are exact integers, the rest is in floats. */
START_TEST(test_c_is_right)
{
    kernels_choose("c");
    for (int trial = 0; trial < 100; trial++) {
        struct job j;
        rng_seed(&rng, (uint64_t)trial);
        random_job(&j);
        run(&j, one);
        for (size_t r = 0; r < j.n_rows; r++)
            for (size_t c = 0; c < j.n; c++) {
                int64_t sum = 0;
                for (size_t i = 0; i < j.runs * j.k; i++)
                    sum += ((const uint8_t *)place[r][i / j.k])[i % j.k] * weight[i * j.n + c];
                double u = (double)((float)sum * scale[c] + bias[c]), v = u;
                if (j.p.activation == ACTIVATION_LEAKY_RELU)
                    v = u > 0 ? u : 0.2 * u;
                else if (j.p.activation == ACTIVATION_RELU)
                    v = u > 0 ? u : 0;
                else if (j.p.activation == ACTIVATION_TANH)
                    v = tanh(u);
                size_t at = r * j.stride + c;
                if (j.p.to_bytes) {
                    double q = v * (double)gain[c] + (double)zero[c];
                    q = q < 0 ? 0 : q > 255 ? 255 : q;
                    ck_assert_msg(fabs(one[at] - q) <= 0.501, "seed %d: %d, not %g", trial, one[at], q);
                } else {
                    float mine;
                    memcpy(&mine, one + at * sizeof mine, sizeof mine);
                    ck_assert_msg(fabs((double)mine - v) <= 1e-6 * (1 + fabs(v)), "seed %d: %g, not %g", trial,
                                  (double)mine, v);
                }
            }
    }
    const float values[] = {-1, 0.5f, 1.5f, 2.5f, 254.5f, 255.5f, 1e30f, -1e30f, NAN, INFINITY};
    const uint8_t expected[] = {0, 0, 2, 2, 254, 255, 255, 0, 0, 255};
    uint8_t bytes[10];
    int8_kernels->quantize(bytes, values, 10, 1, &(float){1}, &(float){0});
    ck_assert(memcmp(bytes, expected, 10) == 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("int8_kernels");
    TCase *t = tcase_create("int8_kernels");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_table, 0, 5);
    tcase_add_test(t, test_c_is_right);
    suite_add_tcase(s, t);
    return suite_run(s);
}
