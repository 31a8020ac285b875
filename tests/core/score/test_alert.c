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

static const struct alert_rule rule3of5 = {.threshold = 1, .close_threshold = 0.5f, .k = 3, .n = 5};
static const struct alert_rule merging = {.threshold = 1, .close_threshold = 0.5f, .k = 2, .n = 2, .merge_us = 4 * SECOND};
static const struct alert_rule patient = {.threshold = 1, .close_threshold = 0.5f, .k = 2, .n = 2, .min_duration_us = 4 * SECOND};

/* Returns the event of alert_wait(), or else that of alert_score(). At most one of them has an event. */
static enum alert_event window(struct alert_state *state, float score, int64_t time)
{
    enum alert_event waited = alert_wait(state, time), scored = alert_score(state, score, time);
    ck_assert(waited == ALERT_NOTHING || scored == ALERT_NOTHING);
    return waited ? waited : scored;
}

/* Feeds one window a second from time 0: 'A' above, '-' between the thresholds, '.' below, '/' a gap, '|' a break. Returns one
 * letter for each: O opened, P peak, C closed, or '.'. */
static void feed(struct alert_state *state, const char *windows, char *events)
{
    int64_t time = 0;

    for (; *windows; windows++, events++) {
        float score = *windows == 'A' ? 2 : *windows == '-' ? 0.75f : 0.25f;
        enum alert_event event = *windows == '|'   ? alert_break(state, time)
                                 : *windows == '/' ? alert_gap(state, time)
                                                   : window(state, score, time);
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
    expect(&rule3of5, "AA..-A", "......");      /* only two of the last five */
    expect(&rule3of5, "A.A.A.A", "....O..");
    expect(&rule3of5, "AA|AA", ".....");        /* a break restarts the count */
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

START_TEST(near_causes_merge)
{
    struct alert_state s;
    char got[100];

    expect(&merging, "AA..AA.......", ".O.........C.");       /* the cause ended at 7 s; the alert closes 4 s later */
    expect(&merging, "AA.....AA....", ".O.....CO....");       /* from 7 s (3 + 4) on, a cause is another alert */
    expect(&merging, "AA.....A.....", ".O.....C.....");
    expect(&merging, "AA....A......", ".O.....C.....");       /* one window is no cause */
    expect(&merging, "AA...AA......", ".O..........C");       /* a cause that begins at 6 s is merged */
    alert_init(&s, &merging);
    feed(&s, "AA..AA.......", got);
    ck_assert_int_eq(s.opened_us, 0);
    ck_assert_int_eq(s.closed_us, 7 * SECOND);                  /* the end of the last cause */
    expect(&rule3of5, "AAA.....AAA.....", "..O....C..O....C");
}
END_TEST

START_TEST(a_merged_cause_raises_the_peak)
{
    struct alert_state s;
    alert_init(&s, &merging);
    const float scores[] = {2, 2, 0, 0, 3, 1, 0, 0};
    const enum alert_event events[] = {ALERT_NOTHING, ALERT_OPENED, 0, 0, 0, ALERT_PEAK, 0, 0};
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(window(&s, scores[i], i * SECOND), events[i]);
    ck_assert_float_eq(s.peak, 3);
    ck_assert_uint_eq(s.peak_number, 4);        /* it lies before the window that began the cause */
    ck_assert_int_eq(s.peak_us, 4 * SECOND);
    ck_assert_uint_eq(s.opened_number, 0);
    ck_assert(s.open && !s.lasts);
}
END_TEST

START_TEST(gaps_and_breaks_while_merging)
{
    struct alert_state s;
    char got[100];

    expect(&merging, "AA/.AA......", ".O.........C");         /* the gap ends the cause at 2 s; another is merged */
    expect(&merging, "AA/A.......", ".O....C....");            /* windows before the gap do not count */
    expect(&merging, "AA..|", ".O..C");                        /* a break closes the alert at once */
    expect(&merging, "AA|AA", ".OC.O");
    expect(&merging, "AA../|", ".O...C");
    expect(&merging, "AA.A|", ".O..C");
    expect(&rule3of5, "AAA/AAA", "..OC..O");
    expect(&merging, "./.|.", ".....");
    alert_init(&s, &merging);
    feed(&s, "AA...|", got);
    ck_assert_int_eq(s.closed_us, 3 * SECOND);                  /* the cause had ended before the break */
    alert_init(&s, &merging);
    feed(&s, "AA|", got);
    ck_assert_int_eq(s.closed_us, 2 * SECOND);
}
END_TEST

START_TEST(short_causes_are_none)
{
    struct alert_state s;
    char got[100];

    expect(&patient, "AAAA....", "........");
    expect(&patient, "AAAAA...", "....O.C.");                  /* the cause has lasted from 0 to 4 s */
    expect(&patient, "AA---A..", "....O..C");                  /* the cause lasts until a window is below the close threshold */
    expect(&patient, "AAA.A.A.", "....O...");
    expect(&patient, "AAAA.A..", ".....O.C");                  /* at 4 s it is low: the alert waits for a high window */
    expect(&patient, "AA..AA..AA..", "............");          /* each cause is too short by itself */
    expect(&patient, "AAA/AAA", ".......");
    expect(&patient, "AAA|AAAAA", "........O");
    alert_init(&s, &patient);
    feed(&s, "..AAAAA", got);
    ck_assert_int_eq(s.opened_us, 2 * SECOND);                  /* when the cause began, not when the alert was told */
    ck_assert_uint_eq(s.opened_number, 2);

    /* A short cause belongs to an alert that is open already. */
    struct alert_rule both = patient;
    both.merge_us = 4 * SECOND;
    expect(&both, "AAAAA..AA.......", "....O.........C.");
}
END_TEST

START_TEST(smoothing_looks_back)
{
    struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 1, .n = 1, .smooth_us = 2 * SECOND};
    struct alert_state s;

    alert_init(&s, &rule);
    ck_assert_int_eq(window(&s, 0, 0), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 2, SECOND), ALERT_NOTHING);
    ck_assert_double_eq_tol(s.mean, 2 * (1 - exp(-0.5)), 1e-12);
    ck_assert_int_eq(window(&s, 2, 2 * SECOND), ALERT_OPENED);
    ck_assert_double_eq_tol(s.mean, 2 * (1 - exp(-1)), 1e-12);
    ck_assert_float_eq(s.peak, 2);              /* a score, not the mean */
    double mean = s.mean;
    ck_assert_int_eq(window(&s, NAN, 3 * SECOND), ALERT_NOTHING);
    ck_assert_double_eq(s.mean, mean);
    ck_assert_int_eq(window(&s, 0, 3 * SECOND), ALERT_NOTHING);         /* the mean is 0.77 */
    ck_assert_int_eq(window(&s, 9, 1 * SECOND), ALERT_PEAK);            /* the clock was set back: no time has passed */
    ck_assert_double_eq_tol(s.mean, mean * exp(-0.5), 1e-12);
    ck_assert_int_eq(window(&s, 0, 2 * SECOND), ALERT_CLOSED);
    ck_assert_int_eq(alert_gap(&s, 2 * SECOND), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 3, 3 * SECOND), ALERT_OPENED);          /* the mean begins anew */
    ck_assert_double_eq(s.mean, 3);
    ck_assert_int_eq(window(&s, -INFINITY, 4 * SECOND), ALERT_CLOSED);
    ck_assert_double_eq(s.mean, 3);
}
END_TEST

