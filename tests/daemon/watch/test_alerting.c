/* daemon/watch/camera/alerting: which alerts are told, and what the log of alerts and the sinks see of them. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/kind.h"
#include "daemon/watch/camera/alerting.h"
#include "io/base/clock.h"
#include "io/config/config.h"
#include "tests/daemon/watch/alerts_kept.h"
#include "tests/suite.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

static struct alertlog *log_of_alerts;
static struct events *events;
static struct alerting alerting;
static char told[400];          /* the sink's events: 'O' opened, 'C' closed, 'N' normal changed */
static struct alert_record last_told;
static int64_t told_us;         /* when the last event happened */

static int take(void *arg, const struct event *event)
{
    (void)arg;
    size_t n = strlen(told);
    ck_assert_uint_lt(n + 1, sizeof told);
    told[n] = event->type == EVENT_ALERT_OPENED ? 'O' : event->type == EVENT_ALERT_CLOSED ? 'C' : 'N';
    told[n + 1] = '\0';
    told_us = event->time_us;
    if (event->alert)
        last_told = *event->alert;
    return 0;
}

/* One window at or above 1 opens an alert, one below closes it. */
static void begin(struct alert_rule rule, struct policy_rule policy)
{
    told[0] = '\0';
    rule.threshold = rule.close_threshold = 1;
    rule.k = rule.n = 1;
    policy.margin = 1;
    kept_open(&log_of_alerts, &events);
    ck_assert_int_eq(events_add(events, (struct event_sink){.take = take}), 0);
    alerting_init(&alerting, &(struct alerting_options){.kind = ALERT_STILL, .rule = rule, .policy = policy, .lasting_us = HOUR,
                                                        .camera = "gate", .model = "m", .alerts = log_of_alerts,
                                                        .events = events});
}

static void end(void)
{
    alertlog_close(log_of_alerts);
    events_free(events);
}

/* A window with a box at a tenth of its score. Its time stamp in microseconds is its second. */
static void window(float score, double second)
{
    struct alerting_window w = {.score = score, .time_us = (int64_t)(second * 1e6), .pts_us = (int64_t)second, .voices = {{0}},
                                .boxes = {1, {{.x = score / 10}}}};
    w.voices.score[VOICE_STILL] = score;
    alerting_take(&alerting, &w);
}

/* Alert i of n, in the order of their last entries. */
static struct alert_record alert_at(size_t i, size_t n)
{
    static struct alert_record all[KEPT_MAX];
    ck_assert_uint_eq(kept_read(all), n);
    return all[i];
}

START_TEST(a_suppressed_alert_is_listed_and_not_told)
{
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 10 * SECOND});
    window(2, 100);
    window(0, 101);
    window(2, 102);
    ck_assert(!alerting_is_open(&alerting));
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_COOLDOWN);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 0);
    window(0, 103);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_COOLDOWN);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 103 * SECOND);
    ck_assert_str_eq(told, "OC");
    window(2, 111);             /* the suppressed alert has not prolonged the cooldown */
    ck_assert_str_eq(told, "OCO");
    ck_assert(alerting_is_open(&alerting));
    ck_assert_int_eq(alert_at(2, 3).suppressed, SUPPRESSED_NOT);
    ck_assert_uint_eq(alerting.told, 2);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_COOLDOWN], 1);
    end();
}
END_TEST

START_TEST(a_cause_that_outlasts_the_cooldown_is_told)
{
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 10 * SECOND});
    window(2, 100);
    window(0, 101);
    for (int s = 105; s < 111; s++)
        window(2, s);
    ck_assert_str_eq(told, "OC");
    window(2, 111);
    ck_assert_str_eq(told, "OCO");
    ck_assert_int_eq(last_told.opened_us, 105 * SECOND);
    ck_assert_int_eq(told_us, 111 * SECOND);            /* the time of the window, not of the clock */
    /* A client that has read the list of told alerts up to here sees a new entry. */
    ck_assert_uint_eq(alert_at(1, 2).entry, 3);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_NOT);
    ck_assert_uint_eq(alert_at(1, 2).id, last_told.id);
    window(0, 112);
    ck_assert_str_eq(told, "OCOC");
    ck_assert_int_eq(told_us, 112 * SECOND);
    ck_assert_uint_eq(alert_at(1, 2).id, last_told.id);
    ck_assert_uint_eq(alerting.told, 2);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_COOLDOWN], 1);
    window(2, 113);             /* it is in a cooldown again */
    ck_assert_str_eq(told, "OCOC");
    end();
}
END_TEST

