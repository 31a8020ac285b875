/* Calibrates a model on normal footage. A calibration holds what is usual for the parts of the score and how rare a score
 * is. It also holds the alert threshold and the limits of static scenes. For the network in 8 bits it holds the ranges of
 * activations, and how well its scores agree with those in fp32.
 *
 * Windows are taken at a camera's stride, in unbroken stretches. If there are more windows than may be scored, the
 * stretches are spread evenly over the footage. One thread calls; the work runs on the threads of `parallel`. */
#ifndef MEMAED_DAEMON_LEARN_CALIBRATOR_H
#define MEMAED_DAEMON_LEARN_CALIBRATOR_H

#include <stdatomic.h>

#include "core/parallel.h"
#include "core/score/calibration.h"
#include "io/footage/footage.h"

enum { CALIBRATOR_STRIDE = 2 };     /* frames from one window to the next: a camera's default */

struct calibrator_options {
    struct footage *footage;
    struct footage_part part;
    const struct footage_part *added;   /* a second part; NULL: none */
    size_t most_windows;
    double alerts_a_day;
    const atomic_bool *stop;            /* once true, calls return -EINTR; may be NULL */
};

/* Returns 0; -EINVAL if the part has no window; -EDOM if a score is not finite; -EINTR; -ENOMEM; or the fault of reading the
 * footage. err names the cause. *ret is untouched on failure. */
int calibrator_run(struct calibration *ret, const struct model *model, const struct calibrator_options *options,
                   const struct parallel *parallel, struct error *err);

/* About how many windows calibrator_run() runs through the network. Some are counted more than once, because they run again
 * for the light, the ranges and 8 bits. */
size_t calibrator_windows(const struct calibrator_options *options);

/* Measures the seconds that a window takes on this machine, with all threads of `parallel` at work. Returns as
 * calibrator_run(). */
int calibrator_time(double *seconds_a_window, const struct model *model, const struct calibrator_options *options,
                    const struct parallel *parallel, struct error *err);

#endif
