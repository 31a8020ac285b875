/* Memory addressing against the paper's equations, and its edge cases. test_network.c compares values and gradients with
 * PyTorch. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/network/memory.h"
#include "core/rng.h"
#include "tests/suite.h"

enum { N = 37, C = 13, Q = 5 };

static float slots[N * C], keys[N * C], columns[N * C], norms[N];
static float z[Q * C], z_hat[Q * C], weights[Q * N], softmax[Q * N], scratch[Q * C];

static void forward(enum similarity similarity, float shrink, float temperature)
{
    struct rng rng;
    rng_seed(&rng, 3);
    for (int i = 0; i < N * C; i++)
        slots[i] = 2 * rng_uniform(&rng) - 1;
    for (int i = 0; i < Q * C; i++)
        z[i] = 2 * rng_uniform(&rng) - 1;
    memset(z + C, 0, C * sizeof *z);            /* a zero query */
    memset(slots + 2 * C, 0, C * sizeof *slots);        /* a zero slot */
    struct memory m = {{N, similarity, shrink, temperature}, C};
    memory_keys(&m, slots, keys, columns, norms);
    memory_forward(&m, slots, columns, z, Q, z_hat, weights, softmax, scratch);
}

/* The arithmetic of docs/model-format.md in double. */
static void expected_row(enum similarity similarity, double shrink, double temperature, const float *query, double *w)
{
    double sum = 0, qq = 0;
    for (int c = 0; c < C; c++)
        qq += (double)(query[c] * query[c]);
    for (int i = 0; i < N; i++) {
        double dot = 0, mm = 0;
        for (int c = 0; c < C; c++) {
            dot += (double)query[c] * (double)slots[i * C + c];
            mm += (double)(slots[i * C + c] * slots[i * C + c]);
        }
        if (similarity == SIMILARITY_COSINE)
            dot = qq > 0 && mm > 0 ? dot / sqrt(qq) / sqrt(mm) : 0;
        sum += w[i] = exp(dot / temperature);
    }
    double left = 0;
    for (int i = 0; i < N; i++) {
        w[i] /= sum;
        if (shrink > 0)
            w[i] = fmax(w[i] - shrink, 0) * w[i] / (fabs(w[i] - shrink) + 1e-12);
        left += w[i];
    }
    for (int i = 0; i < N; i++)
        w[i] /= fmax(left, 1e-12);
}

START_TEST(test_addressing)
{
    enum similarity similarity = _i % 2 ? SIMILARITY_DOT : SIMILARITY_COSINE;
    double temperature = _i & 2 ? 0.1 : 1, shrink = (const double[]){0, 0.02, 0.03}[_i / 4];
    forward(similarity, (float)shrink, (float)temperature);
    for (int q = 0; q < Q; q++) {
        double w[N], sum = 0;
        expected_row(similarity, shrink, temperature, z + q * C, w);
        for (int i = 0; i < N; i++) {
            ck_assert_msg(fabs((double)weights[q * N + i] - w[i]) < 2e-5, "query %d slot %d: %g, not %g", q, i,
                          (double)weights[q * N + i], w[i]);
            sum += (double)weights[q * N + i];
        }
        ck_assert(fabs(sum - 1) < 1e-4 || sum == 0);
        for (int c = 0; c < C; c++) {
            double v = 0;
            for (int i = 0; i < N; i++)
                v += w[i] * (double)slots[i * C + c];
            ck_assert(fabs((double)z_hat[q * C + c] - v) < 1e-4);
        }
    }
}
END_TEST

START_TEST(test_all_shrunk_is_zero)
{
    forward(SIMILARITY_COSINE, 0.9f, 1);
    for (int i = 0; i < Q * N; i++)
        ck_assert(weights[i] == 0);
    for (int i = 0; i < Q * C; i++)
        ck_assert(z_hat[i] == 0);
    ck_assert(memory_entropy(weights, Q * N) == 0);
}
END_TEST

START_TEST(test_extreme_scores)
{
    float huge[4] = {1e30f, -1e30f, 0, 1e30f};
    struct memory m = {{4, SIMILARITY_DOT, 0.1f, 1e-3f}, 1};
    float one = 1, out, w[4];
    memory_forward(&m, huge, huge, &one, 1, &out, w, NULL, scratch);
    ck_assert(w[0] == 0.5f && w[3] == 0.5f && w[1] == 0 && w[2] == 0);
}
END_TEST

START_TEST(test_entropy)
{
    const float uniform[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    ck_assert(fabs(memory_entropy(uniform, 4) - log(4)) < 1e-6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    tcase_add_loop_test(t, test_addressing, 0, 12);
    tcase_add_test(t, test_all_shrunk_is_zero);
    tcase_add_test(t, test_extreme_scores);
    tcase_add_test(t, test_entropy);
    suite_add_tcase(s, t);
    return suite_run(s);
}
