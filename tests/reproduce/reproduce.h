/* Shared parts of the programs that repeat the paper's experiments: options, data, learning and scoring of one model,
 * output. Several models run at once, one a thread, so that results do not depend on the number of threads. A fault ends
 * the program with status 1 and the cause. */
#ifndef MEMAED_TESTS_REPRODUCE_REPRODUCE_H
#define MEMAED_TESTS_REPRODUCE_REPRODUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/network/model.h"

struct reproduce {
    const char *name;
    int runs, epochs, batch, seed, threads;
    double learning_rate, alpha, shrink, temperature;
    bool validate;              /* test on held-out learning data, not on the test data: for choosing settings */
    bool plain;                 /* an autoencoder without a memory */
};

/* Overwrites the defaults in o by the command line, and chooses kernels. Call it first in main. */
void reproduce_options(struct reproduce *o, int argc, char **argv);

/* Returns the unpacked bytes of a gzip file below the data folder (MEMAED_DATA, or ../shared/data), followed by a zero
 * byte that *n does not count. The caller frees them. */
uint8_t *reproduce_read(const char *path, size_t *n);

void *reproduce_allocate(size_t n, size_t size);
_Noreturn void reproduce_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes sample i to x, in the network's own units. */
typedef void reproduce_fill(const void *arg, size_t i, float *x);

/* Learns a model of the architecture on n samples, and returns it; the caller closes it. Progress goes to standard error
 * under label. */
struct model *reproduce_learn(const struct reproduce *o, const struct arch *arch, uint64_t seed, size_t n, reproduce_fill *fill,
                              const void *arg, const char *label);
/* errors[i] becomes the mean squared error of sample i < n, with the norms' frozen statistics. */
void reproduce_errors(struct model *model, size_t n, reproduce_fill *fill, const void *arg, double *errors);

/* Calls fn(arg, i, worker) for each i < n, on o->threads threads. */
void reproduce_each(const struct reproduce *o, int n, void (*fn)(void *arg, int i, int worker), void *arg);

/* Prints ,"NAME": {"mean": …, "spread": …} on standard output. The spread is the standard deviation over n - 1; it is 0 if
 * n is 1. */
void reproduce_print(const char *name, const double *values, int n);

#endif
