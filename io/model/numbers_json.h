/* Numbers of a model's metadata as JSON: by key, in lists, and the tail of a distribution. Functions that read return 0, or
 * -EINVAL with the place and what was expected in err. Functions that write return the caller's reference. Any thread. */
#ifndef MEMAED_IO_MODEL_NUMBERS_JSON_H
#define MEMAED_IO_MODEL_NUMBERS_JSON_H

#include <jansson.h>

#include "core/error.h"
#include "core/score/tail.h"

/* The bounds of a model's numbers. Scores, their scales and counts of hours or windows lie far within them. Arithmetic on
 * numbers within them neither overflows nor divides by a subnormal number. */
#define NUMBER_MOST 1e9
#define NUMBER_LEAST 1e-9       /* of numbers that are divided by */

/* 0, or -EINVAL: "KEY: expected a number from LOW to HIGH, got VALUE". NaN is in no range. */
int number_check(double value, double low, double high, const char *key, struct error *err);
/* The same for each of values [n], up to NUMBER_MOST: "KEY[i]: expected …". */
int floats_check(const float *values, int n, double low, const char *key, struct error *err);
/* A count below 1e15 as a long. 0, or -EINVAL, *ret untouched. */
int count_from_number(long *ret, double value, const char *key, struct error *err);

/* Reads the numbers under the first n of keys, which are required, and refuses keys that are not among keys [n_allowed].
 * where: the key of the object itself, for err. */
int numbers_from_json(double *const *ret, const char *const *keys, size_t n, size_t n_allowed, const char *where,
                      const json_t *json, struct error *err);

/* A list of n numbers. key: the list's own, for err. */
int floats_from_json(float *values, int n, const char *key, const json_t *list, struct error *err);
json_t *floats_to_json(const float *values, int n);

/* where: the key of the object, for err. */
int pareto_check(const struct pareto *p, const char *where, struct error *err);
int pareto_from_json(struct pareto *p, const char *where, const json_t *json, struct error *err);
json_t *pareto_to_json(const struct pareto *p);

#endif
