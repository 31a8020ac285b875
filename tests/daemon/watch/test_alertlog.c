/* daemon/watch/alertlog numbers alerts without gaps, and updates a record while its alert is open. */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "daemon/watch/alertlog.h"

START_TEST(alerts_are_numbered_and_updated)
{
    struct alertlog *log = NULL;
    struct alert_record out[8], alerts[6];
    struct record_range range;
    ck_assert_int_eq(alertlog_open(&log, 0), -EINVAL);
    ck_assert_int_eq(alertlog_open(&log, 4), 0);
    for (int i = 0; i < 6; i++) {
        alerts[i] = (struct alert_record){.opened_us = 100 + i, .peak_score = i};
        snprintf(alerts[i].camera, sizeof alerts[i].camera, "camera-%d", i);
        alertlog_append(log, &alerts[i]);
        ck_assert_uint_eq(alerts[i].id, (uint64_t)i + 1);
    }
    alerts[0].closed_us = 999;          /* this record has been overwritten: no other may change */
    alertlog_update(log, &alerts[0]);
    alerts[4].closed_us = 555;
    alertlog_update(log, &alerts[4]);
    ck_assert_uint_eq(alertlog_read(log, 0, out, 8, &range), 4);
    ck_assert_uint_eq(range.oldest, 2);
    ck_assert_uint_eq(range.next, 6);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(out[i].id, (uint64_t)i + 3);
        ck_assert_str_eq(out[i].camera, alerts[i + 2].camera);
        ck_assert_int_eq(out[i].closed_us, i == 2 ? 555 : 0);
    }
    ck_assert_uint_eq(alertlog_read(log, 5, out, 8, &range), 1);
    ck_assert_uint_eq(out[0].id, 6);
    ck_assert_uint_eq(alertlog_read(log, 6, out, 8, &range), 0);
    ck_assert_uint_eq(alertlog_read(log, 3, out, 2, &range), 2);
    ck_assert_uint_eq(out[1].id, 5);
    alertlog_close(log);
    alertlog_close(NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("alertlog");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, alerts_are_numbered_and_updated);
    Suite *suite = suite_create("alertlog");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
