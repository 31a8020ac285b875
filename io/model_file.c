#include "io/model_file.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- JSON values, each with what was expected and found ----------------------------------------------------------- */

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

static int wrong(struct error *err, const char *key, const char *expected, const json_t *value)
{
    struct found f;
    return error_set(err, -EINVAL, "%s: %s expected, %s found", key, expected, found(&f, value));
}

static int get_int(int *ret, const char *key, const json_t *value, struct error *err)
{
    if (!json_is_integer(value))
        return wrong(err, key, "an integer", value);
    if (json_integer_value(value) < INT_MIN || json_integer_value(value) > INT_MAX)
        return wrong(err, key, "an integer of 32 bits", value);
    *ret = (int)json_integer_value(value);
    return 0;
}

static int get_float(float *ret, const char *key, const json_t *value, struct error *err)
{
    if (!json_is_number(value))
        return wrong(err, key, "a number", value);
    double number = json_number_value(value);
    if (!(fabs(number) <= (double)FLT_MAX))
        return wrong(err, key, "a number that fits 32 bits", value);
    *ret = (float)number;
    return 0;
}

/* A list of n integers. */
static int get_ints(int *ret, int n, const char *key, const json_t *value, struct error *err)
{
    char text[64];
    if (!json_is_array(value) || json_array_size(value) != (size_t)n) {
        snprintf(text, sizeof text, "a list of %d integers", n);
        return wrong(err, key, text, value);
    }
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s[%d]", key, i);
        int r = get_int(&ret[i], text, json_array_get(value, (size_t)i), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_keys(const json_t *object, const char *const *allowed, size_t n, struct error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) {
        struct found f;
        return error_set(err, -EINVAL, "an object expected, %s found", found(&f, object));
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

/* ---- the architecture --------------------------------------------------------------------------------------------- */

static const char *const activations[] = {[ACTIVATION_LEAKY_RELU] = "leaky_relu", [ACTIVATION_RELU] = "relu",
                                          [ACTIVATION_TANH] = "tanh"};
static const char *const similarities[] = {[SIMILARITY_COSINE] = "cosine", [SIMILARITY_DOT] = "dot"};

/* The index of a string value in names (which may have gaps), or -1. */
static int look_up(const json_t *value, const char *const *names, size_t n)
{
    for (size_t i = 0; json_is_string(value) && i < n; i++)
        if (names[i] && strcmp(json_string_value(value), names[i]) == 0)
            return (int)i;
    return -1;
}

static bool absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* The kernel of a layer and what goes with it: the file has the axes that the type has, the last of frames, rows, columns. */
static int parse_kernel(struct layer_spec *ret, const json_t *json, struct error *err)
{
    int axes = layer_axes(ret->type), skip = 3 - axes, r;
    const json_t *output_padding = json_object_get(json, "output_padding");
    for (int a = 0; a < skip; a++)
        ret->kernel[a] = ret->stride[a] = 1;
    if (axes == 0)
        return 0;
    if ((r = get_ints(ret->kernel + skip, axes, "kernel", json_object_get(json, "kernel"), err)) < 0 ||
        (r = get_ints(ret->stride + skip, axes, "stride", json_object_get(json, "stride"), err)) < 0 ||
        (r = get_ints(ret->padding + skip, axes, "padding", json_object_get(json, "padding"), err)) < 0 ||
        (output_padding && (r = get_ints(ret->output_padding + skip, axes, "output_padding", output_padding, err)) < 0))
        return r;
    return 0;
}

static int parse_layer(struct layer_spec *ret, enum input_kind kind, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"type", "out", "norm", "activation", "slope", "kernel", "stride", "padding",
                                       "output_padding"};
    enum { LINEAR_KEYS = 5 };           /* the first ones, that a linear layer has too */
    struct layer_spec s = {0};
    const json_t *type = json_object_get(json, "type"), *norm = json_object_get(json, "norm"),
                 *activation = json_object_get(json, "activation"), *slope = json_object_get(json, "slope");
    int r, k;
    if (json_is_object(json) && (!json_is_string(type) || !layer_type_find(&s.type, kind, json_string_value(type))))
        return wrong(err, "type", layer_types_of(kind), type);
    if ((r = check_keys(json, keys, s.type == LAYER_LINEAR ? LINEAR_KEYS : COUNT(keys), err)) < 0)
        return r;
    if ((r = get_int(&s.out, "out", json_object_get(json, "out"), err)) < 0 || (r = parse_kernel(&s, json, err)) < 0)
        return r;
    if (!absent(norm) && !(json_is_string(norm) && strcmp(json_string_value(norm), "batch") == 0))
        return wrong(err, "norm", "batch or nothing", norm);
    s.norm = !absent(norm);
    if (!absent(activation)) {
        if ((k = look_up(activation, activations, COUNT(activations))) < 0)
            return wrong(err, "activation", "leaky_relu, relu, tanh or nothing", activation);
        s.activation = (enum activation)k;
    }
    float value = 0.2f;
    if (slope && (r = get_float(&value, "slope", slope, err)) < 0)
        return r;
    if (s.activation == ACTIVATION_LEAKY_RELU)
        s.slope = value;
    *ret = s;
    return 0;
}

static int parse_layers(struct layer_spec *ret, int *ret_n, const char *part, enum input_kind kind, const json_t *json,
                        struct error *err)
{
    if (!json_is_array(json))
        return wrong(err, part, "a list of layers", json);
    size_t n = json_array_size(json);
    if (n > ARCH_MAX_LAYERS)
        return error_set(err, -EINVAL, "%s: at most %d layers expected, %zu found", part, ARCH_MAX_LAYERS, n);
    for (size_t i = 0; i < n; i++) {
        int r = parse_layer(&ret[i], kind, json_array_get(json, i), err);
        if (r < 0)
            return error_prefix(err, r, "%s[%zu]", part, i);
    }
    *ret_n = (int)n;
    return 0;
}

static int parse_input(struct arch *ret, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"shape", "mean", "std"};
    int r = check_keys(json, keys, COUNT(keys), err), shape[4];
    if (r < 0)
        return r;
    const json_t *axes = json_object_get(json, "shape"), *mean = json_object_get(json, "mean"),
                 *std = json_object_get(json, "std");
    size_t n = json_array_size(axes);
    if (n != 1 && n != 3 && n != 4)
        return wrong(err, "shape", "[channels, frames, height, width], [channels, height, width] or [features]", axes);
    bool table = n == 1;
    ret->kind = table ? INPUT_TABLE : n == 3 ? INPUT_IMAGE : INPUT_VIDEO;
    ret->std = 1;
    if ((r = get_ints(shape, (int)n, "shape", axes, err)) < 0 ||
        (!(table && !mean) && (r = get_float(&ret->mean, "mean", mean, err)) < 0) ||
        (!(table && !std) && (r = get_float(&ret->std, "std", std, err)) < 0))
        return r;
    ret->channels = shape[0];
    ret->frames = n == 4 ? shape[1] : 1;
    ret->height = table ? 1 : shape[n - 2];
    ret->width = table ? 1 : shape[n - 1];
    return 0;
}

static int parse_memory(struct memory_spec *ret, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"slots", "similarity", "shrink", "temperature"};
    struct memory_spec m = {.temperature = 1};
    const json_t *similarity = json_object_get(json, "similarity"), *temperature = json_object_get(json, "temperature");
    int r = check_keys(json, keys, COUNT(keys), err), k;
    if (r < 0 || (r = get_int(&m.slots, "slots", json_object_get(json, "slots"), err)) < 0)
        return r;
    if ((k = look_up(similarity, similarities, COUNT(similarities))) < 0)
        return wrong(err, "similarity", "cosine or dot", similarity);
    m.similarity = (enum similarity)k;
    if ((r = get_float(&m.shrink, "shrink", json_object_get(json, "shrink"), err)) < 0 ||
        (temperature && (r = get_float(&m.temperature, "temperature", temperature, err)) < 0))
        return r;
    *ret = m;
    return 0;
}

