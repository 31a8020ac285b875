/* web/handlers/events, web/streams: server-sent events over a real socket. Each event comes once and in order, also after a
 * reconnect. A client that does not read is dropped, and one that goes is noticed. Also: filters. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

/* Sends the request and reads its answer's header. Returns the connection. */
static int open_stream(const char *target, const char *fields)
{
    char request[512], head[2048];
    size_t n = 0;
    int fd = dial();
    snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\n%s\r\n", target, fields);
    send_text(fd, request);
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
        ck_assert_uint_lt(n, sizeof head - 1);
        ck_assert_int_eq(recv(fd, head + n++, 1, 0), 1);
    }
    head[n] = '\0';
    ck_assert_msg(strncmp(head, "HTTP/1.0 200", 12) == 0 || strncmp(head, "HTTP/1.1 200", 12) == 0, "%s", head);
    ck_assert_ptr_nonnull(strstr(head, "Content-Type: text/event-stream"));
    ck_assert_ptr_nonnull(strstr(head, "Cache-Control: no-store\r\n"));
    return fd;
}

/* One block of the stream: up to the empty line. */
struct block {
    char event[64], data[2048];
    unsigned long long id;
    bool has_id, has_comment;
    int retry;
};

static struct block read_block(int fd)
{
    struct block block = {.event = ""};
    char line[4096];
    for (;;) {
        size_t n = 0;
        do {
            struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
            ck_assert_msg(poll(&poll_fd, 1, 60000) == 1, "nothing came for a minute");
            ck_assert_uint_lt(n, sizeof line);
            ck_assert_int_eq(recv(fd, line + n, 1, 0), 1);
        } while (line[n++] != '\n');
        line[n - 1] = '\0';
        if (n == 1)
            return block;
        if (line[0] == ':')
            block.has_comment = true;
        else if (sscanf(line, "id: %llu", &block.id) == 1)
            block.has_id = true;
        else if (sscanf(line, "retry: %d", &block.retry) != 1 && strncmp(line, "data: ", 6) == 0)
            snprintf(block.data, sizeof block.data, "%s", line + 6);
        else if (strncmp(line, "event: ", 7) == 0)
            snprintf(block.event, sizeof block.event, "%s", line + 7);
    }
}

static void check_event(int fd, unsigned number, const char *type)
{
    struct block block = read_block(fd);
    char data[64];
    snprintf(data, sizeof data, "{\"number\":%u,\"padding\":\"\"}", number);
    ck_assert_str_eq(block.event, type);
    ck_assert_uint_eq(block.id, number);
    ck_assert_str_eq(block.data, data);
}

static void check_begin(int fd, unsigned long long id)
{
    struct block block = read_block(fd);
    ck_assert_str_eq(block.event, "");
    ck_assert_int_eq(block.retry, 3000);
    ck_assert(block.has_id);
    ck_assert_uint_eq(block.id, id);
}

START_TEST(events_come_once)
{
    post_event(EVENT_CAMERA_LOST, "gate", 0);
    int fd = open_stream("/api/v1/events", "");
    check_begin(fd, 100);               /* events from before are not sent */
    post_event(EVENT_CAMERA_RESTORED, "gate", 0);
    check_event(fd, 101, "camera.restored");
    for (unsigned i = 0; i < 100; i++)
        post_event(EVENT_ALERT_OPENED, "gate", 0);
    for (unsigned i = 0; i < 100; i++)
        check_event(fd, 102 + i, "alert.opened");
    close(fd);
    post_event(EVENT_ALERT_CLOSED, "gate", 0);
    fd = open_stream("/api/v1/events?last_event_id=3", "Last-Event-ID: 200\r\n");      /* the header wins over the parameter */
    check_begin(fd, 200);
    check_event(fd, 201, "alert.opened");
    check_event(fd, 202, "alert.closed");
    close(fd);
    fd = open_stream("/api/v1/events?last_event_id=202", "");
    check_begin(fd, 202);
    post_event(EVENT_DRIFT_BEGAN, "gate", 0);
    check_event(fd, 203, "drift.began");
    close(fd);
}
END_TEST

