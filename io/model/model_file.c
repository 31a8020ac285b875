#include "io/model/model_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/json.h"
#include "io/base/printable.h"
#include "io/base/read_file.h"
#include "io/model/calibration_json.h"
#include "io/model/safetensors.h"
#include "io/model/still_json.h"

/* ---- the architecture --------------------------------------------------------------------------------------------- */

static const char *const activations[] = {[ACTIVATION_LEAKY_RELU] = "leaky_relu", [ACTIVATION_RELU] = "relu",
                                          [ACTIVATION_TANH] = "tanh"};
static const char *const similarities[] = {[SIMILARITY_COSINE] = "cosine", [SIMILARITY_DOT] = "dot"};

/* The index of a string value in names [n], some of which may be NULL, or -1. */
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

/* Reads kernel, stride, padding and output_padding. The file has the axes of the layer's type: the last ones of frames,
 * rows, columns. */
static int parse_kernel(struct layer_spec *ret, const json_t *json, struct error *err)
{
    int axes = layer_axes(ret->type), skip = 3 - axes, r;
    const json_t *output_padding = json_object_get(json, "output_padding");
    for (int a = 0; a < skip; a++)
        ret->kernel[a] = ret->stride[a] = 1;
    if (axes == 0)
        return 0;
    if ((r = ints_from_json(ret->kernel + skip, axes, "kernel", json_object_get(json, "kernel"), err)) < 0 ||
        (r = ints_from_json(ret->stride + skip, axes, "stride", json_object_get(json, "stride"), err)) < 0 ||
        (r = ints_from_json(ret->padding + skip, axes, "padding", json_object_get(json, "padding"), err)) < 0 ||
        (output_padding &&
         (r = ints_from_json(ret->output_padding + skip, axes, "output_padding", output_padding, err)) < 0))
        return r;
    return 0;
}