int arch_from_json(struct arch *ret, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"input", "encoder", "memory", "decoder"};
    struct arch arch;
    struct arch_shapes shapes;
    memset(&arch, 0, sizeof arch);
    const json_t *memory = json_object_get(json, "memory");
    int r = check_keys(json, keys, COUNT(keys), err);
    if (r < 0)
        return r;
    if ((r = parse_input(&arch, json_object_get(json, "input"), err)) < 0)
        return error_prefix(err, r, "input");
    if ((r = parse_layers(arch.encoder, &arch.n_encoder, "encoder", arch.kind, json_object_get(json, "encoder"), err)) < 0)
        return r;
    arch.has_memory = !json_is_null(memory);
    if (arch.has_memory && (r = parse_memory(&arch.memory, memory, err)) < 0)
        return error_prefix(err, r, "memory");
    if ((r = parse_layers(arch.decoder, &arch.n_decoder, "decoder", arch.kind, json_object_get(json, "decoder"), err)) < 0 ||
        (r = arch_shapes(&shapes, &arch, err)) < 0)
        return r;
    *ret = arch;
    return 0;
}

/* The double with the fewest digits that rounds to value: 0.2, not 0.200000003. */
static json_t *real(float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == value)
            break;
    }
    return json_real(strtod(text, NULL));
}

/* The last n of three values; NULL for none. */
static json_t *last(const int *v, int n)
{
    return n == 3 ? json_pack("[i, i, i]", v[0], v[1], v[2]) : n == 2 ? json_pack("[i, i]", v[1], v[2]) : NULL;
}

/* [channels, frames, height, width], [channels, height, width] or [features] */
json_t *dims_to_json(enum input_kind kind, struct dims d)
{
    return kind == INPUT_VIDEO ? json_pack("[i, i, i, i]", d.c, d.t, d.h, d.w)
         : kind == INPUT_IMAGE ? json_pack("[i, i, i]", d.c, d.h, d.w) : json_pack("[i]", d.c);
}

