/* The checks of a configuration against its models, the alert rule that follows from both, and `memaed check`. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/kernels/kernels.h"
#include "daemon/commands.h"
#include "daemon/watch/check.h"
#include "tests/io/config/config_fixture.h"

static struct calibration calibration = {.fps = 10, .threshold = 0.2, .close_threshold = 0.15, .median = 0.05, .p99 = 0.1,
                                         .maximum = 0.15, .windows = 100};

/* Writes three files to the folder: "calibrated.safetensors", "plain.safetensors", and "broken.safetensors", which is no
 * model. */
static void write_models(void)
{
    struct error err;
    struct model *model;
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    ck_assert_int_eq(model_file_save(in_folder("calibrated.safetensors"), model, &calibration, NULL, NULL, &err), 0);
    ck_assert_int_eq(model_file_save(in_folder("plain.safetensors"), model, NULL, NULL, NULL, &err), 0);
    model_close(model);
    write_file("broken.safetensors", "no model");
}

static struct lines warnings;

static void on_warning(void *arg, const char *text)
{
    (void)arg;
    take(&warnings, text);
}

static const struct check_report both = {.fault = on_fault, .warning = on_warning};

static int check_text(struct check_models *models, const char *text)
{
    struct config *config = good(text, in_folder("x.yml"));
    faults = warnings = (struct lines){0};
    int r = check_models(models, config, &both);
    config_unref(config);
    return r;
}

START_TEST(test_models)
{
    struct check_models models = {0};
    write_models();
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors}\n"
                                         "  b: {source: rtsp://h, fps: 10.005, model: calibrated.safetensors}\n"
                                         "  c: {source: rtsp://h, fps: 12, fps_force: true, model: calibrated.safetensors}\n"
                                         "  d: {source: rtsp://h, model: plain.safetensors, alert: {threshold: 1}}\n"
                                         "  e: {source: rtsp://h, model: plain.safetensors, fps: 5}\n"), 0);
    ck_assert_uint_eq(models.n_files, 2);
    ck_assert_uint_eq(models.file_of[2], 0);
    ck_assert_uint_eq(models.file_of[4], 1);
    ck_assert(models.files[0].has_calibration && !models.files[1].has_calibration);
    ck_assert_int_eq(warnings.n, 2);
    ck_assert_ptr_nonnull(strstr(warnings.text, ":5:32: cameras.d.fps: warning: "));
    ck_assert_ptr_nonnull(strstr(warnings.text, ":6:32: cameras.e.alert.threshold: warning: "));
    check_models_clear(&models);
    check_models_clear(&models);

    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, fps: 12, model: calibrated.safetensors}\n"
                                         "  b: {source: rtsp://h, model: broken.safetensors}\n"
                                         "  c: {source: rtsp://h, model: broken.safetensors}\n"
                                         "  d: {source: rtsp://h, model: calibrated.safetensors, fps: 9.9,"
                                         " alert: {close_threshold: 0.3}}\n"), -EINVAL);
    ck_assert_ptr_null(models.files);
    ck_assert_int_eq(faults.n, 4);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:2:30: cameras.a.fps: expected 10, the rate that the model learned at, got 12; "
                                              "fps_force: true allows it\n"));
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:3:32: cameras.b.model: expected a model file that memaed learn wrote, got "));
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:5:61: cameras.d.fps: expected 10, the rate that the model learned at, got 9.9"));
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:5:91: cameras.d.alert.close_threshold: expected at most the threshold of the "
                                              "model, which is 0.2, got 0.3\n"));
}
END_TEST

