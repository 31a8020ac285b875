#include "core/score/calibration.h"
#include "tests/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

START_TEST(known_figures)
{
    struct tail_window windows[200];
    struct calibration c = {.fps = 12.5, .score.boundary = 3};

    for (int i = 0; i < 200; i++)
        windows[i] = (struct tail_window){(i * 37 % 200 + 1) / 100.0, i ? 0.16 : 0};    /* 0.01 … 2.00 in some order */
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 1), 0);
    ck_assert_double_eq_tol(c.median, 1.005, 1e-12);
    ck_assert_double_eq_tol(c.p99, 1.98, 1e-12);
    ck_assert_double_eq_tol(c.maximum, 2.0, 1e-12);
    ck_assert_int_eq(c.windows, 200);
    ck_assert_double_eq(c.fps, 12.5);
    ck_assert(!c.has_score && c.score.boundary == 3 && c.has_tail);
    ck_assert_double_gt(c.tail.window.level, c.tail.run.level);         /* as in half a minute of footage */
    ck_assert_double_eq(c.close_threshold, c.tail.window.level);
    /* Half a minute of footage gives no threshold for one alert a day, but for one in twelve minutes. */
    ck_assert_double_eq_tol(c.tail.hours, 200 * 0.16 / 3600, 1e-9);
    ck_assert_double_eq(c.threshold, tail_threshold(&c.tail, 3600 / (200 * 0.16)));
    ck_assert_double_gt(c.threshold, c.close_threshold);
    double widened = c.threshold;
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 0.1), 0);
    ck_assert_double_eq(c.threshold, widened);

    for (int i = 1; i < 200; i++)               /* more than an hour of footage gives one for once a day */
        windows[i].seconds = 20;
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 1), 0);
    ck_assert_double_eq(c.threshold, tail_threshold(&c.tail, 1));
    double daily = c.threshold;
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 0.1), 0);
    ck_assert_double_gt(c.threshold, daily);
}
END_TEST

/* A score that is the logarithm of the hours between alerts needs no fitted tail. */
START_TEST(hours_are_not_fitted_again)
{
    struct tail_window windows[200];
    struct calibration c = {.fps = 10, .has_score = true,
                            .score = {.conditions = 2, .condition = {{.rare = {.share = 50, .scale = 3}},
                                                                     {.rare = {.share = 8, .scale = 2}}}}};
    for (int i = 0; i < 200; i++)
        windows[i] = (struct tail_window){i * 37 % 200 - 200, i ? 20 : 0};
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 1), 0);
    ck_assert_double_eq_tol(c.threshold, log(24), 1e-12);
    ck_assert_double_eq_tol(c.close_threshold, -log(8), 1e-12);
    ck_assert_double_eq_tol(tail_hours_between(&c.tail, 2), exp(2), 1e-9);
    ck_assert_double_eq_tol(tail_threshold(&c.tail, 10), log(2.4), 1e-12);
    ck_assert_double_eq_tol(tail_threshold(&c.tail, 1000), -log(8), 1e-12);
    ck_assert_int_eq(c.tail.runs, 0);           /* no three of five windows reach the level */
    for (int i = 0; i < 200; i++)
        windows[i].score = i % 20 < 4 ? 1 : -9;
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 1), 0);
    ck_assert_int_eq(c.tail.runs, 10);
}
END_TEST

