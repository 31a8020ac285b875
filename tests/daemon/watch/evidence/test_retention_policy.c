/* The choice of evidence that is deleted: the oldest first, by age, by the size of all, by the free room on the disk. Evidence
 * that is held or being written is never deleted. Also: when it is told that a disk is too full, and that it has room again. */
#include <check.h>
#include <string.h>

#include "daemon/watch/evidence/retention_policy.h"
#include "tests/suite.h"

#define MIB INT64_C(1048576)
#define DAY_MS UINT64_C(86400000)
#define NOW_DAY UINT64_C(20000)

enum { MOST = 8 };
static struct retention_alert alerts[MOST];
static size_t n;

/* Makes alerts of 10 MiB each, one a day, the last one now. */
static void put_alerts(size_t count)
{
    n = count;
    for (size_t i = 0; i < n; i++)
        alerts[i] = (struct retention_alert){.id = (NOW_DAY - n + 1 + i) * DAY_MS, .bytes = 10 * MIB, .files = 1};
}

/* A letter for each alert, oldest first: the reason for which its evidence is deleted; '-': it stays. */
static const char *choose(const struct retention_limits *limits, int64_t free_bytes)
{
    static char text[MOST + 1];
    size_t chosen = retention_choose(alerts, n, limits, (int64_t)(NOW_DAY * DAY_MS) * 1000, free_bytes), seen = 0;
    for (size_t i = 0; i < n; i++) {
        text[i] = alerts[i].reason == RETENTION_STAYS ? '-' : retention_reason_name(alerts[i].reason)[0];
        text[i] = alerts[i].reason == RETENTION_SPACE ? 'f' : text[i];
        seen += text[i] != '-';
    }
    text[n] = '\0';
    ck_assert_uint_eq(seen, chosen);
    return text;
}

START_TEST(limits_of_a_disk)
{
    struct config_retention config = {.keep_days = 30, .max_gib = 0.5};
    struct retention_limits small = retention_limits(&config, 64 * MIB), large = retention_limits(&config, 4 * 1024 * 1024 * MIB);
    ck_assert_int_eq(small.free_least, 64 * MIB / 10);
    ck_assert(small.free_low == 2 * small.free_least && small.free_goal == small.free_least * 5 / 2);
    ck_assert_int_eq(large.free_least, 1024 * MIB);
    ck_assert_int_eq(large.free_low, 1280 * MIB);
    ck_assert_int_eq(large.free_goal, 1408 * MIB);
    ck_assert_int_eq(large.max_bytes, 512 * MIB);
    ck_assert_int_eq(large.keep_us, 30 * (int64_t)DAY_MS * 1000);
    config = (struct config_retention){.free_mib = 16, .has_free_mib = true};
    large = retention_limits(&config, 64 * MIB);
    ck_assert(large.free_least == 16 * MIB && large.max_bytes == 0 && large.keep_us == 0);
    config.free_mib = 0;
    ck_assert_int_eq(retention_limits(&config, 64 * MIB).free_goal, 0);
}
END_TEST

START_TEST(the_oldest_go_first)
{
    const struct retention_limits age = {.keep_us = 3 * (int64_t)DAY_MS * 1000}, size = {.max_bytes = 35 * MIB},
                                  space = {.free_least = 20 * MIB, .free_low = 25 * MIB, .free_goal = 40 * MIB}, none = {0};
    put_alerts(6);                              /* 5, 4, 3, 2, 1 and 0 days old */
    ck_assert_str_eq(choose(&none, 0), "------");
    ck_assert_str_eq(choose(&age, 0), "aa----");
    ck_assert_str_eq(choose(&size, 0), "sss---");
    ck_assert_str_eq(choose(&space, 25 * MIB), "------");
    ck_assert_str_eq(choose(&space, 25 * MIB - 1), "ff----");
    ck_assert_str_eq(choose(&space, 0), "ffff--");
    const struct retention_limits all = {age.keep_us, 35 * MIB, 20 * MIB, 25 * MIB, 50 * MIB};
    ck_assert_str_eq(choose(&all, 15 * MIB), "aasf--");
    put_alerts(0);
    ck_assert_str_eq(choose(&all, 0), "");
}
END_TEST

START_TEST(what_is_held_or_busy_stays_and_counts)
{
    const struct retention_limits size = {.max_bytes = 35 * MIB}, age = {.keep_us = 1},
                                  space = {.free_least = 20 * MIB, .free_low = 25 * MIB, .free_goal = 40 * MIB};
    put_alerts(6);
    alerts[0].held = alerts[2].busy = true;
    ck_assert_str_eq(choose(&size, 0), "-s-ss-");
    ck_assert_str_eq(choose(&space, 15 * MIB), "-f-ff-");
    ck_assert_str_eq(choose(&age, 0), "-a-aa-");
    for (size_t i = 0; i < n; i++)
        alerts[i].held = true;
    ck_assert_str_eq(choose(&space, 0), "------");
}
END_TEST

START_TEST(a_short_disk_is_told_once)
{
    const struct retention_limits limits = {.free_least = 100, .free_low = 125, .free_goal = 150};
    struct retention_alarm alarm = {0};
    const int64_t s = 1000000;
    ck_assert(!retention_alarm_step(&alarm, &limits, 0, 200, false));
    ck_assert(retention_alarm_step(&alarm, &limits, 1 * s, 150, true));
    ck_assert(alarm.full && !alarm.paused);
    ck_assert(!retention_alarm_step(&alarm, &limits, 20 * s, 150, true));
    ck_assert(!retention_alarm_step(&alarm, &limits, 49 * s, 200, false));      /* too soon */
    ck_assert(!retention_alarm_step(&alarm, &limits, 51 * s, 149, false));      /* too little room */
    ck_assert(retention_alarm_step(&alarm, &limits, 52 * s, 150, false));
    ck_assert(!alarm.full);
    /* No evidence could be deleted: clips pause. */
    ck_assert(retention_alarm_step(&alarm, &limits, 60 * s, 99, false));
    ck_assert(alarm.full && alarm.paused);
    ck_assert(!retention_alarm_step(&alarm, &limits, 61 * s, 124, false));
    ck_assert(retention_alarm_step(&alarm, &limits, 62 * s, 125, false));
    ck_assert(alarm.full && !alarm.paused);
    ck_assert(retention_alarm_step(&alarm, &limits, 95 * s, 150, false));
    ck_assert(!alarm.full);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("retention_policy");
    tcase_add_test(tcase, limits_of_a_disk);
    tcase_add_test(tcase, the_oldest_go_first);
    tcase_add_test(tcase, what_is_held_or_busy_stays_and_counts);
    tcase_add_test(tcase, a_short_disk_is_told_once);
    Suite *suite = suite_create("retention_policy");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