START_TEST(test_rules)
{
    struct config_camera c = {.alert = {.k = 2, .n = 4, .smooth_s = 0.5, .min_duration_s = 2, .merge_s = 1.5}};
    struct model_file file = {.has_calibration = true, .calibration = calibration};
    struct alert_rule rule = {0};
    ck_assert_double_eq(check_fps(&c, &file), 10);
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.threshold == 0.2f && rule.close_threshold == 0.15f && rule.k == 2 && rule.n == 4);
    ck_assert(rule.smooth_us == 500000 && rule.min_duration_us == 2000000 && rule.merge_us == 1500000);
    file.calibration.has_tail = true;
    file.calibration.tail.run = (struct pareto){.level = 0.18, .share = 4, .scale = 0.01};
    c.alert.has_per_day = true;
    c.alert.per_day = 10;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.threshold, 0.18f - 0.01f * logf(10.0f / 96), 1e-6f);
    ck_assert(rule.close_threshold == 0.15f);
    c.alert.has_per_day = false;
    c.alert.has_threshold = true;
    c.alert.threshold = 0.4;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.threshold == 0.4f);
    ck_assert_float_eq_tol(rule.close_threshold, 0.3f, 1e-6f);
    file.calibration.has_score = true;          /* such a score is a logarithm, so the distance of the thresholds stays */
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.close_threshold, 0.35f, 1e-6f);
    file.has_calibration = false;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.close_threshold, 0.36f, 1e-6f);
    c.alert.has_close_threshold = true;
    c.alert.close_threshold = 0.1;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.close_threshold == 0.1f);
    c.alert.has_threshold = false;
    ck_assert(!check_alert_rule(&rule, &c, &file));
    ck_assert_double_eq(check_fps(&c, &file), 0);
    c.fps = 3;
    ck_assert_double_eq(check_fps(&c, &file), 3);
}
END_TEST

/* int8 needs a model that was calibrated for it. */
START_TEST(test_precision)
{
    struct check_models models = {0};
    struct error err;
    struct model *model;
    struct plan *plan;
    struct calibration with = calibration;
    write_models();
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    with.has_int8 = true;
    with.int8 = (struct calibration_int8){.rank_correlation = 0.999, .windows = 100,
                                          .ranges.n = ranges_count(&model->arch, &model->shapes)};
    for (int i = 0; i < with.int8.ranges.n; i++)
        with.int8.ranges.channels[i] = (struct range){-1, 1};
    ck_assert_int_eq(model_file_save(in_folder("int8.safetensors"), model, &with, NULL, NULL, &err), 0);
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: int8.safetensors, precision: int8}\n"
                                         "  b: {source: rtsp://h, model: calibrated.safetensors, precision: auto}\n"), 0);
    check_models_clear(&models);
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors, precision: int8}\n"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text,
                               "/x.yml:2:67: cameras.a.precision: expected auto or fp32, got int8, for which the model was "
                                              "not calibrated"));

    /* The precision that each setting leads to. */
    ck_assert_int_eq(calibration_precision(NULL, PRECISION_AUTO), PRECISION_FP32);
    ck_assert_int_eq(calibration_precision(&calibration, PRECISION_AUTO), PRECISION_FP32);
    ck_assert_int_eq(calibration_precision(&with, PRECISION_FP32), PRECISION_FP32);
    ck_assert_int_eq(kernels_choose("c"), 0);
    ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);     /* int8 is not faster here */
    if (kernels_choose("avx2") == 0) {
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_INT8);
        with.int8.windows = 99;
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);
        with.int8.windows = 100;
        with.int8.rank_correlation = 0.9989;
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);
    }
    ck_assert_int_eq(calibration_open_plan(&plan, model, NULL, PRECISION_INT8, &err), -EINVAL);
    ck_assert_int_eq(calibration_open_plan(&plan, model, &with, PRECISION_INT8, &err), 0);
    ck_assert_int_eq(plan_precision(plan), PRECISION_INT8);
    plan_close(plan);
    ck_assert_int_eq(calibration_open_plan(&plan, model, &with, PRECISION_AUTO, &err), 0);
    ck_assert_int_eq(plan_precision(plan), PRECISION_FP32);
    plan_close(plan);
    model_close(model);
}
END_TEST

START_TEST(test_alerts_a_day)
{
    struct check_models models = {0};
    write_models();
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors, alert: {per_day: 10}}\n"),
                     -EINVAL);
    ck_assert_int_eq(faults.n, 1);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:2:73: cameras.a.alert.per_day: expected a model whose calibration holds how often "
                                              "scores occur, got one without"));
    bad("cameras:\n  a: {source: rtsp://h, model: clips.c, alert: {threshold: 1, per_day: 10}}\n",
        "tests/x.yml:2:72: cameras.a.alert.per_day: expected either threshold or per_day, got both\n");
}
END_TEST

