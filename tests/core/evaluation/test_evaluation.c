#include "core/evaluation/evaluation.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

START_TEST(auc_of_known_cases)
{
    double auc = -1;

    ck_assert_int_eq(evaluation_auc(&auc, (double[]){1, 2, 3, 4}, (uint8_t[]){0, 0, 1, 1}, 4), 0);
    ck_assert_double_eq(auc, 1);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){1, 2, 3, 4}, (uint8_t[]){1, 1, 0, 0}, 4), 0);
    ck_assert_double_eq(auc, 0);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){5, 5, 5}, (uint8_t[]){0, 1, 0}, 3), 0);
    ck_assert_double_eq(auc, 0.5);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){0.1, 0.4, 0.35, 0.8}, (uint8_t[]){0, 0, 1, 1}, 4), 0);
    ck_assert_double_eq(auc, 0.75);
}
END_TEST

START_TEST(auc_where_it_is_not_defined)
{
    double auc = -1;

    ck_assert_int_eq(evaluation_auc(&auc, NULL, NULL, 0), -EDOM);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){1, 2}, (uint8_t[]){0, 0}, 2), -EDOM);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){1, 2}, (uint8_t[]){1, 1}, 2), -EDOM);
    ck_assert_int_eq(evaluation_auc(&auc, (double[]){1, NAN}, (uint8_t[]){1, 0}, 2), -EDOM);
    ck_assert_double_eq(auc, -1);
}
END_TEST

START_TEST(auc_agrees_with_all_pairs)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    printf("test_evaluation: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 500; round++) {
        double scores[80], auc, wins = 0, pairs = 0;
        uint8_t labels[80];
        size_t n = 2 + rng_below(&rng, 79);
        uint64_t values = 1 + rng_below(&rng, round % 2 ? 6 : 1000);    /* few values: many ties */

        for (size_t i = 0; i < n; i++) {
            scores[i] = (double)rng_below(&rng, values) / 7;
            labels[i] = (uint8_t)rng_below(&rng, 2);
        }
        labels[0] = 0;
        labels[1] = 1;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                if (labels[i] && !labels[j]) {
                    pairs++;
                    wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
                }
        ck_assert_int_eq(evaluation_auc(&auc, scores, labels, n), 0);
        ck_assert_double_eq_tol(auc, wins / pairs, 1e-12);
    }
}
END_TEST

START_TEST(average_precision_of_known_cases)
{
    double ap = -1;

    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){1, 2, 3, 4}, (uint8_t[]){0, 0, 1, 1}, 4), 0);
    ck_assert_double_eq(ap, 1);
    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){0.1, 0.4, 0.35, 0.8}, (uint8_t[]){0, 0, 1, 1}, 4), 0);
    ck_assert_double_eq_tol(ap, 0.5 * 1 + 0.5 * 2 / 3, 1e-12);
    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){5, 5, 5, 5}, (uint8_t[]){0, 1, 0, 0}, 4), 0);
    ck_assert_double_eq(ap, 0.25);              /* chance */
    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){3, 3, 1, 2}, (uint8_t[]){1, 0, 1, 0}, 4), 0);
    ck_assert_double_eq_tol(ap, 0.5 * 1 / 2 + 0.5 * 2 / 4, 1e-12);
    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){1, 2}, (uint8_t[]){1, 1}, 2), -EDOM);
    ck_assert_int_eq(evaluation_average_precision(&ap, (double[]){1, NAN}, (uint8_t[]){1, 0}, 2), -EDOM);
}
END_TEST

START_TEST(min_max_is_per_clip)
{
    double a[] = {3, 1, 2, 5}, equal[] = {4, 4};

    evaluation_min_max(a, a, 4);
    ck_assert_double_eq(a[0], 0.5);
    ck_assert_double_eq(a[1], 0);
    ck_assert_double_eq(a[2], 0.25);
    ck_assert_double_eq(a[3], 1);
    evaluation_min_max(equal, equal, 2);
    ck_assert_double_eq(equal[0], 0);
    ck_assert_double_eq(equal[1], 0);
    evaluation_min_max(NULL, NULL, 0);
}
END_TEST

static const struct policy_rule all_told;

/* One window a second. Scores: 'A' above, '.' below; '|' before one is a break. Labels: '#' abnormal. */
static struct evaluation_alerts alerts_of(const char *scores, const char *labels)
{
    struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 2, .n = 2};
    struct evaluation_alerts sum = {0};
    float score[100];
    uint8_t label[100], broken[100] = {0};
    int64_t times[100];
    size_t n = 0;

    for (; *scores; scores++) {
        if (*scores == '|') {
            broken[n] = 1;
            continue;
        }
        score[n] = *scores == 'A' ? 2 : 0;
        label[n] = labels[n] == '#';
        times[n] = (int64_t)n * 1000000;
        n++;
    }
    ck_assert_uint_eq(n, strlen(labels));
    evaluation_alerts(&sum, &rule, &all_told, score, label, times, broken, n);
    return sum;
}

