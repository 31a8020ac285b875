/* Faults of model files: each message names the file, the place, and what was expected there. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/model/safetensors.h"
#include "tests/io/model/model_fixture.h"
#include "tests/suite.h"

START_TEST(refuses_truncation)
{
    struct bytes b = read_bytes(GOLDEN "tiny-noshrink.safetensors");
    struct safetensors *file;
    ck_assert_int_eq(safetensors_open_memory(&file, b.data, b.size, "x", NULL), 0);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_tensor *t = safetensors_at(file, i);
        size_t begin = (size_t)(t->data - b.data);
        refuse_bytes(b.data, begin, "data_offsets: expected a place within");             /* cut where the tensor begins, */
        refuse_bytes(b.data, begin + 1,
                     "data_offsets: expected a place within");         /* in it, and just before its end */
        refuse_bytes(b.data, begin + t->size_bytes - 1, "data_offsets: expected a place within");
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
    refuse_metadata("format", NULL, "metadata: format: expected memae, got nothing");
    refuse_metadata("format", "pt", "metadata: format: expected memae, got pt");
    refuse_metadata("memae.arch", NULL, "metadata: memae.arch: expected an architecture, got nothing");
    refuse_metadata("memae.arch", "", "memae.arch: line 1, column 0: ");
    refuse_metadata("memae.arch", "{\"input\": 1, \"input\": 1}", "duplicate object key");
    refuse_metadata("memae.arch", "[]", "memae.arch: expected an object");
    refuse_metadata("memae.arch", "{}", "memae.arch: input: expected an object, got nothing");
    refuse_metadata("memae.training", "{", "memae.training: line 1");
    refuse_metadata("memae.training", "[1]", "memae.training: expected an object");
    refuse_metadata("memae.calibration", "1", "memae.calibration: line 1");
    struct draft d = tiny();
    json_object_del(d.header, "__metadata__");
    refuse(&d, "metadata: format: expected memae, got nothing");

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
    refuse_arch("input", NULL, "memae.arch: input: expected an object, got nothing");
    refuse_arch("memory", NULL, "memae.arch: memory: expected an object, got nothing");
    refuse_arch("encoder", "{}", "memae.arch: encoder: expected a list of layers, got an object");
    refuse_arch("encoder", "[]", "encoder: expected 1 to 32 layers, got 0");
    refuse_arch("encoder/0", "3", "memae.arch: encoder[0]: expected an object, got 3");
    refuse_arch("encoder/0/type", "\"conv2d\"", "encoder[0]: type: expected conv3d or deconv3d, got \"conv2d\"");
    refuse_arch("decoder/3/type", "\"deconv2d\"", "decoder[3]: type: expected conv3d or deconv3d, got \"deconv2d\"");
    refuse_arch("encoder/0/type", "\"linear\"", "encoder[0]: type: expected conv3d or deconv3d, got \"linear\"");
    refuse_arch("encoder/0/type", "\"conv4d\"", "encoder[0]: type: expected conv3d or deconv3d, got \"conv4d\"");
    refuse_arch("encoder/0/type", NULL, "encoder[0]: type: expected conv3d or deconv3d, got nothing");
    refuse_arch("encoder/0/norm", "\"group\"", "encoder[0]: norm: expected batch or nothing, got \"group\"");
    refuse_arch("encoder/0/norm", "true", "encoder[0]: norm: expected batch or nothing, got true");
    refuse_arch("encoder/0/activation", "\"gelu\"", "activation: expected leaky_relu, relu, tanh or nothing");
    refuse_arch("encoder/0/slope", "\"0.2\"", "slope: expected a number, got \"0.2\"");
    refuse_arch("encoder/0/slope", "1e39", "slope: expected a number that fits 32 bits, got 1e+39");
    refuse_arch("encoder/0/out", "4.0", "encoder[0]: out: expected an integer, got 4");
    refuse_arch("encoder/0/out", "4294967300", "encoder[0]: out: expected an integer of 32 bits, got 4294967300");
    refuse_arch("encoder/0/kernel", "[3,3]", "encoder[0]: kernel: expected a list of 3 integers, got a list of 2");
    refuse_arch("encoder/0/kernel", "3", "encoder[0]: kernel: expected a list of 3 integers, got 3");
    refuse_arch("encoder/2/kernel/1", "\"3\"", "encoder[2]: kernel[1]: expected an integer, got \"3\"");
    refuse_arch("encoder/2/kernel/1", "4294967299", "encoder[2]: kernel[1]: expected an integer of 32 bits, got 4294967299");
    refuse_arch("decoder/0/stride", NULL, "decoder[0]: stride: expected a list of 3 integers, got nothing");
    refuse_arch("memory/similarity", "\"euclid\"", "memory: similarity: expected cosine or dot, got \"euclid\"");
    refuse_arch("memory/slots", "true", "memory: slots: expected an integer, got true");
    refuse_arch("memory/shrink", NULL, "memory: shrink: expected a number, got nothing");
    refuse_arch("memory/shrink", "-0.1", "memory: shrink");
    refuse_arch("memory/temperature", "0", "memory: temperature");
    refuse_arch("memory/temperature", "1e-60", "memory: temperature");
    refuse_arch("input/shape", "[16, 32, 32]", "encoder[0]: type: expected conv2d or deconv2d, got \"conv3d\"");
    refuse_arch("input/shape", "[120]", "encoder[0]: type: expected linear, got \"conv3d\"");
    refuse_arch("input", "{\"shape\": [1, 32, 32], \"mean\": 0.5}", "input: std: expected a number, got nothing");
    refuse_arch("input/shape", "[1, 1, 16, 32, 32]",
                "input: shape: expected [channels, frames, height, width], [channels, height, width] or [features], got a list "
                "of 5");
    refuse_arch("input/std", "0", "input: ");
    refuse_arch("input/mean", NULL, "input: mean: expected a number, got nothing");
    refuse_arch("decoder/3/output_padding", "[0,1,0]", "decoder: expected an output of the input's shape");

    char layers[33 * 3 + 2] = "[";
    for (int i = 0; i < 33; i++)
        strcat(layers, i ? ",{}" : "{}");
    strcat(layers, "]");
    refuse_arch("encoder", layers, "memae.arch: encoder: expected at most 32 layers, got 33");
}
END_TEST

