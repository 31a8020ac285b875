#include "core/score/alert.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { SECOND = 1000000 };

static const struct alert_rule rule3of5 = {.threshold = 1, .close_threshold = 0.5f, .k = 3, .n = 5,
                                           .cooldown_us = 10 * SECOND};

/* Feeds one window a second from time 0: 'A' above, '-' between the thresholds, '.' below, '|' a gap. Returns one letter for
 * each: O opened, P peak, C closed, or '.'. */
static void feed(struct alert_state *state, const char *windows, char *events)
{
    int64_t time = 0;

    for (; *windows; windows++, events++) {
        float score = *windows == 'A' ? 2 : *windows == '-' ? 0.75f : 0.25f;
        enum alert_event event = *windows == '|' ? alert_break(state, time) : alert_score(state, score, time);
        *events = ".OPC"[event];
        time += SECOND;
    }
    *events = '\0';
}

static void expect(const struct alert_rule *rule, const char *windows, const char *events)
{
    struct alert_state state;
    char got[200];

    alert_init(&state, rule);
    feed(&state, windows, got);
    ck_assert_msg(strcmp(got, events) == 0, "\nwindows %s\nevents  %s\nwanted  %s", windows, got, events);
}

START_TEST(k_of_n_open)
{
    expect(&rule3of5, "AA.-A", "....O");
    expect(&rule3of5, "AA..-A", "......");      /* two of the last five */
    expect(&rule3of5, "A.A.A.A", "....O..");
    expect(&rule3of5, "AA|AA", ".....");        /* a gap restarts the count */
    expect(&rule3of5, "AA|AAA", ".....O");
}
END_TEST

START_TEST(n_below_close)
{
    expect(&rule3of5, "AAA....-.....", "..O.........C");
    expect(&rule3of5, "AAA---------", "..O.........");
    expect(&rule3of5, "AAA..|", "..O..C");
    expect(&rule3of5, "|..|", "....");
}
END_TEST

START_TEST(cooldown_holds_back)
{
    /* Closed at 7; the cooldown lasts until 17 although windows from 9 on are above. */
    expect(&rule3of5, "AAA......AAAAAAAAAA", "..O....C.........O.");
    /* An event that ends during the cooldown opens nothing after it: an alert opens at a window above the threshold. */
    expect(&rule3of5, "AAA......AAAAAAA....", "..O....C............");
    expect(&rule3of5, "AAA......AAAAAAA..A.", "..O....C..........O.");
    /* An alert that a gap closes has a cooldown too. */
    expect(&rule3of5, "AAA|AAAAAAAAAAAA", "..OC.........O..");
}
END_TEST

START_TEST(remembers_when_and_how_high)
{
    struct alert_state s;

    alert_init(&s, &rule3of5);
    ck_assert_int_eq(alert_score(&s, 0.1f, 100), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 1.5f, 200), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 3.0f, 300), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 0.1f, 400), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 1.0f, 500), ALERT_OPENED);         /* a score at the threshold counts */
    ck_assert_int_eq(s.opened_us, 200);
    ck_assert_float_eq(s.peak, 3.0f);
    ck_assert_int_eq(s.peak_us, 300);
    ck_assert_uint_eq(s.peak_number, 2);
    ck_assert_int_eq(alert_score(&s, 2.5f, 600), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 3.5f, 700), ALERT_PEAK);
    ck_assert_int_eq(s.peak_us, 700);
    ck_assert_uint_eq(s.peak_number, 6);
    ck_assert_int_eq(alert_break(&s, 800), ALERT_CLOSED);
    ck_assert(!s.open);
    ck_assert_int_eq(s.closed_us, 800);
    ck_assert_int_eq(s.opened_us, 200);

    /* Windows before and after the end of the cooldown open an alert; it begins at the first after. */
    ck_assert_int_eq(alert_score(&s, 9.0f, 800 + 10 * SECOND - 2), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 1.5f, 800 + 10 * SECOND - 1), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 1.2f, 800 + 10 * SECOND), ALERT_OPENED);
    ck_assert_int_eq(s.opened_us, 800 + 10 * SECOND);
    ck_assert_float_eq(s.peak, 1.2f);
    ck_assert_uint_eq(s.peak_number, 9);        /* a gap does not count as a window */
}
END_TEST

START_TEST(not_a_number_is_nothing)
{
    struct alert_state s;
    struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 1, .n = 2};

    alert_init(&s, &rule);
    ck_assert_int_eq(alert_score(&s, NAN, 1), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, INFINITY, 2), ALERT_OPENED);
    ck_assert_int_eq(alert_score(&s, 0, 3), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, NAN, 4), ALERT_NOTHING);           /* interrupts the row of low windows */
    ck_assert_int_eq(alert_score(&s, 0, 5), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 0, 6), ALERT_CLOSED);
}
END_TEST

START_TEST(a_clock_set_back_does_not_silence)
{
    struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 1, .n = 1, .cooldown_us = 10};
    struct alert_state s;

    alert_init(&s, &rule);
    ck_assert_int_eq(alert_score(&s, 2, 1000), ALERT_OPENED);
    ck_assert_int_eq(alert_score(&s, 0, 1001), ALERT_CLOSED);
    ck_assert_int_eq(alert_score(&s, 2, 500), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 2, 509), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 2, 510), ALERT_OPENED);
}
END_TEST

