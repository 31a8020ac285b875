/* Calibrations in model files: the faults that are refused, key by key. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/model/model_file.h"
#include "tests/io/model/model_fixture.h"
#include "tests/suite.h"

#define CALIBRATION(fps, threshold, close, windows) "{\"fps\":" fps ",\"threshold\":" threshold ",\"close_threshold\":" \
    close ",\"median\":0.05,\"p99\":0.08,\"maximum\":0.09,\"windows\":" windows "}"

START_TEST(refuses_calibrations)
{
    struct draft d = with_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.2", "0"));
    accept(&d);
    refuse_metadata("memae.calibration", CALIBRATION("0", "0.2", "0.1", "5"),
                    "memae.calibration: fps: expected a number from 0.0001 to 1000, got 0");
    refuse_metadata("memae.calibration", CALIBRATION("-1", "0.2", "0.1", "5"),
                    "fps: expected a number from 0.0001 to 1000, got -1");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.1", "0.2", "5"),
                    "close_threshold: expected at most the threshold, 0.1, got 0.2");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.1", "-5"), "windows: expected 0 or more, got -5");
    refuse_metadata("memae.calibration", CALIBRATION("10", "0.2", "0.1", "5.5"), "windows: expected an integer, got 5.5");
    refuse_metadata("memae.calibration", CALIBRATION("10", "\"0.2\"", "0.1", "5"),
                    "threshold: expected a number, got \"0.2\"");
    refuse_metadata("memae.calibration", CALIBRATION("10", "1e999", "0.1", "5"), "memae.calibration: ");
    refuse_metadata("memae.calibration", CALIBRATION("10", "NaN", "0.1", "5"), "memae.calibration: ");
    refuse_metadata("memae.calibration", "{\"fps\": 10}", "threshold: expected a number, got nothing");
    refuse_metadata("memae.calibration", "{\"fsp\": 10}", "fsp: unknown key");
}
END_TEST

/* Ranges of 8 bits: a correct case, then one fault at a time. low and high are the first elements of the lists. */
START_TEST(refuses_bad_int8)
{
    static const struct {
        const char *int8, *low, *high, *error;
        int more;               /* channels beyond the right number */
    } cases[] = {
        {"\"rank_correlation\":0.99,\"largest_difference\":0.5,\"windows\":5", "-1", "1", NULL, 0},
        {"\"rank_correlation\":1.5,\"largest_difference\":0.5,\"windows\":5", "-1", "1",
         "int8: rank_correlation: expected a number from -1 to 1, got 1.5", 0},
        {"\"rank_correlation\":1,\"largest_difference\":-0.5,\"windows\":5", "-1", "1",
         "int8: largest_difference: expected a number from 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":0", "-1", "1", "int8: windows: expected 1 or more",
         0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":1e300", "-1", "1",
         "int8: windows: expected a count", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5", "-1", "1", "int8: windows: expected a number, got nothing", 0},
        {"\"rank\":1,\"largest_difference\":0.5,\"windows\":5", "-1", "1", "int8: rank: unknown key", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0.5", "1",
         "int8: low[0], high[0]: expected a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "0",
         "int8: low[0], high[0]: expected a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1e30",
         "int8: low[0], high[0]: expected a range around 0", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1e300",
         "int8: high[0]: expected a number that fits", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "\"0\"", "1", "int8: low[0]: expected a number",
         0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1,1",
         "int8: low, high: expected lists of the same length", 0},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: expected ranges of ", 1},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: expected ranges of ", -1},
        {"\"rank_correlation\":1,\"largest_difference\":0.5,\"windows\":5", "0", "1", "int8: low, high: expected lists",
         5000},
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
        snprintf(text, sizeof text,
                 "{\"fps\":10,\"threshold\":0.2,\"close_threshold\":0.1,\"median\":0,\"p99\":0,\"maximum\":0,"
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

/* Loads a model with this calibration, whose reference it takes. error: part of the error; NULL: it is accepted. */
static void judge(json_t *calibration, const char *error)
{
    char *text = json_dumps(calibration, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    if (error) {
        refuse_metadata("memae.calibration", text, error);
    } else {
        struct draft d = with_metadata("memae.calibration", text);
        accept(&d);
    }
    free(text);
    json_decref(calibration);
}

/* Limits for one light: `first` for the first cell, and 16 for each other cell. */
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
        int lists, more;        /* lights and cells beyond the right number */
        bool no_score;
        const char *error;
    } cases[] = {
        {N, 0, 0, 0, false, NULL},
        {BOUND, 0.2, 0, 0, false, "static: bound: expected a number from 0.5 to 1e+09, got 0.2"},
        {LARGEST, -1, 0, 0, false, "static: largest_difference: expected a number from 0 to 1e+09, got -1"},
        {WINDOWS, -1, 0, 0, false, "static: windows: expected 0 or more"},
        {WINDOWS, 1e300, 0, 0, false, "static: windows: expected a count"},
        {FROZEN, 0, 0, 0, false, "static: frozen_s: expected a number from 1e-09 to 1e+09, got 0"},
        {FROZEN, 1e10, 0, 0, false, "static: frozen_s: expected a number from 1e-09 to 1e+09, got 1e+10"},
        {MARGIN, -0.1, 0, 0, false, "static: light_margin: expected a number from 0 to 1e+09, got -0.1"},
        {FIRST, -2, 0, 0, false, "static: limits[0][0]: expected -1 to 65025"},
        {FIRST, 1e5, 0, 0, false, "static: limits[0][0]: expected -1 to 65025"},
        {FIRST, 1e300, 0, 0, false, "static: limits[0][0]: expected a number that fits"},
        {N, 0, -1, 0, false, "static: limits: expected 2 lists"},
        {N, 0, 1, 0, false, "static: limits: expected 2 lists"},
        {N, 0, 0, 1, false, "static: limits[0]: expected a list of "},
        {N, 0, 0, -1, false, "static: limits[0]: expected a list of "},
        {N, 0, 0, 0, true, "static: expected a score beside it"},
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
        json_t *still = json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "bound", values[BOUND], "largest_difference",
                                  values[LARGEST],
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
        judge(all, cases[i].error);
    }
}
END_TEST

/* The places of a score: a correct case, then one fault at a time. */
START_TEST(refuses_bad_places)
{
    static const struct {
        const char *gone, *key, *error;     /* the key that is removed; the key whose list changes */
        int more;                           /* numbers in that list beyond the right number */
        double value;                       /* of the list's first number */
    } cases[] = {
        {NULL, NULL, NULL, 0, 0},
        {"pace_usual", NULL, "score: conditions[0]: pace_usual: expected a list of", 0, 0},
        {"appearance_typical", NULL, "score: conditions[0]: appearance_typical: expected a list of", 0, 0},
        {"appearance_spread", NULL, "score: conditions[0]: appearance_spread: expected a number, got nothing", 0, 0},
        {"pace_centre", NULL, "score: conditions[0]: pace_spread: unknown key", 0, 0},
        {NULL, "appearance_usual", "score: conditions[0]: appearance_usual: expected a list of", 1, 0},
        {NULL, "appearance_usual", "score: conditions[0]: appearance_usual: expected a list of", -1, 0},
        {NULL, "pace_usual", "score: conditions[0]: pace_usual[0]: expected a number that fits", 0, 1e300},
        {NULL, "appearance_spread", "score: conditions[0]: appearance_spread: expected a number, got ", 0, 0},
    };
    struct model_file file;
    int rows, columns;
    ck_assert_int_eq(model_file_load(&file, GOLDEN "tiny-noshrink.safetensors", NULL), 0);     /* the draft's network */
    ck_assert(score_cells(&file.model->arch, &rows, &columns));
    model_file_clear(&file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *light = json_pack("{s:f, s:{s:f, s:f, s:f, s:f}}", "noise", 0.0, "rare", "level", 0.0, "share", 1.0, "scale",
                                  1.0, "shape", 0.0);
        for (int v = 0; v < SCORE_VOICES; v++) {
            char key[40];
            snprintf(key, sizeof key, "%s_centre", voice_name((enum voice)v));
            json_object_set_new(light, key, json_real(0));
            snprintf(key, sizeof key, "%s_spread", voice_name((enum voice)v));
            json_object_set_new(light, key, json_real(1));
        }
        for (int l = 0; l < 3; l++)
            json_object_set_new(light, (const char *[]){"pace_usual", "appearance_usual", "appearance_typical"}[l],
                                static_list(-2, rows * columns));
        if (cases[i].gone)
            json_object_del(light, cases[i].gone);
        if (cases[i].key) {
            json_object_set_new(light, cases[i].key, static_list(-2, rows * columns + cases[i].more));
            json_array_set_new(json_object_get(light, cases[i].key), 0, json_real(cases[i].value));
        }
        json_t *all = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:{s:f, s:[o]}}", "fps", 10.0, "threshold", 0.2,
                                "close_threshold", 0.1, "median", 0.0, "p99", 0.0, "maximum", 0.0, "windows", 5, "score",
                                "boundary", 0.0, "conditions", light);
        judge(all, cases[i].error);
    }
}
END_TEST

