/* core/alerting/arming: whether a camera is armed, disarmed or snoozed, and until when. */
#include <string.h>

#include "core/alerting/arming.h"
#include "tests/suite.h"

#define MONDAY INT64_C(1774224000)      /* 2026-03-23 00:00 UTC */
#define US INT64_C(1000000)
#define HOUR (3600 * US)

static int utc(void *context, int64_t utc_s)
{
    (void)context;
    (void)utc_s;
    return 0;
}

static const struct schedule_place place = {.offset_s = utc};
static const int64_t noon = (MONDAY + 12 * 3600) * US;

static void check(const struct arming_orders *orders, const char *span, int64_t now_us, enum arming state, int64_t until_us)
{
    struct schedule schedule = {.n = 1};
    struct error err;
    int64_t until = 0;
    ck_assert_int_eq(schedule_parse(&schedule.spans[0], span, &err), 0);
    ck_assert_str_eq(arming_name(arming_at(orders, &schedule, &place, now_us, &until)), arming_name(state));
    ck_assert_int_eq(until, until_us);
}

START_TEST(test_schedule_alone)
{
    struct arming_orders none = {0};
    check(&none, "mon-sun", noon, ARMING_ARMED, INT64_MAX);
    check(&none, "mon 08:00-13:00", noon, ARMING_ARMED, noon + HOUR);
    check(&none, "mon 13:00-14:00", noon, ARMING_OFF_SCHEDULE, noon + HOUR);
    check(&none, "mon 12:00-13:00", noon - 1, ARMING_OFF_SCHEDULE, noon);
}
END_TEST

START_TEST(test_orders_end_by_themselves)
{
    struct arming_orders snoozed = {.snooze = {noon, noon + HOUR / 2, "anna"}};
    check(&snoozed, "mon-sun", noon, ARMING_SNOOZED, noon + HOUR / 2);
    check(&snoozed, "mon-sun", noon + HOUR / 2 - 1, ARMING_SNOOZED, noon + HOUR / 2);
    check(&snoozed, "mon-sun", noon + HOUR / 2, ARMING_ARMED, INT64_MAX);
    check(&snoozed, "mon 13:00-14:00", noon + HOUR / 2, ARMING_OFF_SCHEDULE, noon + HOUR);
}
END_TEST

START_TEST(test_disarmed_outlasts_snoozed)
{
    struct arming_orders both = {.disarm = {noon, INT64_MAX, ""}, .snooze = {noon, noon + HOUR, ""}};
    check(&both, "mon-sun", noon, ARMING_DISARMED, INT64_MAX);
    check(&both, "mon-sun", noon + 2 * HOUR, ARMING_DISARMED, INT64_MAX);
    both.disarm.until_us = noon + HOUR / 2;
    check(&both, "mon-sun", noon, ARMING_DISARMED, noon + HOUR / 2);
    check(&both, "mon-sun", noon + HOUR / 2, ARMING_SNOOZED, noon + HOUR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arming");
    TCase *tests = tcase_create("arming");
    tcase_add_test(tests, test_schedule_alone);
    tcase_add_test(tests, test_orders_end_by_themselves);
    tcase_add_test(tests, test_disarmed_outlasts_snoozed);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
