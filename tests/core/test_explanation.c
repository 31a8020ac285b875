/* core/explanation: how rare something is, in words. */
#include "core/explanation.h"

#include <check.h>
#include <math.h>

#include "tests/suite.h"

static void check_words(double hours, double footage_hours, const char *words)
{
    char text[RARITY_SIZE];
    rarity_words(text, hours, footage_hours);
    ck_assert_str_eq(text, words);
}

START_TEST(rarity_in_words)
{
    check_words(288, NAN, "once in 12 days");
    check_words(24, NAN, "once a day");
    check_words(23.9, NAN, "once a day");
    check_words(23.4, NAN, "once in 23 hours");
    check_words(36.1, NAN, "once in 2 days");
    check_words(1, NAN, "once an hour");
    check_words(0.99, NAN, "2 times an hour");
    check_words(0.1, NAN, "10 times an hour");
    check_words(1e-9, NAN, "all the time");
    check_words(24 * 365.25, NAN, "once a year");
    check_words(24 * 365.25 * 7, NAN, "once in 7 years");
    check_words(1e300, NAN, "less than once in 1000 years");
    check_words(INFINITY, NAN, "less than once in 1000 years");
    check_words(0, NAN, "");
    check_words(-1, NAN, "");
    check_words(NAN, NAN, "");
}
END_TEST

START_TEST(footage_bounds_what_is_said)
{
    check_words(288, 2, "once in 12 days");
    check_words(1e6, 0.072, "less than once in 3 days");
    check_words(1e6, 0.001, "less than once an hour");
    check_words(1e6, 1e-5, "less than 100 times an hour");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explanation");
    TCase *tc = tcase_create("explanation");
    tcase_add_test(tc, rarity_in_words);
    tcase_add_test(tc, footage_bounds_what_is_said);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