/* A correct score and tail, with one fault at a time. */
START_TEST(refuses_scores_and_tails)
{
    static const struct {
        const char *key, *value, *error;        /* key in the text below is replaced by value */
    } wrong[] = {
        {"\"noise\":0,", "\"noise\":-1,", "score: conditions[0]: noise: expected a number from 0 to 1e+09, got -1"},
        {"\"noise\":0,", "", "score: conditions[0]: noise: expected a number, got nothing"},
        {"\"noise\":0,", "\"nose\":0,", "score: conditions[0]: nose: unknown key"},
        {"\"speed_spread\":1", "\"speed_spread\":0",
         "score: conditions[0]: speed_spread: expected a number from 1e-09 to 1e+09, got 0"},
        {"\"scale\":2", "\"scale\":0", "score: conditions[0]: rare: scale: expected a number from 1e-09 to 1e+09, got 0"},
        {"\"scale\":2,\"shape\":0", "\"scale\":2,\"shape\":-0.1",
         "score: conditions[0]: rare: expected a shape of 0 or more"},
        {"\"share\":3,", "", "score: conditions[0]: rare: share: expected a number"},
        {"\"boundary\":0", "\"boundary\":\"0\"", "score: boundary: expected a number"},
        {"[{", "[7,{", "score: conditions[0]: "},
        {"[{", "[7,7,{", "score: conditions: expected a list of 1 or 2"},
        {"\"change_centre\":0", "\"change_centre\":1e999", "memae.calibration: "},
        {"\"shape\":0.25", "\"shape\":0.75", "tail: run: shape: expected 0, or 1e-06 to 0.5 or its negative, got 0.75"},
        {"\"shape\":0.25", "\"shape\":1e-310", "tail: run: shape: expected 0, or 1e-06 to 0.5 or its negative, got 1e-310"},
        {"\"shape\":0.25", "\"shape\":-1e-7", "tail: run: shape: expected 0, or 1e-06 to 0.5 or its negative, got -1e-07"},
        {"\"share\":0.05", "\"share\":0", "tail: window: share: expected a number from 1e-40 to 1e+40, got 0"},
        {"\"runs\":3", "\"runs\":-3", "tail: expected windows of 1 or more, runs of 0 or more"},
        {"\"runs\":3", "\"runs\":1e300", "tail: runs: expected a count"},
        {"[0,", "[", "tail: quantiles: expected a list of 33 numbers"},
        {"[0,", "[9,", "tail: quantiles[1]: expected a number within 1e+09, no less"},
        {"[0,", "[\"0\",", "tail: quantiles: expected numbers"},
        {"\"level\":3,", "", "tail: run: level: expected a number"},
        {"[-4,", "[", "deciles: speed: expected a list of 9 numbers"},
        {"[-4,", "[9,", "deciles: speed[1]: expected a number within 1e+09, no less than the one before"},
        {"\"speed\":", "\"haste\":", "deciles: haste: unknown key"},
        {"\"score\":{", "\"tail\":{", "memae.calibration: "},
    };
    char text[1200], quantiles[200] = "[0";
    for (int i = 1; i < 33; i++)
        strcat(quantiles, ",1");
    for (size_t i = 0; i <= sizeof wrong / sizeof wrong[0]; i++) {
        char changed[1200];
        snprintf(text, sizeof text, "{\"fps\":10,\"threshold\":1,\"close_threshold\":1,\"median\":0,\"p99\":0,\"maximum\":1,"
                 "\"windows\":5,\"score\":{\"boundary\":0,\"conditions\":[{\"noise\":0,\"speed_centre\":0,\"speed_spread\":1,"
                 "\"change_centre\":0,\"change_spread\":1,\"rare\":{\"level\":0,\"share\":3,\"scale\":2,\"shape\":0}}]},"
                 "\"tail\":{\"hours\":1,\"windows\":5,\"runs\":3,\"quantiles\":%s],\"window\":{\"level\":1,\"share\":0.05,"
                 "\"scale\":1,\"shape\":0},\"run\":{\"level\":3,\"share\":2,\"scale\":1,\"shape\":0.25}},"
                 "\"deciles\":{\"speed\":[-4,1,2,2,2,3,4,5,6],\"change\":[0,0,0,0,0,0,0,0,0]}}",
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

START_TEST(refuses_a_score_without_cells)
{
    struct arch arch = {.channels = 1, .frames = 2, .height = 16, .width = 16, .mean = 0.5f, .std = 0.5f, .n_encoder = 1,
                        .n_decoder = 1};
    arch.encoder[0] = arch.decoder[0] = (struct layer_spec){.type = LAYER_CONV3D, .out = 1, .kernel = {1, 1, 1},
                                                            .stride = {1, 1, 1}};
    const struct calibration calibration = {.fps = 10, .has_score = true,
                                            .score = {.conditions = 1,
                                                      .condition = {{.usual = {{0, 1}, {0, 1}}, .rare = {0, 1, 1, 0}}}}};
    struct model *model;
    struct model_file file;
    struct error err = {""};
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 5);
    ck_assert_msg(model_file_save(path, model, &calibration, NULL, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_file_load(&file, path, &err), -EINVAL);
    ck_assert_msg(strstr(err.text,
              "memae.calibration: score: expected none, as the network's windows are too small for cells"), "%s", err.text);
    model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calibration_json");
    TCase *faults = tcase_create("faults"), *files = tcase_create("files");
    tcase_add_test(faults, refuses_calibrations);
    tcase_add_test(faults, refuses_bad_places);
    tcase_add_test(faults, refuses_scores_and_tails);
    tcase_add_test(faults, refuses_bad_int8);
    tcase_add_test(faults, refuses_bad_static);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, refuses_a_score_without_cells);
    suite_add_tcase(suite, faults);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
