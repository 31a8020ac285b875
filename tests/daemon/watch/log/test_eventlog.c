/* daemon/watch/log/eventlog: events are numbered without gaps, bounded, filtered, whole as webhooks carry them, and wake who
 * waits. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/watch/log/eventlog.h"
#include "io/base/clock.h"
#include "tests/suite.h"

static const struct event_filter all;

static void take(struct eventlog *log, enum event_type type, const char *camera)
{
    ck_assert_int_eq(eventlog_take(log, &(struct event){.type = type, .time_us = 1700000000123000, .camera = camera,
                                                        .reason = "why"}), 0);
}

static bool is_readable(const struct eventlog *log)
{
    struct pollfd fd = {.fd = eventlog_fd(log), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

START_TEST(kept)
{
    enum { CAPACITY = 5 };
    struct eventlog *log;
    struct event_record events[CAPACITY + 1];
    struct record_range range;
    uint64_t next, before_ms = (uint64_t)(utc_us() / 1000);
    ck_assert_int_eq(eventlog_open(&log, 0), -EINVAL);
    ck_assert_int_eq(eventlog_open(&log, CAPACITY), 0);
    ck_assert(!is_readable(log));
    ck_assert_int_eq(eventlog_read(log, 0, &all, events, 6, &next, &range), 0);
    const uint64_t first = range.next;
    ck_assert_uint_eq(range.oldest, first);
    ck_assert_uint_eq(next, first);
    ck_assert(first >= before_ms && first <= (uint64_t)(utc_us() / 1000));

    take(log, EVENT_CAMERA_LOST, "gate");
    ck_assert(is_readable(log));
    ck_assert_int_eq(eventlog_read(log, 0, &all, events, 6, &next, &range), 1);
    ck_assert_uint_eq(events[0].seq, first);
    ck_assert_int_eq(events[0].type, EVENT_CAMERA_LOST);
    ck_assert_str_eq(events[0].body, "{\"type\":\"camera.lost\",\"timestamp\":\"2023-11-14T22:13:20.123Z\","
                                     "\"data\":{\"camera\":\"gate\",\"reason\":\"why\"}}");
    free(events[0].body);
    ck_assert_uint_eq(next, first + 1);

    for (int i = 1; i < 13; i++)
        take(log, i % 2 ? EVENT_CAMERA_LOST : EVENT_CAMERA_RESTORED, i % 3 ? "gate" : "yard");
    int n = eventlog_read(log, first, &all, events, 6, &next, &range);
    ck_assert_int_eq(n, CAPACITY);
    ck_assert_uint_eq(range.oldest, first + 8);
    ck_assert_uint_eq(range.next, first + 13);
    for (int i = 0; i < n; i++) {
        ck_assert_uint_eq(events[i].seq, first + 8 + (uint64_t)i);
        free(events[i].body);
    }
    /* A filter skips, and next tells how far it has come. */
    const struct event_filter gate = {.cameras = {"gate"}, .n_cameras = 1, .types = event_bit(EVENT_CAMERA_LOST)};
    n = eventlog_read(log, first + 8, &gate, events, 6, &next, &range);
    ck_assert_int_eq(n, 1);
    ck_assert_uint_eq(events[0].seq, first + 11);
    ck_assert_uint_eq(next, first + 13);
    free(events[0].body);
    ck_assert_int_eq(eventlog_read(log, first + 8, &all, events, 2, &next, &range), 2);
    ck_assert_uint_eq(next, first + 10);
    free(events[0].body);
    free(events[1].body);
    ck_assert_int_eq(eventlog_read(log, UINT64_MAX, &all, NULL, 0, &next, &range), 0);
    eventlog_close(log);
    eventlog_close(NULL);
}
END_TEST

enum { THREADS = 4, EACH = 2000 };

static void *post(void *log)
{
    for (int i = 0; i < EACH; i++)
        take(log, EVENT_CAMERA_LOST, "gate");
    return NULL;
}

/* A reader follows while threads post: each number comes once, in order. */
START_TEST(follow)
{
    struct eventlog *log;
    pthread_t threads[THREADS];
    struct record_range range;
    ck_assert_int_eq(eventlog_open(&log, THREADS * EACH), 0);
    uint64_t next, begin;
    eventlog_read(log, 0, &all, NULL, 0, &next, &range);
    begin = next = range.next;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post, log), 0);
    while (next < begin + THREADS * EACH) {
        struct event_record events[16];
        uint64_t expected = next;
        int n = eventlog_read(log, next, &all, events, 16, &next, &range);
        for (int i = 0; i < n; i++) {
            ck_assert_uint_eq(events[i].seq, expected++);
            free(events[i].body);
        }
        ck_assert_uint_eq(next, expected);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    eventlog_close(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eventlog");
    TCase *log = tcase_create("log");
    tcase_add_test(log, kept);
    tcase_add_test(log, follow);
    suite_add_tcase(suite, log);
    return suite_run(suite);
}
