/* The network agrees with PyTorch on the golden models: every module's output, the loss, every gradient, the running statistics.
 * Gradients also agree with finite differences. Seeds are fixed. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/network.h"
#include "core/rng.h"
#include "daemon/base/parallel_threads.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"
#include "tests/suite.h"

static const char *const names[] = {"tiny-cosine", "tiny-dot", "tiny-noshrink", "tiny-allshrunk", "mnist", "kddcup"};
enum { N_NAMES = sizeof names / sizeof names[0] };

static struct error err;
static struct parallel_threads *threads;
static struct parallel parallel;
static struct model_file file;
static struct safetensors *golden;
static struct network *net;

static void load(int name, int n_threads)
{
    char path[128];
    kernels_choose(NULL);
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", names[name]);
    ck_assert_msg(model_file_load(&file, path, &err) == 0, "%s", err.text);
    snprintf(path, sizeof path, "tests/golden/%s.golden.safetensors", names[name]);
    ck_assert_msg(safetensors_open(&golden, path, &err) == 0, "%s", err.text);
    parallel = parallel_serial;
    threads = NULL;
    if (n_threads > 1) {
        ck_assert_int_eq(parallel_threads_open(&threads, n_threads), 0);
        parallel = parallel_threads_parallel(threads);
    }
    ck_assert_int_eq(network_open(&net, &file.model->arch, 2, &parallel, &err), 0);
}

static void unload(void)
{
    network_close(net);
    parallel_threads_close(threads);
    safetensors_close(golden);
    model_file_clear(&file);
}

static float *tensor(const char *name, size_t n)
{
    const struct safetensors_tensor *t = safetensors_find(golden, name);
    ck_assert_msg(t != NULL, "%s", name);
    ck_assert_uint_eq(t->n, n);
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, t->data, n * sizeof *copy);
    return copy;
}

/* |a - b| <= r * max|b| + floor, for all elements. */
static void compare(const char *name, const float *a, const float *b, size_t n, double r, double floor)
{
    double top = 0, worst = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs((double)b[i]));
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(a[i]))
            ck_abort_msg("%s[%zu] is %f", name, i, (double)a[i]);
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    }
    ck_assert_msg(worst <= r * top + floor, "%s: off by %g of at most %g, %g allowed", name, worst, top, r * top + floor);
}

/* Transposes [n, c, positions] to [n, positions, c]. */
static void channels_last(const float *src, size_t n, size_t c, size_t positions, float *dst)
{
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < c; i++)
            for (size_t p = 0; p < positions; p++)
                dst[(s * positions + p) * c + i] = src[(s * c + i) * positions + p];
}

static void set_input(void)
{
    struct dims in = file.model->shapes.encoder[0];
    float *x = tensor("input", 2 * dims_elements(in));
    channels_last(x, 2, (size_t)in.c, dims_positions(in), network_input(net));
    free(x);
}

static void compare_modules(bool decoder)
{
    for (int i = 0;; i++) {
        struct dims d = network_module(net, decoder, i, NULL);
        char name[64];
        snprintf(name, sizeof name, "%s.%d.output", decoder ? "decoder" : "encoder", i);
        if (d.c == 0) {
            ck_assert_msg(safetensors_find(golden, name) == NULL, "%s is missing", name);
            ck_assert_int_gt(i, 0);
            return;
        }
        size_t n = 2 * dims_elements(d);
        float *mine = malloc(n * sizeof *mine), *theirs = tensor(name, n);
        network_module(net, decoder, i, mine);
        compare(name, mine, theirs, n, 1e-4, 0);
        free(mine);
        free(theirs);
    }
}

/* Returns true if a weight before shrinkage is so near λ that rounding decides whether it survives. */
static bool at_edge(const struct model *model, const float *query)
{
    const struct memory_spec *spec = &model->arch.memory;
    size_t c = (size_t)model->shapes.decoder[0].c, n = (size_t)spec->slots;
    double *w = malloc(n * sizeof *w), sum = 0, qq = 0;
    for (size_t j = 0; j < c; j++)
        qq += (double)query[j] * (double)query[j];
    for (size_t i = 0; i < n; i++) {
        double dot = 0, mm = 0;
        for (size_t j = 0; j < c; j++) {
            dot += (double)query[j] * (double)model->memory[i * c + j];
            mm += (double)model->memory[i * c + j] * (double)model->memory[i * c + j];
        }
        if (spec->similarity == SIMILARITY_COSINE)
            dot /= fmax(sqrt(qq), 1e-12) * fmax(sqrt(mm), 1e-12);
        sum += w[i] = exp(dot / (double)spec->temperature);
    }
    bool edge = false;
    for (size_t i = 0; i < n; i++)
        edge = edge || fabs(w[i] / sum - (double)spec->shrink) <= 1e-5 * (double)spec->shrink;
    free(w);
    return edge && spec->shrink > 0;
}

