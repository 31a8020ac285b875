/* Adam against its formula; a small network that learns; faults of the addressing that training corrects; evaluation. Seeds
 * are fixed. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/adam.h"
#include "core/network/training.h"
#include "core/rng.h"
#include "tests/suite.h"

static struct error err;

static const struct arch small = {
    .channels = 1, .frames = 4, .height = 16, .width = 16, .mean = 0.5f, .std = 0.5f, .n_encoder = 2, .n_decoder = 2,
    .encoder = {{.type = LAYER_CONV3D, .out = 8, .kernel = {3, 3, 3}, .stride = {1, 2, 2}, .padding = {1, 1, 1}, .norm = true,
                 .activation = ACTIVATION_LEAKY_RELU, .slope = 0.2f},
                {.type = LAYER_CONV3D, .out = 8, .kernel = {3, 3, 3}, .stride = {2, 2, 2}, .padding = {1, 1, 1}, .norm = true,
                 .activation = ACTIVATION_LEAKY_RELU, .slope = 0.2f}},
    .has_memory = true, .memory = {.slots = 20, .similarity = SIMILARITY_COSINE, .shrink = 0.02f, .temperature = 0.1f},
    .decoder = {{.type = LAYER_DECONV3D, .out = 8, .kernel = {3, 3, 3}, .stride = {2, 2, 2}, .padding = {1, 1, 1},
                 .output_padding = {1, 1, 1}, .norm = true, .activation = ACTIVATION_LEAKY_RELU, .slope = 0.2f},
                {.type = LAYER_DECONV3D, .out = 1, .kernel = {3, 3, 3}, .stride = {1, 2, 2}, .padding = {1, 1, 1},
                 .output_padding = {0, 1, 1}}},
};

START_TEST(test_adam)
{
    struct model *model, *g;
    struct adam adam;
    ck_assert_int_eq(model_open(&model, &small, &err), 0);
    ck_assert_int_eq(model_open(&g, &small, &err), 0);
    ck_assert_int_eq(adam_open(&adam, &small, &err), 0);
    model_init(model, 1);
    double p = (double)model->memory[3], m = 0, v = 0;
    float running = model->encoder[0].running_var[0];
    for (int t = 1; t <= 20; t++) {
        double gradient = sin(t);
        for (size_t i = 0; i < g->n_storage; i++)
            g->storage[i] = (float)gradient;
        m = 0.9 * m + 0.1 * gradient;
        v = 0.999 * v + 0.001 * gradient * gradient;
        p -= 0.01 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
        adam_step(&adam, model, g, 0.01);
        ck_assert_msg(fabs((double)model->memory[3] - p) < 1e-5, "step %d: %g, not %g", t, (double)model->memory[3], p);
    }
    ck_assert(model->encoder[0].running_var[0] == running);     /* running statistics are not learned */
    adam_close(&adam);
    model_close(g);
    model_close(model);
}
END_TEST

/* Window i of a bright square that moves over a gradient. It starts at phase i. */
static void window(int i, uint8_t pixels[4][256], const uint8_t *frames[4])
{
    for (int t = 0; t < 4; t++) {
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 16; x++) {
                int at = (i + t) % 12;
                pixels[t][y * 16 + x] = x >= at && x < at + 4 && y >= 6 && y < 10 ? 230 : (uint8_t)(40 + 6 * y);
            }
        frames[t] = pixels[t];
    }
}

static void set_batch(struct training *training, struct rng *rng, int batch)
{
    uint8_t pixels[4][256];
    const uint8_t *frames[4];
    for (int i = 0; i < batch; i++) {
        window((int)rng_below(rng, 12), pixels, frames);
        training_window(training, i, frames);
    }
}

