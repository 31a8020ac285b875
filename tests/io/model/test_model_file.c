/* Model files: the golden ones load, what is saved loads again, and every fault is refused by name. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/commands.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"

#define GOLDEN "tests/golden/"

struct bytes {
    unsigned char *data;
    size_t size;
};

static struct bytes read_bytes(const char *path)
{
    struct bytes b = {NULL, 0};
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: %s (tests run in the project's folder)", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size);
    ck_assert_uint_eq(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static void refuse_bytes(const void *data, size_t size, const char *what)
{
    struct model_file file = {.model = (void *)-1};
    struct error err = {""};
    int r = model_file_load_memory(&file, data, size, "x.safetensors", &err);
    ck_assert_msg(r == -EINVAL, "%d (%s) where %s was to be refused", r, err.text, what);
    ck_assert_ptr_eq(file.model, (void *)-1);
    ck_assert_msg(strncmp(err.text, "x.safetensors: ", 15) == 0 && strstr(err.text, what), "\"%s\" does not say \"%s\"",
                  err.text, what);
}

/* ---- a small model file, taken apart: one thing is changed, and it is put together again ---------------------------- */

struct draft {
    json_t *metadata, *header;
    struct bytes source;
    const unsigned char *data;
};

static struct draft take_apart(const char *path)
{
    struct draft d = {.source = read_bytes(path)};
    uint64_t length;
    memcpy(&length, d.source.data, 8);
    d.header = json_loadb((const char *)d.source.data + 8, length, 0, NULL);
    ck_assert_ptr_nonnull(d.header);
    d.metadata = json_object_get(d.header, "__metadata__");
    d.data = d.source.data + 8 + length;
    return d;
}

static void release(struct draft *d)
{
    json_decref(d->header);
    free(d->source.data);
}

/* The file that the draft stands for: every tensor's bytes from where its offsets said, cut or padded with zeros to what
 * shape and dtype now say. */
static struct bytes put_together(const struct draft *d)
{
    json_t *header = json_deep_copy(d->header), *entry, *axis;
    unsigned char *data = NULL;
    size_t size = 0, i;
    const char *name;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        size_t begin = (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
        size_t end = (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));
        size_t n = strcmp(json_string_value(json_object_get(entry, "dtype")), "I64") == 0 ? 8 : 4;
        json_array_foreach(json_object_get(entry, "shape"), i, axis)
            n *= (size_t)json_integer_value(axis);
        data = realloc(data, size + n + 1);
        memset(data + size, 0, n);
        memcpy(data + size, d->data + begin, end - begin < n ? end - begin : n);
        json_object_set_new(entry, "data_offsets", json_pack("[I, I]", (json_int_t)size, (json_int_t)(size + n)));
        size += n;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t length = strlen(text);
    struct bytes b = {malloc(8 + length + size), 8 + length + size};
    memcpy(b.data, &length, 8);
    memcpy(b.data + 8, text, length);
    memcpy(b.data + 8 + length, data, size);
    free(text);
    free(data);
    json_decref(header);
    return b;
}

static void refuse(struct draft *d, const char *what)
{
    struct bytes b = put_together(d);
    refuse_bytes(b.data, b.size, what);
    free(b.data);
    release(d);
}

static void accept(struct draft *d)
{
    struct bytes b = put_together(d);
    struct model_file file;
    struct error err = {""};
    int r = model_file_load_memory(&file, b.data, b.size, "x.safetensors", &err);
    ck_assert_msg(r == 0, "%s", err.text);
    model_file_clear(&file);
    free(b.data);
    release(d);
}

static struct draft tiny(void)
{
    return take_apart(GOLDEN "tiny-noshrink.safetensors");
}

/* The draft with one value of memae.arch changed: path as "encoder/2/kernel"; value as JSON, NULL: taken away. */
static struct draft with_arch(const char *where, const char *value)
{
    struct draft d = tiny();
    json_t *arch = json_loads(json_string_value(json_object_get(d.metadata, "memae.arch")), 0, NULL), *at = arch;
    char copy[64], *last, *step, *rest;
    snprintf(copy, sizeof copy, "%s", where);
    for (step = strtok_r(copy, "/", &rest); (last = step, step = strtok_r(NULL, "/", &rest));)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(last)) : json_object_get(at, last);
    ck_assert_ptr_nonnull(at);
    json_t *new = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    ck_assert(!value || new);
    if (json_is_array(at))
        json_array_set_new(at, (size_t)atoi(last), new);
    else if (new)
        json_object_set_new(at, last, new);
    else
        json_object_del(at, last);
    char *text = json_dumps(arch, 0);
    json_object_set_new(d.metadata, "memae.arch", json_string(text));
    free(text);
    json_decref(arch);
    return d;
}

static void refuse_arch(const char *where, const char *value, const char *what)
{
    struct draft d = with_arch(where, value);
    refuse(&d, what);
}

static void accept_arch(const char *where, const char *value)
{
    struct draft d = with_arch(where, value);
    accept(&d);
}

static struct draft with_metadata(const char *key, const char *value)
{
    struct draft d = tiny();
    if (value)
        json_object_set_new(d.metadata, key, json_string(value));
    else
        json_object_del(d.metadata, key);
    return d;
}

static void refuse_metadata(const char *key, const char *value, const char *what)
{
    struct draft d = with_metadata(key, value);
    refuse(&d, what);
}

/* ---- what loads --------------------------------------------------------------------------------------------------- */

static const char *const golden[] = {"tiny-cosine", "tiny-dot", "tiny-noshrink", "tiny-allshrunk", "mnist", "kddcup"};

