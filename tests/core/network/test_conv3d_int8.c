/* Convolution in 8 bits against its definition, over random geometries. The weights are exact in 8 bits, so only the output
 * is rounded. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/network/convolution/conv3d_int8.h"
#include "tests/core/network/conv3d_random.h"
#include "tests/suite.h"

enum { GUARD = 64 };

struct reference {
    const struct conv3d *g;
    const float *weight, *in;   /* in: the values of the bytes */
    bool gather;
    double *out, *size;         /* size: Σ|a·b|, for the tolerance */
    int *seen;                  /* [output positions] taps inside the source */
};

static void add_product(void *arg, size_t cp, size_t fp, size_t tap)
{
    struct reference *r = arg;
    size_t fc = (size_t)r->g->fine.c, cc = (size_t)r->g->coarse.c;
    size_t taps = (size_t)r->g->kernel[0] * (size_t)r->g->kernel[1] * (size_t)r->g->kernel[2];
    r->seen[r->gather ? cp : fp]++;
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++) {
            size_t f = fp * fc + i, c = cp * cc + o, at = r->gather ? c : f;
            double p = (double)r->weight[(o * fc + i) * taps + tap] * (double)r->in[r->gather ? f : c];
            r->out[at] += p;
            r->size[at] += fabs(p);
        }
}

static double activated(double v, enum activation activation)
{
    if (activation == ACTIVATION_LEAKY_RELU)
        return v > 0 ? v : v * 0.2;
    if (activation == ACTIVATION_RELU)
        return v > 0 ? v : 0;
    return activation == ACTIVATION_TANH ? tanh(v) : v;
}

/* Random weights. In each output channel the largest magnitude, before the norm, is 127 steps. */
static float *random_weight(const struct conv3d *g, bool gather, size_t taps, float step,
                            const struct quantum *q)
{
    size_t fc = (size_t)g->fine.c, cc = (size_t)g->coarse.c;
    float *w = malloc(cc * fc * taps * sizeof *w);
    for (size_t o = 0; o < cc; o++)
        for (size_t i = 0; i < fc; i++)
            for (size_t k = 0; k < taps; k++) {
                bool first = k == 0 && (gather ? i : o) == 0;
                w[(o * fc + i) * taps + k] = (float)(first ? 127 : between(-127, 127)) * step / q[gather ? i : o].step;
            }
    return w;
}

