/* memaed model show: its output as text and as JSON. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/commands.h"
#include "io/model/model_file.h"
#include "tests/io/model/model_fixture.h"
#include "tests/suite.h"

/* Runs the command and reads its standard output and error into out. Returns its exit status. */
static int run(char *out, size_t size, char *const argv[], int argc)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    fflush(NULL);
    int saved[2] = {dup(1), dup(2)};
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    int status = model_show_command.run(argc, (char **)argv);
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

#define RUN(...) run(out, sizeof out, (char *[]){"show", __VA_ARGS__, NULL}, \
                     (int)(sizeof((char *[]){"show", __VA_ARGS__}) / sizeof(char *)))

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
    ck_assert_int_eq(model_file_save(path, model, &calibration, NULL, training, NULL), 0);
    json_decref(training);
    model_close(model);

    ck_assert_int_eq(RUN(path), 0);
    static const char *const said[] = {"1x16x64x64", "deconv3d", "leaky_relu(0.2)", "33 in use", "alerts open at 0.125",
                                       "321 windows", "note: a?b?[2J", "rtsp://***@gate/1"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        ck_assert_msg(strstr(out, said[i]), "\"%s\" is not in:\n%s", said[i], out);
    ck_assert_ptr_null(strstr(out, "hidden"));
    ck_assert_ptr_null(strchr(out, '\x1b'));

    ck_assert_int_eq(RUN("--json", path), 0);
    ck_assert_ptr_null(strstr(out, "hidden"));
    json_t *json = json_loads(out, 0, NULL);
    ck_assert_msg(json != NULL, "%s", out);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "memory"), "slots_used")), 33);
    ck_assert(json_real_value(json_object_get(json_object_get(json, "calibration"), "threshold")) == 0.125);
    struct arch back;
    ck_assert_int_eq(arch_from_json(&back, json_object_get(json, "arch"), NULL), 0);
    same_arch(&back, &arch);
    json_decref(json);

    ck_assert_int_eq(RUN(GOLDEN "tiny-dot.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "none: alerts need a threshold"));
    ck_assert_ptr_nonnull(strstr(out, "training      unknown"));

    ck_assert_int_eq(RUN(GOLDEN "mnist.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "1x32x32 (channels, height, width); a pixel"));
    ck_assert_ptr_nonnull(strstr(out, "3x3 / 2x2   norm leaky_relu(0.2)  -> 64x4x4 "));
    ck_assert_int_eq(RUN(GOLDEN "kddcup.safetensors"), 0);
    ck_assert_ptr_nonnull(strstr(out, "120 (features)\n"));
    ck_assert_ptr_nonnull(strstr(out, "- / -     tanh                  -> 60 "));
    ck_assert_int_eq(RUN("--json", GOLDEN "kddcup.safetensors"), 0);
    json = json_loads(out, 0, NULL);
    json_t *features = json_pack("[i]", 120);
    ck_assert_msg(json_equal(json_object_get(json, "input"), features), "%s", out);
    json_decref(features);
    json_decref(json);
}
END_TEST

/* The nominal count of operations that bench uses: 65.4 G for the paper's cube, addressing included. */
START_TEST(counts_the_papers_cube)
{
    static char out[1 << 16];
    struct model *model;
    ck_assert_int_eq(model_open(&model, arch_profile("paper"), NULL), 0);
    ck_assert_int_eq(model_file_save(path, model, NULL, NULL, NULL, NULL), 0);
    model_close(model);
    ck_assert_int_eq(RUN("--json", path), 0);
    json_t *json = json_loads(out, 0, NULL);
    double flop = json_real_value(json_object_get(json, "flop_per_cube"));
    json_decref(json);
    ck_assert_msg(flop > 65.35e9 && flop < 65.45e9, "%g", flop);
    ck_assert_int_eq(RUN(path), 0);
    ck_assert_ptr_nonnull(strstr(out, "65.4 GFLOP"));
}
END_TEST

START_TEST(command_line)
{
    static char out[1 << 16];
    ck_assert_int_eq(RUN("--help"), 0);
    ck_assert_ptr_nonnull(strstr(out, "Usage: memaed model show"));
    ck_assert_int_eq(run(out, sizeof out, (char *[]){"show", NULL}, 1), 2);
    ck_assert_int_eq(RUN("a", "b"), 2);
    ck_assert_int_eq(RUN("--yaml", "a"), 2);
    ck_assert_ptr_nonnull(strstr(out, "--yaml"));
    ck_assert_int_eq(RUN("--json=x", "a"), 2);
    ck_assert_int_eq(RUN(path), 1);
    ck_assert_ptr_nonnull(strstr(out, "m.safetensors: No such file"));
    ck_assert_int_eq(RUN("--", GOLDEN "tiny-dot.golden.safetensors"), 1);
    ck_assert_ptr_nonnull(strstr(out, "expected memae"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("show");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, shows);
    tcase_add_test(files, counts_the_papers_cube);
    tcase_add_test(files, command_line);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
