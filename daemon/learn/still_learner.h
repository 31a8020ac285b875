/* Learns from footage how each place of the picture looks when nothing unusual stands there (core/still/still.h). */
#ifndef MEMAED_DAEMON_LEARN_STILL_LEARNER_H
#define MEMAED_DAEMON_LEARN_STILL_LEARNER_H

#include <stdatomic.h>

#include "core/still/still.h"
#include "io/footage/footage.h"

struct still_learner_options {
    struct footage *footage;
    struct footage_part learned, calibrated;    /* the two parts of core/still/still_builder.h */
    const struct footage_part *added;           /* calibrated as well; NULL: none */
    const struct still_memory *memory;          /* NULL, or a memory whose part STILL_LEARNED is kept; `learned` is not read */
    const atomic_bool *stop;                    /* once true, returns -EINTR; may be NULL */
};

/* *ret is the caller's, to be freed; NULL if the footage is too short for any light, or the pictures are too small. Returns 0;
 * -EINTR; -ENOMEM; or the fault of reading the footage. err names the cause. *ret is untouched on failure. */
int still_learner_run(struct still_memory **ret, const struct still_learner_options *options, struct error *err);

/* Prints to standard output whether what stands still will be watched. memory may be NULL. */
void still_learner_report(const struct still_memory *memory);

#endif