START_TEST(alerts_against_stretches)
{
    struct evaluation_alerts a;

    a = alerts_of("..AAA...AAA....", "..###..........");
    ck_assert_int_eq(a.alerts, 2);
    ck_assert_int_eq(a.on_abnormal, 1);
    ck_assert_int_eq(a.on_normal, 1);
    ck_assert_int_eq(a.stretches, 1);
    ck_assert_int_eq(a.stretches_found, 1);
    ck_assert_double_eq_tol(a.normal_s, 11, 1e-9);

    a = alerts_of("...............", "###..##.......#");
    ck_assert_int_eq(a.alerts, 0);
    ck_assert_int_eq(a.stretches, 3);
    ck_assert_int_eq(a.stretches_found, 0);

    a = alerts_of("..AAAAAAAAAA", "...##..##...");          /* one alert over two stretches, open at the end */
    ck_assert_int_eq(a.alerts, 1);
    ck_assert_int_eq(a.on_abnormal, 1);
    ck_assert_int_eq(a.stretches_found, 2);

    a = alerts_of("AA..AA..AA..", "############");          /* three alerts in one stretch */
    ck_assert_int_eq(a.alerts, 3);
    ck_assert_int_eq(a.on_abnormal, 3);
    ck_assert_int_eq(a.stretches, 1);
    ck_assert_int_eq(a.stretches_found, 1);

    a = alerts_of("AAA|.....", "....####");                 /* the break closes it before the abnormal stretch */
    ck_assert_int_eq(a.alerts, 1);
    ck_assert_int_eq(a.on_normal, 1);
    ck_assert_int_eq(a.stretches_found, 0);

    a = alerts_of(".A|A....", ".......");                   /* no sequence has two windows above in a row */
    ck_assert_int_eq(a.alerts, 0);

    a = alerts_of("#", "#");
    ck_assert_int_eq(a.stretches, 1);
    a = alerts_of("", "");
    ck_assert_int_eq(a.stretches, 0);
}
END_TEST

START_TEST(an_alert_begins_at_its_first_window_above)
{
    struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 2, .n = 3};
    float scores[] = {0, 2, 0, 2, 0, 0, 0};
    uint8_t labels[] = {0, 1, 0, 0, 0, 0, 0};
    int64_t times[] = {0, 10, 20, 30, 40, 50, 60};
    struct evaluation_alerts a = {.alerts = 5};

    evaluation_alerts(&a, &rule, &all_told, scores, labels, times, NULL, 7);
    ck_assert_int_eq(a.alerts, 6);              /* results add up over clips */
    ck_assert_int_eq(a.on_abnormal, 1);
    ck_assert_int_eq(a.stretches_found, 1);
}
END_TEST

/* Two events of two windows each, whose ends are 5 s apart. The second is told, merged, in the cooldown, above the limit of an
 * hour, longer than the cooldown, and worse than the first, in turn. */
START_TEST(alerts_that_nobody_is_told_of_do_not_count)
{
    const struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 1, .n = 1};
    float scores[] = {2, 2, 0, 0, 0, 2, 2, 0, 0};
    const uint8_t labels[] = {1, 1, 0, 0, 0, 1, 1, 0, 0};
    int64_t times[9];
    struct alert_rule merging = rule;
    const struct policy_rule none = {.margin = 1}, cooldown = {.cooldown_us = 5000000, .margin = 1},
                             lasts = {.cooldown_us = 4000000, .margin = 1}, cap = {.max_per_hour = 1, .margin = 1};
    merging.merge_us = 4000000;
    for (int i = 0; i < 9; i++)
        times[i] = i * 1000000;
    for (int i = 0; i < 6; i++) {
        const struct policy_rule *policies[] = {&none, &none, &cooldown, &cap, &lasts, &cap};
        const long alerts[] = {2, 1, 1, 1, 2, 2}, found[] = {2, 2, 1, 1, 2, 2};
        struct evaluation_alerts a = {0};
        scores[5] = i == 5 ? 3.5f : 2;
        evaluation_alerts(&a, i == 1 ? &merging : &rule, policies[i], scores, labels, times, NULL, 9);
        ck_assert_msg(a.alerts == alerts[i] && a.stretches_found == found[i] && a.on_normal == 0, "%d: %ld %ld", i, a.alerts,
                      a.stretches_found);
    }
}
END_TEST

START_TEST(rank_correlation_of_known_cases)
{
    double r = -2;

    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, 2, 3, 4}, (double[]){-5, 0, 1e9, 1e10}, 4), 0);
    ck_assert_double_eq(r, 1);
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, 2, 3}, (double[]){3, 2, 1}, 3), 0);
    ck_assert_double_eq(r, -1);
    /* 1 - 6 Σ d² / (n (n² - 1)) = 1 - 6 * 2 / 60 */
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, 2, 3, 4}, (double[]){1, 2, 4, 3}, 4), 0);
    ck_assert_double_eq_tol(r, 0.8, 1e-12);
    /* Ranks -1.5, 0, 0, 1.5 against -1.5, -0.5, 0.5, 1.5. */
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, 2, 2, 3}, (double[]){1, 2, 3, 4}, 4), 0);
    ck_assert_double_eq_tol(r, 4.5 / sqrt(4.5 * 5), 1e-12);
    r = -2;
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, 1}, (double[]){1, 2}, 2), -EDOM);
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1, NAN}, (double[]){1, 2}, 2), -EDOM);
    ck_assert_int_eq(evaluation_rank_correlation(&r, (double[]){1}, (double[]){1}, 1), -EDOM);
    ck_assert_int_eq(evaluation_rank_correlation(&r, NULL, NULL, 0), -EDOM);
    ck_assert_double_eq(r, -2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evaluation");
    TCase *tests = tcase_create("evaluation");
    tcase_add_test(tests, auc_of_known_cases);
    tcase_add_test(tests, auc_where_it_is_not_defined);
    tcase_add_test(tests, auc_agrees_with_all_pairs);
    tcase_add_test(tests, average_precision_of_known_cases);
    tcase_add_test(tests, alerts_that_nobody_is_told_of_do_not_count);
    tcase_add_test(tests, rank_correlation_of_known_cases);
    tcase_add_test(tests, min_max_is_per_clip);
    tcase_add_test(tests, alerts_against_stretches);
    tcase_add_test(tests, an_alert_begins_at_its_first_window_above);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