static json_t *layers_to_json(const struct layer_spec *specs, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct layer_spec *s = &specs[i];
        int axes = layer_axes(s->type);
        json_t *layer = json_pack("{s:s, s:i, s:o*, s:o*, s:o*, s:o*, s:s*, s:s*, s:o*}", "type", layer_type_name(s->type),
                                  "out", s->out, "kernel", last(s->kernel, axes), "stride", last(s->stride, axes),
                                  "padding", last(s->padding, axes), "output_padding",
                                  layer_is_transposed(s->type) ? last(s->output_padding, axes) : NULL,
                                  "norm", s->norm ? "batch" : NULL, "activation", activations[s->activation],
                                  "slope", s->activation == ACTIVATION_LEAKY_RELU ? real(s->slope) : NULL);
        if (json_array_append_new(list, layer) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *arch_to_json(const struct arch *arch)
{
    const struct memory_spec *m = &arch->memory;
    json_t *memory = arch->has_memory
        ? json_pack("{s:i, s:s, s:o, s:o}", "slots", m->slots, "similarity", similarities[m->similarity],
                    "shrink", real(m->shrink), "temperature", real(m->temperature))
        : json_null();
    bool scaled = arch->kind != INPUT_TABLE || arch->mean != 0 || arch->std != 1;
    return json_pack("{s:{s:o, s:o*, s:o*}, s:o, s:o, s:o}", "input", "shape",
                     dims_to_json(arch->kind, (struct dims){arch->channels, arch->frames, arch->height, arch->width}),
                     "mean", scaled ? real(arch->mean) : NULL, "std", scaled ? real(arch->std) : NULL, "encoder", layers_to_json(arch->encoder, arch->n_encoder), "memory", memory,
                     "decoder", layers_to_json(arch->decoder, arch->n_decoder));
}

int arch_load(struct arch *ret, const char *path, struct error *err)
{
    int r;
    FILE *stream = fopen(path, "re");
    if (!stream) {
        r = -errno;
        return error_set(err, r, "%s: %s", path, strerror(-r));
    }
    json_error_t json_err;
    errno = 0;
    json_t *json = json_loadf(stream, JSON_REJECT_DUPLICATES, &json_err);
    if (ferror(stream))
        r = error_set(err, errno ? -errno : -EIO, "%s: %s", path, strerror(errno ? errno : EIO));
    else if (!json)
        r = error_set(err, -EINVAL, "%s:%d:%d: %s", path, json_err.line, json_err.column, json_err.text);
    else if ((r = arch_from_json(ret, json, err)) < 0)
        error_prefix(err, r, "%s", path);
    if (r < 0 && err)
        safetensors_printable(err->text);
    json_decref(json);
    fclose(stream);
    return r;
}

/* ---- the calibration ---------------------------------------------------------------------------------------------- */

/* Reads n numbers under the given keys, all there must be; where is the object's own key, for errors. */
static int get_numbers(double *const *ret, const char *const *keys, size_t n, size_t n_allowed, const char *where,
                       const json_t *json, struct error *err)
{
    int r = check_keys(json, keys, n_allowed, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const json_t *value = json_object_get(json, keys[i]);
        if (!json_is_number(value))
            r = wrong(err, keys[i], "a number", value);
        else
            *ret[i] = json_number_value(value);
    }
    return r < 0 ? error_prefix(err, r, "%s", where) : 0;
}

static int pareto_check(const struct pareto *p, const char *where, struct error *err)
{
    if (!isfinite(p->level) || !(p->share > 0) || !isfinite(p->share) || !(p->scale > 0) || !isfinite(p->scale) ||
        !(fabs(p->shape) <= 0.5))
        return error_set(err, -EINVAL, "%s: a finite level, share and scale above 0 and a shape of -0.5 to 0.5 expected",
                         where);
    return 0;
}

static int pareto_from_json(struct pareto *p, const char *where, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"level", "share", "scale", "shape"};
    double *const fields[] = {&p->level, &p->share, &p->scale, &p->shape};
    return get_numbers(fields, keys, COUNT(fields), COUNT(keys), where, json, err);
}

static json_t *pareto_to_json(const struct pareto *p)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "level", p->level, "share", p->share, "scale", p->scale, "shape", p->shape);
}

static int condition_check(const struct score_condition *c, int i, struct error *err)
{
    if (!isfinite(c->noise) || c->noise < 0)
        return error_set(err, -EINVAL, "score: conditions[%d]: noise: a number of 0 or more expected, %.9g found", i, c->noise);
    if (!isfinite(c->speed.centre) || !isfinite(c->change.centre))
        return error_set(err, -EINVAL, "score: conditions[%d]: finite centres expected", i);
    if (!(c->speed.spread > 0) || !(c->change.spread > 0) || !isfinite(c->speed.spread) || !isfinite(c->change.spread))
        return error_set(err, -EINVAL, "score: conditions[%d]: spreads above 0 expected", i);
    int r = pareto_check(&c->rare, "rare", err);
    if (r == 0 && c->rare.shape < 0)
        r = error_set(err, -EINVAL, "rare: a shape of 0 or more expected, %.9g found", c->rare.shape);
    return r < 0 ? error_prefix(err, r, "score: conditions[%d]", i) : 0;
}