static int parse_layer(struct layer_spec *ret, enum input_kind kind, const json_t *json, struct error *err)
{
    static const char *const keys[] = {"type", "out", "norm", "activation", "slope", "kernel", "stride", "padding",
                                       "output_padding"};
    enum { LINEAR_KEYS = 5 };           /* a linear layer has only the first ones */
    struct layer_spec s = {0};
    const json_t *type = json_object_get(json, "type"), *norm = json_object_get(json, "norm"),
                 *activation = json_object_get(json, "activation"), *slope = json_object_get(json, "slope");
    int r, k;
    if (json_is_object(json) && (!json_is_string(type) || !layer_type_find(&s.type, kind, json_string_value(type))))
        return wrong_json(err, "type", layer_types_of(kind), type);
    if ((r = check_json_keys(json, keys, s.type == LAYER_LINEAR ? LINEAR_KEYS : COUNT(keys), err)) < 0)
        return r;
    if ((r = int_from_json(&s.out, "out", json_object_get(json, "out"), err)) < 0 || (r = parse_kernel(&s, json, err)) < 0)
        return r;
    if (!absent(norm) && !(json_is_string(norm) && strcmp(json_string_value(norm), "batch") == 0))
        return wrong_json(err, "norm", "batch or nothing", norm);
    s.norm = !absent(norm);
    if (!absent(activation)) {
        if ((k = look_up(activation, activations, COUNT(activations))) < 0)
            return wrong_json(err, "activation", "leaky_relu, relu, tanh or nothing", activation);
        s.activation = (enum activation)k;
    }
    float value = 0.2f;
    if (slope && (r = float_from_json(&value, "slope", slope, err)) < 0)
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
        return wrong_json(err, part, "a list of layers", json);
    size_t n = json_array_size(json);
    if (n > ARCH_MAX_LAYERS)
        return error_set(err, -EINVAL, "%s: expected at most %d layers, got %zu", part, ARCH_MAX_LAYERS, n);
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
    int r = check_json_keys(json, keys, COUNT(keys), err), shape[4];
    if (r < 0)
        return r;
    const json_t *axes = json_object_get(json, "shape"), *mean = json_object_get(json, "mean"),
                 *std = json_object_get(json, "std");
    size_t n = json_array_size(axes);
    if (n != 1 && n != 3 && n != 4)
        return wrong_json(err, "shape", "[channels, frames, height, width], [channels, height, width] or [features]", axes);
    bool table = n == 1;
    ret->kind = table ? INPUT_TABLE : n == 3 ? INPUT_IMAGE : INPUT_VIDEO;
    ret->std = 1;
    if ((r = ints_from_json(shape, (int)n, "shape", axes, err)) < 0 ||
        (!(table && !mean) && (r = float_from_json(&ret->mean, "mean", mean, err)) < 0) ||
        (!(table && !std) && (r = float_from_json(&ret->std, "std", std, err)) < 0))
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
    int r = check_json_keys(json, keys, COUNT(keys), err), k;
    if (r < 0 || (r = int_from_json(&m.slots, "slots", json_object_get(json, "slots"), err)) < 0)
        return r;
    if ((k = look_up(similarity, similarities, COUNT(similarities))) < 0)
        return wrong_json(err, "similarity", "cosine or dot", similarity);
    m.similarity = (enum similarity)k;
    if ((r = float_from_json(&m.shrink, "shrink", json_object_get(json, "shrink"), err)) < 0 ||
        (temperature && (r = float_from_json(&m.temperature, "temperature", temperature, err)) < 0))
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
    int r = check_json_keys(json, keys, COUNT(keys), err);
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

/* The last n of three values as a list; NULL if n is 0. */
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
                                  "slope", s->activation == ACTIVATION_LEAKY_RELU ? float_to_json(s->slope) : NULL);
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
                    "shrink", float_to_json(m->shrink), "temperature", float_to_json(m->temperature))
        : json_null();
    bool scaled = arch->kind != INPUT_TABLE || arch->mean != 0 || arch->std != 1;
    return json_pack("{s:{s:o, s:o*, s:o*}, s:o, s:o, s:o}", "input", "shape",
                     dims_to_json(arch->kind, (struct dims){arch->channels, arch->frames, arch->height, arch->width}),
                     "mean", scaled ? float_to_json(arch->mean) : NULL, "std", scaled ? float_to_json(arch->std) : NULL,
                     "encoder", layers_to_json(arch->encoder, arch->n_encoder), "memory", memory,
                     "decoder", layers_to_json(arch->decoder, arch->n_decoder));
}

enum { ARCH_MOST_BYTES = 1 << 20 };