START_TEST(test_forward)
{
    load(_i % N_NAMES, 1 + _i / N_NAMES);
    set_input();
    network_forward(net, file.model, 2, NETWORK_INFERENCE);
    compare_modules(false);

    struct dims z = file.model->shapes.decoder[0];
    size_t q = 2 * dims_positions(z), slots = (size_t)file.model->arch.memory.slots;
    float *weights = tensor("memory.weights", q * slots);
    size_t excepted = 0;
    for (size_t i = 0; i < q; i++) {
        const float *row = weights + i * slots;
        if (at_edge(file.model, network_z(net) + i * (size_t)z.c))
            excepted++;
        else
            compare("memory.weights", network_weights(net) + i * slots, row, slots, 1e-4, 0);
    }
    printf("%s: %zu of %zu rows of the addressing excepted at the edge of shrinkage\n", names[_i % N_NAMES], excepted, q);
    ck_assert_uint_le(excepted, q / 100);
    float *theirs = tensor("memory.output", q * (size_t)z.c), *last = malloc(q * (size_t)z.c * sizeof *last);
    channels_last(theirs, 2, (size_t)z.c, dims_positions(z), last);
    compare("memory.output", network_z_hat(net), last, q * (size_t)z.c, 1e-4, 0);
    compare_modules(true);
    if (strcmp(names[_i % N_NAMES], "tiny-allshrunk") == 0)
        for (size_t i = 0; i < q * (size_t)z.c; i++)
            if (network_z_hat(net)[i] != 0)
                ck_abort_msg("all-shrunk addressing, and z_hat[%zu] is %g", i, (double)network_z_hat(net)[i]);
    free(theirs);
    free(last);
    free(weights);
    unload();
}
END_TEST

START_TEST(test_training)
{
    load(_i % N_NAMES, 1 + _i / N_NAMES);
    struct model *g;
    ck_assert_int_eq(model_open(&g, &file.model->arch, &err), 0);
    set_input();
    network_forward(net, file.model, 2, NETWORK_TRAINING);
    struct network_loss loss;
    network_loss(net, 0.0002, &loss);
    float *theirs = tensor("train.loss", 1), mine = (float)loss.total;
    compare("train.loss", &mine, theirs, 1, 1e-3, 0);
    free(theirs);
    network_backward(net, file.model, 0.0002, g);

    struct model_tensor t, tg;
    char name[128];
    double top = 0;
    for (int i = 0; model_tensor(g, i, &tg); i++)
        for (size_t j = 0; tg.trainable && j < tg.n; j++)
            top = fmax(top, fabs((double)tg.data[j]));
    for (int i = 0; model_tensor(file.model, i, &t); i++) {
        model_tensor(g, i, &tg);
        snprintf(name, sizeof name, "train.%s.%s", t.trainable ? "grad" : "after", t.name);
        theirs = tensor(name, t.n);
        compare(name, t.trainable ? tg.data : t.data, theirs, t.n, 1e-3, t.trainable ? 3e-5 * top : 0);
        free(theirs);
    }
    model_close(g);
    unload();
}
END_TEST

/* ---- finite differences ------------------------------------------------------------------------------------------ */