static int score_check(const struct score_spec *s, struct error *err)
{
    if (s->conditions < 1 || s->conditions > SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "score: conditions: 1 or %d expected, %d found", SCORE_CONDITIONS, s->conditions);
    if (!isfinite(s->boundary))
        return error_set(err, -EINVAL, "score: boundary: a finite number expected");
    int r = 0;
    for (int i = 0; r == 0 && i < s->conditions; i++)
        r = condition_check(&s->condition[i], i, err);
    return r;
}

static int condition_from_json(struct score_condition *c, int i, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"noise", "speed_centre", "speed_spread", "change_centre", "change_spread", "rare"};
    double *const fields[] = {&c->noise, &c->speed.centre, &c->speed.spread, &c->change.centre, &c->change.spread};
    char where[40];
    snprintf(where, sizeof where, "score: conditions[%d]", i);
    int r = get_numbers(fields, keys, COUNT(fields), COUNT(keys), where, json, err);
    if (r < 0)
        return r;
    r = pareto_from_json(&c->rare, "rare", json_object_get(json, "rare"), err);
    return r < 0 ? error_prefix(err, r, "%s", where) : 0;
}

static int score_from_json(struct score_spec *s, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"boundary", "conditions"};
    const json_t *list = json_object_get(json, "conditions");
    int r = get_numbers((double *const[]){&s->boundary}, keys, 1, COUNT(keys), "score", json, err);
    if (r < 0)
        return r;
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "score: conditions: a list of 1 or %d expected", SCORE_CONDITIONS);
    s->conditions = (int)json_array_size(list);
    for (int i = 0; r == 0 && i < s->conditions; i++)
        r = condition_from_json(&s->condition[i], i, json_array_get(list, (size_t)i), err);
    return r < 0 ? r : score_check(s, err);
}

static json_t *score_to_json(const struct score_spec *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->conditions; i++) {
        const struct score_condition *c = &s->condition[i];
        json_array_append_new(list, json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "noise", c->noise, "speed_centre",
                                              c->speed.centre, "speed_spread", c->speed.spread, "change_centre",
                                              c->change.centre, "change_spread", c->change.spread, "rare",
                                              pareto_to_json(&c->rare)));
    }
    return json_pack("{s:f, s:o}", "boundary", s->boundary, "conditions", list);
}

static int tail_check(const struct tail *t, struct error *err)
{
    int r = pareto_check(&t->window, "tail: window", err);
    if (r == 0)
        r = pareto_check(&t->run, "tail: run", err);
    if (r == 0 && (t->windows < 1 || t->runs < 0 || !(t->hours >= 0) || !isfinite(t->hours) || t->window.share > 1))
        r = error_set(err, -EINVAL, "tail: windows, runs and hours that were counted, and a share of at most 1 expected");
    for (int i = 0; r == 0 && i < TAIL_QUANTILES; i++)
        if (!isfinite(t->quantiles[i]) || (i > 0 && t->quantiles[i] < t->quantiles[i - 1]))
            r = error_set(err, -EINVAL, "tail: quantiles[%d]: a finite number, and no less than the one before, expected", i);
    return r;
}

static int tail_from_json(struct tail *t, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"hours", "windows", "runs", "quantiles", "window", "run"};
    double windows, runs;
    const json_t *quantiles = json_object_get(json, "quantiles");
    int r = get_numbers((double *const[]){&t->hours, &windows, &runs}, keys, 3, COUNT(keys), "tail", json, err);
    if (r < 0)
        return r;
    if (!(fabs(windows) < 1e15 && fabs(runs) < 1e15))
        return error_set(err, -EINVAL, "tail: windows and runs: counts expected");
    t->windows = (long)windows;
    t->runs = (long)runs;
    if (json_array_size(quantiles) != TAIL_QUANTILES)
        return error_set(err, -EINVAL, "tail: quantiles: a list of %d numbers expected", TAIL_QUANTILES);
    for (size_t i = 0; i < TAIL_QUANTILES; i++) {
        const json_t *value = json_array_get(quantiles, i);
        if (!json_is_number(value))
            return error_prefix(err, wrong(err, "quantiles", "numbers", value), "tail");
        t->quantiles[i] = json_number_value(value);
    }
    if ((r = pareto_from_json(&t->window, "tail: window", json_object_get(json, "window"), err)) < 0 ||
        (r = pareto_from_json(&t->run, "tail: run", json_object_get(json, "run"), err)) < 0)
        return r;
    return tail_check(t, err);
}

