/* Every kernel table agrees with plain C, over random sizes and tails, and writes no guard float behind an output. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/rng.h"
#include "tests/suite.h"

enum { GUARD = 32, MAX = 70000 };

static struct rng rng;
static float a[MAX], b[MAX], c[MAX], d[MAX], e[MAX], one[MAX + GUARD], two[MAX + GUARD];
static double sums[4][512];

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 4 * rng_uniform(&rng) - 2;
}

static void outputs(size_t n)
{
    fill(one, n);
    memcpy(two, one, n * sizeof *one);
    for (size_t i = 0; i < GUARD; i++)
        one[n + i] = two[n + i] = 777;
}

/* The tolerance is relative to 1 + the magnitude of the C result. */
static void compare(const char *what, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)one[i] - (double)two[i]) <= tolerance * (1 + fabs((double)one[i]))))
            ck_abort_msg("%s %s [%zu] of %zu: %g, in C %g", kernels->name, what, i, n, (double)two[i], (double)one[i]);
    for (size_t i = 0; i < GUARD; i++)
        if (two[n + i] != 777)
            ck_abort_msg("%s %s wrote past its end", kernels->name, what);
}

static float activated(float u, enum activation activation)
{
    return activation == ACTIVATION_TANH ? tanhf(u) : u > 0 || activation == ACTIVATION_NONE ? u
         : activation == ACTIVATION_RELU ? 0 : 0.2f * u;
}

/* row_products() and outer_products() of the chosen table against plain sums. Rows start anywhere in a; weights are in b. */
static void check_tiles(void)
{
    enum { ROWS = 45, RUNS = 4, K = 40, N = 70 };
    static const void *rows[(ROWS + KERNEL_MAX_TILE_ROWS) * RUNS];
    void *out[ROWS];
    size_t tile = kernels->tile_rows, n_rows = 1 + rng_below(&rng, ROWS), runs = rng_below(&rng, RUNS + 1),
           k = 1 + rng_below(&rng, K), n = 1 + rng_below(&rng, N), panels = (n + KERNEL_PANEL - 1) / KERNEL_PANEL,
           stride = n + rng_below(&rng, 9);
    ck_assert(tile >= 1 && tile <= KERNEL_MAX_TILE_ROWS);
    fill(a, 4000);
    fill(b, panels * runs * k * KERNEL_PANEL + KERNEL_PANEL);
    fill(c, n);
    outputs(n_rows * stride);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = NULL;         /* pointers past n_rows are not read */
    for (size_t r = 0; r < n_rows; r++) {
        out[r] = two + r * stride;
        for (size_t run = 0; run < runs; run++)
            rows[(r / tile * runs + run) * tile + r % tile] = a + rng_below(&rng, 4000 - k);
    }
    struct row_products p = {.rows = rows, .out = out, .n_rows = n_rows, .runs = runs, .k = k, .n = n, .weight = b,
                             .panel_step = runs * k * KERNEL_PANEL, .bias = rng_below(&rng, 3) ? c : NULL,
                             .add = rng_below(&rng, 3) == 0, .activation = (enum activation)rng_below(&rng, 4), .slope = 0.2f};
    for (size_t r = 0; r < n_rows; r++)
        for (size_t j = 0; j < n; j++) {
            double sum = p.add ? (double)one[r * stride + j] : p.bias ? (double)c[j] : 0;
            for (size_t run = 0; run < runs; run++)
                for (size_t i = 0; i < k; i++)
                    sum += (double)((const float *)rows[(r / tile * runs + run) * tile + r % tile])[i] *
                           (double)b[j / KERNEL_PANEL * p.panel_step + (run * k + i) * KERNEL_PANEL + j % KERNEL_PANEL];
            one[r * stride + j] = activated((float)sum, p.activation);
        }
    kernels->row_products(&p);
    compare("row_products", n_rows * stride, 1e-4);

    struct outer_products o = {.n_rows = 1 + rng_below(&rng, tile), .a_step = rng_below(&rng, 9), .a_line = rng_below(&rng, 99),
                               .b = b, .b_step = n, .b_line = rng_below(&rng, 999), .count = 1 + rng_below(&rng, 40),
                               .lines = 1 + rng_below(&rng, 4), .n = n, .c = two, .ldc = stride};
    fill(b, 3 * o.b_line + 40 * n + N + KERNEL_PANEL);
    outputs(o.n_rows * stride);
    for (size_t r = 0; r < o.n_rows; r++) {
        o.rows[r] = a + rng_below(&rng, 3000);
        for (size_t j = 0; j < n; j++) {
            double sum = (double)one[r * stride + j];
            for (size_t l = 0; l < o.lines; l++)
                for (size_t i = 0; i < o.count; i++)
                    sum += (double)o.rows[r][l * o.a_line + i * o.a_step] * (double)b[l * o.b_line + i * n + j];
            one[r * stride + j] = (float)sum;
        }
    }
    kernels->outer_products(&o);
    compare("outer_products", o.n_rows * stride, 2e-4);
}

