/* core/alerting/schedule: the text of a span, and when the span holds, over changes between summer and winter time. */
#include <errno.h>
#include <string.h>

#include "core/alerting/schedule.h"
#include "tests/suite.h"

enum { HOUR = 3600, DAY = 86400 };
/* Monday 2026-03-23 00:00 UTC. In the time zone below, the clock is set forward on Sunday 2026-03-29 at 01:00 UTC, from 02:00 to
 * 03:00, and back on Sunday 2026-10-25 at 01:00 UTC, from 03:00 to 02:00. */
#define MONDAY INT64_C(1774224000)
#define FORWARD (MONDAY + 6 * DAY + HOUR)
#define BACK INT64_C(1792890000)

static int berlin(void *context, int64_t utc_s)
{
    (void)context;
    return utc_s >= FORWARD && utc_s < BACK ? 2 * HOUR : HOUR;
}

static int fixed(void *context, int64_t utc_s)
{
    (void)utc_s;
    return *(int *)context;
}

static const struct schedule_place place = {.offset_s = berlin};

static struct schedule of(const char *text)
{
    struct schedule schedule = {.n = 1};
    struct error err;
    ck_assert_msg(schedule_parse(&schedule.spans[0], text, &err) == 0, "%s: %s", text, err.text);
    return schedule;
}

START_TEST(test_text)
{
    static const struct { const char *text; int days, from, to; } right[] = {
        {"mon-fri 18:00-07:00", 31, 1080, 1860}, {"sat,sun", 96, 0, 1440},       {"22:00-06:00", 127, 1320, 1800},
        {"sat-mon 00:00-24:00", 97, 0, 1440},    {"  Wed 09:30-09:31 ", 4, 570, 571},
        {"mon,wed-thu , sun 08:00-08:00", 77, 480, 1920},
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct schedule schedule = of(right[i].text);
        ck_assert_int_eq(schedule.spans[0].days, right[i].days);
        ck_assert_int_eq(schedule.spans[0].from_min, right[i].from);
        ck_assert_int_eq(schedule.spans[0].to_min, right[i].to);
    }
}
END_TEST

START_TEST(test_wrong_text)
{
    static const char *const wrong[] = {
        "", " ", "always", "mon-", "mon,", "-mon", "monday", "mon 18-19", "18:00", "18:00-", "18:00-25:00", "24:00-06:00",
        "18:60-19:00", "8:00-9:00", "mon 18:00-19:00 x", "mon-fri-sun", "mon 18:00-19:00,20:00-21:00", "18:00 - 19:00",
        "18:00-19:0", "mon 00000000000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct schedule_span span = {.days = 99};
        struct error err = {""};
        ck_assert_msg(schedule_parse(&span, wrong[i], &err) == -EINVAL, "%s is taken", wrong[i]);
        ck_assert_int_eq(span.days, 99);
        ck_assert_ptr_nonnull(strstr(err.text, "expected"));
    }
}
END_TEST

static void check_from_to(const struct schedule *schedule, int64_t from_s, int64_t to_s)
{
    ck_assert(!schedule_holds(schedule, &place, from_s - 1));
    ck_assert(schedule_holds(schedule, &place, from_s));
    ck_assert(schedule_holds(schedule, &place, to_s - 1));
    ck_assert(!schedule_holds(schedule, &place, to_s));
    ck_assert_int_eq(schedule_next(schedule, &place, from_s - 1), from_s);
    ck_assert_int_eq(schedule_next(schedule, &place, from_s), to_s);
}