static json_t *tail_to_json(const struct tail *t)
{
    json_t *quantiles = json_array();
    for (int i = 0; i < TAIL_QUANTILES; i++)
        json_array_append_new(quantiles, json_real(t->quantiles[i]));
    return json_pack("{s:f, s:I, s:I, s:o, s:o, s:o}", "hours", t->hours, "windows", (json_int_t)t->windows, "runs",
                     (json_int_t)t->runs, "quantiles", quantiles, "window", pareto_to_json(&t->window), "run",
                     pareto_to_json(&t->run));
}

static int int8_check(const struct calibration_int8 *c, const struct arch *arch, struct error *err)
{
    struct arch_shapes shapes;
    int r = arch_shapes(&shapes, arch, err), n = r < 0 ? 0 : ranges_count(arch, &shapes);
    if (r == 0 && (c->ranges.n != n || n > RANGES_MAX))
        return error_set(err, -EINVAL, "int8: ranges of %d channels expected, of %d found", n, c->ranges.n);
    for (int i = 0; r == 0 && i < n; i++) {
        const struct range *range = &c->ranges.channels[i];
        /* Nothing overflows in the arithmetic with these. */
        if (!(range->low <= 0 && range->high >= 0 && range->low >= -1e15f && range->high <= 1e15f &&
              range->high - range->low >= 1e-9f))
            r = error_set(err, -EINVAL, "int8: low[%d], high[%d]: a range around 0 expected, 1e-9 wide at least, of 1e15 at "
                          "most, %.9g to %.9g found", i, i, (double)range->low, (double)range->high);
    }
    if (r == 0 && !(fabs(c->rank_correlation) <= 1))
        r = error_set(err, -EINVAL, "int8: rank_correlation: -1 to 1 expected, %.9g found", c->rank_correlation);
    if (r == 0 && !(c->largest_difference >= 0 && isfinite(c->largest_difference)))
        r = error_set(err, -EINVAL, "int8: largest_difference: a number of 0 or more expected, %.9g found",
                      c->largest_difference);
    if (r == 0 && c->windows < 1)
        r = error_set(err, -EINVAL, "int8: windows: 1 or more expected, %ld found", c->windows);
    return r;
}

static int int8_from_json(struct calibration_int8 *c, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"rank_correlation", "largest_difference", "windows", "low", "high"};
    const json_t *low = json_object_get(json, "low"), *high = json_object_get(json, "high");
    double windows;
    int r = get_numbers((double *const[]){&c->rank_correlation, &c->largest_difference, &windows}, keys, 3, COUNT(keys), "int8",
                        json, err);
    if (r < 0)
        return r;
    if (!(fabs(windows) < 1e15))
        return error_set(err, -EINVAL, "int8: windows: a count expected");
    c->windows = (long)windows;
    size_t n = json_array_size(low);
    if (n > RANGES_MAX || json_array_size(high) != n)
        return error_set(err, -EINVAL, "int8: low, high: lists of the same length, at most %d, expected", RANGES_MAX);
    c->ranges.n = (int)n;
    for (size_t i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "low[%zu]", i);
        r = get_float(&c->ranges.channels[i].low, key, json_array_get(low, i), err);
        snprintf(key, sizeof key, "high[%zu]", i);
        if (r == 0)
            r = get_float(&c->ranges.channels[i].high, key, json_array_get(high, i), err);
        if (r < 0)
            return error_prefix(err, r, "int8");
    }
    return int8_check(c, arch, err);
}

static json_t *int8_to_json(const struct calibration_int8 *c)
{
    json_t *low = json_array(), *high = json_array();
    for (int i = 0; i < c->ranges.n; i++) {
        json_array_append_new(low, real(c->ranges.channels[i].low));
        json_array_append_new(high, real(c->ranges.channels[i].high));
    }
    return json_pack("{s:f, s:f, s:I, s:o, s:o}", "rank_correlation", c->rank_correlation, "largest_difference",
                     c->largest_difference, "windows", (json_int_t)c->windows, "low", low, "high", high);
}

static int static_check(const struct static_limits *s, const struct arch *arch, struct error *err)
{
    int n = static_cells(arch), r = 0;
    if (s->cells != n || n == 0)
        return error_set(err, -EINVAL, "static: limits of %d cells expected, of %d found", n, s->cells);
    for (int c = 0; r == 0 && c < SCORE_CONDITIONS; c++)
        for (int i = 0; r == 0 && i < n; i++)
            if (!(s->limit[c][i] >= -1 && s->limit[c][i] <= 65025))
                r = error_set(err, -EINVAL, "static: limits[%d][%d]: -1 to 65025 expected, %.9g found", c, i,
                              (double)s->limit[c][i]);
    if (r == 0 && (!(s->bound >= s->largest_difference && s->largest_difference >= 0) || !isfinite(s->bound)))
        r = error_set(err, -EINVAL, "static: a largest_difference of 0 or more expected, and a finite bound of no less, %.9g and "
                      "%.9g found", s->largest_difference, s->bound);
    if (r == 0 && !(s->light_margin >= 0 && isfinite(s->light_margin)))
        r = error_set(err, -EINVAL, "static: light_margin: a number of 0 or more expected, %.9g found", s->light_margin);
    if (r == 0 && s->windows < 0)
        r = error_set(err, -EINVAL, "static: windows: 0 or more expected, %ld found", s->windows);
    if (r == 0 && !(s->frozen_s > 0 && s->frozen_s <= 1e9))
        r = error_set(err, -EINVAL, "static: frozen_s: a number above 0 expected, at most 1e9, %.9g found", s->frozen_s);
    return r;
}