START_TEST(test_learns)
{
    enum { STEPS = 400, BATCH = 4 };
    kernels_choose(NULL);
    struct model *model;
    struct training *training;
    struct rng rng;
    struct network_loss loss, first = {0};
    ck_assert_int_eq(model_open(&model, &small, &err), 0);
    model_init(model, 1);
    rng_seed(&rng, 2);
    const struct training_options options = {.batch = BATCH, .learning_rate = 5e-3, .alpha = 2e-4, .seed = 3};
    ck_assert_int_eq(training_open(&training, model, &options, &parallel_serial, &err), 0);
    for (int i = 0; i < STEPS; i++) {
        set_batch(training, &rng, BATCH);
        ck_assert_int_eq(training_step(training, (double)i / STEPS, &loss), 0);
        if (i == 0)
            first = loss;
    }
    ck_assert_msg(loss.mse < first.mse / 10, "from %g to %g", first.mse, loss.mse);
    ck_assert_int_gt(training_health(training).used, 2);

    struct training_totals totals;
    struct training_evaluation e;
    training_evaluate_begin(training, &totals);
    for (int i = 0; i < 3; i++) {
        set_batch(training, &rng, BATCH);
        training_evaluate(training, BATCH, &totals);
    }
    training_evaluate_end(training, &totals, &e);
    ck_assert_msg(e.error < first.mse / 5, "inference mode: %g", e.error);
    ck_assert_msg(e.error_without_memory > 1.5 * e.error, "%g without the memory, %g with it", e.error_without_memory, e.error);
    ck_assert(e.alive > 0.99);
    ck_assert_int_gt(e.slots_used, 2);
    training_close(training);
    model_close(model);
}
END_TEST

/* Slots that no query uses are set to queries; slots in use stay. */
START_TEST(test_reseeds_dead_slots)
{
    kernels_choose(NULL);
    struct model *model;
    struct training *training;
    struct rng rng;
    struct network_loss loss;
    struct arch arch = small;
    arch.memory.similarity = SIMILARITY_DOT;
    arch.memory.temperature = 1;
    ck_assert_int_eq(model_open(&model, &arch, &err), 0);
    model_init(model, 1);
    for (size_t i = 0; i < 8; i++) {    /* the two large slots take all the weight, the others none */
        model->memory[i] = 100;
        model->memory[8 + i] = -100;
    }
    rng_seed(&rng, 2);
    const struct training_options options = {.batch = 4, .learning_rate = 1e-4, .alpha = 0, .seed = 3};
    ck_assert_int_eq(training_open(&training, model, &options, &parallel_serial, &err), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(training_slots_reseeded(training), 0);
        set_batch(training, &rng, 4);
        ck_assert_int_eq(training_step(training, 0.1, &loss), 0);
    }
    ck_assert_int_ge(training_slots_reseeded(training), 10);
    ck_assert(fabsf(model->memory[0]) > 50);
    training_close(training);
    model_close(model);
}
END_TEST

/* ---- faults of the addressing ------------------------------------------------------------------------------------ */

enum { STEPS = 500 };

struct outcome {
    struct training_evaluation e;
    struct training_health first, last; /* at the first check and at the last */
    int most_degenerate;
    float shrink;
};

/* Trains the small network with this λ (memory.shrink) and batch. equal_slots: all slots are equal at the start. */
static struct outcome learn_from_fault(float shrink, bool equal_slots, int batch)
{
    struct outcome o = {0};
    struct model *model;
    struct training *training;
    struct rng rng;
    struct network_loss loss;
    struct arch arch = small;
    arch.memory.shrink = shrink;
    kernels_choose(NULL);
    ck_assert_int_eq(model_open(&model, &arch, &err), 0);
    model_init(model, 1);
    for (size_t i = 8; equal_slots && i < 20 * 8; i++)
        model->memory[i] = model->memory[i % 8];
    rng_seed(&rng, 2);
    const struct training_options options = {.batch = batch, .learning_rate = 5e-3, .alpha = 2e-4, .seed = 3};
    ck_assert_int_eq(training_open(&training, model, &options, &parallel_serial, &err), 0);
    for (int i = 0; i < STEPS; i++) {
        set_batch(training, &rng, batch);
        ck_assert_int_eq(training_step(training, (double)i / STEPS, &loss), 0);
        o.last = training_health(training);
        o.most_degenerate = o.last.degenerate > o.most_degenerate ? o.last.degenerate : o.most_degenerate;
        if (i == TRAINING_CHECK - 1)
            o.first = o.last;
    }
    struct training_totals totals;
    training_evaluate_begin(training, &totals);
    for (int i = 0; i < 6; i++) {
        set_batch(training, &rng, batch);
        training_evaluate(training, batch, &totals);
    }
    training_evaluate_end(training, &totals, &o.e);
    o.shrink = model->arch.memory.shrink;
    training_close(training);
    model_close(model);
    return o;
}