START_TEST(filters)
{
    static const struct { enum event_type type; const char *camera; } posted[] = {
        {EVENT_ALERT_OPENED, "gate"}, {EVENT_ALERT_OPENED, "yard_2-x"}, {EVENT_CAMERA_LOST, "gate"},
        {EVENT_ALERT_CLOSED, "yard_2-x"},
        {EVENT_ALERT_CLOSED, "gate"}, {EVENT_CAMERA_LOST, "other"},
    };
    static const struct { const char *query; unsigned expected[7]; } cases[] = {
        {"", {100, 101, 102, 103, 104, 105}}, {"&camera=gate", {100, 102, 104}},
        {"&camera=gate,yard_2-x", {100, 101, 102, 103, 104}},
        {"&camera=gate&camera=yard_2-x&type=alert.opened", {100, 101}}, {"&type=camera.lost,alert.closed", {102, 103, 104, 105}},
        {"&type=alert.closed&camera=gate", {104}},
        {"&zone=even", {100, 102, 104, 105}}, {"&zone=odd,none", {101, 102, 103, 105}},
        {"&zone=odd&zone=even&min_score=3", {102, 103, 104, 105}}, {"&min_score=-0.5&type=alert.opened", {100, 101}},
        {"&min_score=3.5&type=alert.closed,alert.opened", {104}},
    };
    for (size_t i = 0; i < sizeof posted / sizeof posted[0]; i++)
        post_event(posted[i].type, posted[i].camera, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[256];
        snprintf(target, sizeof target, "/api/v1/events?last_event_id=99%s", cases[i].query);
        int fd = open_stream(target, "");
        check_begin(fd, 99);
        for (const unsigned *n = cases[i].expected; *n; n++)
            check_event(fd, *n, event_type_name(posted[*n - 100].type));
        close(fd);
    }
    refuse("/api/v1/events?camera=nobody", 404, "camera");
    static const char *const bad[][2] = {
        {"camera=", "camera"}, {"camera=gate,", "camera"}, {"camera=G", "camera"}, {"type=", "type"}, {"type=alert", "type"},
        {"type=alert.opened,,camera.lost", "type"}, {"last_event_id=", "last_event_id"}, {"last_event_id=01", "last_event_id"},
        {"last_event_id=-1", "last_event_id"}, {"last_event_id=18446744073709551615", "last_event_id"},
        {"last_event_id=1&last_event_id=1", "last_event_id"},
        {"camera=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "camera"}, {"zone=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "zone"},
        {"zone=", "zone"}, {"zone=Door", "zone"}, {"zone=abcdefghijklmnopqrstuvwxyz0123456", "zone"}, {"min_score=", "min_score"},
        {"min_score=-", "min_score"}, {"min_score=1e9", "min_score"}, {"min_score=nan", "min_score"},
        {"min_score=1.", "min_score"}, {"min_score=+1", "min_score"}, {"min_score=1&min_score=1", "min_score"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char target[256];
        snprintf(target, sizeof target, "/api/v1/events?%s", bad[i][0]);
        refuse(target, 400, bad[i][1]);
    }
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/events", "Last-Event-ID: x", NULL), CURLE_OK);
    check_problem(&answer, 400, NULL);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/events", NULL, NULL), CURLE_OK);
    check_problem(&answer, 405, NULL);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/events", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
}
END_TEST

/* If a filter takes few events, the stream searches on by itself, and says how far it has come. */
START_TEST(long_search)
{
    for (int i = 0; i < 20; i++)
        post_event(i == 17 ? EVENT_CAMERA_LOST : EVENT_ALERT_OPENED, "gate", 0);
    world_events.scanned = 5;
    int fd = open_stream("/api/v1/events?type=camera.lost", "Last-Event-ID: 99\r\n");
    check_begin(fd, 99);
    for (unsigned id = 109; id <= 114; id += 5) {
        struct block block = read_block(fd);
        ck_assert_str_eq(block.event, "");
        ck_assert_uint_eq(block.id, id);
    }
    check_event(fd, 117, "camera.lost");
    close(fd);
}
END_TEST

START_TEST(unreadable)
{
    world_events.status = -EIO;
    refuse("/api/v1/events", 503, NULL);
    refuse("/api/v1/events?last_event_id=99", 503, NULL);
    world_events.status = 0;
    post_event(EVENT_CAMERA_LOST, "gate", 0);
    int fd = open_stream("/api/v1/events?last_event_id=99", "");
    check_begin(fd, 99);
    check_event(fd, 100, "camera.lost");
    pthread_mutex_lock(&world_events.mutex);
    world_events.status = -EIO;
    pthread_mutex_unlock(&world_events.mutex);
    post_event(EVENT_CAMERA_LOST, "gate", 0);
    char rest[256];
    ck_assert_int_ge(read_all(fd, rest, sizeof rest), 0);       /* the stream ends, so that the client comes back */
    close(fd);
}
END_TEST

/* A client whose last event is no longer kept, or is of another database, is told so. It goes on with the oldest event. */
START_TEST(reset)
{
    for (int i = 0; i < 20; i++)
        post_event(EVENT_ALERT_OPENED, "gate", 0);
    pthread_mutex_lock(&world_events.mutex);
    world_events.oldest = 110;
    pthread_mutex_unlock(&world_events.mutex);
    static const char *const lost[] = {"0", "57", "108", "120", "18446744073709551614"};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        char field[64];
        snprintf(field, sizeof field, "Last-Event-ID: %s\r\n", lost[i]);
        int fd = open_stream("/api/v1/events", field);
        struct block block = read_block(fd);
        ck_assert_str_eq(block.event, "reset");
        ck_assert_uint_eq(block.id, 109);
        ck_assert_str_eq(block.data, "{\"oldest\":110}");
        for (unsigned n = 110; n < 120; n++)
            check_event(fd, n, "alert.opened");
        post_event(EVENT_ALERT_OPENED, "gate", 0);
        check_event(fd, 120, "alert.opened");
        close(fd);
        pthread_mutex_lock(&world_events.mutex);
        world_events.next = 120;
        pthread_mutex_unlock(&world_events.mutex);
    }
    int fd = open_stream("/api/v1/events", "Last-Event-ID: 109\r\n");
    check_begin(fd, 109);
    check_event(fd, 110, "alert.opened");
    close(fd);
}
END_TEST