static int static_from_json(struct static_limits *s, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"bound", "largest_difference", "windows", "frozen_s", "light_margin", "limits"};
    const json_t *limits = json_object_get(json, "limits");
    double windows;
    int r = get_numbers((double *const[]){&s->bound, &s->largest_difference, &windows, &s->frozen_s, &s->light_margin}, keys, 5,
                        COUNT(keys), "static", json, err);
    if (r < 0)
        return r;
    if (!(fabs(windows) < 1e15))
        return error_set(err, -EINVAL, "static: windows: a count expected");
    s->windows = (long)windows;
    if (json_array_size(limits) != SCORE_CONDITIONS)
        return error_set(err, -EINVAL, "static: limits: %d lists expected", SCORE_CONDITIONS);
    s->cells = static_cells(arch);
    for (size_t c = 0; c < SCORE_CONDITIONS; c++) {
        const json_t *list = json_array_get(limits, c);
        if (json_array_size(list) != (size_t)s->cells)
            return error_set(err, -EINVAL, "static: limits[%zu]: a list of %d numbers expected", c, s->cells);
        for (size_t i = 0; i < (size_t)s->cells; i++) {
            char key[40];
            snprintf(key, sizeof key, "limits[%zu][%zu]", c, i);
            if ((r = get_float(&s->limit[c][i], key, json_array_get(list, i), err)) < 0)
                return error_prefix(err, r, "static");
        }
    }
    return static_check(s, arch, err);
}

static json_t *static_to_json(const struct static_limits *s)
{
    json_t *limits = json_array();
    for (int c = 0; c < SCORE_CONDITIONS; c++) {
        json_t *list = json_array();
        for (int i = 0; i < s->cells; i++)
            json_array_append_new(list, real(s->limit[c][i]));
        json_array_append_new(limits, list);
    }
    return json_pack("{s:f, s:f, s:I, s:f, s:f, s:o}", "bound", s->bound, "largest_difference", s->largest_difference, "windows",
                     (json_int_t)s->windows, "frozen_s", s->frozen_s, "light_margin", s->light_margin, "limits", limits);
}

static int calibration_check(const struct calibration *c, const struct arch *arch, struct error *err)
{
    int r = c->has_score ? score_check(&c->score, err) : 0;
    if (r == 0 && c->has_tail)
        r = tail_check(&c->tail, err);
    if (r == 0 && c->has_int8)
        r = int8_check(&c->int8, arch, err);
    if (r == 0 && c->has_static)
        r = c->has_score ? static_check(&c->still, arch, err)
                         : error_set(err, -EINVAL, "static: a score expected beside it, none found");
    if (r < 0)
        return r;
    if (!isfinite(c->fps) || !isfinite(c->threshold) || !isfinite(c->close_threshold) || !isfinite(c->median) ||
        !isfinite(c->p99) || !isfinite(c->maximum))
        return error_set(err, -EINVAL, "finite numbers expected");
    if (c->fps <= 0)
        return error_set(err, -EINVAL, "fps: a number above 0 expected, %.9g found", c->fps);
    if (c->close_threshold > c->threshold)
        return error_set(err, -EINVAL, "close_threshold: at most the threshold, %.9g, expected, %.9g found",
                         c->threshold, c->close_threshold);
    if (c->windows < 0)
        return error_set(err, -EINVAL, "windows: 0 or more expected, %ld found", c->windows);
    return 0;
}

static int calibration_from_json(struct calibration *ret, const struct arch *arch, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"fps", "threshold", "close_threshold", "median", "p99", "maximum", "windows", "score",
                                       "tail", "int8", "static"};
    struct calibration c = {0};
    double *const fields[] = {&c.fps, &c.threshold, &c.close_threshold, &c.median, &c.p99, &c.maximum};
    const json_t *score = json_object_get(json, "score"), *tail = json_object_get(json, "tail"),
                 *int8 = json_object_get(json, "int8"), *still = json_object_get(json, "static");
    int r = check_keys(json, keys, COUNT(keys), err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < COUNT(fields); i++) {
        const json_t *value = json_object_get(json, keys[i]);
        if (!json_is_number(value))
            return wrong(err, keys[i], "a number", value);
        *fields[i] = json_number_value(value);
    }
    const json_t *windows = json_object_get(json, "windows");
    if (!json_is_integer(windows))
        return wrong(err, "windows", "an integer", windows);
    c.windows = (long)json_integer_value(windows);
    c.has_score = score != NULL;
    c.has_tail = tail != NULL;
    c.has_int8 = int8 != NULL;
    c.has_static = still != NULL;
    if ((score && (r = score_from_json(&c.score, score, err)) < 0) || (tail && (r = tail_from_json(&c.tail, tail, err)) < 0) ||
        (int8 && (r = int8_from_json(&c.int8, arch, int8, err)) < 0) ||
        (still && (r = static_from_json(&c.still, arch, still, err)) < 0) || (r = calibration_check(&c, arch, err)) < 0)
        return r;
    *ret = c;
    return 0;
}