/* add_columns() of the chosen table against plain sums, with some columns NULL. */
static void check_columns(void)
{
    enum { MOST = 5 * KERNEL_PANEL, LINE = 70 };
    float *to[MOST] = {0};
    size_t n = (1 + rng_below(&rng, 5)) * KERNEL_PANEL, rows = rng_below(&rng, LINE + 1), stride = rows + rng_below(&rng, 4);
    fill(a, rows * n);
    outputs(n * stride);
    for (size_t j = 0; j < n; j++) {
        to[j] = rng_below(&rng, 4) ? two + j * stride : NULL;
        for (size_t r = 0; to[j] && r < rows; r++)
            one[j * stride + r] += a[r * n + j];
    }
    kernels->add_columns(to, a, rows, n);
    compare("add_columns", n * stride, 0);

    const float *from[4];
    size_t n_from = rng_below(&rng, 5), step = 1 + rng_below(&rng, 4), count = 1 + rng_below(&rng, LINE);
    enum activation activation = (enum activation)rng_below(&rng, 4);
    fill(a, 4000);
    for (size_t p = 0; p < n_from; p++)
        from[p] = a + rng_below(&rng, 4000 - LINE);
    outputs((count - 1) * step + 1);
    for (size_t i = 0; i < count; i++) {
        float sum = 0.5f;
        for (size_t p = 0; p < n_from; p++)
            sum += from[p][i];
        one[i * step] = activated(sum, activation);
    }
    kernels->join_columns(two, step, from, n_from, count, 0.5f, activation, 0.2f);
    compare("join_columns", (count - 1) * step + 1, 1e-6);
}

static const char *const tables[] = {"c", "avx2", "avx512"};

