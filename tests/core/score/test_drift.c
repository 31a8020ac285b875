#include "core/score/drift.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"

enum { DAY = 5000 };

START_TEST(uniform_is_no_drift)
{
    struct rng rng;
    struct drift d;
    rng_seed(&rng, 3);
    drift_init(&d, DAY);
    for (int i = 0; i < 20 * DAY; i++) {
        drift_add(&d, (double)rng_uniform(&rng));
        if (i + 1 < DAY)
            ck_assert(isnan(drift_distance(&d)));
        else
            ck_assert_double_lt(drift_distance(&d), 0.05);
    }
}
END_TEST

/* Day and night differ, but every day is the same: no drift. Then night all day long: drift within a day. Then days and
 * nights again: the drift ends. */
START_TEST(told_within_a_day)
{
    struct rng rng;
    struct drift d;
    rng_seed(&rng, 4);
    drift_init(&d, DAY);
    for (int i = 0; i < 6 * DAY; i++) {
        double p = (double)rng_uniform(&rng) / 2;
        drift_add(&d, i % DAY < DAY / 2 ? p : p + 0.5);
        if (i > DAY)
            ck_assert_double_lt(drift_distance(&d), DRIFT_LIMIT);
    }
    int told = 0;
    for (; told < 2 * DAY && drift_distance(&d) < DRIFT_LIMIT; told++)
        drift_add(&d, (double)rng_uniform(&rng) / 2);
    ck_assert_int_lt(told, 3 * DAY / 2);
    ck_assert_int_gt(told, DAY / 10);
    for (int i = 0; i < 4 * DAY; i++)
        drift_add(&d, (double)rng_uniform(&rng));
    ck_assert_double_lt(drift_distance(&d), DRIFT_LIMIT / 2);
}
END_TEST

START_TEST(odd_values)
{
    struct drift d;
    drift_init(&d, 2);
    drift_add(&d, (double)NAN);
    drift_add(&d, -0.1);
    drift_add(&d, 1.1);
    ck_assert_int_eq(d.seen, 0);
    drift_add(&d, 1);
    drift_add(&d, 1);
    ck_assert_double_eq_tol(drift_distance(&d), 0.9, 1e-12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drift");
    TCase *t = tcase_create("drift");
    tcase_add_test(t, uniform_is_no_drift);
    tcase_add_test(t, told_within_a_day);
    tcase_add_test(t, odd_values);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