static void check_cured(const struct outcome *o)
{
    ck_assert_int_eq(o->last.degenerate, 0);
    ck_assert_msg(o->last.dead < 0.01 && o->e.alive > 0.99, "%g dead, %g alive", o->last.dead, o->e.alive);
    ck_assert_msg(o->last.answers > 1.5 && o->last.effective > 2, "%g answers of %g slots", o->last.answers, o->last.effective);
    ck_assert_msg(o->e.error_without_memory > 1.5 * o->e.error, "%g without the memory, %g with it",
                  o->e.error_without_memory, o->e.error);
}

START_TEST(test_healthy)
{
    struct outcome o = learn_from_fault(0.02f, false, 4);
    check_cured(&o);
    ck_assert_int_eq(o.most_degenerate, 0);
    ck_assert(o.shrink == 0.02f);
    ck_assert(o.last.effective <= 20 && o.last.answers <= o.last.effective * 1.001);
}
END_TEST

START_TEST(test_dead_addressing_is_cured)
{
    struct outcome o = learn_from_fault(0.9f, false, 4);
    ck_assert_msg(o.first.dead > 0.9 && o.first.degenerate == 1, "%g dead", o.first.dead);
    check_cured(&o);
    ck_assert_msg(o.most_degenerate <= 3, "%d checks", o.most_degenerate);
    ck_assert_msg(o.shrink > 0 && o.shrink <= 0.45f, "shrink %g", (double)o.shrink);
}
END_TEST

START_TEST(test_equal_slots_are_cured)
{
    struct outcome o = learn_from_fault(0.02f, true, 4);
    ck_assert_msg(o.first.answers < 1.001 && o.first.degenerate == 1, "%g answers", o.first.answers);
    check_cured(&o);
    ck_assert(o.shrink == 0.02f);
}
END_TEST

/* Norms over two windows: inference must work with the running statistics. */
START_TEST(test_batch_of_two)
{
    struct outcome o = learn_from_fault(0.02f, false, 2);
    check_cured(&o);
    ck_assert_msg(o.e.error < 0.1, "inference mode: %g", o.e.error);
}
END_TEST

/* Weights of zero have no logarithm. The entropy and all gradients stay finite, whether some weights are zero or all. */
START_TEST(test_entropy_of_zero_weights)
{
    kernels_choose(NULL);
    for (int k = 0; k < 2; k++) {
        struct arch arch = small;
        arch.memory.shrink = k == 0 ? 0.06f : 0.9f;
        struct model *model, *gradients;
        struct network *net;
        struct network_loss loss;
        struct rng rng;
        ck_assert_int_eq(model_open(&model, &arch, &err), 0);
        ck_assert_int_eq(model_open(&gradients, &arch, &err), 0);
        ck_assert_int_eq(network_open(&net, &arch, 2, &parallel_serial, &err), 0);
        model_init(model, 1);
        rng_seed(&rng, 4);
        for (size_t i = 0; i < 2 * 4 * 256; i++)
            network_input(net)[i] = rng_uniform(&rng);
        network_forward(net, model, 2, NETWORK_TRAINING);
        network_loss(net, 1, &loss);
        size_t zero = 0, n = 2 * 2 * 16 * 20;
        for (size_t i = 0; i < n; i++)
            zero += network_weights(net)[i] == 0;
        ck_assert_msg(k == 0 ? zero > 0 && zero < n : zero == n, "%zu of %zu weights are zero", zero, n);
        ck_assert_msg(isfinite(loss.total) && loss.entropy >= 0 && (k == 0 || loss.entropy == 0), "%g", loss.entropy);
        network_backward(net, model, 1, gradients);
        for (size_t i = 0; i < gradients->n_storage; i++)
            ck_assert_msg(isfinite(gradients->storage[i]), "gradient %zu is %g", i, (double)gradients->storage[i]);
        network_close(net);
        model_close(gradients);
        model_close(model);
    }
}
END_TEST

