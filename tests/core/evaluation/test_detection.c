#include "core/evaluation/detection.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { MAX = 60 };

struct windows {
    float scores[MAX];
    uint8_t joined[MAX];
    struct detection_normal normal;
    struct detection_window abnormal[MAX];
    size_t n_abnormal;
};

/* One window a second. Scores are digits; '|' before one is a break. Labels: '#' abnormal, '.' normal. Windows end 0.7 s
 * after their centre. */
static struct windows *windows_of(const char *scores, const char *labels)
{
    static struct windows w;
    size_t n = 0, start = 0;
    long events = 0;
    bool joined = false;

    w = (struct windows){.normal = {w.scores, w.joined, 0}};
    for (; *scores; scores++) {
        float score = (float)(*scores - '0');

        if (*scores == '|') {
            joined = false;
        } else if (labels[n++] != '#') {
            w.scores[w.normal.n] = score;
            w.joined[w.normal.n++] = joined;
            joined = true;
        } else {
            if (n < 2 || labels[n - 2] != '#') {
                start = n;
                events++;
            }
            w.abnormal[w.n_abnormal++] = (struct detection_window){score, events, (int64_t)(n - start) * 1000000 + 700000};
            joined = false;
        }
    }
    ck_assert_uint_eq(n, strlen(labels));
    return &w;
}

static float threshold_of(const char *scores, const char *labels, size_t allowed)
{
    float threshold = -1;

    ck_assert_int_eq(detection_threshold(&threshold, &windows_of(scores, labels)->normal, allowed), 0);
    return threshold;
}

START_TEST(thresholds_by_hand)
{
    /* If no false alarm is allowed, the threshold is just above the highest normal score, whatever the abnormal scores are. */
    ck_assert_float_eq(threshold_of("1319", "...#", 0), nextafterf(3, 4));
    ck_assert_float_eq(threshold_of("1319", "...#", 1), 1);             /* at 1, the three normal windows are one run */
    ck_assert_float_eq(threshold_of("1313", "....", 1), nextafterf(3, 4));      /* both 3s are reached at once */
    ck_assert_float_eq(threshold_of("1312", "....", 1), nextafterf(2, 3));      /* two runs at 2, one at 1 */
    ck_assert_float_eq(threshold_of("33|11", "....", 1), nextafterf(1, 2));
    ck_assert_float_eq(threshold_of("3|3", "..", 1), nextafterf(3, 4)); /* a break makes two runs */
    ck_assert_float_eq(threshold_of("393", ".#.", 1), nextafterf(3, 4));        /* an abnormal window separates runs too */
    ck_assert_float_eq(threshold_of("333", "...", 1), 3);
}
END_TEST

START_TEST(figures_by_hand)
{
    const struct windows *w = windows_of("5511551|555111", "...###..##..#");
    struct detection_figures f;

    ck_assert_int_eq(detection_at(&f, w->abnormal, w->n_abnormal, 5), 0);
    ck_assert_uint_eq(f.events, 3);
    ck_assert_uint_eq(f.found, 2);
    ck_assert_uint_eq(detection_false_alarms(&w->normal, 5), 2);        /* windows 0 and 1; window 7, after the break */
    ck_assert_double_eq_tol(f.delay_median_s, (1.7 + 0.7) / 2, 1e-9);
    ck_assert_double_eq_tol(f.delay_mean_s, (1.7 + 0.7) / 2, 1e-9);
    ck_assert_double_eq_tol(f.delay_max_s, 1.7, 1e-9);

    ck_assert_int_eq(detection_at(&f, w->abnormal, w->n_abnormal, 6), 0);
    ck_assert_uint_eq(f.events, 3);
    ck_assert_uint_eq(f.found + detection_false_alarms(&w->normal, 6), 0);
    ck_assert_double_eq(f.delay_median_s, 0);
    ck_assert_int_eq(detection_at(&f, NULL, 0, 6), 0);
    ck_assert_uint_eq(f.events, 0);
}
END_TEST

START_TEST(not_defined)
{
    struct windows *w = windows_of("12", "##");
    float threshold = -1;

    ck_assert_int_eq(detection_threshold(&threshold, &w->normal, 0), -EDOM);
    w = windows_of("12", "..");
    w->scores[1] = NAN;
    ck_assert_int_eq(detection_threshold(&threshold, &w->normal, 0), -EDOM);
    ck_assert_float_eq(threshold, -1);
}
END_TEST

/* Brute force tries every score, and the value just above it. The threshold is the lowest of these from which on none gives
 * more false alarms than allowed. */
START_TEST(thresholds_agree_with_a_search)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    printf("test_detection: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 2000; round++) {
        float scores[MAX];
        uint8_t joined[MAX];
        size_t n = 1 + rng_below(&rng, MAX - 1), allowed = rng_below(&rng, 8);
        struct detection_normal normal = {scores, joined, n};
        float threshold = -1, best = INFINITY, lowest = INFINITY;

        for (size_t i = 0; i < n; i++) {
            scores[i] = (float)rng_below(&rng, round % 2 ? 9 : 900);
            joined[i] = i > 0 && rng_below(&rng, 3) > 0;
            lowest = fminf(lowest, scores[i]);
        }
        ck_assert_int_eq(detection_threshold(&threshold, &normal, allowed), 0);
        for (int v = 900; (float)v >= lowest; v--) {
            for (int up = 1; up >= 0; up--) {
                float candidate = up ? nextafterf((float)v, INFINITY) : (float)v;

                if (detection_false_alarms(&normal, candidate) > allowed)
                    goto found;
                best = candidate;
            }
        }
found:
        ck_assert_float_eq(threshold, best);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detection");
    TCase *tests = tcase_create("detection");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, thresholds_by_hand);
    tcase_add_test(tests, figures_by_hand);
    tcase_add_test(tests, not_defined);
    tcase_add_test(tests, thresholds_agree_with_a_search);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