START_TEST(an_alert_that_becomes_worse_is_told)
{
    begin((struct alert_rule){0}, (struct policy_rule){.max_per_hour = 1});
    window(2, 100);
    window(4, 101);
    window(0, 102);
    window(3, 103);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_RATE);
    window(5, 104);             /* it does not exceed 4 by more than the margin */
    ck_assert_str_eq(told, "OC");
    window(5.5f, 105);
    ck_assert_str_eq(told, "OCO");
    ck_assert_double_eq(last_told.peak_score, 5.5);
    ck_assert_float_eq(last_told.boxes.box[0].x, 0.55f);
    window(0, 106);
    window(9, 107);
    ck_assert_str_eq(told, "OCOCO");
    end();
}
END_TEST

START_TEST(a_flood)
{
    begin((struct alert_rule){0}, (struct policy_rule){.max_per_hour = 12});
    for (int s = 0; s < 600; s += 2) {
        window(2, s);
        window(0, s + 1);
    }
    ck_assert_uint_eq(strlen(told), 24);
    ck_assert_uint_eq(alerting.told, 12);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_RATE], 288);
    ck_assert_int_eq(alert_at(299, 300).suppressed, SUPPRESSED_RATE);
    end();
}
END_TEST

START_TEST(the_reason_follows)
{
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 10 * SECOND, .max_per_hour = 1});
    window(2, 100);
    window(0, 101);
    window(2, 102);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_COOLDOWN);
    window(2, 111);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_RATE);
    window(2, 100 + 3600);
    ck_assert_str_eq(told, "OCO");
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_COOLDOWN], 1);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_RATE], 0);
    end();
}
END_TEST

START_TEST(merged_causes_are_told_once)
{
    begin((struct alert_rule){.merge_us = 30 * SECOND}, (struct policy_rule){0});
    for (int s = 100; s < 200; s += 20) {
        window(2, s);
        window(0, s + 2);
    }
    ck_assert_str_eq(told, "O");
    window(0, 211);
    ck_assert_str_eq(told, "O");
    window(0, 212);
    ck_assert_str_eq(told, "OC");
    ck_assert_int_eq(last_told.opened_us, 100 * SECOND);
    ck_assert_int_eq(last_told.closed_us, 182 * SECOND);
    ck_assert_int_eq(last_told.closed_pts_us, 182);
    window(2, 220);
    window(0, 221);
    alerting_break(&alerting, 222 * SECOND);
    ck_assert_str_eq(told, "OCOC");
    ck_assert_int_eq(last_told.closed_us, 221 * SECOND);
    ck_assert_int_eq(last_told.closed_pts_us, 221);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 221 * SECOND);
    end();
}
END_TEST

/* A suppressed alert whose cause has ended is not told while it waits to merge. */
START_TEST(what_has_ended_is_not_told)
{
    begin((struct alert_rule){.merge_us = 30 * SECOND}, (struct policy_rule){.cooldown_us = 40 * SECOND});
    window(2, 100);
    window(0, 101);
    window(2, 135);             /* another alert; the cooldown lasts until 141 s */
    window(0, 136);
    window(0, 150);
    ck_assert_str_eq(told, "OC");
    window(2, 151);             /* its cause goes on */
    ck_assert_str_eq(told, "OCO");
    ck_assert_int_eq(last_told.opened_us, 135 * SECOND);
    end();
}
END_TEST

START_TEST(a_minimum_duration_keeps_first_and_peak)
{
    begin((struct alert_rule){.min_duration_us = 10 * SECOND}, (struct policy_rule){0});
    window(9, 90);
    window(0, 91);
    window(2, 100);
    window(4, 105);
    window(3, 109);
    ck_assert_str_eq(told, "");
    window(3, 110);
    ck_assert_str_eq(told, "O");
    ck_assert_int_eq(last_told.opened_us, 100 * SECOND);
    ck_assert_int_eq(last_told.opened_pts_us, 100);
    ck_assert_int_eq(last_told.peak_pts_us, 105);
    ck_assert_double_eq(last_told.peak_score, 4);
    ck_assert_float_eq(last_told.voices.score[VOICE_STILL], 4);
    ck_assert_float_eq(last_told.boxes.box[0].x, 0.4f);
    end();
}
END_TEST