START_TEST(loads_golden)
{
    char path[128];
    snprintf(path, sizeof path, GOLDEN "%s.safetensors", golden[_i]);
    struct model_file file;
    struct safetensors *raw;
    struct error err = {""};
    ck_assert_msg(model_file_load(&file, path, &err) == 0, "%s", err.text);
    ck_assert_msg(safetensors_open(&raw, path, &err) == 0, "%s", err.text);
    ck_assert(!file.has_calibration);
    ck_assert_ptr_null(file.training);
    struct model_tensor t;
    int n = 0;
    for (; model_tensor(file.model, n, &t); n++)
        ck_assert_mem_eq(t.data, safetensors_find(raw, t.name)->data, t.n * sizeof(float));
    ck_assert_uint_eq((size_t)n, safetensors_count(raw));
    ck_assert_int_eq((int)file.model->arch.kind, _i == 4 ? INPUT_IMAGE : _i == 5 ? INPUT_TABLE : INPUT_VIDEO);
    ck_assert_int_eq(file.model->arch.frames, _i < 4 ? 16 : 1);
    ck_assert_int_eq(file.model->arch.n_encoder, _i == 4 ? 3 : 4);
    ck_assert_int_eq(file.model->arch.memory.similarity, _i == 1 ? SIMILARITY_DOT : SIMILARITY_COSINE);
    ck_assert_float_eq(file.model->arch.memory.temperature, 1);
    ck_assert_float_eq(file.model->arch.encoder[0].slope, _i < 5 ? 0.2f : 0);
    ck_assert_int_eq(file.model->arch.decoder[file.model->arch.n_decoder - 1].activation, ACTIVATION_NONE);
    safetensors_close(raw);
    model_file_clear(&file);
    model_file_clear(&file);
    model_file_clear(NULL);
}
END_TEST

/* Data that begin at an odd address. */
START_TEST(loads_unaligned)
{
    struct bytes b = read_bytes(GOLDEN "tiny-dot.safetensors");
    unsigned char *shifted = malloc(b.size + 1);
    memcpy(shifted + 1, b.data, b.size);
    struct model_file file;
    struct error err = {""};
    ck_assert_msg(model_file_load_memory(&file, shifted + 1, b.size, "x", &err) == 0, "%s", err.text);
    model_file_clear(&file);
    free(shifted);
    free(b.data);
}
END_TEST

START_TEST(loads_variants)
{
    accept_arch("memory/temperature", "0.1");
    accept_arch("memory/shrink", "0");
    accept_arch("encoder/0/slope", NULL);
    accept_arch("encoder/0/activation", "\"tanh\"");
    accept_arch("decoder/3/activation", "null");
    accept_arch("decoder/3/norm", "null");

    struct draft d = tiny();            /* as PyTorch saves a state_dict */
    json_object_set_new(d.header, "encoder.1.num_batches_tracked",
                        json_pack("{s:s, s:[], s:[i, i]}", "dtype", "I64", "shape", "data_offsets", 0, 8));
    accept(&d);

    d = with_arch("memory", "null");    /* the plain autoencoder */
    json_object_del(d.header, "mem_rep.memory.weight");
    accept(&d);
}
END_TEST

START_TEST(refuses_other_formats)
{
    struct model_file file;
    struct error err = {""};
    ck_assert_int_eq(model_file_load(&file, GOLDEN "tiny-dot.golden.safetensors", &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "format: memae expected, memae-golden found"), "%s", err.text);
}
END_TEST

/* conv2d has no axis of frames in the file, a linear layer no kernel at all. */
START_TEST(tensors_of_images_and_tables)
{
    static const struct {
        const char *file, *name;
        int ndim;
        size_t shape[4];
    } expected[] = {
        {"mnist", "encoder.3.weight", 4, {32, 16, 3, 3}},
        {"mnist", "decoder.6.weight", 4, {16, 1, 3, 3}},
        {"kddcup", "encoder.0.weight", 2, {60, 120}},
        {"kddcup", "decoder.6.weight", 2, {120, 60}},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        char name[64];
        struct model_file file;
        struct model_tensor t;
        bool found = false;
        snprintf(name, sizeof name, GOLDEN "%s.safetensors", expected[i].file);
        ck_assert_int_eq(model_file_load(&file, name, NULL), 0);
        for (int j = 0; !found && model_tensor(file.model, j, &t); j++)
            found = strcmp(t.name, expected[i].name) == 0;
        ck_assert(found && t.ndim == expected[i].ndim);
        ck_assert_mem_eq(t.shape, expected[i].shape, (size_t)t.ndim * sizeof t.shape[0]);
        model_file_clear(&file);
    }
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

START_TEST(refuses_truncation)
{
    struct bytes b = read_bytes(GOLDEN "tiny-noshrink.safetensors");
    struct safetensors *file;
    ck_assert_int_eq(safetensors_open_memory(&file, b.data, b.size, "x", NULL), 0);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_tensor *t = safetensors_at(file, i);
        size_t begin = (size_t)(t->data - b.data);
        refuse_bytes(b.data, begin, "data_offsets within");             /* where it begins, */
        refuse_bytes(b.data, begin + 1, "data_offsets within");         /* in it, and before its end */
        refuse_bytes(b.data, begin + t->size_bytes - 1, "data_offsets within");
    }
    size_t data = (size_t)(safetensors_at(file, 0)->data - b.data);
    for (size_t size = 0; size < data; size++)
        refuse_bytes(b.data, size, size < 8 ? "8 bytes of header length" : "cut short");
    safetensors_close(file);
    free(b.data);
}
END_TEST

START_TEST(refuses_metadata)
{
    refuse_metadata("format", NULL, "metadata: format: memae expected, nothing found");
    refuse_metadata("format", "pt", "metadata: format: memae expected, pt found");
    refuse_metadata("memae.arch", NULL, "metadata: memae.arch: an architecture expected, nothing found");
    refuse_metadata("memae.arch", "", "memae.arch: line 1, column 0: ");
    refuse_metadata("memae.arch", "{\"input\": 1, \"input\": 1}", "duplicate object key");
    refuse_metadata("memae.arch", "[]", "memae.arch: an object expected");
    refuse_metadata("memae.arch", "{}", "memae.arch: input: an object expected, nothing found");
    refuse_metadata("memae.training", "{", "memae.training: line 1");
    refuse_metadata("memae.training", "[1]", "memae.training: an object expected");
    refuse_metadata("memae.calibration", "1", "memae.calibration: line 1");
    struct draft d = tiny();
    json_object_del(d.header, "__metadata__");
    refuse(&d, "metadata: format: memae expected, nothing found");

    enum { DEPTH = 100000 };
    char *deep = malloc(DEPTH + 1);
    memset(deep, '[', DEPTH);
    deep[DEPTH] = '\0';
    refuse_metadata("memae.arch", deep, "depth");
    refuse_metadata("memae.training", deep, "depth");
    free(deep);
}
END_TEST

