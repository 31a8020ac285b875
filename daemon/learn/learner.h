/* Learns a model from footage that is divided by time into three parts. Training draws windows from the first. The second,
 * held out, gives the held-out error, the slots in use and, if it is long enough, the calibration of alerts. The third shows
 * how many alerts that calibration raises. At last the first part is scored, to find places in it that look like anomalies.
 * One thread calls; the work runs on the threads of `parallel`. */
#ifndef MEMAED_DAEMON_LEARN_LEARNER_H
#define MEMAED_DAEMON_LEARN_LEARNER_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/network/training.h"
#include "core/parallel.h"
#include "core/score/calibration.h"
#include "daemon/learn/still_learner.h"
#include "daemon/learn/survey.h"
#include "io/footage/footage.h"

struct learner_options {
    struct footage_part learn, held_out, verify;        /* the three parts; a window lies within one round of one part */
    struct footage_part calibrate;      /* measured for the calibration: held_out, or with little footage learn as well */
    int batch;
    double learning_rate, alpha;
    uint64_t seed;
    long steps;                 /* 0: train until the deadline */
    int64_t deadline_us;        /* CLOCK_MONOTONIC; everything is done by then; 0: none, steps decide */
    double alerts_a_day;        /* how many the threshold allows on normal footage */
    const char *checkpoint;     /* file (daemon/learn/checkpoint.h), written every checkpoint_s, when training is done and
                                 * when it is stopped */
    double checkpoint_s;
    bool resume;                /* continue from the checkpoint, if it exists */
    const json_t *belongs;      /* identifies the run; kept in the checkpoint */
    const atomic_bool *stop;    /* once true, writes a checkpoint and returns -EINTR */
};

struct learner_progress {
    long step, windows_learned;
    double progress;            /* 0 … 1 */
    struct network_loss loss;   /* of the step just taken */
    struct training_health health;
    double shrink;              /* λ now */
    long slots_reseeded;
    double seconds;             /* of training so far, also before an interruption */
};

struct learner_result {
    struct calibration calibration;
    struct still_memory *still; /* the caller frees it; NULL: too little footage, or pictures that are too small */
    struct survey verified;     /* the third part, by the default alert rule */
    struct survey learned;      /* the first part, at twice the stride; two of three windows alert. May lower the calibration. */
    struct training_evaluation held_out;
    double *slot_use;           /* [slots] each slot's share of all weight on held-out footage; NULL without a memory; the
                                 * caller frees it */
    struct learner_progress last;
};

/* Trains model, which the caller has initialised, and fills ret. Calls progress after every step, on the calling thread.
 * Returns 0; -EINVAL if the footage holds too few windows, or the deadline left no time; -EINTR once told to stop; -ENOMEM; or
 * the fault of writing the checkpoint, or of reading it or the footage. -EDOM: training diverged, memory addressing is
 * degenerate, or a score is not finite, so the model must not be published. err names the cause. */
int learner_run(struct learner_result *ret, struct model *model, struct footage *footage,
                const struct learner_options *options, const struct parallel *parallel,
                void (*progress)(void *arg, const struct learner_progress *progress), void *arg, struct error *err);

#endif
