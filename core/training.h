/* Training: batches of windows through the network, Adam, the learning rate's schedule, and care for the memory: slots
 * that no query takes any more are set anew. Source: Gong et al., ICCV 2019, section 3.4; re-seeding of dead slots and the
 * schedule are ours.
 *
 * The caller draws the windows and keeps the time; one thread calls. Given the same windows, progress, seed and number of
 * threads, every step gives the same bits. */
#ifndef MEMAED_CORE_TRAINING_H
#define MEMAED_CORE_TRAINING_H

#include <stdint.h>

#include "core/network.h"
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

/* model is borrowed, and is what learns. 0, -EINVAL, -ENOMEM with the cause in err. */
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

/* Slots that took weight in the last steps; how many were set anew so far. 0 without a memory. */
int training_slots_used(const struct training *training);
long training_slots_reseeded(const struct training *training);

/* All that a training goes on from besides the model, for checkpoints. The pointers are the training's own: their content
 * is read, or written before training_set_state(), which takes the rest. */
struct training_state {
    struct model *first_moment, *second_moment;
    double *slot_weight;        /* [n_slots] taken since the last look at the slots */
    size_t n_slots;
    struct rng rng;
    long steps, reseeded;
    int used;
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