START_TEST(test_over_midnight)
{
    struct schedule schedule = of("mon-fri 18:00-07:00");
    check_from_to(&schedule, MONDAY + 17 * HOUR, MONDAY + DAY + 6 * HOUR);      /* local time is an hour ahead */
    check_from_to(&schedule, MONDAY + 4 * DAY + 17 * HOUR, MONDAY + 5 * DAY + 6 * HOUR);        /* Friday to Saturday */
    ck_assert(!schedule_holds(&schedule, &place, MONDAY + 6 * HOUR - 1));      /* the night from Sunday to Monday */
    ck_assert_int_eq(schedule_next(&schedule, &place, MONDAY + 5 * DAY + 6 * HOUR), MONDAY + 7 * DAY + 16 * HOUR);
}
END_TEST

START_TEST(test_clock_set_forward)
{
    /* The night is an hour shorter. A span that begins or ends at a time that is left out begins or ends with the change. */
    struct schedule night = of("sat 22:00-06:00"), left_out = of("sun 02:30-04:00"), ends_there = of("sun 01:00-02:30");
    check_from_to(&night, FORWARD - 4 * HOUR, FORWARD + 3 * HOUR);
    check_from_to(&left_out, FORWARD, FORWARD + HOUR);
    check_from_to(&ends_there, FORWARD - HOUR, FORWARD);
}
END_TEST

START_TEST(test_left_out_once)
{
    struct schedule schedule = of("sun 02:10-02:50");
    ck_assert(!schedule_holds(&schedule, &place, FORWARD));
    ck_assert_int_eq(schedule_next(&schedule, &place, MONDAY), FORWARD + 7 * DAY - HOUR + 10 * 60);
}
END_TEST

START_TEST(test_clock_set_back)
{
    /* 02:30 comes twice: at BACK - 30 min and at BACK + 30 min. */
    struct schedule begins = of("sun 02:30-05:00"), ends = of("sun 01:00-02:30"), within = of("sun 02:30-02:40");
    check_from_to(&begins, BACK - HOUR / 2, BACK + 3 * HOUR);
    check_from_to(&ends, BACK - 2 * HOUR, BACK + HOUR / 2);
    check_from_to(&within, BACK - HOUR / 2, BACK + 40 * 60);
}
END_TEST

START_TEST(test_several_spans)
{
    struct schedule schedule = of("mon 08:00-12:00");
    struct error err;
    ck_assert_int_eq(schedule_parse(&schedule.spans[1], "mon 12:00-14:00", &err), 0);
    schedule.n = 2;
    check_from_to(&schedule, MONDAY + 7 * HOUR, MONDAY + 13 * HOUR);
}
END_TEST

START_TEST(test_always_and_never)
{
    struct schedule always = of("mon-sun"), never = {.n = 0};
    for (int64_t at = FORWARD - 3 * DAY; at < FORWARD + 3 * DAY; at += 1799)
        ck_assert(schedule_holds(&always, &place, at) && !schedule_holds(&never, &place, at));
    ck_assert_int_eq(schedule_next(&always, &place, FORWARD - DAY), INT64_MAX);
    ck_assert_int_eq(schedule_next(&never, &place, FORWARD), INT64_MAX);
}
END_TEST

START_TEST(test_far_from_utc)
{
    struct schedule schedule = of("mon");
    for (int offset = -12 * HOUR; offset <= 14 * HOUR; offset += 13 * HOUR) {
        struct schedule_place far = {fixed, &offset};
        ck_assert(!schedule_holds(&schedule, &far, MONDAY - offset - 1));
        ck_assert(schedule_holds(&schedule, &far, MONDAY - offset));
        ck_assert(schedule_holds(&schedule, &far, MONDAY - offset + DAY - 1));
        ck_assert(!schedule_holds(&schedule, &far, MONDAY - offset + DAY));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, test_text);
    tcase_add_test(tests, test_wrong_text);
    tcase_add_test(tests, test_over_midnight);
    tcase_add_test(tests, test_clock_set_forward);
    tcase_add_test(tests, test_left_out_once);
    tcase_add_test(tests, test_clock_set_back);
    tcase_add_test(tests, test_several_spans);
    tcase_add_test(tests, test_always_and_never);
    tcase_add_test(tests, test_far_from_utc);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
