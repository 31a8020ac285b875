/* Calibration of a model on footage held out: what is usual for the parts of the score, how rare a score is, the threshold
 * of alerts, and the network in 8 bits: how far its activations reach, and how its scores agree. Windows are taken as the
 * daemon takes them, in unbroken stretches: where there are more than may be scored, stretches spread evenly over the
 * footage. One thread calls; the work runs on parallel's. */
#ifndef MEMAED_DAEMON_LEARN_CALIBRATOR_H
#define MEMAED_DAEMON_LEARN_CALIBRATOR_H

#include <stdatomic.h>

#include "core/parallel.h"
#include "core/score/calibration.h"
#include "io/footage/footage.h"

enum { CALIBRATOR_STRIDE = 2 };     /* frames from window to window, a camera's default */

struct calibrator_options {
    struct footage *footage;
    struct footage_part part;           /* held out */
    size_t most_windows;
    double alerts_a_day;
    const atomic_bool *stop;            /* becomes true: -EINTR; or NULL */
};

/* 0; -EINVAL where no window is held out; -EDOM where a score is not finite; -EINTR; -ENOMEM; what reading the footage
 * returns. err names the cause; ret is untouched on failure. */
int calibrator_run(struct calibration *ret, const struct model *model, const struct calibrator_options *options,
                   const struct parallel *parallel, struct error *err);

/* How many windows it scores, about: some of them twice. */
size_t calibrator_windows(const struct calibrator_options *options);

/* How long a window takes here, all threads at it. */
int calibrator_time(double *seconds_a_window, const struct model *model, const struct calibrator_options *options,
                    const struct parallel *parallel, struct error *err);

#endif
