/* Windows of footage through the frozen network, on all threads: what each measures. They are taken in order at a stride;
 * where there are more than may be scored, in unbroken stretches that are spread evenly over the footage.
 * One thread calls; the work runs on parallel's. */
#ifndef MEMAED_DAEMON_LEARN_WINDOWS_H
#define MEMAED_DAEMON_LEARN_WINDOWS_H

#include <stdatomic.h>

#include "core/parallel.h"
#include "core/score/calibration.h"
#include "io/footage/footage.h"

struct windows_options {
    struct footage *footage;
    struct footage_part part;
    int stride;                         /* frames */
    size_t most;                        /* windows, at most */
    const atomic_bool *stop;            /* becomes true: -EINTR; or NULL */
};

struct windows {
    size_t n, *first;                   /* the first frame of each window */
    float *reference;                   /* [n] */
    bool has_score;                     /* false: features are none */
    struct score_features *features;    /* [n] */
    struct windows_work *work;
};

/* Lists the windows: n may be 0. ret must stay where it is. 0, -ENOMEM, or what plan_open() returns; windows_close() frees
 * what ret holds either way. */
int windows_open(struct windows *ret, const struct windows_options *options, const struct model *model,
                 const struct parallel *parallel, struct error *err);
void windows_close(struct windows *windows);

/* How far the activations of those numbered which[0] … which[n - 1] reach, but for a share outside of them (ranges_fit()). In
 * fp32; 0, -ENOTSUP where they are too many, or as windows_measure(). */
int windows_ranges(struct windows *windows, const size_t *which, size_t n, double outside, struct ranges *ret,
                   struct error *err);

/* From here on windows are measured in 8 bits. 0, or -ENOMEM; then they are good for windows_close() alone. */
int windows_set_int8(struct windows *windows, const struct model *model, const struct ranges *ranges, struct error *err);

/* Measures those numbered which[0] … which[n - 1] (NULL: the first n), by the conditions of spec, into their places. */
int windows_measure(struct windows *windows, const struct score_spec *spec, const size_t *which, size_t n, struct error *err);

/* Seconds from the window before to this one where the two stand in one unbroken sequence at the stride; else 0. */
double windows_step(const struct windows *windows, size_t i);

#endif
