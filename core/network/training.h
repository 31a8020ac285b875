/* Training: runs batches of windows through the network, steps Adam by a learning rate schedule, and keeps memory addressing
 * from degenerating. Source: Gong et al., ICCV 2019, section 3.4; the schedule and the checks of the addressing are ours.
 *
 * Every TRAINING_CHECK steps it measures the addressing over the batches since the last check and corrects three faults:
 *   Unused slots get no gradient. In the first six tenths of the training each is set to a query drawn at random.
 *   Dead queries have no slot left after shrinkage. If setting unused slots did not help, or is over, the model's shrink is
 *     lowered for good. It becomes half of its old value, or half of the weight that 99 of 100 queries reach before shrinkage, if
 *     that is less. The current batch's queries count.
 *   All queries get the same mixture, because one slot takes all the weight or all slots are equal. All slots but the most
 *     used one are set to queries.
 *
 * The caller draws the windows and keeps the time. One thread calls. The same windows, progress, seed and number of threads
 * give the same bits in every step. */
#ifndef MEMAED_CORE_NETWORK_TRAINING_H
#define MEMAED_CORE_NETWORK_TRAINING_H

#include <stdint.h>

#include "core/network/network.h"
#include "core/rng.h"

struct training;

struct training_options {
    int batch;                  /* windows a step */
    double learning_rate;       /* the highest of the schedule */
    double alpha;               /* weight of the entropy in the loss */
    uint64_t seed;              /* of the queries that slots are set to */
};

struct training_evaluation {
    double error;               /* mean squared error, inference mode */
    double error_without_memory;/* the same with ẑ = 0; NAN without a memory */
    double entropy;             /* mean over queries */
    int slots_used;             /* slots that take at least a hundredth of an equal share of the weight; 0 without a memory */
    double alive;               /* share of queries with at least one weight above 0; 1 without a memory */
};

enum { TRAINING_CHECK = 50 };   /* steps between checks of the addressing */

/* The addressing at the last check, over TRAINING_CHECK steps. All zero before the first check, and without a memory. */
struct training_health {
    double dead;                /* share of queries whose weights are all 0 */
    double effective;           /* slots: exp of the entropy of their mean weights, 1 … slots; 0 if all queries are dead */
    double answers;             /* exp of the mutual information between query and slot; 1: all queries get the same mixture;
                                 * 0: all are dead */
    int used;                   /* slots that took at least a hundredth of an equal share */
    int degenerate;             /* checks in a row, up to this one, with more than 10 % dead queries or answers below 1.001 */
};

/* Training changes `model`, which is borrowed until close, and may lower its memory's shrink. options and parallel are
 * copied. 0, or -EINVAL, -ENOMEM with the cause in err; *ret is untouched on failure. */
int training_open(struct training **ret, struct model *model, const struct training_options *options,
                  const struct parallel *parallel, struct error *err);
void training_close(struct training *training);         /* takes NULL */

/* Sets window i of the batch: arch.frames gray pictures, each [height * width], copied. Only for one input channel. */
void training_window(struct training *training, int i, const uint8_t *const frames[]);

/* Sets sample i of the batch, for any kind of input: [t, h, w, c] in the network's own units, copied. */
void training_sample(struct training *training, int i, const float *sample);

/* Makes one step on the batch and writes the loss before the step. progress in [0, 1] is the finished share of the training.
 * The learning rate rises linearly over the first fiftieth, then falls along a half cosine to a hundredth. 0, or -EDOM if the
 * loss is not finite; the model is then useless. */
int training_step(struct training *training, double progress, struct network_loss *loss);

struct training_health training_health(const struct training *training);
/* The number of times that a slot was set to a query so far. */
long training_slots_reseeded(const struct training *training);

/* The state of a training besides its model, for checkpoints. To save it, call training_get_state() and read also what the
 * pointers point to; the training owns that. To restore it, call training_get_state(), write what the pointers point to,
 * then pass the other members to training_set_state(), which ignores the pointers. */
struct training_state {
    struct model *first_moment, *second_moment;
    double *slot_weight;        /* [n_slots] sums of weights since the last check; NULL without a memory */
    size_t n_slots;
    long dead_queries;          /* since the last check */
    double entropy;             /* sum over all queries since the last check */
    float shrink;
    struct rng rng;
    long steps, reseeded;
    struct training_health health;
};
void training_get_state(struct training *training, struct training_state *ret);
void training_set_state(struct training *training, const struct training_state *state);

/* Evaluation in inference mode: begin, then training_evaluate() for each batch of n <= options.batch windows set before,
 * then end, which divides the totals. It uses the training's slot_weight, so it discards the sums since the last check. */
struct training_totals {
    double error, error_without_memory, entropy;
    long windows, queries, alive;
    double *slot_weight;        /* [slots], owned by the training */
};
void training_evaluate_begin(struct training *training, struct training_totals *totals);
void training_evaluate(struct training *training, int n, struct training_totals *totals);
void training_evaluate_end(struct training *training, const struct training_totals *totals,
                           struct training_evaluation *ret);

#endif
