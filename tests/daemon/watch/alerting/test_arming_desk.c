/* daemon/watch/alerting/arming: orders are kept, restored, and outlast a reload; a tick posts events. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/watch/alerting/arming.h"
#include "io/base/clock.h"
#include "tests/suite.h"

static struct events *events;
static struct arming_desk *desk;
static struct arming_orders kept;
static int n_kept, n_events;
static struct event last;
static char last_camera[RECORD_NAME_SIZE], last_reason[256], kept_camera[RECORD_NAME_SIZE];

static void keep(void *arg, const char *camera, const struct arming_orders *orders)
{
    ck_assert_ptr_eq(arg, &kept);
    snprintf(kept_camera, sizeof kept_camera, "%s", camera);
    kept = *orders;
    n_kept++;
}

static int take(void *arg, const struct event *event)
{
    (void)arg;
    last = *event;
    snprintf(last_camera, sizeof last_camera, "%s", event->camera);
    snprintf(last_reason, sizeof last_reason, "%s", event->reason);
    n_events++;
    return 0;
}

static void abort_test(void *arg, const char *text)
{
    (void)arg;
    ck_abort_msg("%s", text);
}

/* Gives the desk the cameras of this YAML. */
static void configure(const char *cameras)
{
    char text[1000];
    struct config *config;
    struct arming_change *change;
    struct error err;
    snprintf(text, sizeof text, "time_zone: UTC\ncameras:\n%s", cameras);
    ck_assert_int_eq(config_load_memory(&config, text, strlen(text), "tests/x.yml", abort_test, NULL), 0);
    ck_assert_int_eq(arming_prepare(&change, config, &err), 0);
    arming_adopt(desk, change);
    config_unref(config);
}

static void setup(void)
{
    n_kept = n_events = 0;
    ck_assert_int_eq(events_open(&events), 0);
    ck_assert_int_eq(events_add(events, (struct event_sink){.take = take}), 0);
    ck_assert_int_eq(arming_open(&desk, &(struct arming_options){.events = events, .keep = keep, .arg = &kept}), 0);
    configure("  gate: {source: rtsp://h/x, model: clips.c}\n  yard: {source: rtsp://h/x, model: clips.c, armed: never}\n");
}

static void teardown(void)
{
    arming_close(desk);
    events_free(events);
}

static const char *state_of(const char *camera)
{
    return arming_name(arming_state(desk, camera, utc_us()));
}

START_TEST(test_orders)
{
    struct arming_status status;
    ck_assert_str_eq(state_of("gate"), "armed");
    ck_assert_str_eq(state_of("yard"), "off_schedule");
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_SNOOZE, 30, "anna"), 0);
    ck_assert(arming_status(desk, "gate", utc_us(), &status));
    ck_assert_int_eq(status.state, ARMING_SNOOZED);
    ck_assert_str_eq(status.order.by, "anna");
    ck_assert_int_eq(status.until_us - status.order.since_us, INT64_C(30) * 60 * 1000000);
    ck_assert_int_eq(n_kept, 1);
    ck_assert_str_eq(kept_camera, "gate");
    ck_assert_int_eq(kept.snooze.until_us, status.until_us);
    ck_assert_int_eq(kept.disarm.since_us, 0);
    ck_assert_str_eq(arming_name(arming_state(desk, "gate", status.until_us)), "armed");
    ck_assert_str_eq(arming_name(arming_state(desk, "gate", status.until_us - 1)), "snoozed");

    ck_assert_int_eq(arming_order(desk, "gate", ARMING_DISARM, 0, ""), 0);
    ck_assert_str_eq(arming_name(arming_state(desk, "gate", status.until_us)), "disarmed");
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_ARM, 0, ""), 0);
    ck_assert_str_eq(state_of("gate"), "armed");
    ck_assert_int_eq(kept.disarm.since_us | kept.snooze.since_us, 0);
}
END_TEST

START_TEST(test_refused)
{
    ck_assert_int_eq(arming_order(desk, "door", ARMING_DISARM, 0, ""), -ENOENT);
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_SNOOZE, 0, ""), -EINVAL);
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_ARM, 5, ""), -EINVAL);
    ck_assert_int_eq(arming_order(desk, "gate", ARMING_DISARM, -1, ""), -EINVAL);
    ck_assert_int_eq(n_kept, 0);
    ck_assert_str_eq(state_of("gate"), "armed");
    ck_assert_str_eq(state_of("door"), "armed");
}
END_TEST

START_TEST(test_events)
{
    arming_tick(desk);
    ck_assert_int_eq(n_events, 1);
    ck_assert_int_eq(last.type, EVENT_CAMERA_DISARMED);
    ck_assert_str_eq(last_camera, "yard");
    ck_assert_str_eq(last_reason, "outside its schedule");
    arming_tick(desk);
    ck_assert_int_eq(n_events, 1);
    arming_order(desk, "gate", ARMING_DISARM, 0, "anna");
    arming_tick(desk);
    ck_assert_int_eq(n_events, 2);
    ck_assert_str_eq(last_reason, "disarmed by anna");
    arming_order(desk, "gate", ARMING_ARM, 0, "");
    arming_tick(desk);
    arming_tick(desk);
    ck_assert_int_eq(n_events, 3);
    ck_assert_int_eq(last.type, EVENT_CAMERA_ARMED);
}
END_TEST

START_TEST(test_reload)
{
    arming_order(desk, "gate", ARMING_DISARM, 0, "");
    arming_tick(desk);
    n_events = 0;
    configure("  yard: {source: rtsp://h/x, model: clips.c}\n  gate: {source: rtsp://h/x, model: clips.c, armed: never}\n");
    ck_assert_str_eq(state_of("gate"), "disarmed");
    ck_assert_str_eq(state_of("yard"), "armed");
    arming_tick(desk);
    ck_assert_int_eq(n_events, 1);
    ck_assert_str_eq(last_camera, "yard");
}
END_TEST

/* A camera that was removed and comes back has no orders, as if memaed had just started. */
START_TEST(test_removed)
{
    arming_order(desk, "gate", ARMING_DISARM, 0, "anna");
    n_kept = 0;
    configure("  yard: {source: rtsp://h/x, model: clips.c}\n");
    ck_assert_int_eq(n_kept, 1);                /* yard had no order */
    ck_assert_str_eq(kept_camera, "gate");
    ck_assert_int_eq(kept.disarm.since_us | kept.snooze.since_us, 0);
    configure("  gate: {source: rtsp://h/x, model: clips.c}\n");
    ck_assert_str_eq(state_of("gate"), "armed");
    ck_assert_int_eq(n_kept, 1);
}
END_TEST

START_TEST(test_restored)
{
    struct arming_orders orders = {.snooze = {utc_us(), utc_us() + INT64_C(60000000), "anna"}};
    ck_assert_str_eq(state_of("gate"), "armed");
    arming_restore(desk, "gate", &orders);
    ck_assert_str_eq(state_of("gate"), "snoozed");
    ck_assert_int_eq(n_kept, 0);
    arming_restore(desk, "door", &orders);      /* door is not configured */
    ck_assert_int_eq(n_kept, 1);
    ck_assert_str_eq(kept_camera, "door");
    ck_assert_int_eq(kept.disarm.since_us | kept.snooze.since_us, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arming desk");
    TCase *tests = tcase_create("desk");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_orders);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_events);
    tcase_add_test(tests, test_reload);
    tcase_add_test(tests, test_removed);
    tcase_add_test(tests, test_restored);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