START_TEST(refuses_architectures)
{
    refuse_arch("extra", "1", "memae.arch: extra: unknown key");
    refuse_arch("encoder/1/dilation", "[1,1,1]", "memae.arch: encoder[1]: dilation: unknown key");
    refuse_arch("memory/heads", "2", "memae.arch: memory: heads: unknown key");
    refuse_arch("input/color", "1", "memae.arch: input: color: unknown key");
    refuse_arch("input", NULL, "memae.arch: input: an object expected, nothing found");
    refuse_arch("memory", NULL, "memae.arch: memory: an object expected, nothing found");
    refuse_arch("encoder", "{}", "memae.arch: encoder: a list of layers expected, an object found");
    refuse_arch("encoder", "[]", "encoder: expected 1 to 32 layers, got 0");
    refuse_arch("encoder/0", "3", "memae.arch: encoder[0]: an object expected, 3 found");
    refuse_arch("encoder/0/type", "\"conv2d\"", "encoder[0]: type: conv3d or deconv3d expected, \"conv2d\" found");
    refuse_arch("decoder/3/type", "\"deconv2d\"", "decoder[3]: type: conv3d or deconv3d expected, \"deconv2d\" found");
    refuse_arch("encoder/0/type", "\"linear\"", "encoder[0]: type: conv3d or deconv3d expected, \"linear\" found");
    refuse_arch("encoder/0/type", "\"conv4d\"", "encoder[0]: type: conv3d or deconv3d expected, \"conv4d\" found");
    refuse_arch("encoder/0/type", NULL, "encoder[0]: type: conv3d or deconv3d expected, nothing found");
    refuse_arch("encoder/0/norm", "\"group\"", "encoder[0]: norm: batch or nothing expected, \"group\" found");
    refuse_arch("encoder/0/norm", "true", "encoder[0]: norm: batch or nothing expected, true found");
    refuse_arch("encoder/0/activation", "\"gelu\"", "activation: leaky_relu, relu, tanh or nothing expected");
    refuse_arch("encoder/0/slope", "\"0.2\"", "slope: a number expected, \"0.2\" found");
    refuse_arch("encoder/0/slope", "1e39", "slope: a number that fits 32 bits expected, 1e+39 found");
    refuse_arch("encoder/0/out", "4.0", "encoder[0]: out: an integer expected, 4 found");
    refuse_arch("encoder/0/out", "4294967300", "encoder[0]: out: an integer of 32 bits expected, 4294967300 found");
    refuse_arch("encoder/0/kernel", "[3,3]", "encoder[0]: kernel: a list of 3 integers expected, a list of 2 found");
    refuse_arch("encoder/0/kernel", "3", "encoder[0]: kernel: a list of 3 integers expected, 3 found");
    refuse_arch("encoder/2/kernel/1", "\"3\"", "encoder[2]: kernel[1]: an integer expected, \"3\" found");
    refuse_arch("encoder/2/kernel/1", "4294967299", "encoder[2]: kernel[1]: an integer of 32 bits expected, 4294967299");
    refuse_arch("decoder/0/stride", NULL, "decoder[0]: stride: a list of 3 integers expected, nothing found");
    refuse_arch("memory/similarity", "\"euclid\"", "memory: similarity: cosine or dot expected, \"euclid\" found");
    refuse_arch("memory/slots", "true", "memory: slots: an integer expected, true found");
    refuse_arch("memory/shrink", NULL, "memory: shrink: a number expected, nothing found");
    refuse_arch("memory/shrink", "-0.1", "memory: shrink");
    refuse_arch("memory/temperature", "0", "memory: temperature");
    refuse_arch("memory/temperature", "1e-60", "memory: temperature");
    refuse_arch("input/shape", "[16, 32, 32]", "encoder[0]: type: conv2d or deconv2d expected, \"conv3d\" found");
    refuse_arch("input/shape", "[120]", "encoder[0]: type: linear expected, \"conv3d\" found");
    refuse_arch("input", "{\"shape\": [1, 32, 32], \"mean\": 0.5}", "input: std: a number expected, nothing found");
    refuse_arch("input/shape", "[1, 1, 16, 32, 32]", "input: shape: [channels, frames, height, width], [channels, height, width] or [features] expected, a list of 5");
    refuse_arch("input/std", "0", "input: ");
    refuse_arch("input/mean", NULL, "input: mean: a number expected, nothing found");
    refuse_arch("decoder/3/output_padding", "[0,1,0]", "decoder: expected an output of the input's shape");

    char layers[33 * 3 + 2] = "[";
    for (int i = 0; i < 33; i++)
        strcat(layers, i ? ",{}" : "{}");
    strcat(layers, "]");
    refuse_arch("encoder", layers, "memae.arch: encoder: at most 32 layers expected, 33 found");
}
END_TEST

