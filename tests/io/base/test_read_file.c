/* io/base/read_file: only a regular file is read, and it is read whole. A file that shrinks meanwhile is an error. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/read_file.h"
#include "io/model/model_file.h"
#include "tests/suite.h"

/* The kernel gives this file the size of a page, but fewer bytes, as if it were cut while it is read. */
#define SHRINKS "/sys/devices/system/cpu/online"

static char folder[] = "/tmp/memaed-read-XXXXXX", path[64];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(folder);
}

static void refused(const char *file, size_t most, int code, const char *cause)
{
    char *text = (char *)1;
    size_t size = 7;
    struct error err = {""};
    ck_assert_int_eq(read_file(&text, &size, file, most, &err), code);
    ck_assert_msg(strstr(err.text, cause), "%s", err.text);
    ck_assert(text == (char *)1 && size == 7);
}

START_TEST(whole)
{
    static const char content[] = "a\0b\n";
    char *text;
    size_t size;
    struct error err = {""};
    FILE *file = fopen(path, "w");
    ck_assert_uint_eq(fwrite(content, 1, sizeof content, file), sizeof content);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(read_file(&text, &size, path, sizeof content, &err), 0);
    ck_assert_uint_eq(size, sizeof content);
    ck_assert_mem_eq(text, content, size);
    ck_assert_int_eq(text[size], 0);
    free(text);
    refused(path, sizeof content - 1, -EFBIG, "expected at most 4 bytes, got 5");
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
    refused(path, 100, -ENOENT, "No such file or directory");
    refused(folder, 100, -EISDIR, "expected a file, got a folder");
    refused("/dev/zero", 100, -EINVAL, "expected a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);            /* opening does not wait for a writer */
    refused(path, 100, -EINVAL, "expected a regular file");
}
END_TEST

START_TEST(a_file_that_shrinks)
{
    struct model_file model;
    struct error err = {""};
    refused(SHRINKS, 1 << 20, -EINVAL, "the file was cut while it was read");
    ck_assert_int_eq(model_file_load(&model, SHRINKS, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, SHRINKS ": ") && strstr(err.text, "the file was cut while it was read"), "%s", err.text);
}
END_TEST

int main(void)
{
    struct stat status;
    TCase *tcase = tcase_create("read_file");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, whole);
    tcase_add_test(tcase, refuses_what_is_no_file);
    if (stat(SHRINKS, &status) == 0)
        tcase_add_test(tcase, a_file_that_shrinks);
    else
        printf("SKIP a file that shrinks: no " SHRINKS "\n");
    Suite *suite = suite_create("read_file");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