/* With per_day, close_threshold is compared with the threshold of per_day, not with the model's own. */
START_TEST(test_close_threshold_of_alerts_a_day)
{
    struct error err;
    struct model *model;
    struct check_models models = {0};
    struct alert_rule rule;
    struct calibration with = calibration;
    with.has_tail = true;
    with.tail = (struct tail){.windows = 100, .window = {.level = 0.1, .share = 0.1, .scale = 0.01},
                              .run = {.level = 0.1, .share = 4, .scale = 0.01}, .hours = 10, .runs = 40};
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    ck_assert_msg(model_file_save(in_folder("tail.safetensors"), model, &with, NULL, NULL, &err) == 0, "%s", err.text);
    model_close(model);

    /* A run in a hundred days: 0.1 + 0.01 ln(4 * 24 / 0.01) = 0.1917. Ten a day: 0.1 + 0.01 ln(9.6) = 0.1226. */
    const float rare = 0.1f + 0.01f * logf(9600), often = 0.1f + 0.01f * logf(9.6f);
    ck_assert(often < 0.15f && 0.15f < rare && rare < 0.2f);

    /* A value above the threshold of per_day, but below the model's own, is refused, and not lowered in silence. */
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: tail.safetensors,\n"
                                         "      alert: {per_day: 10, close_threshold: 0.15}}\n"), -EINVAL);
    ck_assert_int_eq(faults.n, 1);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "/x.yml:3:45: cameras.a.alert.close_threshold: expected at most the threshold for "
                                              "per_day 10, which is 0.1226"));
    ck_assert_ptr_nonnull(strstr(faults.text, ", got 0.15\n"));
    /* The value that the fault names as the highest is accepted. */
    char most[32] = "", text[300];
    ck_assert_int_eq(sscanf(strstr(faults.text, "which is "), "which is %31[0-9.],", most), 1);
    snprintf(text, sizeof text, "cameras: {a: {source: rtsp://h, model: tail.safetensors, "
             "alert: {per_day: 10, close_threshold: %s}}}\n", most);
    ck_assert_msg(check_text(&models, text) == 0, "%s", faults.text);
    check_models_clear(&models);

    /* If the threshold of per_day is above the model's own, close_threshold may be between them. */
    with.threshold = 0.11;
    with.close_threshold = 0.1;
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    ck_assert_int_eq(model_file_save(in_folder("tail.safetensors"), model, &with, NULL, NULL, &err), 0);
    model_close(model);
    struct config *config = good("cameras:\n"
                                 "  a: {source: rtsp://h, model: tail.safetensors, alert: {per_day: 0.01, close_threshold: "
                                 "0.15}}\n",
                                 in_folder("x.yml"));
    faults = (struct lines){0};
    ck_assert_msg(check_models(&models, config, &both) == 0, "%s", faults.text);
    ck_assert(check_alert_rule(&rule, &config->cameras[0], &models.files[0]));
    ck_assert_float_eq_tol(rule.threshold, rare, 1e-6f);
    ck_assert(rule.close_threshold == 0.15f);
    check_models_clear(&models);
    config_unref(config);
}
END_TEST