static const struct arch *odd_arch(int i)
{
    static struct arch a;
    a = (struct arch){
        .channels = 1, .frames = 4, .height = 6, .width = 10, .mean = 0.5f, .std = 0.5f, .n_encoder = 2, .n_decoder = 2,
        .encoder = {{.type = LAYER_CONV3D, .out = 6, .kernel = {3, 3, 3}, .stride = {1, 2, 2}, .padding = {1, 1, 1},
                     .norm = true, .activation = ACTIVATION_TANH},
                    {.type = LAYER_CONV3D, .out = 7, .kernel = {2, 1, 3}, .stride = {2, 1, 1}, .padding = {0, 0, 1},
                     .activation = ACTIVATION_TANH}},
        .has_memory = true,
        .memory = {.slots = 9, .similarity = i % 2 ? SIMILARITY_DOT : SIMILARITY_COSINE, .shrink = i < 2 ? 0 : 0.02f,
                   .temperature = 0.5f},
        .decoder = {{.type = LAYER_DECONV3D, .out = 6, .kernel = {2, 3, 1}, .stride = {2, 1, 1}, .padding = {0, 1, 0},
                     .norm = true, .activation = ACTIVATION_TANH},
                    {.type = LAYER_DECONV3D, .out = 1, .kernel = {3, 3, 4}, .stride = {1, 2, 2}, .padding = {1, 1, 1},
                     .output_padding = {0, 1, 0}}},
    };
    if (i == 4)
        a.has_memory = false;
    return &a;
}

/* An architecture as odd_arch(i) gives, for a single image or for a row of a table. */
static const struct arch *odd_image(int i)
{
    static struct arch a;
    a = (struct arch){
        .kind = INPUT_IMAGE, .channels = 2, .frames = 1, .height = 6, .width = 10, .mean = 0.5f, .std = 0.5f,
        .n_encoder = 2, .n_decoder = 2,
        .encoder = {{.type = LAYER_CONV2D, .out = 6, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1},
                     .norm = true, .activation = ACTIVATION_TANH},
                    {.type = LAYER_CONV2D, .out = 7, .kernel = {1, 1, 3}, .stride = {1, 1, 1}, .padding = {0, 0, 1},
                     .activation = ACTIVATION_TANH}},
        .decoder = {{.type = LAYER_DECONV2D, .out = 6, .kernel = {1, 3, 1}, .stride = {1, 1, 1}, .padding = {0, 1, 0},
                     .norm = true, .activation = ACTIVATION_TANH},
                    {.type = LAYER_DECONV2D, .out = 2, .kernel = {1, 3, 4}, .stride = {1, 2, 2}, .padding = {0, 1, 1},
                     .output_padding = {0, 1, 0}}},
    };
    a.has_memory = odd_arch(i)->has_memory;
    a.memory = odd_arch(i)->memory;
    return &a;
}

static const struct arch *odd_table(int i)
{
    static struct arch a;
#define LINEAR(n, ...) {.type = LAYER_LINEAR, .out = n, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, __VA_ARGS__}
    a = (struct arch){
        .kind = INPUT_TABLE, .channels = 13, .frames = 1, .height = 1, .width = 1, .std = 1, .n_encoder = 2, .n_decoder = 2,
        .encoder = {LINEAR(8, .norm = true, .activation = ACTIVATION_TANH), LINEAR(5, .activation = ACTIVATION_NONE)},
        .decoder = {LINEAR(6, .norm = true, .activation = ACTIVATION_TANH), LINEAR(13, .activation = ACTIVATION_NONE)},
    };
    a.has_memory = odd_arch(i)->has_memory;
    a.memory = odd_arch(i)->memory;
    return &a;
}

enum { FINITE_SAMPLES = 3 };      /* few, since a weight that crosses λ jumps, and the loss with it */

static const struct arch *any_arch(int i)
{
    return (i < 5 ? odd_arch : i < 10 ? odd_image : odd_table)(i % 5);
}

static double total_loss(struct network *n, struct model *model, double alpha)
{
    struct network_loss loss;
    network_forward(n, model, FINITE_SAMPLES, NETWORK_TRAINING);
    network_loss(n, alpha, &loss);
    return loss.total;
}

