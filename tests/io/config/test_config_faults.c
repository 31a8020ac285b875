/* Faults of the configuration: every kind with its place and text (tests/bad/config/), unreadable files, limits. */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/config/config_yaml.h"
#include "tests/io/config/config_fixture.h"

/* Each file of tests/bad/config has exactly the faults in the .txt beside it. UPDATE=1 writes the .txt files. */
START_TEST(test_bad_files)
{
    glob_t found;
    ck_assert_int_eq(glob("tests/bad/config/*.yml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 28);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        char expected_path[200], actual[sizeof faults.text] = "";
        struct config *config = (void *)-1;
        size_t size;
        faults = (struct lines){0};
        int r = config_load(&config, path, on_fault, NULL);
        ck_assert_msg(r == -EINVAL && config == (void *)-1, "%s: %d", path, r);
        ck_assert_msg(!strstr(faults.text, "MfKQ") && !strstr(faults.text, "s3cr3t") && !strstr(faults.text, "hunter2"),
                      "%s: a secret is shown: %s", path, faults.text);

        size_t n = 0;           /* the lines without the folder */
        for (const char *p = faults.text; *p;) {
            if (strncmp(p, "tests/bad/config/", 17) == 0)
                p += 17;
            actual[n++] = *p++;
        }
        actual[n] = 0;
        snprintf(expected_path, sizeof expected_path, "%.*s.txt", (int)strlen(path) - 4, path);
        if (getenv("UPDATE")) {
            FILE *file = fopen(expected_path, "w");
            fputs(actual, file);
            fclose(file);
        }
        char *expected = read_file(expected_path, &size);
        ck_assert_str_eq(actual, expected);
        free(expected);

        int line = 0, column = 0;
        for (char *p = actual; *p; p = strchr(p, '\n') + 1) {       /* they are in the order of their places */
            int l, c;
            ck_assert_msg(sscanf(strchr(p, ':'), ":%d:%d: ", &l, &c) == 2, "%s", p);
            ck_assert(l > line || (l == line && c >= column));
            line = l;
            column = c;
        }
    }
    globfree(&found);
}
END_TEST

START_TEST(test_files_that_cannot_be_read)
{
    struct config *config = (void *)-1;
    faults = (struct lines){0};
    ck_assert_int_eq(config_load(&config, in_folder("none.yml"), on_fault, NULL), -ENOENT);
    ck_assert_int_eq(config_load(&config, folder, on_fault, NULL), -EISDIR);
    ck_assert_int_eq(faults.n, 2);
    ck_assert_ptr_eq(config, (void *)-1);
    ck_assert_ptr_nonnull(strstr(faults.text, "none.yml: cannot read the configuration: No such file or directory\n"));
    ck_assert_int_eq(mkfifo(in_folder("pipe.yml"), 0600), 0);
    ck_assert_int_eq(config_load(&config, in_folder("pipe.yml"), on_fault, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "pipe.yml: cannot read the configuration: expected a regular file, got a device, "
                                              "a pipe or a socket\n"));
    ck_assert_int_eq(config_load(&config, "/dev/zero", on_fault, NULL), -EINVAL);
    ck_assert_int_eq(truncate(write_file("large.yml", ""), CONFIG_YAML_MAX_SIZE + 1), 0);
    ck_assert_int_eq(config_load(&config, in_folder("large.yml"), on_fault, NULL), -EFBIG);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "large.yml: cannot read the configuration: expected at most 1048576 bytes, got 1048577\n"));

    if (geteuid() == 0) {
        printf("SKIP permission faults: running as root\n");
        return;
    }
    chmod(write_file("secret", "whsec_" SECRET), 0);
    char text[300];
    snprintf(text, sizeof text, "%swebhooks: [{url: http://h, secret_file: %s}]\n", camera(""), in_folder("secret"));
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "Permission denied"));
}
END_TEST