START_TEST(a_suppressed_alert_that_lasts_changes_no_normal)
{
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 3 * HOUR});
    window(2, 100);
    window(0, 101);
    window(2, 102);
    window(2, 102 + 2 * 3600);
    ck_assert_str_eq(told, "OC");
    window(2, 101 + 3 * 3600);
    ck_assert_str_eq(told, "OCON");
    end();
}
END_TEST

/* A desk whose one camera, gate, is armed. */
static struct arming_desk *open_desk(void)
{
    static const char text[] = "cameras: {gate: {source: rtsp://h/x, model: clips.c}}";
    struct arming_desk *desk;
    struct arming_change *change;
    struct config *config;
    ck_assert_int_eq(config_load_memory(&config, text, strlen(text), "tests/x.yml", NULL, NULL), 0);
    ck_assert_int_eq(arming_open(&desk, &(struct arming_options){.events = events}), 0);
    ck_assert_int_eq(arming_prepare(&change, config, NULL), 0);
    arming_adopt(desk, change);
    config_unref(config);
    return desk;
}

START_TEST(a_camera_that_is_not_armed_tells_nobody)
{
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 1000 * SECOND, .max_per_hour = 1});
    struct arming_desk *desk = open_desk();
    double now = (double)utc_us() / 1e6;        /* orders begin now */
    alerting.options.arming = desk;
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_DISARM, 0, ""), 0);
    window(2, now + 1);
    ck_assert_int_eq(alert_at(0, 1).suppressed, SUPPRESSED_DISARMED);
    window(9, now + 2);                         /* it is worse, but still not told */
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_SNOOZE, 10, ""), 0);
    window(0, now + 3);
    ck_assert_str_eq(told, "");
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_ARM, 0, ""), 0);
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_SNOOZE, 10, ""), 0);
    window(2, now + 4);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_SNOOZED);
    window(2, now + 599);
    ck_assert_str_eq(told, "");
    window(2, now + 601);               /* the snooze has ended, the cause lasts; suppressed alerts began no cooldown */
    ck_assert_str_eq(told, "O");
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_NOT);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_DISARMED], 1);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_SNOOZED], 1);
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_DISARM, 0, ""), 0);
    window(0, now + 602);                       /* the opening was told, so the closing is */
    ck_assert_str_eq(told, "OC");
    arming_close(desk);
    end();
}
END_TEST

/* A fault that holds alerts back suppresses them, as a disarmed camera does. A fault that marks them leaves only its name. */
START_TEST(faults_of_the_picture)
{
    const unsigned covered = health_bit(HEALTH_COVERED), blur = health_bit(HEALTH_BLUR), noise = health_bit(HEALTH_NOISE);
    begin((struct alert_rule){0}, (struct policy_rule){.cooldown_us = 1000 * SECOND, .max_per_hour = 1});
    alerting.options.hold = covered;
    alerting.options.mark = blur;
    alerting_faults(&alerting, covered | noise, true, 0);
    window(2, 1);
    ck_assert_int_eq(alert_at(0, 1).suppressed, SUPPRESSED_HEALTH);
    ck_assert_uint_eq(alert_at(0, 1).health, covered);
    window(9, 2);                               /* it is worse, but still not told */
    window(0, 3);
    ck_assert_str_eq(told, "");
    window(2, 4);
    alerting_faults(&alerting, 0, true, 0);
    ck_assert_str_eq(told, "");
    window(2, 5);                               /* the cause outlasts the fault; suppressed alerts began no cooldown */
    ck_assert_str_eq(told, "O");
    ck_assert(last_told.suppressed == SUPPRESSED_NOT && last_told.health == covered);
    ck_assert_uint_eq(alerting.suppressed[SUPPRESSED_HEALTH], 2);
    alerting_faults(&alerting, covered | blur | noise, true, 0);         /* the open alert is marked, and stays told */
    ck_assert_uint_eq(alert_at(1, 2).health, covered | blur);
    ck_assert_int_eq(alert_at(1, 2).suppressed, SUPPRESSED_NOT);
    alerting_faults(&alerting, 0, true, 0);
    window(0, 6);
    ck_assert_str_eq(told, "OC");
    ck_assert_uint_eq(last_told.health, covered | blur);
    alerting_faults(&alerting, blur, true, 0);
    window(9, 2000);
    ck_assert_str_eq(told, "OCO");
    ck_assert_uint_eq(last_told.health, blur);
    struct alerting none = {0};                 /* a camera without alerts */
    alerting_faults(&none, blur, true, 0);
    end();
}
END_TEST

