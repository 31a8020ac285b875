/* Runs windows of footage through the frozen network, on all threads, and keeps the features of each. Windows are taken in
 * order at a stride. If there are more than `most`, unbroken stretches of them are taken, spread evenly over the footage.
 * One thread calls; the work runs on the threads of `parallel`. */
#ifndef MEMAED_DAEMON_LEARN_WINDOWS_H
#define MEMAED_DAEMON_LEARN_WINDOWS_H

#include <stdatomic.h>

#include "core/parallel.h"
#include "core/score/calibration.h"
#include "io/footage/footage.h"

struct windows_options {
    struct footage *footage;
    struct footage_part part;
    const struct footage_part *added;   /* a second part, behind the first; NULL: none. Borrowed while windows are open. */
    int stride;                         /* frames */
    size_t most;                        /* windows, at most */
    bool keep_places;                   /* windows_measure() of all windows also writes windows.codes */
    const atomic_bool *stop;            /* once true, calls return -EINTR; may be NULL */
};

struct windows {
    size_t n, *first;                   /* the first frame of each window */
    float *reference;                   /* [n] */
    bool has_score;                     /* false: the network is too small for a score, and features are not set */
    struct score_features *features;    /* [n] */
    int rows, columns;                  /* of the score's cells; set if has_score */
    struct regions *regions;            /* of the footage's masks; NULL: all cells count */
    uint16_t *codes;                    /* [PLACES_MAPS, rows * columns, n] logarithms of the places, by places_encode(); NULL
                                         * without keep_places, without a score, or with more than PLACES_CELLS_MAX cells */
    struct windows_work *work;
};

/* Lists the windows; n may be 0. With keep_places there are so few that windows.codes stays within 512 MiB. *ret must not
 * move until close. Returns 0, -ENOMEM, -EINVAL if the footage's masks leave too few cells, or the fault of plan_open(). The
 * caller calls windows_close() either way. */
int windows_open(struct windows *ret, const struct windows_options *options, const struct model *model,
                 const struct parallel *parallel, struct error *err);
void windows_close(struct windows *windows);

/* Finds the ranges that hold all but the share `outside` of the activations (ranges_fit()), from windows which[0] … which[n
 * - 1], in fp32. Returns 0; -ENOTSUP if the network has too many channels; -ENOMEM; else as windows_measure(). */
int windows_ranges(struct windows *windows, const size_t *which, size_t n, double outside, struct ranges *ret,
                   struct error *err);

/* Windows are measured in 8 bits from now on. Returns 0 or a negative errno; after -ENOMEM, only windows_close() may
 * follow. */
int windows_set_int8(struct windows *windows, const struct model *model, const struct ranges *ranges, struct error *err);

/* Measures windows which[0] … which[n - 1] (NULL: the first n) by the conditions of spec. Writes their reference and
 * features. Returns 0, -EINTR, or the fault of reading the footage. */
int windows_measure(struct windows *windows, const struct score_spec *spec, const size_t *which, size_t n, struct error *err);

/* Returns the seconds from window i - 1 to window i, if both lie in one unbroken sequence at the stride; else 0. */
double windows_step(const struct windows *windows, size_t i);

#endif
