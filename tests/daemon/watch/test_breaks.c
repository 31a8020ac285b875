/* daemon/watch/camera/breaks: the log tells of breaks that recur, and not too often. */
#include "daemon/watch/camera/breaks.h"
#include "tests/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000 };

START_TEST(rare_breaks_are_not_told)
{
    struct breaks breaks = {0};
    struct breaks_report report;
    for (int i = 1; i < 100; i++)
        ck_assert(!breaks_note(&breaks, VIEW_BREAK_GAP, (int64_t)i * 31 * SECOND, &report));
}
END_TEST

START_TEST(recurring_breaks_are_told_with_their_causes)
{
    struct breaks breaks = {0};
    struct breaks_report report = {0};
    ck_assert(!breaks_note(&breaks, VIEW_BREAK_GAP, 100 * SECOND, &report));
    ck_assert(!breaks_note(&breaks, VIEW_BREAK_CORRUPT, 130 * SECOND, &report));
    ck_assert(breaks_note(&breaks, VIEW_BREAK_GAP, 160 * SECOND, &report));
    ck_assert_uint_eq(report.breaks, 3);
    ck_assert_double_eq(report.seconds, 60);
    ck_assert_str_eq(report.causes, "corrupt 1, gap 2");

    /* One break a second gives a line every ten minutes. Each line counts the breaks since the line before. */
    int told = 0;
    for (int i = 1; i <= 1800; i++)
        if (breaks_note(&breaks, VIEW_BREAK_CLOCK, (int64_t)(160 + i) * SECOND, &report)) {
            told++;
            ck_assert_uint_eq(report.breaks, 600);
            ck_assert_str_eq(report.causes, "clock 600");
        }
    ck_assert_int_eq(told, 3);
}
END_TEST

START_TEST(losses_and_loops_are_told_elsewhere)
{
    struct breaks breaks = {0};
    struct breaks_report report;
    for (int i = 1; i < 100; i++)
        ck_assert(!breaks_note(&breaks, i % 2 ? VIEW_BREAK_LOST : VIEW_BREAK_LOOP, (int64_t)i * SECOND, &report));
}
END_TEST

START_TEST(all_causes_fit)
{
    struct breaks breaks = {0};
    struct breaks_report report = {0};
    for (int i = 0; i < VIEW_BREAKS; i++)
        breaks.count[i] = UINT64_MAX / 16;
    breaks_note(&breaks, VIEW_BREAK_GAP, 1, &report);
    breaks_note(&breaks, VIEW_BREAK_GAP, 2, &report);
    ck_assert(breaks_note(&breaks, VIEW_BREAK_GAP, 3, &report));
    ck_assert_uint_lt(strlen(report.causes), sizeof report.causes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("breaks");
    TCase *tests = tcase_create("breaks");
    tcase_add_test(tests, rare_breaks_are_not_told);
    tcase_add_test(tests, recurring_breaks_are_told_with_their_causes);
    tcase_add_test(tests, losses_and_loops_are_told_elsewhere);
    tcase_add_test(tests, all_causes_fit);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