json_t *calibration_to_json(const struct calibration *c)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o*, s:o*, s:o*, s:o*}", "fps", c->fps, "threshold", c->threshold,
                     "close_threshold", c->close_threshold, "median", c->median, "p99", c->p99, "maximum", c->maximum,
                     "windows", (json_int_t)c->windows, "score", c->has_score ? score_to_json(&c->score) : NULL, "tail",
                     c->has_tail ? tail_to_json(&c->tail) : NULL, "int8", c->has_int8 ? int8_to_json(&c->int8) : NULL, "static", c->has_static ? static_to_json(&c->still) : NULL);
}

/* ---- the tensors -------------------------------------------------------------------------------------------------- */

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static int check_values(const struct model_tensor *t, struct error *err)
{
    bool variance = has_suffix(t->name, ".running_var");
    for (size_t i = 0; i < t->n; i++) {
        if (!isfinite(t->data[i]))
            return error_set(err, -EINVAL, "%s: finite values expected, %s found as element %zu", t->name,
                             isnan(t->data[i]) ? "NaN" : "infinity", i);
        if (variance && t->data[i] < 0)
            return error_set(err, -EINVAL, "%s: variances of 0 or more expected, %.9g found as element %zu", t->name,
                             t->data[i], i);
    }
    return 0;
}

static int check_shape(const struct safetensors_tensor *tensor, const char *name, enum safetensors_dtype dtype,
                       const size_t *shape, int ndim, struct error *err)
{
    static const char *const dtypes[] = {[SAFETENSORS_F32] = "F32", [SAFETENSORS_I64] = "I64"};
    char expected[192], actual[192];
    safetensors_shape(expected, sizeof expected, shape, ndim);
    if (!tensor)
        return error_set(err, -EINVAL, "%.100s: %s %s expected, no such tensor found", name, dtypes[dtype], expected);
    if (tensor->dtype != dtype)
        return error_set(err, -EINVAL, "%.100s: dtype %s expected, %s found", name, dtypes[dtype], dtypes[tensor->dtype]);
    bool same = tensor->ndim == ndim;
    for (int i = 0; same && i < ndim; i++)
        same = tensor->shape[i] == shape[i];
    if (!same)
        return error_set(err, -EINVAL, "%.100s: shape %s expected, %s found", name, expected,
                         safetensors_shape(actual, sizeof actual, tensor->shape, tensor->ndim));
    return 0;
}

static int check_tensors(const struct arch *arch, const struct safetensors *file, struct error *err)
{
    /* The names and shapes of a model follow from its architecture alone; nothing is allocated for one that the file
     * doesn't hold. */
    struct model outline = {.arch = *arch};
    struct model_tensor t;
    int r = arch_shapes(&outline.shapes, arch, err);
    for (int i = 0; r == 0 && model_tensor(&outline, i, &t); i++)
        r = check_shape(safetensors_find(file, t.name), t.name, SAFETENSORS_F32, t.shape, t.ndim, err);
    for (size_t k = 0; r == 0 && k < safetensors_count(file); k++) {
        const struct safetensors_tensor *tensor = safetensors_at(file, k);
        bool expected = false;
        if (has_suffix(tensor->name, ".num_batches_tracked")) {
            r = check_shape(tensor, tensor->name, SAFETENSORS_I64, NULL, 0, err);
            continue;
        }
        for (int i = 0; !expected && model_tensor(&outline, i, &t); i++)
            expected = strcmp(t.name, tensor->name) == 0;
        if (!expected)
            r = error_set(err, -EINVAL, "%.100s: the architecture has no such tensor", tensor->name);
    }
    return r;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

/* The JSON under a key of the metadata: 1, or 0 where the key is absent. */
static int load_json(json_t **ret, const struct safetensors *file, const char *key, struct error *err)
{
    const char *text = safetensors_metadata(file, key);
    if (!text)
        return 0;
    json_error_t json_err;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &json_err);
    if (!json)
        return error_set(err, -EINVAL, "%s: line %d, column %d: %s", key, json_err.line, json_err.column, json_err.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return error_set(err, -EINVAL, "%s: an object expected", key);
    }
    *ret = json;
    return 1;
}