/* Numbers that fit 32 bits, but whose products do not. They are refused before any memory is allocated. */
START_TEST(refuses_overflow)
{
    refuse_arch("encoder/0/kernel", "[2147483648,3,3]", "kernel[0]: expected an integer of 32 bits, got 2147483648");
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
    /* Within every limit, but 1.7 GB: no memory is allocated for tensors that the file does not hold. */
    refuse_arch("encoder/3/out", "65536", "encoder.9.weight: expected shape [65536, 8, 3, 3, 3], got [8, 8, 3, 3, 3]");
}
END_TEST

START_TEST(refuses_tensors)
{
    struct draft d = tiny();
    json_object_del(d.header, "decoder.4.running_var");
    refuse(&d, "x.safetensors: decoder.4.running_var: expected F32 [4], got no such tensor");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.weight"), "shape", json_pack("[i, i, i, i]", 4, 1, 3, 3));
    refuse(&d, "x.safetensors: encoder.0.weight: expected shape [4, 1, 3, 3, 3], got [4, 1, 3, 3]");

    d = tiny();                         /* as many elements, in another order of axes */
    json_object_set_new(json_object_get(d.header, "encoder.6.weight"), "shape", json_pack("[i, i, i, i, i]", 4, 8, 3, 3, 3));
    refuse(&d, "x.safetensors: encoder.6.weight: expected shape [8, 4, 3, 3, 3], got [4, 8, 3, 3, 3]");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.bias"), "dtype", json_string("I64"));
    refuse(&d, "x.safetensors: encoder.0.bias: expected dtype F32, got I64");

    d = tiny();
    json_object_set_new(json_object_get(d.header, "encoder.0.bias"), "dtype", json_string("F16"));
    refuse(&d, "x.safetensors: encoder.0.bias: expected dtype F32 or I64, got F16");

    d = tiny();
    json_object_set(d.header, "encoder.2.weight", json_object_get(d.header, "encoder.1.weight"));
    refuse(&d, "x.safetensors: encoder.2.weight: the architecture has no such tensor");

    d = with_arch("memory", "null");
    refuse(&d, "x.safetensors: mem_rep.memory.weight: the architecture has no such tensor");

    static const char *const counters[][2] = {
        {"{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}", "expected dtype I64, got F32"},
        {"{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}", "expected shape [], got [1]"},
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
        {"encoder.0.weight", NAN, "encoder.0.weight: expected finite values, got NaN at element 3"},
        {"mem_rep.memory.weight", INFINITY, "mem_rep.memory.weight: expected finite values, got infinity at element 3"},
        {"decoder.1.running_mean", -INFINITY, "decoder.1.running_mean: expected finite values"},
        {"encoder.1.running_var", -0.25f, "encoder.1.running_var: expected variances of 0 or more, got -0.25 at element 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct draft d = tiny();
        json_t *offsets = json_object_get(json_object_get(d.header, cases[i].name), "data_offsets");
        memcpy((unsigned char *)d.data + json_integer_value(json_array_get(offsets, 0)) + 12, &cases[i].value, 4);
        refuse(&d, cases[i].what);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_faults");
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, refuses_truncation);
    tcase_add_test(faults, refuses_metadata);
    tcase_add_test(faults, refuses_architectures);
    tcase_add_test(faults, refuses_overflow);
    tcase_add_test(faults, refuses_tensors);
    tcase_add_test(faults, refuses_values);
    suite_add_tcase(suite, faults);
    return suite_run(suite);
}