/* All faults of a camera are reported at once, in the order of their places. */
START_TEST(test_all_faults_of_a_camera)
{
    struct model model = {.arch = {.kind = INPUT_VIDEO, .channels = 3, .frames = 65, .height = 64, .width = 64}};
    model.shapes.encoder[0] = (struct dims){3, 65, 64, 64};
    struct model_file file = {.model = &model, .has_calibration = true, .calibration = calibration};
    struct config_camera c = {.name = "a", .source = "rtsp://h/x", .fps = 5, .precision = PRECISION_INT8, .line = 1, .column = 1,
                              .alert = {.has_per_day = true, .per_day = 1, .per_day_line = 2, .per_day_column = 9,
                                        .has_close_threshold = true, .close_threshold = 0.3, .close_threshold_line = 2,
                                        .close_threshold_column = 30},
                              .fps_line = 3, .fps_column = 1, .precision_line = 4, .precision_column = 1,
                              .model_line = 5, .model_column = 1};
    struct config config = {.path = "x.yml", .cameras = &c, .n_cameras = 1, .max_model_mib = 1};
    faults = warnings = (struct lines){0};
    ck_assert_int_eq(check_camera(&config, &c, &file, &both), -EINVAL);
    ck_assert_int_eq(faults.n, 6);
    const char *at = faults.text;
    static const char *const places[] = {"x.yml:2:9: cameras.a.alert.per_day: ", "x.yml:3:1: cameras.a.fps: ",
                                         "x.yml:4:1: cameras.a.precision: ", "x.yml:5:1: cameras.a.model: ",
                                         "x.yml:5:1: cameras.a.model: ", "x.yml:5:1: cameras.a.model: "};
    for (int i = 0; i < 6; i++) {
        ck_assert_msg(strncmp(at, places[i], strlen(places[i])) == 0, "%d: %s", i, at);
        at = strchr(at, '\n') + 1;
    }
    ck_assert_ptr_nonnull(strstr(faults.text, "expected a model of at most 64 frames a window, got one of 65\n"));
    ck_assert_int_eq(warnings.n, 0);

    /* Without per_day, close_threshold is compared with the model's threshold. */
    c.alert.has_per_day = false;
    c.fps = 0;
    file.calibration.fps = 0;
    faults = (struct lines){0};
    ck_assert_int_eq(check_camera(&config, &c, &file, &both), -EINVAL);
    ck_assert_int_eq(faults.n, 5);
    ck_assert_ptr_nonnull(strstr(faults.text, "x.yml:5:1: cameras.a.model: expected a model that wants at most 1 MiB "
                                              "(max_model_mib), got one that wants 6 MiB for each worker and up to "));
    ck_assert_int_eq(warnings.n, 1);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "x.yml:2:30: cameras.a.alert.close_threshold: expected at most the threshold of the "
                                              "model, which is 0.2, got 0.3\n"));
    ck_assert_int_eq(check_camera(&config, &c, &file, &(struct check_report){.fault = on_fault}), -EINVAL);

    /* A threshold from less than an hour of footage is used, with a warning. */
    c.alert = (struct config_alert){.k = 3, .n = 5};
    file.calibration.has_tail = true;
    for (int i = 0; i < 3; i++) {
        c.alert.has_threshold = i == 2;
        file.calibration.tail.hours = i == 1 ? 1 : 0.25;
        faults = warnings = (struct lines){0};
        check_camera(&config, &c, &file, &both);
        bool warned = strstr(warnings.text,
                             "x.yml:5:1: cameras.a.model: warning: the calibration is provisional: from 0.25 hours of footage it "
                             "expects 4 alerts a day or more");
        ck_assert_int_eq(warned, i == 0);
    }
}
END_TEST

