#include "core/training.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/adam.h"
#include "core/kernels.h"
#include "core/rng.h"

/* Every so many steps, up to this much of the training, slots that took less than this part of an equal share of the
 * weight are set to queries of the moment. */
enum { RESEED_STEPS = 50 };
#define RESEED_UNTIL 0.6
#define DEAD_SHARE 0.01

struct training {
    struct training_options options;
    struct model *model, *gradients;
    struct adam adam;
    struct network *net;
    struct rng rng;
    double *slot_weight;        /* [slots] weight taken since the last look; or in an evaluation */
    long steps, reseeded;
    int used;
};

int training_open(struct training **ret, struct model *model, const struct training_options *options,
                  const struct parallel *parallel, struct error *err)
{
    struct training *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(err, -ENOMEM, "out of memory");
    t->options = *options;
    t->model = model;
    rng_seed(&t->rng, options->seed);
    int r = network_open(&t->net, &model->arch, options->batch, parallel, err);
    if (r == 0)
        r = model_open(&t->gradients, &model->arch, err);
    if (r == 0)
        r = adam_open(&t->adam, &model->arch, err);
    if (r == 0 && model->arch.has_memory) {
        size_t n = (size_t)model->arch.memory.slots;
        t->slot_weight = calloc(n, sizeof *t->slot_weight);
        if (!t->slot_weight)
            r = error_set(err, -ENOMEM, "out of memory");
    }
    if (r < 0) {
        training_close(t);
        return r;
    }
    *ret = t;
    return 0;
}

void training_close(struct training *training)
{
    if (!training)
        return;
    network_close(training->net);
    model_close(training->gradients);
    adam_close(&training->adam);
    free(training->slot_weight);
    free(training);
}

void training_window(struct training *training, int i, const uint8_t *const frames[])
{
    const struct arch *a = &training->model->arch;
    size_t n = (size_t)a->height * (size_t)a->width;
    float *x = network_input(training->net) + (size_t)i * (size_t)a->frames * n;
    for (int t = 0; t < a->frames; t++)
        kernels->bytes_to_float(x + (size_t)t * n, frames[t], n, 1 / (255 * a->std), -a->mean / a->std);
}

void training_sample(struct training *training, int i, const float *sample)
{
    size_t n = dims_elements(training->model->shapes.encoder[0]);
    memcpy(network_input(training->net) + (size_t)i * n, sample, n * sizeof *sample);
}

static double learning_rate(const struct training *t, double progress)
{
    const double warm_up = 0.02, last = 0.01;
    if (progress < warm_up)
        return t->options.learning_rate * fmax(progress / warm_up, last);
    double p = fmin((progress - warm_up) / (1 - warm_up), 1);
    return t->options.learning_rate * (last + (1 - last) * 0.5 * (1 + cos(acos(-1) * p)));
}

static size_t queries(const struct training *t)
{
    return dims_positions(t->model->shapes.decoder[0]);
}

static void count_weights(const struct training *t, int n, double *slot_weight)
{
    size_t slots = (size_t)t->model->arch.memory.slots;
    const float *w = network_weights(t->net);
    for (size_t q = 0; q < (size_t)n * queries(t); q++, w += slots)
        for (size_t s = 0; s < slots; s++)
            slot_weight[s] += (double)w[s];
}

static int slots_used(const double *slot_weight, size_t slots)
{
    double sum = 0;
    int used = 0;
    for (size_t s = 0; s < slots; s++)
        sum += slot_weight[s];
    for (size_t s = 0; s < slots; s++)
        used += slot_weight[s] > 0 && slot_weight[s] >= DEAD_SHARE * sum / (double)slots;
    return used;
}

static void zero_moment(struct adam *adam, size_t at, size_t c)
{
    memset(adam->m->memory + at, 0, c * sizeof(float));
    memset(adam->v->memory + at, 0, c * sizeof(float));
}

/* A slot without weight gets no gradient either: it would stay dead. It takes the place of a query drawn at random. */
static void reseed(struct training *t)
{
    size_t slots = (size_t)t->model->arch.memory.slots, c = (size_t)t->model->shapes.decoder[0].c;
    size_t n = (size_t)t->options.batch * queries(t);
    double sum = 0;
    for (size_t s = 0; s < slots; s++)
        sum += t->slot_weight[s];
    for (size_t s = 0; s < slots; s++) {
        if (t->slot_weight[s] >= DEAD_SHARE * sum / (double)slots && sum > 0)
            continue;
        const float *query = network_z(t->net) + (size_t)rng_below(&t->rng, n) * c;
        memcpy(t->model->memory + s * c, query, c * sizeof(float));
        zero_moment(&t->adam, s * c, c);
        t->reseeded++;
    }
}

