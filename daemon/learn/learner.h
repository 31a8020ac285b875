/* Learning a model from footage: windows drawn over one part of it, training, then what another part, held out by time,
 * tells: held-out error, slots in use, the calibration of alerts, how it holds on a third part, and what in the footage that
 * was learned looks like an anomaly. One thread calls; the work runs on parallel's. */
#ifndef MEMAED_DAEMON_LEARN_LEARNER_H
#define MEMAED_DAEMON_LEARN_LEARNER_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/network/training.h"
#include "core/parallel.h"
#include "core/score/calibration.h"
#include "daemon/learn/survey.h"
#include "io/footage/footage.h"

struct learner_options {
    struct footage_part learn, calibrate, verify;       /* of the footage; windows lie within a round of one */
    int batch;
    double learning_rate, alpha;
    uint64_t seed;
    long steps;                 /* 0: until the time is over */
    int64_t deadline_us;        /* CLOCK_MONOTONIC, for all of it; 0: none (then steps) */
    double alerts_a_day;        /* that the threshold is set for */
    const char *checkpoint;     /* a file (daemon/learn/checkpoint.h) that is written every checkpoint_s, when training is done
                                 * and when it is stopped */
    double checkpoint_s;
    bool resume;                /* go on from the checkpoint if it is there */
    const json_t *belongs;      /* what the checkpoint belongs to */
    const atomic_bool *stop;    /* becomes true: -EINTR, after a checkpoint */
};

struct learner_progress {
    long step, windows_learned;
    double progress;            /* 0 … 1 */
    struct network_loss loss;   /* of the step just taken */
    struct training_health health;
    double shrink;              /* λ now */
    long slots_reseeded;
    double seconds;             /* of training so far, that before an interruption included */
};

struct learner_result {
    struct calibration calibration;
    struct survey verified;     /* of the part that was neither learned nor calibrated on, by the default rule of alerts */
    struct survey learned;      /* of what was learned from, at a stride of half a window, each window by itself */
    struct training_evaluation held_out;
    double *slot_use;           /* [slots] share of all weight on held-out footage; NULL without a memory; free() it */
    struct learner_progress last;
};

/* Trains model (initialised by the caller) on the footage and fills ret. progress is called after every step, on the
 * calling thread. 0; -EINVAL where the footage holds too few windows; -EDOM where training diverged or the addressing stayed
 * sick, so that the model is not to be published; -EINTR when told to stop; -ENOMEM; what writing and reading the checkpoint
 * and the footage return. err names the cause. */
int learner_run(struct learner_result *ret, struct model *model, struct footage *footage,
                const struct learner_options *options, const struct parallel *parallel,
                void (*progress)(void *arg, const struct learner_progress *progress), void *arg, struct error *err);

#endif