int arch_load(struct arch *ret, const char *path, struct error *err)
{
    char *text;
    size_t size;
    json_error_t json_err;
    int r = read_file(&text, &size, path, ARCH_MOST_BYTES, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &json_err);
    free(text);
    if (!json)
        r = error_set(err, -EINVAL, "%s:%d:%d: %s", path, json_err.line, json_err.column, json_err.text);
    else if ((r = arch_from_json(ret, json, err)) < 0)
        error_prefix(err, r, "%s", path);
    if (r < 0 && err)
        printable(err->text);
    json_decref(json);
    return r;
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
            return error_set(err, -EINVAL, "%s: expected finite values, got %s at element %zu", t->name,
                             isnan(t->data[i]) ? "NaN" : "infinity", i);
        if (variance && t->data[i] < 0)
            return error_set(err, -EINVAL, "%s: expected variances of 0 or more, got %.9g at element %zu", t->name,
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
        return error_set(err, -EINVAL, "%.100s: expected %s %s, got no such tensor", name, dtypes[dtype], expected);
    if (tensor->dtype != dtype)
        return error_set(err, -EINVAL, "%.100s: expected dtype %s, got %s", name, dtypes[dtype], dtypes[tensor->dtype]);
    bool same = tensor->ndim == ndim;
    for (int i = 0; same && i < ndim; i++)
        same = tensor->shape[i] == shape[i];
    if (!same)
        return error_set(err, -EINVAL, "%.100s: expected shape %s, got %s", name, expected,
                         safetensors_shape(actual, sizeof actual, tensor->shape, tensor->ndim));
    return 0;
}

static int check_tensors(const struct arch *arch, const struct safetensors *file, struct error *err)
{
    /* Names and shapes follow from the architecture alone, so nothing is allocated before the file is known to hold them. */
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

/* Reads the JSON object under a key of the metadata. 1; 0 if the key is absent; -EINVAL. */
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
        return error_set(err, -EINVAL, "%s: expected an object, got another value", key);
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
        return error_set(err, -EINVAL, "metadata: format: expected memae, got %.60s", format ? format : "nothing");
    int r = load_json(&json, file, "memae.arch", err);
    if (r == 0)
        r = error_set(err, -EINVAL, "metadata: memae.arch: expected an architecture, got nothing");
    else if (r > 0 && (r = arch_from_json(&arch, json, err)) < 0)
        error_prefix(err, r, "memae.arch");
    json_decref(json);
    json = NULL;
    if (r < 0)
        return r;

    if ((r = load_json(&json, file, "memae.calibration", err)) > 0) {
        ret->has_calibration = true;
        if ((r = calibration_from_json(&ret->calibration, &arch, json, err)) < 0)
            error_prefix(err, r, "memae.calibration");
        json_decref(json);
        json = NULL;
    }
    if (r >= 0 && (r = load_json(&json, file, "memae.still", err)) > 0) {
        ret->still = malloc(sizeof *ret->still);
        r = ret->still ? still_from_json(ret->still, &arch, json, err) : error_set(err, -ENOMEM, "out of memory");
        if (r < 0)
            error_prefix(err, r, "memae.still");
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
            printable(err->text);
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
    free(file->still);
    json_decref(file->training);
    *file = (struct model_file){0};
}

int model_file_save(const char *path, const struct model *model, const struct calibration *calibration,
                    const struct still_memory *still, const json_t *training, struct error *err)
{
    int r = 0, n = 0;
    enum { JSONS = 4 };
    char *texts[JSONS] = {0};
    struct model_tensor t;
    struct model_tensor *tensors = NULL;
    struct safetensors_output *outputs = NULL;
    const char *metadata[JSONS + 1][2] = {{"format", "memae"}};
    size_t n_metadata = 1;

    if (calibration && (r = calibration_check(calibration, &model->arch, err)) < 0)
        return error_prefix(err, r, "%s: memae.calibration", path);
    if (still && (r = still_check(still, &model->arch, err)) < 0)
        return error_prefix(err, r, "%s: memae.still", path);
    if (training && !json_is_object(training))
        return error_set(err, -EINVAL, "%s: memae.training: expected an object", path);
    while (model_tensor(model, n, &t)) {
        if ((r = check_values(&t, err)) < 0)
            return error_prefix(err, r, "%s", path);
        n++;
    }
    json_t *jsons[JSONS] = {arch_to_json(&model->arch), calibration ? calibration_to_json(calibration, &model->arch) : NULL,
                            still ? still_to_json(still) : NULL, json_incref((json_t *)training)};
    static const char *const keys[JSONS] = {"memae.arch", "memae.calibration", "memae.still", "memae.training"};
    static const size_t digits[JSONS] = {9, 17, 17, 15};        /* for float; for double, exactly; for people */
    bool wanted[JSONS] = {true, calibration != NULL, still != NULL, training != NULL}, enough = true;
    for (int i = 0; i < JSONS; i++) {
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
    for (int i = 0; i < JSONS; i++) {
        free(texts[i]);
        json_decref(jsons[i]);
    }
    return r;
}

double model_file_masked(const struct model_file *file)
{
    const json_t *calibrated = json_object_get(file->training, "calibrated");
    return json_number_value(json_object_get(calibrated ? calibrated : file->training, "masked"));
}