/* Numbers that each fit and whose products do not: refused before memory is asked for. */
START_TEST(refuses_overflow)
{
    refuse_arch("encoder/0/kernel", "[2147483648,3,3]", "kernel[0]: an integer of 32 bits expected, 2147483648 found");
    refuse_arch("encoder/0/kernel", "[2147483647,3,3]", "encoder layer 0: kernel: ");
    refuse_arch("encoder/0/padding", "[2147483647,1,1]", "encoder layer 0: padding: ");
    refuse_arch("encoder/0/stride", "[0,1,1]", "encoder layer 0: stride: ");
    refuse_arch("encoder/0/stride", "[-1,1,1]", "encoder layer 0: stride: ");
    refuse_arch("encoder/0/out", "1000000", "encoder layer 0: out: ");
    refuse_arch("encoder/0/out", "0", "encoder layer 0: out: ");
    refuse_arch("encoder/0/out", "-4", "encoder layer 0: out: ");
    refuse_arch("memory/slots", "2147483647", "memory: slots: ");
    refuse_arch("memory/slots", "0", "memory: slots: ");
    refuse_arch("input/shape", "[65536, 64, 16384, 16384]", "input: ");
    refuse_arch("input/shape", "[1, 16, 2147483647, 2147483647]", "input: height: ");
    /* Within every limit, and 1.7 GB: no memory is taken for what the file doesn't hold. */
    refuse_arch("encoder/3/out", "65536", "encoder.9.weight: shape [65536, 8, 3, 3, 3] expected, [8, 8, 3, 3, 3] found");
}
END_TEST

START_TEST(refuses_tensors)
{
    struct draft d = tiny();
    json_object_del(d.header, "decoder.4.running_var");
    refuse(&d, "x.safetensors: decoder.4.running_var: F32 [4] expected, no such tensor found");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.weight"), "shape", json_pack("[i, i, i, i]", 4, 1, 3, 3));
    refuse(&d, "x.safetensors: encoder.0.weight: shape [4, 1, 3, 3, 3] expected, [4, 1, 3, 3] found");

    d = tiny();                         /* the same number of elements in another order of axes */
    json_object_set_new(json_object_get(d.header, "encoder.6.weight"), "shape", json_pack("[i, i, i, i, i]", 4, 8, 3, 3, 3));
    refuse(&d, "x.safetensors: encoder.6.weight: shape [8, 4, 3, 3, 3] expected, [4, 8, 3, 3, 3] found");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.bias"), "dtype", json_string("I64"));
    refuse(&d, "x.safetensors: encoder.0.bias: dtype F32 expected, I64 found");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.bias"), "dtype", json_string("F16"));
    refuse(&d, "x.safetensors: encoder.0.bias: dtype F32 or I64 expected, F16 found");

    d = tiny();
    json_object_set(d.header, "encoder.2.weight", json_object_get(d.header, "encoder.1.weight"));
    refuse(&d, "x.safetensors: encoder.2.weight: the architecture has no such tensor");

    d = with_arch("memory", "null");
    refuse(&d, "x.safetensors: mem_rep.memory.weight: the architecture has no such tensor");

    static const char *const counters[][2] = {
        {"{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}", "dtype I64 expected, F32 found"},
        {"{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}", "shape [] expected, [1] found"},
    };
    for (int i = 0; i < 2; i++) {
        d = tiny();
        json_object_set_new(d.header, "encoder.1.num_batches_tracked", json_loads(counters[i][0], 0, NULL));
        refuse(&d, counters[i][1]);
    }
}
END_TEST

START_TEST(refuses_values)
{
    static const struct {
        const char *name;
        float value;
        const char *what;
    } cases[] = {
        {"encoder.0.weight", NAN, "encoder.0.weight: finite values expected, NaN found as element 3"},
        {"mem_rep.memory.weight", INFINITY, "mem_rep.memory.weight: finite values expected, infinity found as element 3"},
        {"decoder.1.running_mean", -INFINITY, "decoder.1.running_mean: finite values expected"},
        {"encoder.1.running_var", -0.25f, "encoder.1.running_var: variances of 0 or more expected, -0.25 found as element 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct draft d = tiny();
        json_t *offsets = json_object_get(json_object_get(d.header, cases[i].name), "data_offsets");
        memcpy((unsigned char *)d.data + json_integer_value(json_array_get(offsets, 0)) + 12, &cases[i].value, 4);
        refuse(&d, cases[i].what);
    }
}
END_TEST

#define CALIBRATION(fps, threshold, close, windows) "{\"fps\":" fps ",\"threshold\":" threshold ",\"close_threshold\":" \
    close ",\"median\":0.05,\"p99\":0.08,\"maximum\":0.09,\"windows\":" windows "}"

START_TEST(refuses_calibrations)
{
    struct draft d = with_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.2", "0"));
    accept(&d);
    refuse_metadata("memae.calibration", CALIBRATION("0", "0.2", "0.1", "5"), "memae.calibration: fps: a number above 0");
    refuse_metadata("memae.calibration", CALIBRATION("-1", "0.2", "0.1", "5"), "fps: a number above 0 expected, -1 found");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.1", "0.2", "5"),
                    "close_threshold: at most the threshold, 0.1, expected, 0.2 found");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.1", "-5"), "windows: 0 or more expected, -5 found");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.1", "5.5"), "windows: an integer expected, 5.5 found");
    refuse_metadata("memae.calibration", CALIBRATION("10", "\"0.2\"", "0.1", "5"), "threshold: a number expected, \"0.2\"");
    refuse_metadata("memae.calibration", CALIBRATION("10", "1e999", "0.1", "5"), "memae.calibration: ");
    refuse_metadata("memae.calibration", CALIBRATION("10", "NaN", "0.1", "5"), "memae.calibration: ");
    refuse_metadata("memae.calibration", "{\"fps\": 10}", "threshold: a number expected, nothing found");
    refuse_metadata("memae.calibration", "{\"fsp\": 10}", "fsp: unknown key");
}
END_TEST