START_TEST(a_long_alert_stays_open)
{
    struct alert_state s;
    alert_init(&s, &merging);
    for (int64_t i = 0; i < 400000; i++) {
        enum alert_event event = window(&s, i % 7 ? 2 : 0, i * SECOND);
        ck_assert_int_eq(event, i == 2 ? ALERT_OPENED : ALERT_NOTHING);
    }
    ck_assert_int_eq(s.opened_us, SECOND);
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
    ck_assert_int_eq(alert_score(&s, NAN, 4), ALERT_NOTHING);           /* it interrupts the row of low windows */
    ck_assert_int_eq(alert_score(&s, 0, 5), ALERT_NOTHING);
    ck_assert_int_eq(alert_score(&s, 0, 6), ALERT_CLOSED);
}
END_TEST

/* The clock is set back by an hour while an alert is open: it closes when it opened. */
START_TEST(no_alert_closes_before_it_opened)
{
    const int64_t hour = INT64_C(3600) * SECOND, opened = 2 * hour;
    struct alert_rule rule = {.threshold = 1, .close_threshold = 1, .k = 1, .n = 1};
    for (int by_break = 0; by_break < 2; by_break++) {
        struct alert_state s;
        alert_init(&s, &rule);
        ck_assert_int_eq(window(&s, 2, opened), ALERT_OPENED);
        ck_assert_int_eq(by_break ? alert_break(&s, opened - hour) : window(&s, 0, opened - hour), ALERT_CLOSED);
        ck_assert_int_eq(s.closed_us, opened);
        ck_assert_int_eq(window(&s, 2, opened - hour + SECOND), ALERT_OPENED);
        ck_assert_int_eq(s.opened_us, opened - hour + SECOND);
    }
}
END_TEST

