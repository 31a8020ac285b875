/* Shared parts of the tests of the configuration: a folder for files, the faults of the last load, and loads that must succeed
 * or fail. Include it once in a test program, and add config_set_up() and config_tear_down() as its fixture. */
#ifndef MEMAED_TESTS_IO_CONFIG_CONFIG_FIXTURE_H
#define MEMAED_TESTS_IO_CONFIG_CONFIG_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/config/config.h"

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"       /* 24 bytes in base64 */

struct lines {
    char text[1 << 18];
    size_t size;
    int n;
};
static struct lines faults;

static inline void take(struct lines *lines, const char *text)
{
    ck_assert_msg(!strpbrk(text, "\n\r\x1b"), "a fault of more than a line: %s", text);
    if (lines->size + strlen(text) + 2 < sizeof lines->text)
        lines->size += (size_t)sprintf(lines->text + lines->size, "%s\n", text);
    lines->n++;
}

static inline void on_fault(void *arg, const char *text)
{
    (void)arg;
    take(&faults, text);
}

static inline int load(struct config **ret, const char *text, const char *path)
{
    faults = (struct lines){0};
    return config_load_memory(ret, text, strlen(text), path, on_fault, NULL);
}

static inline struct config *good(const char *text, const char *path)
{
    struct config *config = NULL;
    int r = load(&config, text, path);
    ck_assert_msg(r == 0 && faults.n == 0, "%d: %s", r, faults.text);
    return config;
}

/* Loading must fail with exactly these lines. */
static inline void bad(const char *text, const char *expected)
{
    struct config *config = (void *)-1;
    int r = load(&config, text, "tests/x.yml");
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_ptr_eq(config, (void *)-1);
    ck_assert_str_eq(faults.text, expected);
}

static inline char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "%s: %s", path, strerror(errno));
    char *data = calloc(1, 1 << 18);
    *size = fread(data, 1, (1 << 18) - 1, file);
    fclose(file);
    return data;
}

static char folder[] = "/tmp/memaed-config-XXXXXX";

static inline const char *in_folder(const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static inline const char *write_file(const char *name, const char *text)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static inline void config_set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    unsetenv("MEMAED_TEST_UNSET");
    unsetenv("MEMAED_TEST_UNSET_TOO");
    setenv("MEMAED_TEST_SECRET", "s3cr3t-value", 1);
    setenv("MEMAED_TEST_EMPTY", "", 1);
}

static inline void config_tear_down(void)
{
    glob_t found;
    if (glob(in_folder("*"), 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    rmdir(folder);
}

/* Returns a configuration of one camera, followed by the lines in more. */
static inline const char *camera(const char *more)
{
    static char text[4096];
    snprintf(text, sizeof text, "cameras:\n  gate:\n    source: rtsp://h/x\n    model: clips.c\n%s", more);
    return text;
}

/* Runs the tests in forks, with the fixture. Returns the status of the program. */
static inline int config_run(const char *name, TCase *tests)
{
    Suite *suite = suite_create(name);
    tcase_add_checked_fixture(tests, config_set_up, config_tear_down);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
