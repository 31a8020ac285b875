/* Training: batches of windows through the network, Adam, the learning rate's schedule, and care for the memory.
 * Source: Gong et al., ICCV 2019, section 3.4; the schedule and the care are ours.
 *
 * Every TRAINING_LOOK steps the batches since the last look tell how the addressing does, and what ails is cured:
 *   slots that no query takes get no gradient: they take the place of queries (in the first part of the training);
 *   queries that no slot answers (all weights shrunk): where new slots don't help, the model's shrink is lowered for good
 *     to half of what 99 of 100 queries of the moment give their best slot;
 *   the same answer for every query (one slot takes all, or all slots are equal): all slots but the most used one take the
 *     place of queries.
 *
 * The caller draws the windows and keeps the time; one thread calls. Given the same windows, progress, seed and number of
 * threads, every step gives the same bits. */
#ifndef MEMAED_CORE_NETWORK_TRAINING_H
#define MEMAED_CORE_NETWORK_TRAINING_H

#include <stdint.h>

#include "core/network/network.h"
#include "core/rng.h"

struct training;

struct training_options {
    int batch;                  /* windows a step */
    double learning_rate;       /* at its highest */
    double alpha;               /* weight of the entropy */
    uint64_t seed;              /* of the re-seeding of slots */
};

struct training_evaluation {
    double error;               /* mean squared error, inference mode */
    double error_without_memory;/* the same with ẑ = 0; NAN without a memory */
    double entropy;
    int slots_used;             /* that take a hundredth of an equal share or more of all weight; 0 without a memory */
    double alive;               /* share of queries that at least one slot answers; 1 without a memory */
};

/* How the addressing did between the last two looks. Zeroes before the first, and without a memory. */
enum { TRAINING_LOOK = 50 };    /* steps */
struct training_health {
    double dead;                /* share of queries that no slot answered */
    double effective;           /* slots: the perplexity of their mean usage, 1 … slots */
    double answers;             /* that queries tell apart: exp of the information between query and slot; 1: all alike */
    int used;                   /* slots that took a hundredth of an equal share or more */
    int sick;                   /* looks in a row, up to now, that found queries dying or all answers alike */
};

/* model is borrowed, and is what learns; of its arch the memory's shrink may change. 0, -EINVAL, -ENOMEM with the cause in
 * err. */
int training_open(struct training **ret, struct model *model, const struct training_options *options,
                  const struct parallel *parallel, struct error *err);
void training_close(struct training *training);         /* takes NULL */

/* Window i of the batch: `frames` gray pictures, each [height * width], copied. */
void training_window(struct training *training, int i, const uint8_t *const frames[]);

/* The same for any kind of input: sample i, [t, h, w, c] in the network's own units, copied. */
void training_sample(struct training *training, int i, const float *sample);

/* One step on the batch. progress in [0, 1] is how much of the training is done: the learning rate rises over the first
 * fiftieth and falls by a half cosine to a hundredth. Writes the loss before the step. -EDOM where the loss is not finite:
 * the model is then of no use. */
int training_step(struct training *training, double progress, struct network_loss *loss);

struct training_health training_health(const struct training *training);
/* Slots set anew so far. */
long training_slots_reseeded(const struct training *training);

/* All that a training goes on from besides the model, for checkpoints. The pointers are the training's own: their content
 * is read, or written before training_set_state(), which takes the rest. */
struct training_state {
    struct model *first_moment, *second_moment;
    double *slot_weight;        /* [n_slots] taken since the last look at the slots */
    size_t n_slots;
    long dead_queries;          /* since then */
    double entropy;             /* of all queries since then */
    float shrink;
    struct rng rng;
    long steps, reseeded;
    struct training_health health;
};
void training_get_state(struct training *training, struct training_state *ret);
void training_set_state(struct training *training, const struct training_state *state);

/* Runs the n <= batch windows set in inference mode and adds to totals; training_evaluation_finish() then divides. */
struct training_totals {
    double error, error_without_memory, entropy;
    long windows, queries, alive;
    double *slot_weight;        /* [slots], the training's */
};
void training_evaluate_begin(struct training *training, struct training_totals *totals);
void training_evaluate(struct training *training, int n, struct training_totals *totals);
void training_evaluate_end(struct training *training, const struct training_totals *totals,
                           struct training_evaluation *ret);

#endif
