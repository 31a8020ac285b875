/* The limit of open files: how many a configuration needs, and what this process may have. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/descriptors.h"
#include "tests/suite.h"

static void limit_to(rlim_t soft, rlim_t hard)
{
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){soft, hard}), 0);
}

START_TEST(needed)
{
    ck_assert_uint_eq(descriptors_needed(0, 0, 0), 32);
    ck_assert_uint_eq(descriptors_needed(64, 2, 200), 9 * 64 + 4 * 2 + 200 + 32);
}
END_TEST

START_TEST(raise_takes_the_hard_limit)
{
    struct rlimit limit;
    limit_to(64, 500);
    descriptors_raise();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 500);
    ck_assert_uint_eq(limit.rlim_max, 500);
}
END_TEST

START_TEST(refused_beyond)
{
    struct error err = {""};
    limit_to(265, 500);
    ck_assert_int_eq(descriptors_check(25, 1, 4, &err), 0);
    ck_assert_int_eq(descriptors_check(25, 1, 5, &err), -EMFILE);
    ck_assert_str_eq(err.text, "expected a limit of 266 open files or more (9 for each of 25 cameras, 4 for each of 1 webhooks, "
                               "37 else), got 265; raise LimitNOFILE= of the service, or ulimit -Hn of the shell");
    descriptors_raise();
    ck_assert_int_eq(descriptors_check(25, 1, 5, &err), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tests = tcase_create("descriptors");
    tcase_add_test(tests, needed);
    tcase_add_test(tests, raise_takes_the_hard_limit);
    tcase_add_test(tests, refused_beyond);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
