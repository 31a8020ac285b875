/* daemon/watch/alertlog: no id is used twice; what the log hands on to its sink. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/watch/alertlog.h"
#include "tests/suite.h"

static char seen[256];

static void see(const char *what, uint64_t id)
{
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s %llu, ", what, (unsigned long long)id);
}

static void take_peak(void *arg, const struct alert_record *alert)
{
    ck_assert_ptr_eq(arg, seen);
    see("peak", alert->id);
}

static void take_untold(void *arg, const struct alert_record *alert)
{
    ck_assert_ptr_eq(arg, seen);
    see("untold", alert->id);
}

static void take_score(void *arg, const char *camera, const struct score_record *score)
{
    ck_assert_ptr_eq(arg, seen);
    see(camera, score->window);
}

static struct alertlog *open_log(uint64_t last_id)
{
    struct alertlog *log;
    seen[0] = '\0';
    ck_assert_int_eq(alertlog_open(&log, last_id, &(struct alertlog_sink){take_peak, take_untold, take_score, seen}), 0);
    return log;
}

static uint64_t opened(struct alertlog *log, int64_t opened_us)
{
    struct alert_record alert = {.opened_us = opened_us};
    alertlog_append(log, &alert);
    return alert.id;
}

START_TEST(ids_over_restarts)
{
    const int64_t now_us = 1795832005702000;
    struct alertlog *log = open_log(0);
    ck_assert_uint_eq(opened(log, now_us), 1795832005702);
    ck_assert_uint_eq(opened(log, now_us + 999), 1795832005703);            /* in the same millisecond */
    ck_assert_uint_eq(opened(log, now_us - 60000000), 1795832005704);       /* the clock was set back */
    ck_assert_uint_eq(opened(log, now_us + 60000000), 1795832065702);
    alertlog_close(log);
    log = open_log(1795832065702);              /* the database's last id; the clock was set back between the runs */
    ck_assert_uint_eq(opened(log, now_us), 1795832065703);
    ck_assert_uint_eq(opened(log, -5), 1795832065704);
    ck_assert_str_eq(seen, "");                 /* the sink gets an opening with its event, not here */
    alertlog_close(log);
    alertlog_close(NULL);
}
END_TEST

START_TEST(what_no_event_tells)
{
    struct alertlog *log = open_log(0);
    struct alert_record alert = {.id = 7};
    alertlog_update(log, &alert);
    alertlog_append_untold(log, &alert);
    alertlog_score(log, "gate", &(struct score_record){.window = 3});
    ck_assert_str_eq(seen, "peak 7, untold 7, gate 3, ");
    alertlog_close(log);
    ck_assert_int_eq(alertlog_open(&log, 0, &(struct alertlog_sink){NULL, NULL, NULL, NULL}), 0);
    alertlog_update(log, &alert);
    alertlog_append_untold(log, &alert);
    alertlog_score(log, "gate", &(struct score_record){.window = 3});
    alertlog_close(log);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("alertlog");
    tcase_add_test(tcase, ids_over_restarts);
    tcase_add_test(tcase, what_no_event_tells);
    Suite *suite = suite_create("alertlog");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