int training_step(struct training *training, double progress, struct network_loss *loss)
{
    struct training *t = training;
    int n = t->options.batch;
    network_forward(t->net, t->model, n, NETWORK_TRAINING);
    network_loss(t->net, t->options.alpha, loss);
    if (!isfinite(loss->total))
        return -EDOM;
    bool has_memory = t->model->arch.has_memory;
    if (has_memory)
        count_weights(t, n, t->slot_weight);
    network_backward(t->net, t->model, t->options.alpha, t->gradients);
    adam_step(&t->adam, t->model, t->gradients, learning_rate(t, progress));
    if (++t->steps % RESEED_STEPS == 0 && has_memory) {
        size_t slots = (size_t)t->model->arch.memory.slots;
        t->used = slots_used(t->slot_weight, slots);
        if (progress < RESEED_UNTIL)
            reseed(t);
        memset(t->slot_weight, 0, slots * sizeof *t->slot_weight);
    }
    return 0;
}

int training_slots_used(const struct training *training)
{
    return training->used;
}

long training_slots_reseeded(const struct training *training)
{
    return training->reseeded;
}

void training_get_state(struct training *training, struct training_state *ret)
{
    const struct arch *arch = &training->model->arch;
    *ret = (struct training_state){
        .first_moment = training->adam.m, .second_moment = training->adam.v, .slot_weight = training->slot_weight,
        .n_slots = arch->has_memory ? (size_t)arch->memory.slots : 0, .rng = training->rng, .steps = training->steps,
        .reseeded = training->reseeded, .used = training->used,
    };
}

void training_set_state(struct training *training, const struct training_state *state)
{
    training->rng = state->rng;
    training->steps = training->adam.t = state->steps;
    training->reseeded = state->reseeded;
    training->used = state->used;
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

void training_evaluate_begin(struct training *training, struct training_totals *totals)
{
    *totals = (struct training_totals){.slot_weight = training->slot_weight};
    if (training->slot_weight)
        memset(training->slot_weight, 0, (size_t)training->model->arch.memory.slots * sizeof *training->slot_weight);
}

void training_evaluate(struct training *training, int n, struct training_totals *totals)
{
    struct training *t = training;
    struct network_loss loss;
    network_forward(t->net, t->model, n, NETWORK_INFERENCE);
    network_loss(t->net, 0, &loss);
    totals->windows += n;
    totals->error += loss.mse * n;
    totals->entropy += loss.entropy * n;
    if (!t->model->arch.has_memory)
        return;
    size_t q = (size_t)n * queries(t), slots = (size_t)t->model->arch.memory.slots;
    const float *w = network_weights(t->net);
    count_weights(t, n, totals->slot_weight);
    totals->queries += (long)q;
    for (size_t i = 0; i < q; i++) {
        bool alive = false;
        for (size_t s = 0; s < slots && !alive; s++)
            alive = w[i * slots + s] > 0;
        totals->alive += alive;
    }
    memset(network_z_hat(t->net), 0, q * (size_t)t->model->shapes.decoder[0].c * sizeof(float));
    network_decode(t->net, t->model, n);
    network_loss(t->net, 0, &loss);
    totals->error_without_memory += loss.mse * n;
}

void training_evaluate_end(struct training *training, const struct training_totals *totals,
                           struct training_evaluation *ret)
{
    const struct arch *a = &training->model->arch;
    double n = (double)totals->windows;
    *ret = (struct training_evaluation){
        .error = totals->error / n, .entropy = totals->entropy / n,
        .error_without_memory = a->has_memory ? totals->error_without_memory / n : (double)NAN,
        .slots_used = a->has_memory ? slots_used(totals->slot_weight, (size_t)a->memory.slots) : 0,
        .alive = a->has_memory ? (double)totals->alive / (double)totals->queries : 1,
    };
    if (training->slot_weight)
        memset(training->slot_weight, 0, (size_t)a->memory.slots * sizeof *training->slot_weight);
}