/* Ranges of 8 bits, whole and with one thing wrong in turn; low and high begin the lists. */
START_TEST(refuses_bad_int8)
{
    static const struct {
        const char *int8, *low, *high, *error;
        int more;               /* channels */
    } cases[] = {
        {"\"rank_correlation\":0.99,\"largest_difference\":0.5,\"windows\":5", "-1", "1", NULL, 0},
        {"\"rank_correlation\":1.5,\"largest_difference\":0.5,\"windows\":5", "-1", "1", "int8: rank_correlation: -1 to 1", 0},
        {"\"rank_correlation\":1,\"largest_difference\":-0.5,\"windows\":5", "-1", "1", "int8: largest_difference: a number of 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":0", "-1", "1", "int8: windows: 1 or more", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":1e300", "-1", "1", "int8: windows: a count", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5", "-1", "1", "int8: windows: a number expected, nothing", 0},
        {"\"rank\":1,\"largest_difference\":0.5,\"windows\":5", "-1", "1", "int8: rank: unknown key", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0.5", "1", "int8: low[0], high[0]: a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "0", "int8: low[0], high[0]: a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1e30", "int8: low[0], high[0]: a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1e300", "int8: high[0]: a number that fits", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "\"0\"", "1", "int8: low[0]: a number expected", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1,1", "int8: low, high: lists of the same length", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: ranges of ", 1},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: ranges of ", -1},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: low, high: lists", 5000},
    };
    static char lists[2][40000], text[90000];
    struct model_file file;
    ck_assert_int_eq(model_file_load(&file, GOLDEN "tiny-noshrink.safetensors", NULL), 0);     /* the draft's network */
    int all = ranges_count(&file.model->arch, &file.model->shapes);
    model_file_clear(&file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int n = all + cases[i].more;
        for (int k = 0; k < 2; k++) {
            size_t at = (size_t)snprintf(lists[k], sizeof lists[k], "%s", k ? cases[i].high : cases[i].low);
            for (int c = 1; c < n; c++)
                at += (size_t)snprintf(lists[k] + at, sizeof lists[k] - at, k ? ",1.5" : ",-0.5");
        }
        snprintf(text, sizeof text, "{\"fps\":10,\"threshold\":0.2,\"close_threshold\":0.1,\"median\":0,\"p99\":0,\"maximum\":0,"
                 "\"windows\":5,\"int8\":{%s,\"low\":[%s],\"high\":[%s]}}", cases[i].int8, lists[0], lists[1]);
        if (cases[i].error) {
            refuse_metadata("memae.calibration", text, cases[i].error);
            continue;
        }
        struct draft d = with_metadata("memae.calibration", text);
        accept(&d);
    }
}
END_TEST

/* Limits for one light: those given first, then 16 for each other cell. */
static json_t *static_list(double first, int cells)
{
    json_t *list = json_array();
    for (int i = 0; i < cells; i++)
        json_array_append_new(list, json_real(i == 0 ? first : 16));
    return list;
}

START_TEST(refuses_bad_static)
{
    enum { BOUND, LARGEST, WINDOWS, FROZEN, MARGIN, FIRST, N };
    static const struct {
        int what;
        double value;
        int lists, more;        /* lights, and cells, beyond what is right */
        bool no_score;
        const char *error;
    } cases[] = {
        {N, 0, 0, 0, false, NULL},
        {BOUND, 0.2, 0, 0, false, "static: a largest_difference of 0 or more expected, and a finite bound of no less"},
        {LARGEST, -1, 0, 0, false, "static: a largest_difference of 0 or more"},
        {WINDOWS, -1, 0, 0, false, "static: windows: 0 or more"},
        {WINDOWS, 1e300, 0, 0, false, "static: windows: a count"},
        {FROZEN, 0, 0, 0, false, "static: frozen_s: a number above 0"},
        {FROZEN, 1e10, 0, 0, false, "static: frozen_s: a number above 0 expected, at most 1e9"},
        {MARGIN, -0.1, 0, 0, false, "static: light_margin: a number of 0 or more"},
        {FIRST, -2, 0, 0, false, "static: limits[0][0]: -1 to 65025"},
        {FIRST, 1e5, 0, 0, false, "static: limits[0][0]: -1 to 65025"},
        {FIRST, 1e300, 0, 0, false, "static: limits[0][0]: a number that fits"},
        {N, 0, -1, 0, false, "static: limits: 2 lists"},
        {N, 0, 1, 0, false, "static: limits: 2 lists"},
        {N, 0, 0, 1, false, "static: limits[0]: a list of "},
        {N, 0, 0, -1, false, "static: limits[0]: a list of "},
        {N, 0, 0, 0, true, "static: a score expected beside it"},
    };
    struct model_file file;
    ck_assert_int_eq(model_file_load(&file, GOLDEN "tiny-noshrink.safetensors", NULL), 0);     /* the draft's network */
    int cells = static_cells(&file.model->arch);
    model_file_clear(&file);
    ck_assert_int_gt(cells, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double values[N] = {1.5, 0.5, 7, 10, 0.1, 16};
        if (cases[i].what < N)
            values[cases[i].what] = cases[i].value;
        json_t *limits = json_array();
        for (int c = 0; c < 2 + cases[i].lists; c++)
            json_array_append_new(limits, static_list(values[FIRST], cells + cases[i].more));
        json_t *still = json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "bound", values[BOUND], "largest_difference", values[LARGEST],
                                  "windows", values[WINDOWS], "frozen_s", values[FROZEN], "light_margin",
                                  values[MARGIN], "limits", limits);
        json_t *light = json_pack("{s:f, s:f, s:f, s:f, s:f, s:{s:f, s:f, s:f, s:f}}", "noise", 0.0, "speed_centre", 0.0,
                                  "speed_spread", 1.0, "change_centre", 0.0, "change_spread", 1.0, "rare", "level", 0.0,
                                  "share", 1.0, "scale", 1.0, "shape", 0.0);
        json_t *all = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:o, s:o*}", "fps", 10.0, "threshold", 0.2,
                                "close_threshold", 0.1, "median", 0.0, "p99", 0.0, "maximum", 0.0, "windows", 5, "static", still,
                                "score", json_pack("{s:f, s:[o]}", "boundary", 0.0, "conditions", light));
        if (cases[i].no_score)
            json_object_del(all, "score");
        char *text = json_dumps(all, JSON_COMPACT);
        ck_assert_ptr_nonnull(text);
        if (cases[i].error) {
            refuse_metadata("memae.calibration", text, cases[i].error);
        } else {
            struct draft d = with_metadata("memae.calibration", text);
            accept(&d);
        }
        free(text);
        json_decref(all);
    }
}
END_TEST