/* The clock is set back by an hour while an alert waits for a cause to merge, or a cause has yet to last longer. The time that is
 * left then counts from the new time on. */
START_TEST(a_clock_set_back_delays_nothing)
{
    const int64_t hour = INT64_C(3600) * SECOND, now = 2 * hour, back = now - hour;
    struct alert_state s;
    alert_init(&s, &(struct alert_rule){.threshold = 1, .close_threshold = 1, .k = 1, .n = 1, .merge_us = 10 * SECOND});
    ck_assert_int_eq(window(&s, 2, now), ALERT_OPENED);
    ck_assert_int_eq(window(&s, 0, now + SECOND), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 0, back), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 0, back + 9 * SECOND), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 0, back + 10 * SECOND), ALERT_CLOSED);
    ck_assert_int_eq(s.closed_us, now + SECOND);

    alert_init(&s, &(struct alert_rule){.threshold = 1, .close_threshold = 1, .k = 1, .n = 1, .min_duration_us = 10 * SECOND});
    ck_assert_int_eq(window(&s, 2, now), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 2, back), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 2, back + 9 * SECOND), ALERT_NOTHING);
    ck_assert_int_eq(window(&s, 2, back + 10 * SECOND), ALERT_OPENED);
    ck_assert_int_eq(s.opened_us, back);
}
END_TEST

/* A model of the rule that examines all past windows each time. */
struct history {
    struct alert_rule rule;
    float score[400];
    int64_t time[400];
    int n, start;                       /* number of windows; index of the first after the last gap */
    bool open, lasts;
    int64_t opened, ended, peak_time;
    float peak;
};

static enum alert_event brute_end(struct history *h, int64_t time, bool at_once)
{
    if (h->lasts)
        h->ended = time;
    h->lasts = false;
    if (!h->open || (!at_once && h->rule.merge_us > 0))
        return ALERT_NOTHING;
    h->open = false;
    return ALERT_CLOSED;
}

/* The mean of the scores up to window i since the last gap, by its definition. */
static double brute_level(const struct history *h, int i)
{
    double mean = (double)h->score[h->start];
    for (int j = h->start + 1; j <= i && h->rule.smooth_us > 0; j++) {
        double old = exp(-(double)(h->time[j] - h->time[j - 1]) / (double)h->rule.smooth_us);
        mean = old * mean + (1 - old) * (double)h->score[j];
    }
    return h->rule.smooth_us > 0 ? (double)(float)mean : (double)h->score[i];
}

static enum alert_event brute_wait(struct history *h, int64_t time)
{
    return h->open && !h->lasts && time - h->ended >= h->rule.merge_us ? brute_end(h, time, true) : ALERT_NOTHING;
}

static enum alert_event brute_score(struct history *h, float score, int64_t time)
{
    int above = 0, below = 0, from, last = h->n;
    bool rose = false;