START_TEST(test_divergence_is_told)
{
    struct model *model;
    struct training *training;
    struct rng rng;
    struct network_loss loss;
    ck_assert_int_eq(model_open(&model, &small, &err), 0);
    model_init(model, 1);
    model->decoder[1].bias[0] = INFINITY;
    rng_seed(&rng, 2);
    const struct training_options options = {.batch = 4, .learning_rate = 1e-4, .alpha = 0, .seed = 3};
    ck_assert_int_eq(training_open(&training, model, &options, &parallel_serial, &err), 0);
    set_batch(training, &rng, 4);
    ck_assert_int_lt(training_step(training, 0, &loss), 0);
    training_close(training);
    model_close(model);
}
END_TEST

/* Rows of a table, on a line in twelve dimensions. */
START_TEST(test_learns_a_table)
{
    enum { FEATURES = 12, BATCH = 16 };
    const struct arch table = {
        .kind = INPUT_TABLE, .channels = FEATURES, .frames = 1, .height = 1, .width = 1, .std = 1,
        .n_encoder = 1, .n_decoder = 1,
        .encoder = {{.type = LAYER_LINEAR, .out = 3, .kernel = {1, 1, 1}, .stride = {1, 1, 1}}},
        .decoder = {{.type = LAYER_LINEAR, .out = FEATURES, .kernel = {1, 1, 1}, .stride = {1, 1, 1}}},
    };
    const struct training_options options = {.batch = BATCH, .learning_rate = 1e-2};
    struct model *model;
    struct training *training;
    struct network_loss loss = {0};
    struct rng rng;
    double first = 0;
    rng_seed(&rng, 3);
    ck_assert_msg(model_open(&model, &table, &err) == 0, "%s", err.text);
    model_init(model, 1);
    ck_assert_msg(training_open(&training, model, &options, &parallel_serial, &err) == 0, "%s", err.text);
    for (int step = 0; step < 400; step++) {
        for (int i = 0; i < BATCH; i++) {
            float row[FEATURES], along = rng_uniform(&rng);
            for (int j = 0; j < FEATURES; j++)
                row[j] = along * (float)(j % 5 - 2) + 0.5f;
            training_sample(training, i, row);
        }
        ck_assert_int_eq(training_step(training, step / 400.0, &loss), 0);
        first = step == 0 ? loss.mse : first;
    }
    ck_assert_msg(loss.mse < 0.01 * first, "%g, from %g", loss.mse, first);
    training_close(training);
    model_close(model);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("training");
    TCase *t = tcase_create("training");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_adam);
    tcase_add_test(t, test_learns);
    tcase_add_test(t, test_learns_a_table);
    tcase_add_test(t, test_reseeds_dead_slots);
    tcase_add_test(t, test_healthy);
    tcase_add_test(t, test_dead_addressing_is_cured);
    tcase_add_test(t, test_equal_slots_are_cured);
    tcase_add_test(t, test_batch_of_two);
    tcase_add_test(t, test_entropy_of_zero_weights);
    tcase_add_test(t, test_divergence_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