/* Runs `memaed check` with its output in files of the folder. Returns its exit status. */
static int run_check(const char *a, const char *b, const char *c, char out[static 4096], char err[static 4096])
{
    char *argv[] = {"check", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    fflush(stdout);
    fflush(stderr);
    ck_assert_ptr_nonnull(freopen(in_folder("out"), "w", stdout));
    ck_assert_ptr_nonnull(freopen(in_folder("err"), "w", stderr));
    int status = check_command.run(argc, argv);
    fflush(stdout);
    fflush(stderr);
    size_t size;
    char *text = read_file(in_folder("out"), &size);
    snprintf(out, 4096, "%s", text);
    free(text);
    text = read_file(in_folder("err"), &size);
    snprintf(err, 4096, "%s", text);
    free(text);
    return status;
}

START_TEST(test_command)
{
    char out[4096], err[4096], config[64];
    write_models();
    snprintf(config, sizeof config, "%s", write_file("x.yml", "cameras:\n"
                                            "  a: {source: \"rtsp://viewer:hunter2@h/x\", model: calibrated.safetensors}\n"
                                            "webhooks: [{url: \"https://me:hunter2@h/services/T0KEN\", secret: whsec_" SECRET
                                            "}]\n"));
    ck_assert_int_eq(chmod(config, 0640), 0);
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 0);
    ck_assert_str_eq(err, "");
    ck_assert_msg(strstr(out, "/x.yml: ok\n") && strstr(out, "rtsp://***@h/x\n") && strstr(out, "10 frames/s") &&
                  strstr(out, "windows score 0.2 or more") && strstr(out, "h/...: signed"), "%s", out);
    ck_assert(!strstr(out, "hunter2") && !strstr(out, "MfKQ") && !strstr(out, "T0KEN"));

    /* Secrets that every user can read are warned of, and not shown. */
    ck_assert_int_eq(chmod(config, 0644), 0);
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 0);
    ck_assert_msg(strstr(err, "/x.yml:2:15: cameras.a.source: warning: holds a password, and every user of this machine can read "
                              "this file") != NULL, "%s", err);
    ck_assert_msg(strstr(err, "/x.yml:3:") && strstr(err, ": webhooks[0]: warning: holds a password"), "%s", err);
    ck_assert(!strstr(err, "hunter2") && !strstr(err, "MfKQ") && !strstr(err, "T0KEN"));

    ck_assert_int_eq(chmod(write_file("password", "hunter3\n"), 0604), 0);
    snprintf(config, sizeof config, "%s", write_file("w.yml", "cameras:\n"
                         "  a: {source: rtsp://h/x, user: viewer, password: hunter2, model: calibrated.safetensors}\n"
                         "  b: {source: rtsp://h/x, user: viewer, password_file: password, model: calibrated.safetensors}\n"));
    ck_assert_int_eq(chmod(config, 0644), 0);
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 0);
    ck_assert_msg(strstr(err, "/w.yml:2:51: cameras.a.password: warning: holds a password, and every user of this machine can "
                              "read this file; ") != NULL, "%s", err);
    ck_assert_msg(strstr(err, "/w.yml:3:56: cameras.b.password_file: warning: every user of this machine can read that "
                              "file; ") != NULL,
                  "%s", err);
    ck_assert_int_eq(chmod(config, 0640), 0);
    ck_assert_int_eq(chmod(in_folder("password"), 0640), 0);
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 0);
    ck_assert_str_eq(err, "");
    ck_assert(!strstr(out, "hunter") && !strstr(out, "viewer"));
    write_file("w.yml", "cameras:\n  a: {source: \"rtsp://me:hunter2@h/x\", user: viewer, model: calibrated.safetensors}\n"
                        "  b: {source: udp://h:1, user: viewer, model: calibrated.safetensors}\n");
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 1);
    ck_assert_msg(strstr(err, "/w.yml:2:46: cameras.a.user: expected a source without user and password, got both") != NULL, "%s",
                  err);
    ck_assert_msg(strstr(err, "/w.yml:3:32: cameras.b.user: expected a source of rtsp, rtsps, http or https") != NULL, "%s", err);
    ck_assert(!strstr(err, "hunter2"));

    snprintf(config, sizeof config, "%s", write_file("y.yml", "cameras:\n"
                                            "  a: {source: rtsp://h/x, fps: 3, model: calibrated.safetensors}\n"));
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 1);
    ck_assert_str_eq(out, "");
    ck_assert_ptr_nonnull(strstr(err, "/y.yml:2:32: cameras.a.fps: expected 10, the rate that the model learned at, got 3"));
    ck_assert_int_eq(run_check("--config", in_folder("none"), NULL, out, err), 1);
    ck_assert_ptr_nonnull(strstr(err, "/none: cannot read the configuration: No such file or directory"));

    ck_assert_int_eq(run_check(NULL, NULL, NULL, out, err), 2);
    ck_assert_int_eq(run_check("--bogus", NULL, NULL, out, err), 2);
    ck_assert_int_eq(run_check("--config", config, "more", out, err), 2);
    ck_assert_int_eq(run_check("--config", config, "--keys", out, err), 2);
    ck_assert_ptr_nonnull(strstr(err, "memaed check: expected either --config FILE or --keys"));
    ck_assert_int_eq(run_check("--help", NULL, NULL, out, err), 0);
    ck_assert_ptr_nonnull(strstr(out, "Usage: memaed check --config FILE"));
    ck_assert_int_eq(run_check("--keys", NULL, NULL, out, err), 0);
    struct config_key key;
    for (int i = 0; config_key(i, &key) && strlen(out) < 3900; i++)
        ck_assert_msg(strstr(out, key.path), "%s: %s", key.path, out);
}
END_TEST

int main(void)
{
    TCase *test = tcase_create("check");
    tcase_add_test(test, test_models);
    tcase_add_test(test, test_rules);
    tcase_add_test(test, test_precision);
    tcase_add_test(test, test_alerts_a_day);
    tcase_add_test(test, test_close_threshold_of_alerts_a_day);
    tcase_add_test(test, test_all_faults_of_a_camera);
    tcase_add_test(test, test_command);
    return config_run("check", test);
}
