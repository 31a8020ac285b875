#include "io/base/json.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct found {
    char text[80];
};

static const char *found(struct found *out, const json_t *value)
{
    const char *text = "nothing";
    out->text[0] = '\0';
    switch (value ? (int)json_typeof(value) : -1) {
    case JSON_OBJECT: text = "an object"; break;
    case JSON_ARRAY: snprintf(out->text, sizeof out->text, "a list of %zu", json_array_size(value)); break;
    case JSON_STRING: snprintf(out->text, sizeof out->text, "\"%.60s\"", json_string_value(value)); break;
    case JSON_INTEGER: snprintf(out->text, sizeof out->text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: snprintf(out->text, sizeof out->text, "%.9g", json_real_value(value)); break;
    case JSON_TRUE: text = "true"; break;
    case JSON_FALSE: text = "false"; break;
    case JSON_NULL: text = "null"; break;
    }
    return out->text[0] ? out->text : text;
}

int wrong_json(struct error *err, const char *key, const char *expected, const json_t *value)
{
    struct found f;
    return error_set(err, -EINVAL, "%s: expected %s, got %s", key, expected, found(&f, value));
}

int int_from_json(int *ret, const char *key, const json_t *value, struct error *err)
{
    if (!json_is_integer(value))
        return wrong_json(err, key, "an integer", value);
    if (json_integer_value(value) < INT_MIN || json_integer_value(value) > INT_MAX)
        return wrong_json(err, key, "an integer of 32 bits", value);
    *ret = (int)json_integer_value(value);
    return 0;
}

int float_from_json(float *ret, const char *key, const json_t *value, struct error *err)
{
    if (!json_is_number(value))
        return wrong_json(err, key, "a number", value);
    double number = json_number_value(value);
    if (!(fabs(number) <= (double)FLT_MAX))
        return wrong_json(err, key, "a number that fits 32 bits", value);
    *ret = (float)number;
    return 0;
}

int ints_from_json(int *ret, int n, const char *key, const json_t *value, struct error *err)
{
    char text[64];
    if (!json_is_array(value) || json_array_size(value) != (size_t)n) {
        snprintf(text, sizeof text, "a list of %d integers", n);
        return wrong_json(err, key, text, value);
    }
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s[%d]", key, i);
        int r = int_from_json(&ret[i], text, json_array_get(value, (size_t)i), err);
        if (r < 0)
            return r;
    }
    return 0;
}

int check_json_keys(const json_t *object, const char *const *allowed, size_t n, struct error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) {
        struct found f;
        return error_set(err, -EINVAL, "expected an object, got %s", found(&f, object));
    }
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (i < n && strcmp(key, allowed[i]) != 0)
            i++;
        if (i == n)
            return error_set(err, -EINVAL, "%.60s: unknown key", key);
    }
    return 0;
}

json_t *float_to_json(float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == value)
            break;
    }
    return json_real(strtod(text, NULL));
}
