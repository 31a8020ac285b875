/* daemon/watch/events: every sink gets every event in the order of the table. If one sink loses an event, the others get it.
 * After events_close() only the log gets events. The log has a line for each type. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/events.h"
#include "tests/suite.h"

struct sink {
    char name;
    int fails;                  /* what take() returns */
};

static char seen[256];          /* such as "a alert.opened, b alert.opened, " */
static int64_t last_us;

static int take(void *arg, const struct event *event)
{
    const struct sink *sink = arg;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%c %s, ", sink->name, event_type_name(event->type));
    last_us = event->time_us;
    return sink->fails;
}

static struct events *events;
static struct sink a = {'a', -ENOMEM}, b = {'b', 0};

static void set_up(void)
{
    ck_assert_int_eq(events_open(&events), 0);
    ck_assert_int_eq(events_add(events, (struct event_sink){take, &a}), 0);
    ck_assert_int_eq(events_add(events, (struct event_sink){take, &b}), 0);
    seen[0] = '\0';
}

START_TEST(every_sink_gets_every_event)
{
    set_up();
    events_post(events, &(struct event){.type = EVENT_CAMERA_LOST, .time_us = 77, .camera = "gate", .reason = "gone"});
    ck_assert_str_eq(seen, "a camera.lost, b camera.lost, ");
    ck_assert_int_eq(last_us, 77);
    events_post(events, &(struct event){.type = EVENT_CAMERA_RESTORED, .camera = "gate", .reason = "back"});
    ck_assert_int_gt(last_us, 1000000);                 /* without a time_us, it is now */
    events_close(events);
    events_post(events, &(struct event){.type = EVENT_CAMERA_LOST, .camera = "gate", .reason = "gone"});
    ck_assert_str_eq(seen, "a camera.lost, b camera.lost, a camera.restored, b camera.restored, ");
    events_free(events);
}
END_TEST

START_TEST(the_table_is_bounded)
{
    set_up();
    for (int i = 2; i < EVENT_SINKS_MAX; i++)
        ck_assert_int_eq(events_add(events, (struct event_sink){take, &b}), 0);
    ck_assert_int_eq(events_add(events, (struct event_sink){take, &b}), -ENOSPC);
    events_free(events);
}
END_TEST

/* Returns what the log says of an event of the type. */
static char *log_line_of(enum event_type type)
{
    static char line[1024];
    const struct alert_record alert = {.id = 7, .test = type == EVENT_ALERT_CLOSED, .camera = "gate", .opened_us = 1,
                                       .peak_score = 2.5};
    bool is_alert = type == EVENT_ALERT_OPENED || type == EVENT_ALERT_CLOSED;
    int pipe_fds[2], before = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    bool is_webhook = type == EVENT_WEBHOOK_DISABLED;
    const struct event_health fault = {.kind = "black", .unit = "levels", .quantity = 3.5};
    bool is_health = type == EVENT_HEALTH_OPENED || type == EVENT_HEALTH_CLOSED;
    bool is_storage = type == EVENT_STORAGE_FULL || type == EVENT_STORAGE_RECOVERED;
    events_post(events, &(struct event){.type = type, .camera = is_webhook || is_storage ? NULL : "gate",
                                        .webhook = is_webhook ? "alarm" : NULL, .reason = is_alert ? NULL : "because",
                                        .quantity = is_storage ? 5 : 0.5, .alert = is_alert ? &alert : NULL,
                                        .health = is_health ? &fault : NULL});
    dup2(before, STDERR_FILENO);
    close(before);
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], line, sizeof line - 1);
    close(pipe_fds[0]);
    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    return line;
}

START_TEST(the_log_has_a_line_for_each_type)
{
    static const char *const expected[EVENT_TYPES] = {
        [EVENT_ALERT_OPENED] = "warning event=alert_opened camera=gate id=7 kind=anomaly peak_score=2.5\n",
        [EVENT_ALERT_CLOSED] = "warning event=alert_closed camera=gate id=7 kind=anomaly peak_score=2.5 test=true\n",
        [EVENT_CAMERA_LOST] = "warning event=camera_lost camera=gate reason=because\n",
        [EVENT_CAMERA_RESTORED] = "notice event=camera_restored camera=gate reason=because\n",
        [EVENT_CAMERA_FROZEN] = "warning event=camera_frozen camera=gate seconds=0.5 reason=because\n",
        [EVENT_CAMERA_UNFROZEN] = "notice event=camera_unfrozen camera=gate seconds=0.5 reason=because\n",
        [EVENT_CAMERA_SLOW] = "warning event=camera_slow camera=gate fps_in=0.5 reason=because\n",
        [EVENT_CAMERA_SLOW_ENDED] = "notice event=camera_slow_ended camera=gate fps_in=0.5 reason=because\n",
        [EVENT_CAMERA_ARMED] = "notice event=camera_armed camera=gate reason=because\n",
        [EVENT_CAMERA_DISARMED] = "notice event=camera_disarmed camera=gate reason=because\n",
        [EVENT_HEALTH_OPENED] = "warning event=health_opened camera=gate kind=black quantity=3.5 reason=because\n",
        [EVENT_HEALTH_CLOSED] = "notice event=health_closed camera=gate kind=black quantity=3.5 reason=because\n",
        [EVENT_DRIFT_BEGAN] = "warning event=drift_began camera=gate distance=0.5 reason=because\n",
        [EVENT_DRIFT_ENDED] = "notice event=drift_ended camera=gate distance=0.5 reason=because\n",
        [EVENT_NORMAL_CHANGED] = "warning event=normal_changed camera=gate hours=0.5 reason=because\n",
        [EVENT_WEBHOOK_DISABLED] = "warning event=webhook_disabled webhook=alarm reason=because\n",
        [EVENT_STORAGE_FULL] = "warning event=storage_full free_bytes=5 reason=because\n",
        [EVENT_STORAGE_RECOVERED] = "notice event=storage_recovered free_bytes=5 reason=because\n",
    };
    log_open(LOG_DEBUG);
    ck_assert_int_eq(events_open(&events), 0);
    for (int i = 0; i < EVENT_TYPES; i++) {
        const char *line = log_line_of((enum event_type)i);
        ck_assert_ptr_nonnull(strchr(line, ' '));
        ck_assert_str_eq(strchr(line, ' ') + 1, expected[i]);
    }
    events_free(events);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("events");
    tcase_add_test(tcase, every_sink_gets_every_event);
    tcase_add_test(tcase, the_table_is_bounded);
    tcase_add_test(tcase, the_log_has_a_line_for_each_type);
    Suite *suite = suite_create("events");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