/* A whole score and tail, with one thing wrong in turn. */
START_TEST(refuses_scores_and_tails)
{
    static const struct {
        const char *key, *value, *error;        /* of the text below, replaced */
    } wrong[] = {
        {"\"noise\":0,", "\"noise\":-1,", "score: conditions[0]: noise: a number of 0 or more"},
        {"\"noise\":0,", "", "score: conditions[0]: noise: a number expected, nothing found"},
        {"\"noise\":0,", "\"nose\":0,", "score: conditions[0]: nose: unknown key"},
        {"\"speed_spread\":1", "\"speed_spread\":0", "score: conditions[0]: spreads above 0"},
        {"\"scale\":2", "\"scale\":0", "score: conditions[0]: rare: a finite level"},
        {"\"scale\":2,\"shape\":0", "\"scale\":2,\"shape\":-0.1", "score: conditions[0]: rare: a shape of 0 or more"},
        {"\"share\":3,", "", "score: conditions[0]: rare: share: a number"},
        {"\"boundary\":0", "\"boundary\":\"0\"", "score: boundary: a number expected"},
        {"[{", "[7,{", "score: conditions[0]: "},
        {"[{", "[7,7,{", "score: conditions: a list of 1 or 2"},
        {"\"change_centre\":0", "\"change_centre\":1e999", "memae.calibration: "},
        {"\"shape\":0.25", "\"shape\":0.75", "tail: run: a finite level"},
        {"\"share\":0.05", "\"share\":0", "tail: window: a finite level"},
        {"\"runs\":3", "\"runs\":-3", "tail: windows, runs and hours"},
        {"\"runs\":3", "\"runs\":1e300", "tail: windows and runs: counts"},
        {"[0,", "[", "tail: quantiles: a list of 33 numbers"},
        {"[0,", "[9,", "tail: quantiles[1]: a finite number, and no less"},
        {"[0,", "[\"0\",", "tail: quantiles: numbers expected"},
        {"\"level\":3,", "", "tail: run: level: a number expected"},
    };
    char text[1200], quantiles[200] = "[0";
    for (int i = 1; i < 33; i++)
        strcat(quantiles, ",1");
    for (size_t i = 0; i <= sizeof wrong / sizeof wrong[0]; i++) {
        char changed[1200];
        snprintf(text, sizeof text, "{\"fps\":10,\"threshold\":1,\"close_threshold\":1,\"median\":0,\"p99\":0,\"maximum\":1,"
                 "\"windows\":5,\"score\":{\"boundary\":0,\"conditions\":[{\"noise\":0,\"speed_centre\":0,\"speed_spread\":1,\"change_centre\":0,"
                 "\"change_spread\":1,\"rare\":{\"level\":0,\"share\":3,\"scale\":2,\"shape\":0}}]},\"tail\":{\"hours\":1,\"windows\":5,\"runs\":3,\"quantiles\":%s],\"window\":{\"level\":1,"
                 "\"share\":0.05,\"scale\":1,\"shape\":0},\"run\":{\"level\":3,\"share\":2,\"scale\":1,\"shape\":0.25}}}",
                 quantiles);
        if (i == sizeof wrong / sizeof wrong[0]) {
            struct draft d = with_metadata("memae.calibration", text);
            accept(&d);
            break;
        }
        char *at = strstr(text, wrong[i].key);
        ck_assert_ptr_nonnull(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, wrong[i].value, at + strlen(wrong[i].key));
        refuse_metadata("memae.calibration", changed, wrong[i].error);
    }
}
END_TEST

/* ---- what is saved ------------------------------------------------------------------------------------------------ */

static char folder[64], path[96];

