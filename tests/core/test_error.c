/* core/error: a prefix is put before a text only if it is not there already. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "tests/suite.h"

START_TEST(prefixes)
{
    struct error err;
    ck_assert_int_eq(error_set(&err, -EIO, "%s: cut short", "a.mp4"), -EIO);
    ck_assert_int_eq(error_prefix(&err, -EINVAL, "%s", "a.mp4"), -EINVAL);
    ck_assert_str_eq(err.text, "a.mp4: cut short");
    error_prefix(&err, 0, "--input");
    ck_assert_str_eq(err.text, "--input: a.mp4: cut short");
    error_set(&err, 0, "a.mp4.part: cut short");            /* begins with the same letters, but is another file */
    error_prefix(&err, 0, "a.mp4");
    ck_assert_str_eq(err.text, "a.mp4: a.mp4.part: cut short");
    error_set(&err, 0, "a");
    error_prefix(&err, 0, "a");
    ck_assert_str_eq(err.text, "a: a");
    ck_assert_int_eq(error_prefix(NULL, -EIO, "a"), -EIO);
}
END_TEST

START_TEST(long_texts)
{
    struct error err;
    char text[2 * sizeof err.text];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    error_set(&err, 0, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    error_prefix(&err, 0, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    error_set(&err, 0, "end");
    error_prefix(&err, 0, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("error");
    tcase_add_test(tcase, prefixes);
    tcase_add_test(tcase, long_texts);
    Suite *suite = suite_create("error");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