START_TEST(test_table)
{
    if (kernels_choose(tables[_i]) == -ENOTSUP) {
        printf("SKIPPED: this CPU has no %s\n", tables[_i]);
        return;
    }
    ck_assert_str_eq(kernels->name, tables[_i]);
    for (int trial = 0; trial < 300; trial++) {
        rng_seed(&rng, (uint64_t)trial);
        check_tiles();
        check_columns();
    }
    for (int trial = 0; trial < 60; trial++) {
        rng_seed(&rng, (uint64_t)trial);
        size_t n = 1 + rng_below(&rng, trial % 3 ? 130 : 20), rows = 1 + rng_below(&rng, trial % 7 ? 40 : 400);
        while (n * rows > MAX)
            rows /= 2;
        size_t all = n * rows;
        fill(a, all);
        fill(b, all);
        fill(c, n);
        fill(d, n);
        fill(e, n);

        for (int act = ACTIVATION_NONE; act <= ACTIVATION_TANH; act++)
            for (int with = 0; with < 4; with++) {
                const float *scale = with & 1 ? c : NULL, *shift = with & 2 ? d : NULL;
                outputs(all);
                kernels_c.affine_activation(one, n, a, scale, shift, rows, n, (enum activation)act, 0.2f);
                kernels->affine_activation(two, n, a, scale, shift, rows, n, (enum activation)act, 0.2f);
                compare("affine_activation", all, 1e-6);
                size_t stride = n + 3, wide = rows * stride > MAX ? 1 : rows;
                outputs(wide * stride);
                kernels_c.affine_activation(one, stride, a, scale, shift, wide, n, (enum activation)act, 0.2f);
                kernels->affine_activation(two, stride, a, scale, shift, wide, n, (enum activation)act, 0.2f);
                compare("affine_activation, strided", wide * stride, 1e-6);
            }

        size_t k = 1 + rng_below(&rng, 90), rows_p = rows < 40 ? rows : 40;
        fill(b, k * n);
        outputs(rows_p * n);
        kernels_c.product(one, a, b, rows_p, n, rows_p * k > all ? 1 : k);
        kernels->product(two, a, b, rows_p, n, rows_p * k > all ? 1 : k);
        compare("product", rows_p * n, 1e-4);
        fill(b, all);

        static uint8_t bytes[MAX];
        for (size_t i = 0; i < all; i++)
            bytes[i] = (uint8_t)rng_below(&rng, 256);
        outputs(all);
        kernels_c.bytes_to_float(one, bytes, all, 0.01f, -1);
        kernels->bytes_to_float(two, bytes, all, 0.01f, -1);
        compare("bytes_to_float", all, 1e-6);

        double r1 = kernels_c.residual_norm(a, b, rows, n), r2 = kernels->residual_norm(a, b, rows, n);
        ck_assert(fabs(r1 - r2) <= 1e-5 * r1);
        r1 = kernels_c.residual_norm(a, b, all, 1), r2 = kernels->residual_norm(a, b, all, 1);
        ck_assert(fabs(r1 - r2) <= 1e-5 * r1);

        r1 = kernels_c.sum(a, all), r2 = kernels->sum(a, all);
        ck_assert(fabs(r1 - r2) <= 1e-6 * (double)all);

        size_t m = n < MAX / MOTION_SUMS - 8 ? n : MAX / MOTION_SUMS - 8;
        outputs(m * MOTION_SUMS);
        kernels_c.motion(one, m, a + 1, a + 2, b, b + 1, b + 2, b + 3, a + 3, 0.5f, 0.1f, 0.2f, 0.3f);
        kernels->motion(two, m, a + 1, a + 2, b, b + 1, b + 2, b + 3, a + 3, 0.5f, 0.1f, 0.2f, 0.3f);
        compare("motion", m * MOTION_SUMS, 1e-5);

        static float soft1[MAX + GUARD], soft2[MAX + GUARD];
        for (int shrink = 0; shrink < 2; shrink++) {
            outputs(n);
            kernels_c.address(one, n, 0.5f, shrink ? 0.3f / (float)n : 0, soft1);
            kernels->address(two, n, 0.5f, shrink ? 0.3f / (float)n : 0, soft2);
            compare("address", n, 1e-5);
            for (size_t i = 0; i < n; i++)
                if (!(fabsf(soft1[i] - soft2[i]) <= 1e-6f))
                    ck_abort_msg("%s address: softmax [%zu]", kernels->name, i);
        }

        outputs(all);
        kernels_c.normalize(one, a, rows, n, soft1);
        kernels->normalize(two, a, rows, n, soft2);
        compare("normalize", all, 1e-6);
        for (size_t i = 0; i < rows; i++)
            ck_assert(fabsf(soft1[i] - soft2[i]) <= 1e-5f * soft1[i]);

        for (int act = ACTIVATION_NONE; act <= ACTIVATION_TANH; act++) {
            memset(sums, 0, sizeof sums);
            outputs(all);
            kernels_c.activation_backward(one, a, c, d, e, rows, n, (enum activation)act, 0.2f, sums[0], sums[1], soft1);
            kernels->activation_backward(two, a, c, d, e, rows, n, (enum activation)act, 0.2f, sums[2], sums[3], soft1);
            compare("activation_backward", all, 1e-5);
            for (size_t i = 0; i < n; i++)
                ck_assert(fabs(sums[0][i] - sums[2][i]) + fabs(sums[1][i] - sums[3][i]) <= 1e-4 * (double)rows);
        }
        memset(sums, 0, sizeof sums);
        kernels_c.channel_moments(a, e, rows, n, sums[0], sums[1], soft1);
        kernels->channel_moments(a, e, rows, n, sums[2], sums[3], soft1);
        for (size_t i = 0; i < n; i++)
            ck_assert(fabs(sums[0][i] - sums[2][i]) + fabs(sums[1][i] - sums[3][i]) <= 1e-4 * (double)rows);

        outputs(all);
        kernels_c.norm_backward(one, a, c, d, e, rows, n);
        kernels->norm_backward(two, a, c, d, e, rows, n);
        compare("norm_backward", all, 1e-5);

        static float m1[MAX], v1[MAX], m2[MAX], v2[MAX];
        fill(m1, all);
        memcpy(m2, m1, all * sizeof *m1);
        for (size_t i = 0; i < all; i++)
            v1[i] = v2[i] = rng_uniform(&rng);
        outputs(all);
        kernels_c.adam(one, m1, v1, a, all, 0.9f, 0.999f, 1e-2f, 1.1f, 1e-8f);
        kernels->adam(two, m2, v2, a, all, 0.9f, 0.999f, 1e-2f, 1.1f, 1e-8f);
        compare("adam", all, 1e-5);
        for (size_t i = 0; i < all; i++)
            if (!(fabsf(m1[i] - m2[i]) <= 1e-6f * (1 + fabsf(m1[i])) && fabsf(v1[i] - v2[i]) <= 1e-6f * (1 + v1[i])))
                ck_abort_msg("%s adam: moments [%zu]", kernels->name, i);
    }
}
END_TEST

