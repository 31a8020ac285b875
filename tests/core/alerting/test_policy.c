#include "core/alerting/policy.h"

#include <check.h>

#include "tests/suite.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

static struct policy policy;

static void begin(int64_t cooldown_us, int max_per_hour)
{
    policy_init(&policy, &(struct policy_rule){.cooldown_us = cooldown_us, .max_per_hour = max_per_hour, .margin = 1});
}

static void expect(double peak, int64_t time, enum alert_suppressed wanted)
{
    enum alert_suppressed got = policy_ask(&policy, peak, time);
    ck_assert_msg(got == wanted, "at %g s: \"%s\" instead of \"%s\"", (double)time / 1e6, alert_suppressed_name(got),
                  alert_suppressed_name(wanted));
}

START_TEST(cooldown_begins_as_a_told_alert_closes)
{
    begin(10 * SECOND, 0);
    expect(5, 0, SUPPRESSED_NOT);
    expect(5, 1, SUPPRESSED_NOT);               /* no told alert has closed yet */
    policy_closed(&policy, 100 * SECOND);
    expect(5, 100 * SECOND, SUPPRESSED_COOLDOWN);
    expect(5, 110 * SECOND - 1, SUPPRESSED_COOLDOWN);
    expect(5, 110 * SECOND, SUPPRESSED_NOT);    /* suppressed alerts have not prolonged the cooldown */
}
END_TEST

START_TEST(a_flood_is_capped)
{
    int told = 0;
    begin(0, 12);
    for (int64_t s = 0; s < 3600; s += 10)      /* 360 alerts an hour */
        told += policy_ask(&policy, 5, s * SECOND) == SUPPRESSED_NOT;
    ck_assert_int_eq(told, 12);
    for (int64_t s = 3600; s < 7200; s += 10)   /* suppressed alerts do not count in the next hour */
        told += policy_ask(&policy, 5, s * SECOND) == SUPPRESSED_NOT;
    ck_assert_int_eq(told, 24);
    for (int hours = 2; hours < 100; hours++)
        expect(5, hours * HOUR + 120 * SECOND, SUPPRESSED_NOT);
}
END_TEST

START_TEST(any_hour_has_at_most_so_many)
{
    begin(0, 2);
    expect(1, 0, SUPPRESSED_NOT);
    expect(1, HOUR / 2, SUPPRESSED_NOT);
    expect(1, HOUR - 1, SUPPRESSED_RATE);
    expect(1, HOUR, SUPPRESSED_NOT);            /* the first is an hour old */
    expect(1, HOUR + 1, SUPPRESSED_RATE);
    begin(0, 0);
    for (int i = 0; i < 1000; i++)
        expect(1, i, SUPPRESSED_NOT);
    begin(0, POLICY_MOST_PER_HOUR);
    for (int i = 0; i < 1000; i++)
        expect(1, i, i < POLICY_MOST_PER_HOUR ? SUPPRESSED_NOT : SUPPRESSED_RATE);
}
END_TEST

START_TEST(worse_passes)
{
    begin(10 * SECOND, 2);
    expect(3, 0, SUPPRESSED_NOT);
    policy_rose(&policy, 4);
    policy_rose(&policy, 3.5);                  /* a peak never falls: it stays 4 */
    policy_closed(&policy, SECOND);
    expect(5, SECOND, SUPPRESSED_COOLDOWN);     /* higher by the margin, not by more */
    expect(5.1, SECOND, SUPPRESSED_NOT);        /* higher by more than the margin */
    policy_closed(&policy, 2 * SECOND);
    expect(6, 20 * SECOND, SUPPRESSED_RATE);
    expect(6.2, 20 * SECOND, SUPPRESSED_NOT);
    expect(6.3, 20 * SECOND, SUPPRESSED_RATE);  /* the alert of 6.2 counts: 6.3 is not worse by the margin */
    expect(6.3, 21 * SECOND, SUPPRESSED_RATE);
    /* An hour after the first two alerts, the limit of the hour lets another pass. */
    expect(1, HOUR + SECOND, SUPPRESSED_NOT);
}
END_TEST

START_TEST(what_was_told_long_ago_is_forgotten)
{
    begin(3 * HOUR, 1);
    expect(9, 0, SUPPRESSED_NOT);
    policy_closed(&policy, 0);
    expect(5, 2 * HOUR, SUPPRESSED_COOLDOWN);   /* the last told alert counts, however old it is */
    expect(5, 3 * HOUR, SUPPRESSED_NOT);
    expect(5.5, 3 * HOUR + 1, SUPPRESSED_RATE);
    expect(6.5, 3 * HOUR + 1, SUPPRESSED_NOT);  /* the alert of 9 is older than an hour */
}
END_TEST

START_TEST(a_clock_set_back_does_not_silence)
{
    begin(10 * SECOND, 0);
    expect(2, 2 * HOUR, SUPPRESSED_NOT);
    policy_closed(&policy, 2 * HOUR);
    expect(2, HOUR, SUPPRESSED_COOLDOWN);
    expect(2, HOUR + 9 * SECOND, SUPPRESSED_COOLDOWN);
    expect(2, HOUR + 10 * SECOND, SUPPRESSED_NOT);
    begin(0, 1);
    expect(2, 10 * HOUR, SUPPRESSED_NOT);
    expect(2, HOUR, SUPPRESSED_RATE);
    expect(2, 2 * HOUR - 1, SUPPRESSED_RATE);
    expect(2, 2 * HOUR, SUPPRESSED_NOT);
}
END_TEST

START_TEST(margins_and_defaults)
{
    ck_assert_double_eq(policy_margin(true, 3.2), 1);
    ck_assert_double_eq(policy_margin(false, 0.12), 0.06);
    struct policy_rule rule = policy_rule_default(0.5);
    ck_assert(rule.cooldown_us == 60 * SECOND && rule.max_per_hour == 12 && rule.margin == 0.5);
    ck_assert_str_eq(alert_suppressed_name(SUPPRESSED_NOT), "");
    ck_assert_str_eq(alert_suppressed_name(SUPPRESSED_COOLDOWN), "cooldown");
    ck_assert_str_eq(alert_suppressed_name(SUPPRESSED_RATE), "rate");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");
    tcase_add_test(tests, cooldown_begins_as_a_told_alert_closes);
    tcase_add_test(tests, a_flood_is_capped);
    tcase_add_test(tests, any_hour_has_at_most_so_many);
    tcase_add_test(tests, worse_passes);
    tcase_add_test(tests, what_was_told_long_ago_is_forgotten);
    tcase_add_test(tests, a_clock_set_back_does_not_silence);
    tcase_add_test(tests, margins_and_defaults);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
