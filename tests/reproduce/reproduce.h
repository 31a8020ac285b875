/* What the programs that repeat the paper's experiments share: options, data, learning and scoring of one model, figures.
 * They run several models at once, one a thread, so that figures don't depend on the number of threads. A fault ends the
 * program with status 1 and the cause. */
#ifndef MEMAED_TESTS_REPRODUCE_REPRODUCE_H
#define MEMAED_TESTS_REPRODUCE_REPRODUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/network/model.h"

struct reproduce {
    const char *name;
    int runs, epochs, batch, seed, threads;
    double learning_rate, alpha, shrink, temperature;
    bool validate;              /* for the choice of settings: the test data stay untouched */
    bool plain;                 /* without a memory */
};

/* Reads the command line over the defaults in o, and chooses kernels. First thing in main. */
void reproduce_options(struct reproduce *o, int argc, char **argv);

/* The bytes of a gzip file below the data folder (MEMAED_DATA, or ../shared/data), and a zero byte; the caller's. */
uint8_t *reproduce_read(const char *path, size_t *n);

void *reproduce_allocate(size_t n, size_t size);
_Noreturn void reproduce_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes sample i in the network's own units. */
typedef void reproduce_fill(const void *arg, size_t i, float *x);

/* A model of the architecture, learned on n samples with the seed; progress goes to standard error under label. */
struct model *reproduce_learn(const struct reproduce *o, const struct arch *arch, uint64_t seed, size_t n, reproduce_fill *fill,
                              const void *arg, const char *label);
/* Mean squared error of each of n samples, with the frozen statistics. */
void reproduce_errors(struct model *model, size_t n, reproduce_fill *fill, const void *arg, double *errors);

/* fn(o, i) for each i < n, on o->threads threads. */
void reproduce_each(const struct reproduce *o, int n, void (*fn)(void *arg, int i, int worker), void *arg);

/* ,"NAME": {"mean": …, "spread": …} on standard output; spread is the standard deviation over n - 1, 0 where n is 1. */
void reproduce_print(const char *name, const double *values, int n);

#endif