/* The clock is set back by an hour while an alert is open: it closes when it opened, and its cooldown runs by the new clock. */
START_TEST(no_alert_closes_before_it_opened)
{
    const int64_t hour = INT64_C(3600) * SECOND, opened = 2 * hour;
    struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 1, .n = 1, .cooldown_us = 10 * SECOND};
    for (int by_break = 0; by_break < 2; by_break++) {
        struct alert_state s;
        alert_init(&s, &rule);
        ck_assert_int_eq(alert_score(&s, 2, opened), ALERT_OPENED);
        ck_assert_int_eq(by_break ? alert_break(&s, opened - hour) : alert_score(&s, 0, opened - hour), ALERT_CLOSED);
        ck_assert_int_eq(s.closed_us, opened);
        ck_assert_int_eq(alert_score(&s, 2, opened - hour + SECOND), ALERT_NOTHING);
        ck_assert_int_eq(alert_score(&s, 2, opened - hour + 11 * SECOND), ALERT_OPENED);
        ck_assert_int_eq(s.opened_us, opened - hour + 11 * SECOND);
    }
}
END_TEST

/* A model of the rule that examines all past windows each time and keeps no state but the alerts. */
struct frame_cache {
    struct alert_rule rule;
    float score[400];
    int64_t time[400];
    int n, start;                       /* number of windows; index of the first after the last gap */
    bool open, closed_once;
    int64_t closed, opened, peak_time;
    float peak;
};

static enum alert_event brute_score(struct frame_cache *h, float score, int64_t time)
{
    int above = 0, below = 0, from;

    h->score[h->n] = score;
    h->time[h->n++] = time;
    from = h->n - h->rule.n > h->start ? h->n - h->rule.n : h->start;
    for (int i = from; i < h->n; i++) {
        above += h->score[i] >= h->rule.threshold;
        below += h->score[i] < h->rule.close_threshold;
    }
    if (h->open && below == h->rule.n) {
        h->open = false;
        h->closed_once = true;
        h->closed = time;
        return ALERT_CLOSED;
    }
    if (h->open && score > h->peak) {
        h->peak = score;
        h->peak_time = time;
        return ALERT_PEAK;
    }
    if (h->open || score < h->rule.threshold || above < h->rule.k ||
        (h->closed_once && time < h->closed + h->rule.cooldown_us))
        return ALERT_NOTHING;
    h->open = true;
    h->opened = -1;
    for (int i = from; i < h->n; i++) {
        if (h->score[i] < h->rule.threshold || (h->closed_once && h->time[i] < h->closed + h->rule.cooldown_us))
            continue;
        if (h->opened < 0 || h->score[i] > h->peak) {
            h->peak = h->score[i];
            h->peak_time = h->time[i];
        }
        if (h->opened < 0)
            h->opened = h->time[i];
    }
    return ALERT_OPENED;
}

static enum alert_event brute_break(struct frame_cache *h, int64_t time)
{
    h->start = h->n;
    if (!h->open)
        return ALERT_NOTHING;
    h->open = false;
    h->closed_once = true;
    h->closed = time;
    return ALERT_CLOSED;
}

START_TEST(agrees_with_brute_force)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;
    long events[4] = {0};

    printf("test_alert: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 3000; round++) {
        static struct frame_cache h;
        struct alert_state s;
        int64_t time = (int64_t)rng_below(&rng, 1000);
        float p = rng_uniform(&rng), busy = 0;

        memset(&h, 0, sizeof h);
        h.rule.n = 1 + (int)rng_below(&rng, round % 10 ? 8 : ALERT_MAX_N);
        h.rule.k = 1 + (int)rng_below(&rng, (uint64_t)h.rule.n);
        h.rule.threshold = 0.7f;
        h.rule.close_threshold = round % 4 ? 0.5f : 0.7f;
        h.rule.cooldown_us = round % 3 ? (int64_t)rng_below(&rng, 100) : 0;
        alert_init(&s, &h.rule);
        for (int i = 0; i < 400; i++) {
            enum alert_event got, wanted;

            time += (int64_t)rng_below(&rng, 4);
            if (rng_below(&rng, 10) == 0)
                busy = rng_uniform(&rng) < p ? 0.4f : 0;
            if (rng_below(&rng, 60) == 0) {
                got = alert_break(&s, time);
                wanted = brute_break(&h, time);
                i--;
                time++;
            } else {
                float score = busy + 0.6f * rng_uniform(&rng);
                got = alert_score(&s, score, time);
                wanted = brute_score(&h, score, time);
            }
            ck_assert_int_eq(got, wanted);
            ck_assert_int_eq(s.open, h.open);
            if (s.open) {
                ck_assert_int_eq(s.opened_us, h.opened);
                ck_assert_int_eq(s.peak_us, h.peak_time);
                ck_assert_float_eq(s.peak, h.peak);
            }
            events[got]++;
        }
    }
    for (int i = 0; i < 4; i++)         /* every event occurred many times */
        ck_assert_int_gt(events[i], 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alert");
    TCase *tests = tcase_create("alert");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, k_of_n_open);
    tcase_add_test(tests, n_below_close);
    tcase_add_test(tests, cooldown_holds_back);
    tcase_add_test(tests, remembers_when_and_how_high);
    tcase_add_test(tests, not_a_number_is_nothing);
    tcase_add_test(tests, a_clock_set_back_does_not_silence);
    tcase_add_test(tests, no_alert_closes_before_it_opened);
    tcase_add_test(tests, agrees_with_brute_force);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
