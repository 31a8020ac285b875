#include "core/score/tail.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "core/score/alert.h"
#include "tests/suite.h"

enum { N = 40000 };

static struct rng rng;

static double exponential(void)
{
    return -log(1 - (double)rng_uniform(&rng) * 0.9999999);
}

START_TEST(fits_known_tails)
{
    static double excess[N];
    for (int i = 0; i < 3; i++) {
        double shape = (i - 1) * 0.25, scale = 1.5;
        rng_seed(&rng, 7);
        for (int k = 0; k < N; k++) {
            double e = exponential();
            excess[k] = shape == 0 ? scale * e : scale / shape * (exp(shape * e) - 1);
        }
        struct pareto p = {.level = 2, .share = 0.1};
        pareto_fit(&p, excess, N, 0.1, -0.5);
        ck_assert_double_eq_tol(p.shape, shape, 0.05);
        ck_assert_double_eq_tol(p.scale, scale, 0.08);
        pareto_fit(&p, excess, N, 0.1, 0);
        ck_assert_double_ge(p.shape, 0);
    }
    double few[] = {1, 2, 6}, none[] = {0};
    struct pareto p = {.level = 0, .share = 1};
    pareto_fit(&p, few, 3, 0.1, -0.5);
    ck_assert(p.shape == 0 && p.scale == 3);
    pareto_fit(&p, none, 1, 0.1, -0.5);
    ck_assert(p.shape == 0 && p.scale == 0.1);
}
END_TEST

START_TEST(rate_and_score_are_inverse)
{
    for (int i = 0; i < 3; i++) {
        const struct pareto p = {.level = 3, .share = 0.2, .scale = 0.7, .shape = (i - 1) * 0.3};
        for (double rate = 0.19; rate > 1e-9; rate /= 3)
            ck_assert_double_eq_tol(pareto_exceeds(&p, pareto_score(&p, rate)) / rate, 1, 1e-9);
        ck_assert_double_eq(pareto_score(&p, 0.3), 3);
        ck_assert_double_eq(pareto_exceeds(&p, 2), 0.2);
    }
    const struct pareto bounded = {.level = 0, .share = 1, .scale = 1, .shape = -0.5};
    ck_assert_double_eq(pareto_exceeds(&bounded, 2.5), 0);
}
END_TEST

/* Scores are correlated, as those of windows that share frames: each is the largest of the last few independent values. */
static void correlated(struct tail_window *w, int n, double seconds)
{
    double last[4] = {0};
    for (int i = 0; i < n; i++) {
        last[i % 4] = exponential();
        w[i].score = fmax(fmax(last[0], last[1]), fmax(last[2], last[3]));
        w[i].seconds = i % 5000 ? seconds : 0;          /* the sequence breaks here and there */
    }
}

START_TEST(p_values_are_uniform)
{
    static struct tail_window w[N];
    struct tail tail;
    int below[5] = {0};
    rng_seed(&rng, 21);
    correlated(w, N, 0.2);
    ck_assert_int_eq(tail_fit(&tail, w, N, 3, 5, 0, 100, NULL), 0);
    correlated(w, N, 0.2);      /* new scores of the same distribution */
    const double levels[5] = {0.7, 0.3, 0.1, 0.03, 0.01};
    for (int i = 0; i < N; i++)
        for (int l = 0; l < 5; l++)
            below[l] += tail_p_value(&tail, w[i].score) <= levels[l];
    for (int l = 0; l < 5; l++)
        ck_assert_msg(fabs(below[l] / (levels[l] * N) - 1) < 0.25, "p <= %g: %d of %d", levels[l], below[l], N);
    double before = 1.1;
    for (double s = -1; s < 60; s += 0.01) {
        double p = tail_p_value(&tail, s);
        ck_assert(p > 0 && p <= 1 && p <= before);
        before = p;
    }
}
END_TEST

/* The alert state machine, run on new scores, opens as many alerts as the threshold was set for. */
static void check_budgets(int merge_s)
{
    static struct tail_window w[N];
    struct tail tail;
    const double seconds = 0.4, days = N * seconds / 86400;
    const double budgets[] = {100, 10};
    rng_seed(&rng, 4);
    correlated(w, N, seconds);
    ck_assert_int_eq(tail_fit(&tail, w, N, 3, 5, merge_s, 150, NULL), 0);
    for (int b = 0; b < 2; b++) {
        double threshold = tail_threshold(&tail, budgets[b]);
        struct alert_rule rule = {.threshold = (float)threshold, .close_threshold = (float)tail.run.level, .k = 3, .n = 5,
                                  .merge_us = merge_s * INT64_C(1000000)};
        struct alert_state state;
        long opened = 0;
        enum { ROUNDS = 12 };
        for (int round = 0; round < ROUNDS; round++) {
            correlated(w, N, seconds);
            alert_init(&state, &rule);
            for (int i = 0; i < N; i++) {
                alert_wait(&state, (int64_t)i * 400000);
                opened += alert_score(&state, (float)w[i].score, (int64_t)i * 400000) == ALERT_OPENED;
            }
        }
        double a_day = (double)opened / ROUNDS / days;
        ck_assert_msg(a_day > budgets[b] / 2 && a_day < budgets[b] * 2, "%g a day for a budget of %g", a_day, budgets[b]);
        ck_assert_double_eq_tol(tail_hours_between(&tail, threshold) * budgets[b], 24, 1e-6);
    }
    ck_assert_double_gt(tail_threshold(&tail, 0.1), tail_threshold(&tail, 1));
    ck_assert_double_eq(tail_threshold(&tail, 1e9), tail.run.level);
}

