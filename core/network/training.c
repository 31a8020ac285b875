#include "core/network/training.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/network/adam.h"
#include "core/rng.h"

#define RESEED_UNTIL 0.6        /* progress up to which unused slots are set to queries */
#define USED_SHARE 0.01         /* a slot with less than this part of an equal share of the weight is unused */
#define MOST_DEAD 0.1           /* the addressing is degenerate with a larger share of dead queries */
#define LEAST_ANSWERS 1.001     /* it is degenerate, too, with training_health.answers below this */

struct training {
    struct training_options options;
    struct model *model, *gradients;
    struct adam adam;
    struct network *net;
    struct rng rng;
    double *slot_weight;        /* [slots] sums of weights since the last check, or of an evaluation */
    float *best;                /* [batch * queries] scratch of lower_shrink() */
    long dead_queries;          /* since the last check */
    double entropy;             /* sum over queries since the last check */
    long steps, reseeded;
    struct training_health health;
};

static size_t queries(const struct training *t)
{
    return dims_positions(t->model->shapes.decoder[0]);
}

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
        t->best = malloc((size_t)options->batch * queries(t) * sizeof *t->best);
        if (!t->slot_weight || !t->best)
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
    free(training->best);
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

/* Adds the weights of n samples to slot_weight. Returns the number of dead queries. */
static long count_weights(const struct training *t, int n, double *slot_weight)
{
    size_t slots = (size_t)t->model->arch.memory.slots;
    const float *w = network_weights(t->net);
    long dead = 0;
    for (size_t q = 0; q < (size_t)n * queries(t); q++, w += slots) {
        float sum = 0;
        for (size_t s = 0; s < slots; s++) {
            slot_weight[s] += (double)w[s];
            sum += w[s];
        }
        dead += !(sum > 0);
    }
    return dead;
}

static int slots_used(const double *slot_weight, size_t slots)
{
    double sum = 0;
    int used = 0;
    for (size_t s = 0; s < slots; s++)
        sum += slot_weight[s];
    for (size_t s = 0; s < slots; s++)
        used += slot_weight[s] > 0 && slot_weight[s] >= USED_SHARE * sum / (double)slots;
    return used;
}

static void zero_moment(struct adam *adam, size_t at, size_t c)
{
    memset(adam->m->memory + at, 0, c * sizeof(float));
    memset(adam->v->memory + at, 0, c * sizeof(float));
}

/* Sets each slot that took less than `share` times an equal share of the weight to a query drawn at random. Slot `except`
 * stays. */
static void reseed(struct training *t, double share, size_t except)
{
    size_t slots = (size_t)t->model->arch.memory.slots, c = (size_t)t->model->shapes.decoder[0].c;
    size_t n = (size_t)t->options.batch * queries(t);
    double sum = 0;
    for (size_t s = 0; s < slots; s++)
        sum += t->slot_weight[s];
    for (size_t s = 0; s < slots; s++) {
        if (s == except || (t->slot_weight[s] >= share * sum / (double)slots && sum > 0))
            continue;
        const float *query = network_z(t->net) + (size_t)rng_below(&t->rng, n) * c;
        memcpy(t->model->memory + s * c, query, c * sizeof(float));
        zero_moment(&t->adam, s * c, c);
        t->reseeded++;
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Halves shrink, so that it always falls. It falls further, to half of the weight that 99 of 100 queries of the batch reach
 * before shrinkage, if that is less. */
static void lower_shrink(struct training *t)
{
    size_t slots = (size_t)t->model->arch.memory.slots, n = (size_t)t->options.batch * queries(t);
    const float *w = network_softmax(t->net);
    float *shrink = &t->model->arch.memory.shrink;
    for (size_t q = 0; q < n; q++, w += slots) {
        t->best[q] = 0;
        for (size_t s = 0; s < slots; s++)
            t->best[q] = fmaxf(t->best[q], w[s]);
    }
    qsort(t->best, n, sizeof *t->best, by_value);
    *shrink = 0.5f * fminf(*shrink, t->best[n / 100]);
}

static struct training_health measure_health(const struct training *t)
{
    size_t slots = (size_t)t->model->arch.memory.slots, n = (size_t)TRAINING_CHECK * (size_t)t->options.batch * queries(t);
    struct training_health h = {.dead = (double)t->dead_queries / (double)n, .used = slots_used(t->slot_weight, slots)};
    double sum = 0, entropy = 0, alive = (double)n - (double)t->dead_queries;
    for (size_t s = 0; s < slots; s++)
        sum += t->slot_weight[s];
    for (size_t s = 0; s < slots && sum > 0; s++)
        if (t->slot_weight[s] > 0)
            entropy -= t->slot_weight[s] / sum * log(t->slot_weight[s] / sum);
    h.effective = sum > 0 ? exp(entropy) : 0;
    h.answers = alive > 0 ? exp(fmax(entropy - t->entropy / alive, 0)) : 0;
    bool degenerate = h.dead > MOST_DEAD || (h.answers < LEAST_ANSWERS && slots > 1);
    h.degenerate = degenerate ? t->health.degenerate + 1 : 0;
    return h;
}

static void check_addressing(struct training *t, double progress)
{
    size_t slots = (size_t)t->model->arch.memory.slots, most = 0;
    t->health = measure_health(t);
    for (size_t s = 0; s < slots; s++)
        most = t->slot_weight[s] > t->slot_weight[most] ? s : most;
    bool early = progress < RESEED_UNTIL;
    if (t->health.dead > MOST_DEAD && (t->health.degenerate > 1 || !early))
        lower_shrink(t);
    if (t->health.dead <= MOST_DEAD && t->health.answers < LEAST_ANSWERS && slots > 1)
        reseed(t, INFINITY, most);
    else if (early)
        reseed(t, USED_SHARE, SIZE_MAX);
    memset(t->slot_weight, 0, slots * sizeof *t->slot_weight);
    t->dead_queries = 0;
    t->entropy = 0;
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
    if (has_memory) {
        t->dead_queries += count_weights(t, n, t->slot_weight);
        t->entropy += loss->entropy * (double)n * (double)queries(t);
    }
    network_backward(t->net, t->model, t->options.alpha, t->gradients);
    adam_step(&t->adam, t->model, t->gradients, learning_rate(t, progress));
    if (++t->steps % TRAINING_CHECK == 0 && has_memory)
        check_addressing(t, progress);
    return 0;
}

struct training_health training_health(const struct training *training)
{
    return training->health;
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
        .reseeded = training->reseeded, .health = training->health, .dead_queries = training->dead_queries,
        .entropy = training->entropy, .shrink = arch->has_memory ? arch->memory.shrink : 0,
    };
}

void training_set_state(struct training *training, const struct training_state *state)
{
    training->rng = state->rng;
    training->steps = training->adam.t = state->steps;
    training->reseeded = state->reseeded;
    training->health = state->health;
    training->dead_queries = state->dead_queries;
    training->entropy = state->entropy;
    if (training->model->arch.has_memory)
        training->model->arch.memory.shrink = state->shrink;
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
    size_t q = (size_t)n * queries(t);
    totals->queries += (long)q;
    totals->alive += (long)q - count_weights(t, n, totals->slot_weight);
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