static int load(struct model_file *ret, const struct safetensors *file, struct error *err)
{
    struct arch arch;
    json_t *json = NULL;
    const char *format = safetensors_metadata(file, "format");
    if (!format || strcmp(format, "memae") != 0)
        return error_set(err, -EINVAL, "metadata: format: memae expected, %.60s found", format ? format : "nothing");
    int r = load_json(&json, file, "memae.arch", err);
    if (r == 0)
        r = error_set(err, -EINVAL, "metadata: memae.arch: an architecture expected, nothing found");
    else if (r > 0 && (r = arch_from_json(&arch, json, err)) < 0)
        error_prefix(err, r, "memae.arch");
    json_decref(json);
    json = NULL;
    if (r < 0)
        return r;

    if ((r = load_json(&json, file, "memae.calibration", err)) > 0) {
        ret->has_calibration = true;
        int rows, columns;
        r = calibration_from_json(&ret->calibration, &arch, json, err);
        if (r == 0 && ret->calibration.has_score && !score_cells(&arch, &rows, &columns))
            r = error_set(err, -EINVAL, "score: the network's windows are too small to have one; none expected");
        if (r < 0)
            error_prefix(err, r, "memae.calibration");
        json_decref(json);
    }
    if (r < 0 || (r = load_json(&ret->training, file, "memae.training", err)) < 0 ||
        (r = check_tensors(&arch, file, err)) < 0 || (r = model_open(&ret->model, &arch, err)) < 0)
        return r;

    struct model_tensor t;
    for (int i = 0; model_tensor(ret->model, i, &t); i++) {
        memcpy(t.data, safetensors_find(file, t.name)->data, t.n * sizeof *t.data);
        if ((r = check_values(&t, err)) < 0)
            return r;
    }
    return 0;
}

static int finish(struct model_file *ret, struct safetensors *file, const char *name, struct error *err)
{
    struct model_file result = {0};
    int r = load(&result, file, err);
    safetensors_close(file);
    if (r < 0) {
        model_file_clear(&result);
        error_prefix(err, r, "%s", name);
        if (err)
            safetensors_printable(err->text);
        return r;
    }
    *ret = result;
    return 0;
}

int model_file_load(struct model_file *ret, const char *path, struct error *err)
{
    struct safetensors *file;
    int r = safetensors_open(&file, path, err);
    return r < 0 ? r : finish(ret, file, path, err);
}

int model_file_load_memory(struct model_file *ret, const void *data, size_t size, const char *name, struct error *err)
{
    struct safetensors *file;
    int r = safetensors_open_memory(&file, data, size, name, err);
    return r < 0 ? r : finish(ret, file, name, err);
}

void model_file_clear(struct model_file *file)
{
    if (!file)
        return;
    model_close(file->model);
    json_decref(file->training);
    *file = (struct model_file){0};
}

int model_file_save(const char *path, const struct model *model, const struct calibration *calibration,
                    const json_t *training, struct error *err)
{
    int r = 0, n = 0;
    char *texts[3] = {0};
    struct model_tensor t;
    struct model_tensor *tensors = NULL;
    struct safetensors_output *outputs = NULL;
    const char *metadata[4][2] = {{"format", "memae"}};
    size_t n_metadata = 1;

    if (calibration && (r = calibration_check(calibration, &model->arch, err)) < 0)
        return error_prefix(err, r, "%s: memae.calibration", path);
    if (training && !json_is_object(training))
        return error_set(err, -EINVAL, "%s: memae.training: an object expected", path);
    while (model_tensor(model, n, &t)) {
        if ((r = check_values(&t, err)) < 0)
            return error_prefix(err, r, "%s", path);
        n++;
    }
    json_t *jsons[3] = {arch_to_json(&model->arch), calibration ? calibration_to_json(calibration) : NULL,
                        json_incref((json_t *)training)};
    static const char *const keys[3] = {"memae.arch", "memae.calibration", "memae.training"};
    static const size_t digits[3] = {9, 17, 15};        /* float; double, exactly; double, for people */
    bool wanted[3] = {true, calibration != NULL, training != NULL}, enough = true;
    for (int i = 0; i < 3; i++) {
        if (!wanted[i])
            continue;
        texts[i] = json_dumps(jsons[i], JSON_COMPACT | JSON_REAL_PRECISION(digits[i]));
        enough &= texts[i] != NULL;
        metadata[n_metadata][0] = keys[i];
        metadata[n_metadata++][1] = texts[i];
    }
    tensors = calloc((size_t)n, sizeof *tensors);
    outputs = calloc((size_t)n, sizeof *outputs);
    if (!enough || !tensors || !outputs) {
        r = error_set(err, -ENOMEM, "%s: out of memory", path);
        goto out;
    }
    for (int i = 0; i < n; i++) {
        model_tensor(model, i, &tensors[i]);
        outputs[i].name = tensors[i].name;
        outputs[i].ndim = tensors[i].ndim;
        memcpy(outputs[i].shape, tensors[i].shape, sizeof tensors[i].shape);
        outputs[i].data = tensors[i].data;
    }
    r = safetensors_write(path, outputs, (size_t)n, metadata, n_metadata, err);
out:
    free(outputs);
    free(tensors);
    for (int i = 0; i < 3; i++) {
        free(texts[i]);
        json_decref(jsons[i]);
    }
    return r;
}