START_TEST(test_secret_files)
{
    static const struct {
        const char *text, *cause;
    } wrong[] = {
        {"", "got a file that does not begin with whsec_\n"},
        {SECRET "\n", "got a file that does not begin with whsec_\n"},
        {"whsec_" SECRET "\nwhsec_" SECRET "\n", "got a file that is not base64 after whsec_\n"},
        {" whsec_" SECRET, "got a file that does not begin with whsec_\n"},
        {"whsec_" SECRET " ", "got a file that is not base64 after whsec_\n"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaQ=\n", "got a file that decodes to fewer than 24 bytes\n"},
        {"whsec_" SECRET SECRET SECRET "\n", "got a file that decodes to more than 64 bytes\n"},
    };
    char text[300], *many = calloc(1, 5001);
    struct config *config;
    snprintf(text, sizeof text, "%swebhooks: [{url: http://h, secret_file: %s}]\n", camera(""), in_folder("secret"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file("secret", wrong[i].text);
        ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
        ck_assert_msg(strstr(faults.text, wrong[i].cause), "%zu: %s", i, faults.text);
        ck_assert(!strstr(faults.text, "MfKQ"));
    }
    memset(many, 'A', 5000);
    write_file("secret", many);
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(expected at most 4096 bytes, got 5000)\n"));
    FILE *with_nul = fopen(in_folder("secret"), "w");
    ck_assert_uint_eq(fwrite("whsec_" SECRET "\0", 1, sizeof "whsec_" SECRET "\0" - 1, with_nul),
                      sizeof "whsec_" SECRET "\0" - 1);
    ck_assert_int_eq(fclose(with_nul), 0);
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(not text)\n"));
    unlink(in_folder("secret"));
    ck_assert_int_eq(mkfifo(in_folder("secret"), 0600), 0);         /* loading must not wait for a writer */
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(expected a regular file, got a device, a pipe or a socket)\n"));
    free(many);
}
END_TEST

START_TEST(test_password_files)
{
    static const struct {
        const char *text, *cause;
    } wrong[] = {
        {"", "got an empty file\n"}, {"\n\r\n", "got an empty file\n"},
        {"hunter2\nhunter3\n", "got a file with control characters in it, or of several lines\n"},
        {"hunter\t2", "got a file with control characters in it, or of several lines\n"},
        {"hunter2\xff", "got a file with control characters in it, or of several lines\n"},
    };
    struct config *config;
    char text[300];
    snprintf(text, sizeof text, "cameras: {gate: {source: rtsp://h, model: clips.c, user: u, password_file: %s}}\n",
             in_folder("password"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file("password", wrong[i].text);
        ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
        ck_assert_int_eq(faults.n, 1);
        ck_assert_msg(strstr(faults.text, wrong[i].cause), "%zu: %s", i, faults.text);
        ck_assert(!strstr(faults.text, "hunter"));
    }
    unlink(in_folder("password"));
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text,
                                 "cameras.gate.password_file: expected a file that holds the password in one line, got "));
    ck_assert_ptr_nonnull(strstr(faults.text, "(No such file or directory)\n"));
}
END_TEST

START_TEST(test_limits)
{
    struct config *config;
    size_t room = 2 << 20, n = 0;
    char *text = calloc(1, room);

    memset(text, ' ', CONFIG_YAML_MAX_SIZE + 1);
    bad(text, "tests/x.yml:1:1: expected a file of at most 1 MiB, got more\n");

    memset(text, 0, room);
    n = (size_t)sprintf(text, "cameras:\n");
    for (int i = 0; i < CONFIG_MAX_CAMERAS + 1; i++)
        n += (size_t)sprintf(text + n, "  c%d: {source: rtsp://h, model: clips.c}\n", i);
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "tests/x.yml:2:3: cameras: expected 1 to 1024 cameras by name, got 1025\n"));
    *strstr(text, "  c1024:") = 0;
    config = good(text, "tests/x.yml");
    ck_assert_uint_eq(config->n_cameras, CONFIG_MAX_CAMERAS);
    ck_assert_str_eq(config->cameras[1023].name, "c1023");
    config_unref(config);

    n = (size_t)sprintf(text, "%swebhooks:\n", camera(""));
    for (int i = 0; i < CONFIG_MAX_WEBHOOKS + 1; i++)
        n += (size_t)sprintf(text + n, "  - url: http://h\n");
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "webhooks: expected a list of at most 64 mappings, got 65\n"));

    n = (size_t)sprintf(text, "cameras: [");
    for (int i = 0; i < CONFIG_YAML_MAX_NODES; i++)
        n += (size_t)sprintf(text + n, "a,");
    sprintf(text + n, "]\n");
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, ": expected at most 50000 values, got more\n"));

    /* Values from the environment are bounded, too. */
    char *value = calloc(1, 40001);
    memset(value, 'a', 40000);
    setenv("MEMAED_TEST_LONG", value, 1);
    bad("cameras: {g: {source: 'rtsp://h/${MEMAED_TEST_LONG}${MEMAED_TEST_LONG}', model: clips.c}}\n",
        "tests/x.yml:1:23: cameras.g.source: expected a text of at most 65536 bytes, got more\n");
    free(value);
    free(text);
}
END_TEST

/* A file that is cut at any byte is loaded, or refused with a fault. */
START_TEST(test_every_prefix)
{
    size_t size;
    char *text = read_file("etc/memaed.yml", &size);
    write_file("gate.safetensors", "");
    for (size_t n = 0; n <= size; n++) {
        struct config *config = NULL;
        faults = (struct lines){0};
        int r = config_load_memory(&config, text, n, in_folder("x.yml"), on_fault, NULL);
        ck_assert(r == 0 ? faults.n == 0 && config : r == -EINVAL && faults.n > 0 && !config);
        config_unref(config);
    }
    free(text);
}
END_TEST

int main(void)
{
    TCase *test = tcase_create("config_faults");
    tcase_add_test(test, test_bad_files);
    tcase_add_test(test, test_files_that_cannot_be_read);
    tcase_add_test(test, test_secret_files);
    tcase_add_test(test, test_password_files);
    tcase_add_test(test, test_limits);
    tcase_add_test(test, test_every_prefix);
    return config_run("config_faults", test);
}