/* The plain C table against the formulas. */
START_TEST(test_c_is_right)
{
    const float x[4] = {-1, 2, -3, 4}, scale[2] = {2, 3}, shift[2] = {1, -1};
    float y[4];
    kernels_c.affine_activation(y, 2, x, scale, shift, 2, 2, ACTIVATION_LEAKY_RELU, 0.5f);
    ck_assert(y[0] == -0.5f && y[1] == 5 && y[2] == -2.5f && y[3] == 11);
    ck_assert(fabs(kernels_c.residual_norm(x, y, 1, 4) - sqrt(0.25 + 9 + 0.25 + 49)) < 1e-6);
    enum { M = 7, N = 70, K = 9 };
    for (int m = 1; m <= M; m++)
        for (int n = 1; n <= N; n++) {
            rng_seed(&rng, (uint64_t)(m * 100 + n));
            fill(a, M * K);
            fill(b, K * N);
            outputs((size_t)(m * n));
            kernels_c.product(one, a, b, (size_t)m, (size_t)n, K);
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++) {
                    double sum = 0;
                    for (int p = 0; p < K; p++)
                        sum += (double)a[i * K + p] * (double)b[p * n + j];
                    ck_assert(fabs(sum - (double)one[i * n + j]) < 1e-5);
                }
            ck_assert(one[m * n] == 777);
        }
    ck_assert(kernels_c.sum(x, 4) == 2);
    float sums_of[MOTION_SUMS * 3] = {0};
    const float row[3] = {1, 2, 4}, up[3] = {0, 0, 1}, down[3] = {2, 1, 1}, before[3] = {1, 1, 1}, after[3] = {3, 3, 3},
                hat[3] = {1, 1, 1}, hat_before[3] = {0, 0, 0};
    for (int twice = 0; twice < 2; twice++)     /* motion() adds to its sums */
        kernels_c.motion(sums_of, 3, row, up, down, before, after, hat, hat_before, 0.5f, 0.25f, 0.5f, 0);
    /* In the middle gx = 1.5, gy = 0.5, gt = 0.75, d = 0.5, e = 0.5. */
    ck_assert(sums_of[MOTION_XX * 3 + 1] == 2 * 2.25f && sums_of[MOTION_XY * 3 + 1] == 2 * 0.75f);
    ck_assert(sums_of[MOTION_YY * 3 + 1] == 2 * 0.25f && sums_of[MOTION_XT * 3 + 1] == 2 * 1.125f);
    ck_assert(sums_of[MOTION_YT * 3 + 1] == 2 * 0.375f && sums_of[MOTION_CHANGE * 3 + 1] == 2 * 0.25f);
    ck_assert(sums_of[MOTION_DIFFERENCE * 3 + 1] == 2 * 0.25f && sums_of[MOTION_ERROR * 3 + 1] == 2);
    ck_assert(sums_of[MOTION_XX * 3] == 0 && sums_of[MOTION_XT * 3 + 2] == 0 && sums_of[MOTION_YY * 3] == 2);
    float s[2] = {0, logf(3)};
    kernels_c.address(s, 2, 1, 0, NULL);
    ck_assert(fabsf(s[0] - 0.25f) < 1e-6f && fabsf(s[1] - 0.75f) < 1e-6f);
    for (int i = 0; i <= 3000; i++) {       /* e^x over its whole range */
        float v = -(float)i * 0.029f, p[2] = {0, v};
        kernels_c.address(p, 2, 1, 0, NULL);
        double e2 = exp((double)v), w = e2 / (1 + e2);
        ck_assert_msg(fabs((double)p[1] - w) <= 1e-6 * w + 1e-37, "e^%g", (double)v);
    }
    float p = 1, m = 0, v = 0, g = 0.5f;
    kernels_c.adam(&p, &m, &v, &g, 1, 0.9f, 0.999f, 1e-3f / 0.1f, 1 / sqrtf(0.001f), 1e-8f);
    ck_assert(fabsf(p - 0.999f) < 1e-6f);       /* Adam's first step is as large as the learning rate */
}
END_TEST

START_TEST(test_choice)
{
    ck_assert_int_eq(kernels_choose("c"), 0);
    ck_assert_int_eq(kernels_choose("sse9"), -EINVAL);
    ck_assert_ptr_eq(kernels, &kernels_c);
    ck_assert_int_eq(kernels_choose(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernels");
    TCase *t = tcase_create("kernels");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_table, 0, 3);
    tcase_add_test(t, test_c_is_right);
    tcase_add_test(t, test_choice);
    suite_add_tcase(s, t);
    return suite_run(s);
}
