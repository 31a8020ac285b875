/* core/health/stillness: a picture stands still while only a few cells differ, though coding and a clock change a little of it;
 * slow changes add up, and a time beyond what is kept goes on. */
#include "core/health/stillness.h"

#include <check.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

#define SECOND INT64_C(1000000)
enum { FEW = 2 };

static struct stillness stillness;
static struct stillness_terms terms;
static float level[CELLS];
static int64_t now_us;

static void setup(void)
{
    memset(&stillness, 0, sizeof stillness);
    terms = (struct stillness_terms){.least = 0.05f, .few = FEW};
    now_us = 5 * SECOND;
    for (int i = 0; i < CELLS; i++)
        level[i] = (float)i;
    ck_assert_float_eq(stillness_add(&stillness, level, &terms, now_us), -1);
    ck_assert_int_eq(stillness.since_us, now_us);
}

/* The next second, in which n cells from the first on differ from the one before. Returns what stillness_add() does. */
static float next(int n, float by)
{
    now_us += SECOND;
    for (int i = 0; i < n; i++)
        level[i] += by;
    return stillness_add(&stillness, level, &terms, now_us);
}

static int still_s(void)
{
    return (int)((now_us - stillness.since_us) / SECOND);
}

START_TEST(a_few_may_change)
{
    ck_assert_float_eq(next(FEW, 10), 0);
    ck_assert_int_eq(still_s(), 1);
    next(0, 0);
    ck_assert_float_eq(next(FEW + 1, 10), 0);
    ck_assert_int_eq(still_s(), 0);
    next(0, 0);
    ck_assert_int_eq(still_s(), 1);
}
END_TEST

START_TEST(coding_changes_little)
{
    for (int i = 0; i < 20; i++)
        ck_assert_float_eq_tol(next(CELLS, i % 2 ? 0.04f : -0.04f), 0.04f, 1e-4f);
    ck_assert_int_eq(still_s(), 20);
}
END_TEST

START_TEST(slow_changes_add_up)
{
    for (int i = 0; i < 20; i++)
        next(CELLS, 0.02f);
    ck_assert_int_eq(still_s(), 2);
}
END_TEST

/* Shows a clock from the cell `at` on for 23 s: the last digit of the seconds changes every second, each digit before it at
 * every tenth change of its neighbour. */
static void show_clock(int at, int cells_a_digit)
{
    for (int i = 1; i < STILLNESS_SECONDS; i++) {
        for (int digit = 0, every = 1; digit < 3; digit++, every *= 10)
            for (int k = 0; i % every == 0 && k < cells_a_digit; k++)
                level[at + (2 - digit) * cells_a_digit + k] += 3 * (float)(i % 2) - 1;
        next(0, 0);
    }
}

START_TEST(a_clock_is_left_out)
{
    show_clock(CELLS_ACROSS + 3, 2);
    ck_assert_int_eq(still_s(), STILLNESS_SECONDS - 1);
    next(CELLS, 1);
    show_clock(CELLS_ACROSS - 3, 1);
    ck_assert_int_eq(still_s(), STILLNESS_SECONDS - 1);
}
END_TEST

/* So much that changes every second is no clock, and what changes now and then is none. */
START_TEST(motion_is_no_clock)
{
    for (int i = 0; i < 30; i++)
        next(CELLS / 4, i % 2 ? -1 : 1);
    ck_assert_int_eq(still_s(), 0);
    for (int i = 0; i < 30; i++)
        next(i % 3 ? 0 : FEW + 1, i % 2 ? -1 : 1);
    ck_assert_int_lt(still_s(), 3);
}
END_TEST

/* Noise of every cell hides no freeze where the camera has none of its own. A change beyond the noise ends it, and so does light,
 * which moves the cells by more than noise can. */
START_TEST(noise_may_be_left_out)
{
    struct rng rng;
    float still[CELLS];
    rng_seed(&rng, 5);
    memcpy(still, level, sizeof still);
    for (int round = 0; round < 4; round++) {
        terms.beyond_noise = round > 0;
        for (int i = 0; i < 60; i++) {
            for (int k = 0; k < CELLS; k++)
                level[k] = still[k] + (round < 3 ? 0.06f : 0.3f) * (float)rng_normal(&rng);
            if (round == 2 && i == 59)
                for (int k = 40; k < 43; k++)
                    level[k] += 1;
            next(0, 0);
        }
        ck_assert_int_eq(still_s() >= STILLNESS_SECONDS, round == 1);
        ck_assert(round != 2 || still_s() == 0);
    }
}
END_TEST

START_TEST(time_beyond_what_is_kept_goes_on)
{
    for (int i = 0; i < 3 * STILLNESS_SECONDS; i++)
        next(0, 0);
    ck_assert_int_eq(still_s(), 3 * STILLNESS_SECONDS);
    next(CELLS, 1);
    ck_assert_int_eq(still_s(), 0);
}
END_TEST

START_TEST(begins_anew)
{
    next(CELLS, 1);
    next(0, 0);
    stillness_clear(&stillness);
    ck_assert_float_eq(next(0, 0), -1);
    ck_assert_int_eq(still_s(), 0);
    ck_assert_float_eq(next(CELLS, 2), 2);
    ck_assert_int_eq(still_s(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/stillness");
    TCase *tcase = tcase_create("stillness");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_few_may_change);
    tcase_add_test(tcase, coding_changes_little);
    tcase_add_test(tcase, slow_changes_add_up);
    tcase_add_test(tcase, a_clock_is_left_out);
    tcase_add_test(tcase, motion_is_no_clock);
    tcase_add_test(tcase, noise_may_be_left_out);
    tcase_add_test(tcase, time_beyond_what_is_kept_goes_on);
    tcase_add_test(tcase, begins_anew);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
