/* Model files: the golden ones load, and a saved model loads again. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/model/model_file.h"
#include "io/model/safetensors.h"
#include "tests/io/model/model_fixture.h"
#include "tests/suite.h"

/* ---- what loads --------------------------------------------------------------------------------------------------- */

static const char *const golden[] = {"tiny-cosine", "tiny-dot", "tiny-noshrink", "tiny-allshrunk", "mnist", "kddcup"};

START_TEST(loads_golden)
{
    char name[128];
    snprintf(name, sizeof name, GOLDEN "%s.safetensors", golden[_i]);
    struct model_file file;
    struct safetensors *raw;
    struct error err = {""};
    ck_assert_msg(model_file_load(&file, name, &err) == 0, "%s", err.text);
    ck_assert_msg(safetensors_open(&raw, name, &err) == 0, "%s", err.text);
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

/* The data begin at an odd address. */
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
    ck_assert_msg(strstr(err.text, "format: expected memae, got memae-golden"), "%s", err.text);
}
END_TEST

/* In the file, conv2d has no axis of frames, and a linear layer has no kernel. */
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

/* ---- what is saved ------------------------------------------------------------------------------------------------ */

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
        .windows = 321, .has_score = true,
        .score = {.conditions = 2, .boundary = 0.7,
                  .condition = {{1e-5 / 3, {{-3.1, 0.2}, {-7.0 / 3, 1.5}}, {0.1, 7, 1.0 / 3, 0.2}},
                                {1e-4 / 3, {{-3.2, 0.3}, {-8.0 / 3, 2.5}}, {0.2, 5, 2.0 / 3, 0}}}},
        .has_tail = true,
        .tail = {.windows = 320, .window = {0.2, 0.05, 0.3, -1.0 / 7}, .run = {0.25, 12.5, 0.4, 1.0 / 9}, .hours = 1.0 / 3,
                 .runs = 4},
    };
    for (int i = 0; i < TAIL_QUANTILES; i++)
        calibration.tail.quantiles[i] = i / 7.0;
    int rows = 0, columns = 0;
    ck_assert(score_cells(&arch, &rows, &columns));
    calibration.score.has_places = _i == 0;
    for (int c = 0; c < SCORE_CONDITIONS && _i == 0; c++) {
        struct places *places = &calibration.score.places[c];
        calibration.score.condition[c].usual[VOICE_PACE] = (struct score_usual){-1.0 / 3, 0.1 + 0.2};
        calibration.score.condition[c].usual[VOICE_APPEARANCE] = (struct score_usual){2.0 / 3, 0.7};
        for (int i = 0; i < rows * columns; i++) {
            places->usual[PLACES_PACE][i] = (float)(i + c) / 7;
            places->usual[PLACES_APPEARANCE][i] = (float)(i - c) / 3;
            places->typical_error[i] = -(float)i / 9;
        }
    }
    calibration.has_deciles = true;
    for (int v = 0; v < score_voices(&calibration.score); v++)
        for (int i = 0; i < DRIFT_DECILES; i++)
            calibration.deciles[v][i] = (float)(i + v) / 3;
    calibration.has_int8 = true;
    calibration.int8 = (struct calibration_int8){.rank_correlation = 0.999 + 1e-9, .largest_difference = 1.0 / 3,
                                                 .windows = 77,
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
    ck_assert_msg(model_file_save(path, model, &calibration, NULL, training, &err) == 0, "%s", err.text);

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

    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, NULL, &err), 0);
    ck_assert_int_eq(model_file_load(&file, path, &err), 0);
    ck_assert(!file.has_calibration);
    ck_assert_ptr_null(file.training);
    model_file_clear(&file);
    json_decref(training);
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
        ck_assert_int_eq(model_file_save(path, model, &wrong[i], NULL, NULL, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, "m.safetensors: memae.calibration: "), "%s", err.text);
    }
    json_t *list = json_array();
    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, list, &err), -EINVAL);
    json_decref(list);
    model->encoder[1].weight[7] = NAN;
    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, NULL, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "encoder.3.weight: expected finite values, got NaN at element 7"), "%s", err.text);
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
    ck_assert_msg(strstr(err.text, "or [features], got nothing"), "%s", err.text);
    ck_assert_int_eq(arch_load(&untouched, "/nonexistent/arch.json", &err), -ENOENT);
    ck_assert_int_eq(arch_load(&untouched, folder, &err), -EISDIR);
    ck_assert_int_eq(untouched.frames, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_file");
    TCase *loading = tcase_create("loading"), *files = tcase_create("files");
    tcase_add_loop_test(loading, loads_golden, 0, 6);
    tcase_add_test(loading, loads_unaligned);
    tcase_add_test(loading, loads_variants);
    tcase_add_test(loading, refuses_other_formats);
    tcase_add_test(loading, tensors_of_images_and_tables);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_loop_test(files, saves_and_loads, 0, 2);
    tcase_add_test(files, saves_nothing_bad);
    tcase_add_test(files, loads_architectures);
    suite_add_tcase(suite, loading);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
