/* Reads and checks values of JSON that came from outside. Functions that read return 0, or -EINVAL with *ret untouched and a
 * cause in err, such as "slots: expected an integer, got "many"". Values are borrowed for the call. NULL stands for an absent
 * value, which is a fault. Any thread. */
#ifndef MEMAED_IO_BASE_JSON_H
#define MEMAED_IO_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "core/error.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))      /* elements of an array, such as a table of keys */

/* Sets err to "KEY: expected EXPECTED, got VALUE". Returns -EINVAL. */
int wrong_json(struct error *err, const char *key, const char *expected, const json_t *value);
/* Checks that object is a JSON object and that each of its keys is among allowed [n]. Allowed keys may be absent. */
int check_json_keys(const json_t *object, const char *const *allowed, size_t n, struct error *err);

int int_from_json(int *ret, const char *key, const json_t *value, struct error *err);
/* A list of n integers into ret [n]. If one is wrong, those before it are already written. */
int ints_from_json(int *ret, int n, const char *key, const json_t *value, struct error *err);
/* A number, integers included, that fits a float. */
int float_from_json(float *ret, const char *key, const json_t *value, struct error *err);
/* The double with the fewest digits that rounds to value: 0.2, not 0.200000003. The caller's reference; NULL: memory is
 * short, or value is not finite. */
json_t *float_to_json(float value);

#endif