/* Scores are lowered by log(3), so each stands for three times the rate. Thresholds for a number of alerts a day stay. */
START_TEST(lower_scores)
{
    struct tail_window windows[200];
    struct calibration c = {.fps = 10, .has_score = true, .has_deciles = true,
                            .score = {.conditions = 2, .condition = {{.rare = {.share = 50, .scale = 3},
                                                                      .usual = {{0, 1}, {0, 1}}},
                                                                     {.rare = {.share = 8, .scale = 2, .shape = 0.2},
                                                                      .usual = {{0, 1}, {0, 1}}}}}};
    for (int i = 0; i < 200; i++)
        windows[i] = (struct tail_window){i * 37 % 200 - 200, i ? 20 : 0};
    ck_assert_int_eq(calibration_fit(&c, windows, 200, 1), 0);
    struct calibration low = c;
    ck_assert_double_eq(calibration_lower(&low, log(3)), log(3));
    for (int light = 0; light < 2; light++)
        for (int i = -3; i < 9; i++) {
            struct score_features f = {.voice = {(float)i, 0}, .condition = light};
            float high = score_of(&c.score, &f);
            ck_assert_float_eq_tol(score_of(&low.score, &f), high - logf(3), 1e-5f);
            ck_assert_double_eq_tol(tail_p_value(&low.tail, (double)high - log(3)), tail_p_value(&c.tail, (double)high), 1e-9);
        }
    ck_assert_double_eq(low.threshold, c.threshold);
    ck_assert_double_eq(tail_threshold(&low.tail, 10), tail_threshold(&c.tail, 10));
    ck_assert_double_eq_tol(low.tail.run.level, c.tail.run.level - log(3), 1e-12);
    ck_assert_double_eq_tol(low.close_threshold, c.close_threshold - log(3), 1e-12);
    ck_assert_double_eq_tol(low.maximum, c.maximum - log(3), 1e-12);
    ck_assert_float_eq(low.deciles[VOICE_CHANGE][4], -logf(3));

    /* The calibration is lowered as far as a model file can hold it, and all scores by as much. */
    low = c;
    double by = calibration_lower(&low, 1000);
    ck_assert(by > 50 && by < 1000);
    ck_assert_double_eq_tol(calibration_lower(&low, 1), 0, 1e-12);
    ck_assert_double_le(low.tail.run.share, PARETO_MOST_SHARE);
    for (int light = 0; light < 2; light++) {
        struct score_features f = {.voice = {2, 0}, .condition = light};
        ck_assert_double_le(low.score.condition[light].rare.share, PARETO_MOST_SHARE);
        ck_assert_float_eq_tol(score_of(&low.score, &f), score_of(&c.score, &f) - (float)by, 1e-4f);
    }
}
END_TEST

/* In 8 bits the bound is wider: both the reused score and the one that it replaces may be off. */
START_TEST(what_static_scenes_are_held_to)
{
    struct calibration c = {.has_static = true, .still = {.bound = 1.5, .windows = 200}, .int8.largest_difference = 0.25};
    ck_assert_double_eq(calibration_static_bound(&c, PRECISION_FP32), 1.5);
    ck_assert_double_eq(calibration_static_bound(&c, PRECISION_INT8), 2);
    ck_assert(calibration_static_holds(&c) && !calibration_static_holds(NULL));
    c.still.windows = 199;
    ck_assert(!calibration_static_holds(&c));
    c = (struct calibration){.still.windows = 200};
    ck_assert(!calibration_static_holds(&c));
}
END_TEST

/* `precision: auto` takes 8 bits if no reason speaks against them. */
START_TEST(why_a_precision)
{
    struct calibration c = {.int8 = {.windows = 100, .rank_correlation = 0.999}};
    ck_assert_str_eq(calibration_precision_reason(NULL), "8 bits were not measured");
    ck_assert_str_eq(calibration_precision_reason(&c), "8 bits were not measured");
    c.has_int8 = true;
    bool fast = calibration_precision(&c, PRECISION_AUTO) == PRECISION_INT8;
    ck_assert_str_eq(calibration_precision_reason(&c), fast ? "the scores agree" : "this CPU has no fast kernels for 8 bits");
    c.int8.rank_correlation = 0.9989;
    ck_assert_int_eq(calibration_precision(&c, PRECISION_AUTO), PRECISION_FP32);
    ck_assert_str_eq(calibration_precision_reason(&c), "the rank correlation is below 0.999");
    c.int8.windows = 99;
    ck_assert_str_eq(calibration_precision_reason(&c), "fewer than 100 windows were compared");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calibration");
    TCase *tests = tcase_create("calibration");
    tcase_add_test(tests, known_figures);
    tcase_add_test(tests, hours_are_not_fitted_again);
    tcase_add_test(tests, lower_scores);
    tcase_add_test(tests, why_a_precision);
    tcase_add_test(tests, what_static_scenes_are_held_to);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