/* The seed chooses bytes or floats. Every seventh seed has a wide layer, every third a zero point that is no integer. */
static void check_against_definition(int seed)
{
    struct layer_spec spec;
    struct dims in, out;
    struct conv3d g;
    rng_seed(&rng, (uint64_t)seed);
    random_layer(&spec, &in, &out, seed % 7 == 6);
    conv3d_init(&g, &spec, in, out);
    bool gather = !layer_is_transposed(spec.type), fraction = seed % 3 == 0;
    ck_assert(conv3d_int8_possible(&g, gather));
    size_t n_in = dims_elements(in), n_out = dims_elements(out), channels = (size_t)out.c;
    size_t taps = (size_t)g.kernel[0] * (size_t)g.kernel[1] * (size_t)g.kernel[2];
    struct quantum q[80], to[80];
    for (int i = 0; i < 80; i++)        /* steps differ by channel, and the weights compensate */
        q[i] = (struct quantum){ldexpf(0.0625f, i % 3), fraction ? 127.5f : (float)between(0, 255)};
    uint8_t *bytes = malloc(n_in + INT8_GROUP - 1);
    float *real = malloc(n_in * sizeof *real), *weight = random_weight(&g, gather, taps, 0.0078125f, q);
    for (size_t i = 0; i < n_in + INT8_GROUP - 1; i++)
        bytes[i] = (uint8_t)between(0, 255);
    for (size_t i = 0; i < n_in; i++)
        real[i] = ((float)bytes[i] - q[i % (size_t)in.c].zero) * q[i % (size_t)in.c].step;
    float *bias = malloc(channels * sizeof *bias), *scale = malloc(channels * sizeof *scale);
    for (size_t i = 0; i < channels; i++) {
        bias[i] = 2 * rng_uniform(&rng) - 1;
        scale[i] = rng_below(&rng, 9) == 0 ? 0 : 0.01f * (2 * rng_uniform(&rng) - 1);
    }
    double *expected = calloc(n_out, sizeof *expected), *size = calloc(n_out, sizeof *size), top = 1e-3;
    int *seen = calloc(dims_positions(out), sizeof *seen);
    struct reference r = {&g, weight, real, gather, expected, size, seen};
    each_product(&g, add_product, &r);
    enum activation activation = (enum activation)between(0, 3);
    for (size_t i = 0; i < n_out; i++) {
        expected[i] = activated(expected[i] * (double)scale[i % channels] + (double)bias[i % channels], activation);
        size[i] = size[i] * fabs((double)scale[i % channels]) + 1;
        top = fmax(top, fabs(expected[i]));
    }
    bool to_bytes = seed & 4;
    struct conv3d_int8_options o = {.geometry = g, .gather = gather, .weight = weight, .scale = scale, .bias = bias, .in = q,
                                    .activation = activation, .slope = 0.2f, .out = to_bytes ? to : NULL};
    for (int i = 0; i < 80; i++)
        to[i] = quantum_of(-0.3f * (float)top * (float)(1 + i % 4), 0.8f * (float)top);
    struct conv3d_int8 *c;
    ck_assert_int_eq(conv3d_int8_open(&c, &o), 0);
    size_t scratch_size = conv3d_int8_scratch(c), element = to_bytes ? 1 : sizeof(float);
    unsigned char *scratch = malloc(scratch_size + GUARD), *mine = malloc(n_out * element + GUARD);
    memset(scratch, 0xa5, scratch_size + GUARD);
    memset(mine, 0xa5, n_out * element + GUARD);
    conv3d_int8_run(c, bytes, mine, scratch);
    for (size_t i = 0; i < n_out; i++) {
        /* With a zero point of 127.5, padding has an error of half a step. */
        size_t n_inputs = taps * (size_t)(gather ? g.fine.c : g.coarse.c);
        bool near = gather ? seen[i / channels] < (int)taps : true;
        double half_steps = fraction && near ? 0.51 * 0.25 * (double)n_inputs * fabs((double)scale[i % channels]) : 0;
        double slack = 2e-5 * size[i] + half_steps;
        if (to_bytes) {
            const struct quantum *t = &to[i % channels];
            double v = expected[i] / (double)t->step + (double)t->zero;
            v = v < 0 ? 0 : v > 255 ? 255 : v;
            if (!(fabs(mine[i] - v) <= 0.5 + slack / (double)to[i % channels].step))
                ck_abort_msg("%s, seed %d, byte %zu of %zu: %d, not %g", int8_kernels->name, seed, i, n_out, mine[i], v);
        } else {
            float v;
            memcpy(&v, mine + i * sizeof v, sizeof v);
            if (!(fabs((double)v - expected[i]) <= slack))
                ck_abort_msg("%s, seed %d, element %zu of %zu: %g, not %g", int8_kernels->name, seed, i, n_out, (double)v,
                             expected[i]);
        }
    }
    if (gather) {       /* a call for some frames alone gives the same bits, and touches no others */
        size_t frame = n_out / (size_t)out.t * element;
        int begin = between(0, out.t - 1), end = between(begin + 1, out.t);
        unsigned char *some = malloc(n_out * element);
        memset(some, 0xa5, n_out * element);
        conv3d_int8_run_frames(c, begin, end, bytes, some, scratch);
        for (size_t i = 0; i < n_out * element; i++)
            ck_assert_int_eq(some[i], i / frame >= (size_t)begin && i / frame < (size_t)end ? mine[i] : 0xa5);
        free(some);
    }
    for (size_t i = 0; i < GUARD; i++)
        ck_assert(scratch[scratch_size + i] == 0xa5 && mine[n_out * element + i] == 0xa5);
    conv3d_int8_close(c);
    free(scratch);
    free(mine);
    free(seen);
    free(size);
    free(expected);
    free(scale);
    free(bias);
    free(weight);
    free(real);
    free(bytes);
}

START_TEST(test_against_definition)
{
    static const char *const limits[] = {"c", "avx2", "avxvnni", "avx512", "amx"};
    for (int i = 0; i < 5; i++)
        if (kernels_choose(limits[i]) == 0)
            check_against_definition(_i);
        else
            printf("SKIPPED: this CPU has no %s\n", limits[i]);
}
END_TEST

/* A layer with too many inputs per output is refused: its sums could overflow. */
START_TEST(test_possible)
{
    struct layer_spec spec = {.type = LAYER_CONV3D, .out = 1, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
    struct conv3d g;
    conv3d_init(&g, &spec, (struct dims){INT8_MAX_INPUTS, 1, 1, 1}, (struct dims){1, 1, 1, 1});
    ck_assert(conv3d_int8_possible(&g, true) && conv3d_int8_possible(&g, false));
    g.fine.c++;
    ck_assert(!conv3d_int8_possible(&g, true));
    g.coarse.c = INT8_MAX_INPUTS + 1;
    ck_assert(!conv3d_int8_possible(&g, false));
    spec.kernel[0] = spec.kernel[1] = 12;
    conv3d_init(&g, &spec, (struct dims){8, 12, 12, 1}, (struct dims){1, 1, 1, 1});
    ck_assert(!conv3d_int8_possible(&g, true));         /* 144 runs of bytes are too many */
}
END_TEST

START_TEST(test_quantum)
{
    struct quantum q = quantum_of(-1, 1.55f);
    ck_assert(fabsf(q.step - 0.01f) < 1e-6f && q.zero == 100);
    q = quantum_of(0, 3);
    ck_assert(q.zero == 0);
    q = quantum_of(-3, 0);
    ck_assert(q.zero == 255);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conv3d_int8");
    TCase *t = tcase_create("conv3d_int8");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_against_definition, 0, 120);
    tcase_add_test(t, test_possible);
    tcase_add_test(t, test_quantum);
    suite_add_tcase(s, t);
    return suite_run(s);
}
