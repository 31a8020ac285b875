/* Convolution, its transpose and its gradient against their definition, over random geometries. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/convolution/conv3d.h"
#include "core/rng.h"
#include "tests/core/network/conv3d_random.h"
#include "tests/suite.h"

static float *random_floats(size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = 2 * rng_uniform(&rng) - 1;
    return x;
}

struct reference {
    const struct conv3d *g;
    const float *weight, *fine, *coarse;
    double *out;                /* the result */
    double *size;               /* Σ|a·b|, for the tolerance */
    enum { GATHER, SCATTER, GRADIENT } what;
};

static void add_product(void *arg, size_t cp, size_t fp, size_t tap)
{
    struct reference *r = arg;
    size_t fc = (size_t)r->g->fine.c, cc = (size_t)r->g->coarse.c;
    size_t taps = (size_t)r->g->kernel[0] * (size_t)r->g->kernel[1] * (size_t)r->g->kernel[2];
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++) {
            size_t w = (o * fc + i) * taps + tap, f = fp * fc + i, c = cp * cc + o;
            double p = r->what == GATHER ? (double)r->weight[w] * (double)r->fine[f]
                     : r->what == SCATTER ? (double)r->weight[w] * (double)r->coarse[c]
                                          : (double)r->fine[f] * (double)r->coarse[c];
            size_t at = r->what == GATHER ? c : r->what == SCATTER ? f : w;
            r->out[at] += p;
            r->size[at] += fabs(p);
        }
}

static double activated(double v, const struct epilogue *e)
{
    if (e->activation == ACTIVATION_LEAKY_RELU)
        return v > 0 ? v : v * (double)e->slope;
    if (e->activation == ACTIVATION_RELU)
        return v > 0 ? v : 0;
    return e->activation == ACTIVATION_TANH ? tanh(v) : v;
}

enum { GUARD = 32 };

/* A call for some frames alone gives them the same bits, and leaves the other frames untouched. */
static void check_frames(const struct conv3d *g, const float *fine, const float *packed, const struct epilogue *e,
                         const float *whole, float *scratch)
{
    size_t n = dims_elements(g->coarse), frame = n / (size_t)g->coarse.t;
    int begin = between(0, g->coarse.t - 1), end = between(begin + 1, g->coarse.t);
    float *some = malloc(n * sizeof *some);
    for (size_t i = 0; i < n; i++)
        some[i] = 12345;
    conv3d_gather_frames(g, begin, end, fine, packed, e, some, scratch);
    for (int t = 0; t < g->coarse.t; t++)
        for (size_t i = (size_t)t * frame; i < ((size_t)t + 1) * frame; i++)
            ck_assert(t >= begin && t < end ? memcmp(&some[i], &whole[i], sizeof *some) == 0 : some[i] == 12345);
    free(some);
}

START_TEST(test_against_definition)
{
    rng_seed(&rng, (uint64_t)_i);
    kernels_choose(_i % 2 ? NULL : "c");
    struct layer_spec spec;
    struct dims in, out;
    random_layer(&spec, &in, &out, _i % 10 == 9);
    struct conv3d g;
    conv3d_init(&g, &spec, in, out);
    size_t nf = dims_elements(g.fine), nc = dims_elements(g.coarse), nw = conv3d_weights(&g);
    float *fine = random_floats(nf), *coarse = random_floats(nc), *weight = random_floats(nw);
    float *packed = malloc((conv3d_packed(&g) + GUARD) * sizeof *packed);
    float *scratch = malloc((conv3d_scratch(&g) + GUARD) * sizeof *scratch);
    for (size_t i = 0; i < GUARD; i++)
        scratch[conv3d_scratch(&g) + i] = packed[conv3d_packed(&g) + i] = 12345;

    for (int what = GATHER; what <= GRADIENT; what++) {
        size_t n = what == GATHER ? nc : what == SCATTER ? nf : nw;
        size_t channels = (size_t)(what == GATHER ? g.coarse.c : g.fine.c);
        double *expected = calloc(n, sizeof *expected), *size = calloc(n, sizeof *size);
        struct reference r = {&g, weight, fine, coarse, expected, size, what};
        each_product(&g, add_product, &r);
        float *bias = random_floats(channels), *scale = random_floats(channels);
        struct epilogue e = {between(0, 1) ? bias : NULL, (enum activation)between(0, 3), 0.2f};
        bool scaled = between(0, 1);
        float *mine = malloc((n + GUARD) * sizeof *mine);
        for (size_t i = 0; i < n + GUARD; i++)
            mine[i] = i < n ? NAN : 12345;
        if (what == GATHER) {
            conv3d_pack_gather(&g, weight, scaled ? scale : NULL, packed);
            conv3d_gather(&g, fine, packed, &e, mine, scratch);
            check_frames(&g, fine, packed, &e, mine, scratch);
        } else if (what == SCATTER) {
            conv3d_pack_scatter(&g, weight, scaled ? scale : NULL, packed);
            conv3d_scatter(&g, coarse, packed, &e, mine, scratch);
        } else {
            float *sum = calloc(nw, sizeof *sum);
            conv3d_gradient(&g, fine, coarse, sum, scratch);
            conv3d_unpack(&g, sum, mine);
            free(sum);
        }
        for (size_t i = 0; i < n; i++) {
            double v = expected[i], slack = size[i];
            if (what != GRADIENT) {
                double s = scaled ? (double)scale[i % channels] : 1;
                v = activated(v * s + (e.bias ? (double)bias[i % channels] : 0), &e);
                slack += 1;
            }
            if (!(fabs((double)mine[i] - v) <= 1e-5 * slack))
                ck_abort_msg("seed %d, %s, element %zu of %zu: %g, not %g", _i,
                             what == GATHER ? "gather" : what == SCATTER ? "scatter" : "gradient", i, n, (double)mine[i], v);
        }
        for (size_t i = 0; i < GUARD; i++) {
            ck_assert(mine[n + i] == 12345);
            ck_assert(scratch[conv3d_scratch(&g) + i] == 12345);
            ck_assert(packed[conv3d_packed(&g) + i] == 12345);
        }
        free(mine);
        free(bias);
        free(scale);
        free(expected);
        free(size);
    }
    free(fine);
    free(coarse);
    free(weight);
    free(packed);
    free(scratch);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conv3d");
    TCase *t = tcase_create("conv3d");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_against_definition, 0, 240);
    suite_add_tcase(s, t);
    return suite_run(s);
}