    h->score[h->n] = score;
    h->time[h->n++] = time;
    from = h->n - h->rule.n > h->start ? h->n - h->rule.n : h->start;
    for (int i = from; i < h->n; i++) {
        above += brute_level(h, i) >= (double)h->rule.threshold;
        below += brute_level(h, i) < (double)h->rule.close_threshold;
    }
    if (h->lasts && below == h->rule.n)
        return brute_end(h, time, false);
    if (!h->lasts && (brute_level(h, last) < (double)h->rule.threshold || above < h->rule.k))
        return ALERT_NOTHING;
    if (!h->lasts && !h->open)
        h->opened = -1;
    for (int i = h->lasts ? last : from; i < h->n; i++) {
        if (!h->lasts && brute_level(h, i) < (double)h->rule.threshold)
            continue;
        if (h->opened < 0 || h->score[i] > h->peak) {
            h->peak = h->score[i];
            h->peak_time = h->time[i];
            rose = true;
        }
        if (h->opened < 0)
            h->opened = h->time[i];
    }
    h->lasts = true;
    if (h->open)
        return rose ? ALERT_PEAK : ALERT_NOTHING;
    h->open = time - h->opened >= h->rule.min_duration_us && brute_level(h, last) >= (double)h->rule.close_threshold;
    return h->open ? ALERT_OPENED : ALERT_NOTHING;
}

static enum alert_event brute_gap(struct history *h, int64_t time, bool at_once)
{
    h->start = h->n;
    return h->lasts || at_once ? brute_end(h, time, at_once) : ALERT_NOTHING;
}

START_TEST(agrees_with_brute_force)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;
    long events[4] = {0};

    printf("test_alert: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 1500; round++) {
        static struct history h;
        struct alert_state s;
        int64_t time = (int64_t)rng_below(&rng, 1000);
        float p = rng_uniform(&rng), busy = 0;

        memset(&h, 0, sizeof h);
        h.rule.n = 1 + (int)rng_below(&rng, round % 10 ? 8 : ALERT_MAX_N);
        h.rule.k = 1 + (int)rng_below(&rng, (uint64_t)h.rule.n);
        h.rule.threshold = 0.7f;
        h.rule.close_threshold = round % 4 ? 0.5f : 0.7f;
        h.rule.smooth_us = round % 40 ? 0 : 1 + (int64_t)rng_below(&rng, 5);
        h.rule.min_duration_us = round % 3 ? 0 : (int64_t)rng_below(&rng, 30);
        h.rule.merge_us = round % 2 ? (int64_t)rng_below(&rng, 60) : 0;
        alert_init(&s, &h.rule);
        for (int i = 0; i < 400; i++) {
            enum alert_event got, wanted;

            time += (int64_t)rng_below(&rng, 4);
            if (rng_below(&rng, 10) == 0)
                busy = rng_uniform(&rng) < p ? 0.4f : 0;
            if (rng_below(&rng, 60) == 0) {
                bool at_once = rng_below(&rng, 2);
                got = at_once ? alert_break(&s, time) : alert_gap(&s, time);
                wanted = brute_gap(&h, time, at_once);
                i--;
                time++;
            } else {
                float score = busy + 0.6f * rng_uniform(&rng);
                ck_assert_int_eq(alert_wait(&s, time), brute_wait(&h, time));
                got = alert_score(&s, score, time);
                wanted = brute_score(&h, score, time);
            }
            ck_assert_int_eq(got, wanted);
            ck_assert_int_eq(s.open, h.open);
            ck_assert_int_eq(s.lasts, h.lasts);
            if (got == ALERT_CLOSED)
                ck_assert_int_eq(s.closed_us, h.ended);
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
    tcase_add_test(tests, near_causes_merge);
    tcase_add_test(tests, a_merged_cause_raises_the_peak);
    tcase_add_test(tests, gaps_and_breaks_while_merging);
    tcase_add_test(tests, short_causes_are_none);
    tcase_add_test(tests, smoothing_looks_back);
    tcase_add_test(tests, a_long_alert_stays_open);
    tcase_add_test(tests, remembers_when_and_how_high);
    tcase_add_test(tests, not_a_number_is_nothing);
    tcase_add_test(tests, a_clock_set_back_delays_nothing);
    tcase_add_test(tests, no_alert_closes_before_it_opened);
    tcase_add_test(tests, agrees_with_brute_force);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