START_TEST(test_finite_differences)
{
    const double alpha = 1;     /* far larger than in training, so that the entropy weighs in the gradient */
    struct model *model, *g;
    struct network *n;
    struct rng rng;
    kernels_choose(NULL);
    ck_assert_msg(model_open(&model, any_arch(_i), &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_open(&g, any_arch(_i), &err), 0);
    ck_assert_int_eq(network_open(&n, any_arch(_i), FINITE_SAMPLES, &parallel_serial, &err), 0);
    model_init(model, 5);
    rng_seed(&rng, 17);
    for (size_t i = 0; i < FINITE_SAMPLES * dims_elements(model->shapes.encoder[0]); i++)
        network_input(n)[i] = 2 * rng_uniform(&rng) - 1;
    total_loss(n, model, alpha);
    network_backward(n, model, alpha, g);

    struct model_tensor t, tg;
    int compared = 0;
    for (int i = 0; model_tensor(model, i, &t); i++) {
        model_tensor(g, i, &tg);
        if (!t.trainable)
            continue;
        /* Each tensor is moved in a random direction, so that the difference is large against rounding errors. */
        for (int trial = 0; trial < 3; trial++) {
            float *old = malloc(t.n * sizeof *old);
            double expected = 0, norm = 0;
            memcpy(old, t.data, t.n * sizeof *old);
            float *direction = malloc(t.n * sizeof *direction);
            for (size_t j = 0; j < t.n; j++) {
                direction[j] = 2 * rng_uniform(&rng) - 1;
                norm += (double)(direction[j] * direction[j]);
            }
            double h = 4e-3 / sqrt(norm), difference = 0;
            for (size_t j = 0; j < t.n; j++)
                expected += (double)tg.data[j] * (double)direction[j];
            for (int side = -1; side <= 1; side += 2) {
                for (size_t j = 0; j < t.n; j++)
                    t.data[j] = old[j] + (float)(side * h) * direction[j];
                difference += side * total_loss(n, model, alpha);
            }
            memcpy(t.data, old, t.n * sizeof *old);
            difference /= 2 * h;
            ck_assert_msg(fabs(difference - expected) <= 2e-2 * fabs(expected) + 2e-4 * sqrt(norm), "%s: %g, by differences %g",
                          t.name, expected, difference);
            compared++;
            free(old);
            free(direction);
        }
    }
    ck_assert_int_ge(compared, 30);
    network_close(n);
    model_close(g);
    model_close(model);
}
END_TEST

/* Running statistics move by a tenth towards the batch's mean and unbiased variance, here with few positions. */
START_TEST(test_running_statistics)
{
    struct model *model;
    struct network *n;
    struct rng rng;
    kernels_choose(NULL);
    ck_assert_int_eq(model_open(&model, odd_arch(0), &err), 0);
    ck_assert_int_eq(network_open(&n, odd_arch(0), 3, &parallel_serial, &err), 0);
    model_init(model, 5);
    rng_seed(&rng, 17);
    for (size_t i = 0; i < 3 * dims_elements(model->shapes.encoder[0]); i++)
        network_input(n)[i] = 2 * rng_uniform(&rng) - 1;
    network_forward(n, model, 1, NETWORK_TRAINING);
    struct dims d = network_module(n, true, 0, NULL);
    size_t positions = dims_positions(d);
    ck_assert_uint_lt(positions, 80);
    float *y = malloc(dims_elements(d) * sizeof *y);
    network_module(n, true, 0, y);
    for (int c = 0; c < d.c; c++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < positions; i++)
            mean += (double)y[(size_t)c * positions + i] / (double)positions;
        for (size_t i = 0; i < positions; i++)
            square += pow((double)y[(size_t)c * positions + i] - mean, 2);
        double variance = 0.9 + 0.1 * square / (double)(positions - 1);
        ck_assert(fabs((double)model->decoder[0].running_mean[c] - 0.1 * mean) < 1e-6);
        double running = (double)model->decoder[0].running_var[c];
        ck_assert_msg(fabs(running - variance) < 2e-3 * (variance - 0.9) + 1e-7, "%.9g, not %.9g", running, variance);
    }
    free(y);
    network_close(n);
    model_close(model);
}
END_TEST

/* Two runs with two threads give the same bits. */
START_TEST(test_deterministic)
{
    struct model *g[2];
    for (int run = 0; run < 2; run++) {
        load(0, 2);
        ck_assert_int_eq(model_open(&g[run], &file.model->arch, &err), 0);
        set_input();
        network_forward(net, file.model, 2, NETWORK_TRAINING);
        network_backward(net, file.model, 0.0002, g[run]);
        unload();
    }
    ck_assert_mem_eq(g[0]->storage, g[1]->storage, g[0]->n_storage * sizeof(float));
    model_close(g[0]);
    model_close(g[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("network");
    TCase *t = tcase_create("network");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_forward, 0, 2 * N_NAMES);
    tcase_add_loop_test(t, test_training, 0, 2 * N_NAMES);
    tcase_add_loop_test(t, test_finite_differences, 0, 15);
    tcase_add_test(t, test_running_statistics);
    tcase_add_test(t, test_deterministic);
    suite_add_tcase(s, t);
    return suite_run(s);
}
