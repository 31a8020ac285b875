/* daemon/watch/alertlog: ids that are never used twice, records that change while their alert is open, and an entry of its own
 * for a closing, so that a reader who goes on from where it was sees it. */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "daemon/watch/alertlog.h"
#include "tests/suite.h"

static struct alertlog *alerts_log;

static void set_up(void)
{
    ck_assert_int_eq(alertlog_open(&alerts_log, 4), 0);
}

static void tear_down(void)
{
    alertlog_close(alerts_log);
}

static struct alert_record opened(int64_t opened_us)
{
    struct alert_record alert = {.opened_us = opened_us};
    alertlog_append(alerts_log, &alert);
    return alert;
}

START_TEST(bounded)
{
    struct alert_record out[8], alerts[6];
    struct record_range range;
    struct alertlog *none = NULL;
    ck_assert_int_eq(alertlog_open(&none, 0), -EINVAL);
    alertlog_close(NULL);
    for (int i = 0; i < 6; i++) {
        alerts[i] = opened(100000000 + i * 1000);
        ck_assert_uint_eq(alerts[i].entry, (uint64_t)i);
    }
    alerts[0].peak_score = 9;           /* this record has been overwritten: no other may change */
    alertlog_update(alerts_log, &alerts[0]);
    alerts[4].peak_score = 5;
    alertlog_update(alerts_log, &alerts[4]);
    ck_assert_uint_eq(alertlog_read(alerts_log, 0, out, 8, &range), 4);
    ck_assert_uint_eq(range.oldest, 2);
    ck_assert_uint_eq(range.next, 6);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(out[i].id, alerts[i + 2].id);
        ck_assert_double_eq(out[i].peak_score, i == 2 ? 5 : 0);
    }
    ck_assert_uint_eq(alertlog_read(alerts_log, 5, out, 8, &range), 1);
    ck_assert_uint_eq(out[0].id, alerts[5].id);
    ck_assert_uint_eq(alertlog_read(alerts_log, 6, out, 8, &range), 0);
    ck_assert_uint_eq(alertlog_read(alerts_log, 3, out, 2, &range), 2);
    ck_assert_uint_eq(out[1].id, alerts[4].id);
}
END_TEST

START_TEST(a_closing_is_a_new_entry)
{
    struct alert_record out[4], first = opened(1000), second = opened(2000);
    struct record_range range;
    first.closed_us = 3000;
    alertlog_append_again(alerts_log, &first);
    ck_assert_uint_eq(alertlog_read(alerts_log, 0, out, 4, &range), 3);
    ck_assert(out[0].id == first.id && out[0].superseded && out[0].closed_us == 0);
    ck_assert(out[1].id == second.id && !out[1].superseded);
    ck_assert(out[2].id == first.id && !out[2].superseded && out[2].closed_us == 3000);
    /* A reader who has seen both openings sees the closing next. */
    ck_assert_uint_eq(alertlog_read(alerts_log, 2, out, 4, &range), 1);
    ck_assert_uint_eq(out[0].id, first.id);
    /* An opening that has been overwritten takes no other entry with it. */
    for (int i = 0; i < 4; i++)
        opened(4000 + i);
    second.closed_us = 9000;
    alertlog_append_again(alerts_log, &second);
    ck_assert_uint_eq(alertlog_read(alerts_log, 0, out, 4, &range), 4);
    for (int i = 0; i < 4; i++)
        ck_assert(!out[i].superseded);
    ck_assert_int_eq(out[3].closed_us, 9000);
}
END_TEST

/* Another run of the daemon begins with an empty alerts_log, and gives no id that the run before has given. */
START_TEST(ids_over_restarts)
{
    const int64_t now_us = 1795832005702000;
    ck_assert_uint_eq(opened(now_us).id, 1795832005702);
    ck_assert_uint_eq(opened(now_us + 999).id, 1795832005703);          /* in the same millisecond */
    ck_assert_uint_eq(opened(now_us - 60000000).id, 1795832005704);     /* the clock was set back */
    ck_assert_uint_eq(opened(now_us + 60000000).id, 1795832065702);
    alertlog_close(alerts_log);
    ck_assert_int_eq(alertlog_open(&alerts_log, 4), 0);
    ck_assert_uint_eq(opened(now_us + 61000000).id, 1795832066702);
    ck_assert_uint_eq(opened(-5).id, 1795832066703);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("alertlog");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, bounded);
    tcase_add_test(tcase, a_closing_is_a_new_entry);
    tcase_add_test(tcase, ids_over_restarts);
    Suite *suite = suite_create("alertlog");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