static double metric(const char *name)
{
    struct answer answer = ask("/metrics");
    char line[128];
    snprintf(line, sizeof line, "\nmemaed_%s ", name);
    const char *at = strstr(answer.body, line);
    ck_assert_msg(at != NULL, "%s", name);
    double x = strtod(at + strlen(line), NULL);
    answer_free(&answer);
    return x;
}

static void wait_metric(const char *name, double expected)
{
    for (int i = 0; metric(name) != expected; i++) {
        ck_assert_msg(i < 200, "%s is %g, expected %g", name, metric(name), expected);
        usleep(50000);
    }
}

/* At most MAX streams are open. A stream that a client leaves, reading or not, makes room for another. */
START_TEST(limit)
{
    enum { MAX = 32 };
    int fds[MAX];
    for (int i = 0; i < MAX; i++)
        check_begin(fds[i] = open_stream("/api/v1/events", ""), 99);
    ck_assert_double_eq(metric("event_streams"), MAX);
    struct answer answer = ask("/api/v1/events");
    check_problem(&answer, 503, NULL);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Retry-After: 5\r\n"));
    answer_free(&answer);
    for (int i = 0; i < MAX; i += 2) {
        if (i % 4)
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(fds[i]);
    }
    wait_metric("event_streams", MAX / 2);      /* long before the next comment is due */
    for (int i = 0; i < MAX; i += 2)
        check_begin(fds[i] = open_stream("/api/v1/events", ""), 99);
    post_event(EVENT_CAMERA_LOST, "gate", 0);
    for (int i = 0; i < MAX; i++)
        check_event(fds[i], 100, "camera.lost");
    web_server_close(server);                   /* streams end with the server */
    server = NULL;
    for (int i = 0; i < MAX; i++) {
        char byte;
        ck_assert_int_le(recv(fds[i], &byte, 1, 0), 0);
        close(fds[i]);
    }
}
END_TEST

