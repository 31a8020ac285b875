#include "io/model/numbers_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "io/base/json.h"

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
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        return error_set(err, -EINVAL, "%s: expected a list of %d numbers", key, n);
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
    if (!isfinite(p->level) || !(p->share > 0) || !isfinite(p->share) || !(p->scale > 0) || !isfinite(p->scale) ||
        !(fabs(p->shape) <= 0.5))
        return error_set(err, -EINVAL, "%s: expected a finite level, share and scale above 0 and a shape of -0.5 to 0.5",
                         where);
    return 0;
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
