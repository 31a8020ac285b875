/* core/health/stillness: a picture stands still from its last second that differed in more than an eighth of its cells, though
 * coding and a clock change a little of it; slow changes add up. */
#include "core/health/stillness.h"

#include <check.h>
#include <string.h>

#include "tests/suite.h"

#define SECOND INT64_C(1000000)
#define LEAST 0.05f

static struct stillness stillness;
static float level[CELLS];
static int64_t now_us;

static void setup(void)
{
    memset(&stillness, 0, sizeof stillness);
    now_us = 5 * SECOND;
    for (int i = 0; i < CELLS; i++)
        level[i] = (float)i;
    ck_assert_float_eq(stillness_add(&stillness, level, LEAST, now_us), -1);
    ck_assert_int_eq(stillness.anchor_us, now_us);
}

/* The next second, n cells of which differ from the one before. Returns what stillness_add() does. */
static float next(int n, float by)
{
    now_us += SECOND;
    for (int i = 0; i < n; i++)
        level[i] += by;
    return stillness_add(&stillness, level, LEAST, now_us);
}

START_TEST(an_eighth_may_change)
{
    ck_assert_float_eq(next(CELLS / 8, 100), 0);
    ck_assert_int_eq(stillness.anchor_us, 5 * SECOND);
    ck_assert_float_eq(next(CELLS / 8 + 1, 100), 0);
    ck_assert_int_eq(stillness.anchor_us, 7 * SECOND);
}
END_TEST

START_TEST(coding_changes_little)
{
    for (int i = 0; i < 20; i++)
        ck_assert_float_eq_tol(next(CELLS, i % 2 ? 0.04f : -0.04f), 0.04f, 1e-4f);
    ck_assert_int_eq(stillness.anchor_us, 5 * SECOND);
}
END_TEST

START_TEST(slow_changes_add_up)
{
    for (int i = 0; i < 9; i++)
        next(CELLS, 0.02f);
    ck_assert_int_eq(stillness.anchor_us, now_us);      /* after 3, 6 and 9 s */
    next(CELLS, 0.02f);
    ck_assert_int_eq(stillness.anchor_us, now_us - SECOND);
}
END_TEST

START_TEST(begins_anew)
{
    next(CELLS, 1);
    stillness_clear(&stillness);
    ck_assert_float_eq(next(0, 0), -1);
    ck_assert_int_eq(stillness.anchor_us, now_us);
    ck_assert_float_eq(next(CELLS, 2), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/stillness");
    TCase *tcase = tcase_create("stillness");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, an_eighth_may_change);
    tcase_add_test(tcase, coding_changes_little);
    tcase_add_test(tcase, slow_changes_add_up);
    tcase_add_test(tcase, begins_anew);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