static void make_folder(void)
{
    strcpy(folder, "/tmp/test_model_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* The layers and the memory field by field: padding bytes of a struct say nothing. */
static void same_arch(const struct arch *a, const struct arch *b)
{
    char *texts[2];
    const struct arch *const archs[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        json_t *json = arch_to_json(archs[i]);
        ck_assert_ptr_nonnull(json);
        texts[i] = json_dumps(json, JSON_SORT_KEYS);
        json_decref(json);
    }
    ck_assert_str_eq(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

START_TEST(saves_and_loads)
{
    struct arch arch = *arch_profile("nano");
    struct error err = {""};
    arch.mean = 0.45f;
    arch.std = 1.0f / 3;
    arch.encoder[1].activation = ACTIVATION_RELU;
    arch.encoder[2].activation = ACTIVATION_TANH;
    arch.encoder[2].norm = false;
    arch.encoder[3].slope = 0.01f;
    if (_i == 1)
        arch.has_memory = false;
    struct model *model;
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 5);
    static struct calibration calibration = {
        .fps = 10, .threshold = 0.1 + 0.2, .close_threshold = 0.29, .median = 1.0 / 3, .p99 = 0.7, .maximum = 0.9,
        .windows = 321, .has_score = true, .score = {2, 0.7, {{1e-5 / 3, {-3.1, 0.2}, {-7.0 / 3, 1.5}, {0.1, 7, 1.0 / 3, 0.2}},
                                                             {1e-4 / 3, {-3.2, 0.3}, {-8.0 / 3, 2.5}, {0.2, 5, 2.0 / 3, 0}}}}, .has_tail = true,
        .tail = {.windows = 320, .window = {0.2, 0.05, 0.3, -1.0 / 7}, .run = {0.25, 12.5, 0.4, 1.0 / 9}, .hours = 1.0 / 3,
                 .runs = 4},
    };
    for (int i = 0; i < TAIL_QUANTILES; i++)
        calibration.tail.quantiles[i] = i / 7.0;
    calibration.has_int8 = true;
    calibration.int8 = (struct calibration_int8){.rank_correlation = 0.999 + 1e-9, .largest_difference = 1.0 / 3, .windows = 77,
                                                 .ranges.n = ranges_count(&arch, &model->shapes)};
    for (int i = 0; i < calibration.int8.ranges.n; i++)
        calibration.int8.ranges.channels[i] = (struct range){-(float)i / 7, 1.0f / 3};
    calibration.has_static = true;
    calibration.still = (struct static_limits){.cells = static_cells(&arch), .bound = 4.0 / 3, .largest_difference = 1.0 / 3,
                                               .windows = 33, .frozen_s = 10.1, .light_margin = 1.0 / 7};
    for (int i = 0; i < calibration.still.cells; i++) {
        calibration.still.limit[0][i] = 16 + (float)i / 3;
        calibration.still.limit[1][i] = -1;
    }
    json_t *training = json_pack("{s:s, s:i, s:[f]}", "source", "gate", "slots_used", 33, "losses", 0.1);
    ck_assert_msg(model_file_save(path, model, &calibration, training, &err) == 0, "%s", err.text);

    struct model_file file;
    ck_assert_msg(model_file_load(&file, path, &err) == 0, "%s", err.text);
    same_arch(&file.model->arch, &arch);
    ck_assert(file.model->arch.std == arch.std && file.model->arch.mean == arch.mean);
    ck_assert_uint_eq(file.model->n_storage, model->n_storage);
    ck_assert_mem_eq(file.model->storage, model->storage, model->n_storage * sizeof(float));
    ck_assert(file.has_calibration);
    ck_assert_mem_eq(&file.calibration, &calibration, sizeof calibration);
    ck_assert(json_equal(file.training, training));
    model_file_clear(&file);

    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, &err), 0);
    ck_assert_int_eq(model_file_load(&file, path, &err), 0);
    ck_assert(!file.has_calibration);
    ck_assert_ptr_null(file.training);
    model_file_clear(&file);
    json_decref(training);
    model_close(model);
}
END_TEST

START_TEST(refuses_a_score_without_cells)
{
    struct arch arch = {.channels = 1, .frames = 2, .height = 16, .width = 16, .mean = 0.5f, .std = 0.5f, .n_encoder = 1,
                        .n_decoder = 1};
    arch.encoder[0] = arch.decoder[0] = (struct layer_spec){.type = LAYER_CONV3D, .out = 1, .kernel = {1, 1, 1},
                                                            .stride = {1, 1, 1}};
    const struct calibration calibration = {.fps = 10, .has_score = true, .score = {1, 0, {{0, {0, 1}, {0, 1}, {0, 1, 1, 0}}}}};
    struct model *model;
    struct model_file file;
    struct error err = {""};
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 5);
    ck_assert_msg(model_file_save(path, model, &calibration, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_file_load(&file, path, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "memae.calibration: score: the network's windows are too small"), "%s", err.text);
    model_close(model);
}
END_TEST

START_TEST(saves_nothing_bad)
{
    struct model *model;
    struct error err = {""};
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), NULL), 0);
    model_init(model, 5);
    const struct calibration wrong[] = {{.fps = 10, .threshold = NAN}, {.fps = 0}, {.fps = 10, .close_threshold = 1},
                                        {.fps = 10, .has_int8 = true}};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(model_file_save(path, model, &wrong[i], NULL, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, "m.safetensors: memae.calibration: "), "%s", err.text);
    }
    json_t *list = json_array();
    ck_assert_int_eq(model_file_save(path, model, NULL, list, &err), -EINVAL);
    json_decref(list);
    model->encoder[1].weight[7] = NAN;
    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "encoder.3.weight: finite values expected, NaN found as element 7"), "%s", err.text);
    ck_assert_int_eq(access(path, F_OK), -1);
    model_close(model);
}
END_TEST

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(loads_architectures)
{
    struct error err = {""};
    for (int i = 0; arch_profile_name(i); i++) {
        const struct arch *profile = arch_profile(arch_profile_name(i));
        struct arch loaded;
        json_t *json = arch_to_json(profile);
        ck_assert_int_eq(json_dump_file(json, path, JSON_INDENT(1)), 0);
        json_decref(json);
        ck_assert_msg(arch_load(&loaded, path, &err) == 0, "%s", err.text);
        same_arch(&loaded, profile);
    }
    struct arch untouched = {.frames = 77};
    write_text("{\n \"input\": ,\n}");
    ck_assert_int_eq(arch_load(&untouched, path, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "m.safetensors:2:"), "%s", err.text);
    write_text("{\"input\": {}}");
    ck_assert_int_eq(arch_load(&untouched, path, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "or [features] expected, nothing"), "%s", err.text);
    ck_assert_int_eq(arch_load(&untouched, "/nonexistent/arch.json", &err), -ENOENT);
    ck_assert_int_eq(arch_load(&untouched, folder, &err), -EISDIR);
    ck_assert_int_eq(untouched.frames, 77);
}
END_TEST

/* ---- memaed model show -------------------------------------------------------------------------------------------- */

/* Runs the command with standard output and error into out; returns its exit status. */
static int run(char *out, size_t size, char *const argv[], int argc)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    fflush(NULL);
    int saved[2] = {dup(1), dup(2)};
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    int status = command_model(argc, (char **)argv);
    fflush(NULL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    rewind(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = '\0';
    fclose(file);
    return status;
}

#define RUN(...) run(out, sizeof out, (char *[]){"model", __VA_ARGS__, NULL}, \
                     (int)(sizeof((char *[]){"model", __VA_ARGS__}) / sizeof(char *)))

