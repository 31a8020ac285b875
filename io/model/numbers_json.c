#include "io/model/numbers_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "io/base/json.h"

#define LEAST_SHAPE 1e-6        /* a smaller one is 0 (core/score/tail.c) */

int number_check(double value, double low, double high, const char *key, struct error *err)
{
    if (value >= low && value <= high)
        return 0;
    return error_set(err, -EINVAL, "%s: expected a number from %g to %g, got %.9g", key, low, high, value);
}

int floats_check(const float *values, int n, double low, const char *key, struct error *err)
{
    for (int i = 0; i < n; i++)
        if (!((double)values[i] >= low && (double)values[i] <= NUMBER_MOST)) {
            char where[48];
            snprintf(where, sizeof where, "%s[%d]", key, i);
            return number_check((double)values[i], low, NUMBER_MOST, where, err);
        }
    return 0;
}

int count_from_number(long *ret, double value, const char *key, struct error *err)
{
    if (!(fabs(value) < 1e15))
        return error_set(err, -EINVAL, "%s: expected a count below 1e15, got %.9g", key, value);
    *ret = (long)value;
    return 0;
}

int numbers_from_json(double *const *ret, const char *const *keys, size_t n, size_t n_allowed, const char *where,
                      const json_t *json, struct error *err)
{
    int r = check_json_keys(json, keys, n_allowed, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const json_t *value = json_object_get(json, keys[i]);
        if (!json_is_number(value))
            r = wrong_json(err, keys[i], "a number", value);
        else
            *ret[i] = json_number_value(value);
    }
    return r < 0 ? error_prefix(err, r, "%s", where) : 0;
}

int floats_from_json(float *values, int n, const char *key, const json_t *list, struct error *err)
{
    if (!json_is_array(list) || json_array_size(list) != (size_t)n) {
        char expected[48];
        snprintf(expected, sizeof expected, "a list of %d numbers", n);
        return wrong_json(err, key, expected, list);
    }
    for (int i = 0; i < n; i++) {
        char where[48];
        snprintf(where, sizeof where, "%s[%d]", key, i);
        int r = float_from_json(&values[i], where, json_array_get(list, (size_t)i), err);
        if (r < 0)
            return r;
    }
    return 0;
}

json_t *floats_to_json(const float *values, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, float_to_json(values[i]));
    return list;
}

int pareto_check(const struct pareto *p, const char *where, struct error *err)
{
    int r = number_check(p->level, -NUMBER_MOST, NUMBER_MOST, "level", err);
    if (r == 0)
        r = number_check(p->share, 1 / PARETO_MOST_SHARE, PARETO_MOST_SHARE, "share", err);
    if (r == 0)
        r = number_check(p->scale, NUMBER_LEAST, NUMBER_MOST, "scale", err);
    if (r == 0 && !(p->shape == 0 || (fabs(p->shape) >= LEAST_SHAPE && fabs(p->shape) <= 0.5)))
        r = error_set(err, -EINVAL, "shape: expected 0, or %g to 0.5 or its negative, got %.9g", LEAST_SHAPE, p->shape);
    return r < 0 ? error_prefix(err, r, "%s", where) : 0;
}

int pareto_from_json(struct pareto *p, const char *where, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"level", "share", "scale", "shape"};
    double *const fields[] = {&p->level, &p->share, &p->scale, &p->shape};
    return numbers_from_json(fields, keys, COUNT(fields), COUNT(keys), where, json, err);
}

json_t *pareto_to_json(const struct pareto *p)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "level", p->level, "share", p->share, "scale", p->scale, "shape", p->shape);
}