/* A client that does not read is dropped, and counted. Others get every event meanwhile. A stream without events has no time
 * limit. */
START_TEST(deaf)
{
    enum { REQUEST_MS = 1000, PADDING = 100000, EVENTS = 200 };
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 64, .request_ms = REQUEST_MS});
    int quiet = open_stream("/api/v1/events?camera=yard_2-x", ""), not_reading = open_stream("/api/v1/events", "");
    check_begin(quiet, 99);
    for (int i = 0; i < EVENTS; i++)
        post_event(EVENT_ALERT_OPENED, "gate", PADDING);
    ck_assert_double_eq(metric("event_streams"), 2);
    wait_metric("event_streams_dropped_total", 1);
    ck_assert_double_eq(metric("event_streams"), 1);
    usleep(2 * REQUEST_MS * 1000);
    post_event(EVENT_CAMERA_LOST, "yard_2-x", 0);
    check_event(quiet, 100 + EVENTS, "camera.lost");
    close(quiet);
    close(not_reading);
    wait_metric("event_streams", 0);
    ck_assert_double_eq(metric("event_streams_dropped_total"), 1);
}
END_TEST

/* The delays of events that happened four seconds ago. Events that a client missed before it came are not counted. */
START_TEST(delays)
{
    int live = open_stream("/api/v1/events?camera=gate", "");
    check_begin(live, 99);
    post_event(EVENT_ALERT_OPENED, "gate", 0);
    post_event(EVENT_ALERT_OPENED, "yard_2-x", 0);
    post_event(EVENT_ALERT_CLOSED, "gate", 0);
    check_event(live, 100, "alert.opened");
    check_event(live, 102, "alert.closed");
    wait_metric("event_stream_delay_seconds_count", 2);
    int late = open_stream("/api/v1/events?last_event_id=99", "");
    check_begin(late, 99);
    for (unsigned n = 100; n < 103; n++)
        check_event(late, n, n < 102 ? "alert.opened" : "alert.closed");
    post_event(EVENT_CAMERA_LOST, "yard_2-x", 0);
    check_event(late, 103, "camera.lost");
    wait_metric("event_stream_delay_seconds_count", 3);
    ck_assert_double_eq(metric("event_stream_delay_seconds_bucket{le=\"3\"}"), 0);
    ck_assert_double_ge(metric("event_stream_delay_seconds_sum"), 12);
    close(live);
    close(late);
}
END_TEST

/* A stream without events sends a comment now and then, and how far its filter has come. */
START_TEST(keep_alive)
{
    int fd = open_stream("/api/v1/events?type=drift.began", "");
    check_begin(fd, 99);
    post_event(EVENT_CAMERA_LOST, "gate", 0);
    struct block block = read_block(fd);        /* it comes after 15 s */
    ck_assert(block.has_comment && block.has_id);
    ck_assert_uint_eq(block.id, 100);
    ck_assert_str_eq(block.event, "");
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web events");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, events_come_once);
    tcase_add_test(rest, filters);
    tcase_add_test(rest, long_search);
    tcase_add_test(rest, unreadable);
    tcase_add_test(rest, reset);
    tcase_add_test(rest, limit);
    tcase_add_test(rest, delays);
    tcase_add_test(rest, deaf);
    tcase_add_test(rest, keep_alive);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
