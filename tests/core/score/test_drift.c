#include "core/score/drift.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "tests/suite.h"

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

/* As long as every day has the same day and night, there is no drift. If it is night all the time, drift is told within a day.
 * It ends when days and nights return. */
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

/* A voice with the deciles 1, 2, 2, 2, 5, 6, 7, 8, 9. */
START_TEST(values_among_deciles)
{
    static const float deciles[DRIFT_DECILES] = {1, 2, 2, 2, 5, 6, 7, 8, 9};
    static const struct { float value; int first, last; } cases[] = {
        {0, 0, 0}, {1, 0, 1}, {1.5f, 1, 1}, {2, 1, 4}, {3, 4, 4}, {9, 8, 9}, {10, 9, 9}, {INFINITY, 9, 9}, {-INFINITY, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct drift d;
        drift_init(&d, 2);
        drift_add_among(&d, deciles, NAN);
        drift_add_among(&d, deciles, cases[i].value);
        ck_assert_int_eq(d.seen, 1);
        for (int b = 0; b < DRIFT_BINS; b++)
            ck_assert_double_eq_tol(d.bins[b], b < cases[i].first || b > cases[i].last
                                                   ? 0 : 1.0 / (cases[i].last - cases[i].first + 1), 1e-12);
    }
    float values[1001], found[DRIFT_DECILES];
    for (int i = 0; i <= 1000; i++)
        values[i] = (float)(i * 2 % 1001);
    drift_deciles(found, values, 1001);
    for (int i = 0; i < DRIFT_DECILES; i++)
        ck_assert_float_eq(found[i], 100 * (float)(i + 1));
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
    tcase_add_test(t, values_among_deciles);
    tcase_add_test(t, odd_values);
    suite_add_tcase(s, t);
    return suite_run(s);
}