/* An alert that opens while the light changes is held back, and afterwards as long as its score is that of the light. */
START_TEST(alerts_of_light)
{
    const unsigned light = health_bit(HEALTH_LIGHT);
    begin((struct alert_rule){0}, (struct policy_rule){0});
    alerting.options.kind = ALERT_ANOMALY;
    alerting.options.hold = light;
    alerting_faults(&alerting, light, true, 0);
    window(9, 1);                               /* the switch itself */
    window(2, 8);
    ck_assert_int_eq(alert_at(0, 1).suppressed, SUPPRESSED_HEALTH);
    ck_assert_uint_eq(alert_at(0, 1).health, light);
    alerting_faults(&alerting, 0, true, 9 * SECOND);
    alerting_faults(&alerting, 0, true, 30 * SECOND);
    window(3.2F, 8.5);                          /* was due earlier, and has the light in it */
    window(2, 9);
    window(2, 10);
    window(2.5, HOUR / SECOND);
    ck_assert_str_eq(told, "");
    window(2.5, HOUR / SECOND + 2);             /* that light stays, and the model does not know it */
    ck_assert_str_eq(told, "N");
    window(0, HOUR / SECOND + 3);
    window(2, HOUR / SECOND + 4);               /* another alert in that light */
    ck_assert_uint_eq(alert_at(1, 2).health, light);
    ck_assert_str_eq(told, "N");
    window(4, HOUR / SECOND + 5);               /* worse than that light */
    ck_assert_str_eq(told, "NO");
    window(0, HOUR / SECOND + 6);
    ck_assert_str_eq(told, "NOC");
    alerting_faults(&alerting, light, true, 0);
    alerting_faults(&alerting, 0, true, 100 * HOUR);            /* the clock was set back after that */
    window(0, 2 * HOUR / SECOND - 1);
    ck_assert(!(alerting.faults & light));
    alerting_faults(&alerting, light, false, 0);
    window(2, 2 * HOUR / SECOND);
    ck_assert_str_eq(told, "NOC");
    alerting_faults(&alerting, 0, false, 0);       /* somebody came with the light */
    window(2, 2 * HOUR / SECOND + 1);
    ck_assert_str_eq(told, "NOCO");
    ck_assert_uint_eq(last_told.health, light);
    end();
}
END_TEST

/* What stands still is found long after the light changed, and has its own ways with light. Light that holds nothing leaves no
 * alerts of its own. */
START_TEST(light_of_other_alerts)
{
    static const struct {
        enum alert_kind kind;
        bool hold;
        const char *told;
    } cases[] = {{ALERT_STILL, true, "O"}, {ALERT_ANOMALY, false, "O"}, {ALERT_ANOMALY, true, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin((struct alert_rule){0}, (struct policy_rule){0});
        alerting.options.kind = cases[i].kind;
        alerting.options.hold = cases[i].hold ? health_bit(HEALTH_LIGHT) : 0;
        alerting.options.mark = cases[i].hold ? 0 : health_bit(HEALTH_LIGHT);
        alerting_faults(&alerting, health_bit(HEALTH_LIGHT), true, 0);
        window(2, 1);
        alerting_faults(&alerting, 0, true, 0);
        window(2, 2);
        ck_assert_str_eq(told, cases[i].told);
        ck_assert_uint_eq(alert_at(0, 1).health, health_bit(HEALTH_LIGHT));
        end();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alerting");
    TCase *tests = tcase_create("alerting");
    tcase_add_test(tests, a_suppressed_alert_is_listed_and_not_told);
    tcase_add_test(tests, a_cause_that_outlasts_the_cooldown_is_told);
    tcase_add_test(tests, an_alert_that_becomes_worse_is_told);
    tcase_add_test(tests, a_camera_that_is_not_armed_tells_nobody);
    tcase_add_test(tests, faults_of_the_picture);
    tcase_add_test(tests, alerts_of_light);
    tcase_add_test(tests, light_of_other_alerts);
    tcase_add_test(tests, a_flood);
    tcase_add_test(tests, the_reason_follows);
    tcase_add_test(tests, merged_causes_are_told_once);
    tcase_add_test(tests, what_has_ended_is_not_told);
    tcase_add_test(tests, a_minimum_duration_keeps_first_and_peak);
    tcase_add_test(tests, a_suppressed_alert_that_lasts_changes_no_normal);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
