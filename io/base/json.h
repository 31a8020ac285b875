/* JSON values of a model file: 0, or -EINVAL with key, expected and found in err ("slots: an integer expected, "many" found"),
 * ret untouched. Values are borrowed for the call; NULL stands for one that is absent, and is wrong. For the parts of the
 * model file alone; any thread. */
#ifndef MEMAED_IO_BASE_JSON_H
#define MEMAED_IO_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "core/error.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))      /* of a table of keys or names */

/* Says that value is not what was expected; -EINVAL. */
int wrong_json(struct error *err, const char *key, const char *expected, const json_t *value);
/* An object, with no key but the allowed [n]; none needs to be there. */
int check_json_keys(const json_t *object, const char *const *allowed, size_t n, struct error *err);

int int_from_json(int *ret, const char *key, const json_t *value, struct error *err);
/* A list of n integers; where one is wrong, those before it are written. */
int ints_from_json(int *ret, int n, const char *key, const json_t *value, struct error *err);
/* An integer too. */
int float_from_json(float *ret, const char *key, const json_t *value, struct error *err);
/* The double with the fewest digits that rounds to value: 0.2, not 0.200000003. The caller's reference; NULL: out of memory,
 * or not finite. */
json_t *float_to_json(float value);

#endif
