#include "core/calibration.h"

#include <check.h>

#include "core/rng.h"

START_TEST(known_figures)
{
    double scores[200];
    struct calibration c = {.fps = 12.5};

    for (int i = 0; i < 200; i++)
        scores[i] = (i * 37 % 200 + 1) / 100.0;         /* 0.01 … 2.00 in some order */
    calibration_fit(&c, scores, 200, 0.5);
    ck_assert_double_eq_tol(c.median, 1.005, 1e-12);
    ck_assert_double_eq_tol(c.p99, 1.98, 1e-12);
    ck_assert_double_eq_tol(c.maximum, 2.0, 1e-12);
    ck_assert_double_eq_tol(c.threshold, 2.0 + 0.5 * 0.995, 1e-12);
    ck_assert_double_eq_tol(c.close_threshold, 2.0 + 0.25 * 0.995, 1e-12);
    ck_assert_int_eq(c.windows, 200);
    ck_assert_double_eq(c.fps, 12.5);
}
END_TEST

START_TEST(footage_without_spread_gets_a_distance)
{
    double three[] = {0.5, 0.5, 0.5}, one[] = {0.25}, zero[] = {0, 0};
    struct calibration c = {0};

    calibration_fit(&c, three, 3, 0.3);
    ck_assert_double_eq_tol(c.threshold, 0.55, 1e-12);
    ck_assert_double_eq_tol(c.close_threshold, 0.525, 1e-12);
    calibration_fit(&c, one, 1, 0);
    ck_assert_double_eq(c.median, 0.25);
    ck_assert_double_eq(c.p99, 0.25);
    ck_assert_double_eq_tol(c.threshold, 0.275, 1e-12);
    calibration_fit(&c, zero, 2, 0.3);
    ck_assert_double_gt(c.close_threshold, 0);
}
END_TEST

START_TEST(no_held_out_window_is_above)
{
    struct rng rng;

    rng_seed(&rng, 9);
    for (int round = 0; round < 2000; round++) {
        double scores[64], margin = round % 3 ? rng_uniform(&rng) : 0;
        size_t n = 1 + rng_below(&rng, 64);
        double scale = round % 5 == 0 ? 1e-9 : round % 5 == 1 ? 1e6 : 1, offset = round % 2 ? 0 : 100;
        struct calibration c = {0};

        for (size_t i = 0; i < n; i++)
            scores[i] = (float)((rng_uniform(&rng) + offset) * scale);
        calibration_fit(&c, scores, n, margin);
        for (size_t i = 0; i + 1 < n; i++)
            ck_assert_double_le(scores[i], scores[i + 1]);
        ck_assert_double_le(c.median, c.p99);
        ck_assert_double_le(c.p99, c.maximum);
        ck_assert_float_gt((float)c.close_threshold, (float)c.maximum);
        ck_assert_float_gt((float)c.threshold, (float)c.close_threshold);
        ck_assert_double_ge(c.threshold - c.maximum, c.median / 10 * 0.999999);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calibration");
    TCase *tests = tcase_create("calibration");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tests, known_figures);
    tcase_add_test(tests, footage_without_spread_gets_a_distance);
    tcase_add_test(tests, no_held_out_window_is_above);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