START_TEST(budgets_hold)
{
    check_budgets(0);
    check_budgets(30);
}
END_TEST

/* Runs that are near to each other count as one, in the fit and in the alert rule. */
START_TEST(near_runs_merge)
{
    static const double scores[] = {9, 9, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 7, 7, 0, 0};
    enum { COUNT = sizeof scores / sizeof scores[0] };
    struct tail_window w[COUNT];
    struct pareto known = {.level = 5, .share = 1, .scale = 1};
    for (int merge_s = 0; merge_s <= 12; merge_s++) {
        for (int broken = 0; broken < 2; broken++) {
            struct tail tail;
            struct alert_rule rule = {.threshold = 5, .close_threshold = 5, .k = 2, .n = 2,
                                      .merge_us = merge_s * INT64_C(1000000)};
            struct alert_state state;
            long alerts = 0;
            alert_init(&state, &rule);
            for (int i = 0; i < COUNT; i++) {
                w[i] = (struct tail_window){scores[i], i == 0 || (broken && i == 4) ? 0 : 1};
                if (w[i].seconds <= 0)
                    alerts += alert_break(&state, i * INT64_C(1000000)) == ALERT_CLOSED;
                alerts += alert_wait(&state, i * INT64_C(1000000)) == ALERT_CLOSED;
                alerts += alert_score(&state, (float)scores[i], i * INT64_C(1000000)) == ALERT_CLOSED;
            }
            alerts += alert_break(&state, COUNT * INT64_C(1000000)) == ALERT_CLOSED;
            ck_assert_int_eq(tail_fit(&tail, w, COUNT, 2, 2, merge_s, 1, &known), 0);
            ck_assert_int_eq(tail.runs, alerts);
            ck_assert_int_eq(alerts, (merge_s <= 3 || broken) + (merge_s <= 6) + 1);
        }
    }
}
END_TEST

START_TEST(little_footage)
{
    struct tail tail;
    struct tail_window one = {.score = 0.5}, same[20];
    ck_assert_int_eq(tail_fit(&tail, &one, 1, 3, 5, 0, 100, NULL), 0);
    ck_assert(isfinite(tail_threshold(&tail, 1)) && tail_threshold(&tail, 1) > 0.5);
    for (int i = 0; i < 20; i++)
        same[i] = (struct tail_window){1, i ? 0.1 : 0};
    ck_assert_int_eq(tail_fit(&tail, same, 20, 3, 5, 0, 100, NULL), 0);
    ck_assert_double_gt(tail_threshold(&tail, 1), 1);
    ck_assert_double_gt(tail_p_value(&tail, 1), 0.5);
    ck_assert_double_lt(tail_p_value(&tail, 5), 0.1);
    ck_assert_int_eq(tail.runs, 1);
}
END_TEST

START_TEST(little_footage_widens_the_budget)
{
    struct tail tail = {.hours = 1};
    ck_assert(!tail_is_provisional(&tail));
    ck_assert_double_eq(tail_budget(&tail, 0.01), 0.01);
    tail.hours = 0.1;
    ck_assert(tail_is_provisional(&tail));
    ck_assert_double_eq_tol(tail_budget(&tail, 1), 10, 1e-9);   /* one alert in 2.4 hours, 24 times the footage */
    ck_assert_double_eq(tail_budget(&tail, 100), 100);
    tail.hours = 0;
    ck_assert(isfinite(tail_budget(&tail, 1)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tail");
    TCase *t = tcase_create("tail");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, fits_known_tails);
    tcase_add_test(t, little_footage_widens_the_budget);
    tcase_add_test(t, rate_and_score_are_inverse);
    tcase_add_test(t, p_values_are_uniform);
    tcase_add_test(t, budgets_hold);
    tcase_add_test(t, near_runs_merge);
    tcase_add_test(t, little_footage);
    suite_add_tcase(s, t);
    return suite_run(s);
}