START_TEST(shows)
{
    static char out[1 << 16];
    struct model *model;
    struct arch arch = *arch_profile("nano");
    ck_assert_int_eq(model_open(&model, &arch, NULL), 0);
    model_init(model, 5);
    const struct calibration calibration = {.fps = 10, .threshold = 0.125, .close_threshold = 0.1, .median = 0.05,
                                            .p99 = 0.08, .maximum = 0.09, .windows = 321};
    json_t *training = json_pack("{s:s, s:i, s:s}", "source", "rtsp://user:hidden@gate/1", "slots_used", 33, "note",
                                 "a\nb\x1b[2J");
    ck_assert_int_eq(model_file_save(path, model, &calibration, training, NULL), 0);
    json_decref(training);
    model_close(model);

    ck_assert_int_eq(RUN("show", path), 0);
    static const char *const said[] = {"1x16x64x64", "deconv3d", "leaky_relu(0.2)", "33 in use", "alerts from 0.125 on",
                                       "321 windows", "note: a?b?[2J", "rtsp://***@gate/1"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        ck_assert_msg(strstr(out, said[i]), "\"%s\" is not in:\n%s", said[i], out);
    ck_assert_ptr_null(strstr(out, "hidden"));
    ck_assert_ptr_null(strchr(out, '\x1b'));

    ck_assert_int_eq(RUN("show", "--json", path), 0);
    ck_assert_ptr_null(strstr(out, "hidden"));
    json_t *json = json_loads(out, 0, NULL);
    ck_assert_msg(json != NULL, "%s", out);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "memory"), "slots_used")), 33);
    ck_assert(json_real_value(json_object_get(json_object_get(json, "calibration"), "threshold")) == 0.125);
    struct arch back;
    ck_assert_int_eq(arch_from_json(&back, json_object_get(json, "arch"), NULL), 0);
    same_arch(&back, &arch);
    json_decref(json);

    ck_assert_int_eq(RUN("show", GOLDEN "tiny-dot.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "none: alerts need a threshold"));
    ck_assert_ptr_nonnull(strstr(out, "not told"));

    ck_assert_int_eq(RUN("show", GOLDEN "mnist.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "1x32x32 (channels, height, width); a pixel"));
    ck_assert_ptr_nonnull(strstr(out, "3x3 / 2x2   norm leaky_relu(0.2)  -> 64x4x4 "));
    ck_assert_int_eq(RUN("show", GOLDEN "kddcup.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "120 (features)\n"));
    ck_assert_ptr_nonnull(strstr(out, "- / -     tanh                  -> 60 "));
    ck_assert_int_eq(RUN("show", "--json", GOLDEN "kddcup.safetensors"), 0);
    json = json_loads(out, 0, NULL);
    json_t *features = json_pack("[i]", 120);
    ck_assert_msg(json_equal(json_object_get(json, "input"), features), "%s", out);
    json_decref(features);
    json_decref(json);
}
END_TEST

/* The nominal count that bench is held to: 65.4 G for the paper's cube, the addressing among it. */
START_TEST(counts_the_papers_cube)
{
    static char out[1 << 16];
    struct model *model;
    ck_assert_int_eq(model_open(&model, arch_profile("paper"), NULL), 0);
    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, NULL), 0);
    model_close(model);
    ck_assert_int_eq(RUN("show", "--json", path), 0);
    json_t *json = json_loads(out, 0, NULL);
    double flop = json_real_value(json_object_get(json, "flop_per_cube"));
    json_decref(json);
    ck_assert_msg(flop > 65.35e9 && flop < 65.45e9, "%g", flop);
    ck_assert_int_eq(RUN("show", path), 0);
    ck_assert_ptr_nonnull(strstr(out, "65.4 GFLOP"));
}
END_TEST

START_TEST(command_line)
{
    static char out[1 << 16];
    ck_assert_int_eq(RUN("--help"), 0);
    ck_assert_ptr_nonnull(strstr(out, "Usage: memaed model show"));
    ck_assert_int_eq(RUN("show", "--help"), 0);
    ck_assert_int_eq(run(out, sizeof out, (char *[]){"model", NULL}, 1), 2);
    ck_assert_int_eq(RUN("list"), 2);
    ck_assert_int_eq(RUN("show"), 2);
    ck_assert_int_eq(RUN("show", "a", "b"), 2);
    ck_assert_int_eq(RUN("show", "--yaml", "a"), 2);
    ck_assert_ptr_nonnull(strstr(out, "--yaml"));
    ck_assert_int_eq(RUN("show", "--json=x", "a"), 2);
    ck_assert_int_eq(RUN("show", path), 1);
    ck_assert_ptr_nonnull(strstr(out, "m.safetensors: No such file"));
    ck_assert_int_eq(RUN("show", "--", GOLDEN "tiny-dot.golden.safetensors"), 1);
    ck_assert_ptr_nonnull(strstr(out, "memae expected"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_file");
    TCase *loading = tcase_create("loading"), *faults = tcase_create("faults"), *files = tcase_create("files");
    tcase_add_loop_test(loading, loads_golden, 0, 6);
    tcase_add_test(loading, loads_unaligned);
    tcase_add_test(loading, loads_variants);
    tcase_add_test(loading, refuses_other_formats);
    tcase_add_test(loading, tensors_of_images_and_tables);
    tcase_add_test(faults, refuses_truncation);
    tcase_add_test(faults, refuses_metadata);
    tcase_add_test(faults, refuses_architectures);
    tcase_add_test(faults, refuses_overflow);
    tcase_add_test(faults, refuses_tensors);
    tcase_add_test(faults, refuses_values);
    tcase_add_test(faults, refuses_calibrations);
    tcase_add_test(faults, refuses_scores_and_tails);
    tcase_add_test(faults, refuses_bad_int8);
    tcase_add_test(faults, refuses_bad_static);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_loop_test(files, saves_and_loads, 0, 2);
    tcase_add_test(files, saves_nothing_bad);
    tcase_add_test(files, refuses_a_score_without_cells);
    tcase_add_test(files, loads_architectures);
    tcase_add_test(files, shows);
    tcase_add_test(files, counts_the_papers_cube);
    tcase_add_test(files, command_line);
    suite_add_tcase(suite, loading);
    suite_add_tcase(suite, faults);
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
