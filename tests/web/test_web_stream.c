/* web/routes, web/response: a table of routes that the test brings. They answer with streams: large ones, of unknown size,
 * and broken ones. Clients go away, are slow, or ask for the header alone. Each stream is closed exactly once. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

enum { LARGE = 50 << 20 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int opened, closed, reads, failed_at;   /* failed_at: this many reads succeed; 0: all */
    size_t piece;                   /* the most bytes of a read; 0: no limit */
} streams = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct body {
    uint64_t position, size;
};

/* Byte i of every body. */
static char byte_at(uint64_t i)
{
    return (char)('a' + i * 7 % 26);
}

static ssize_t read_body(void *context, char *out, size_t size)
{
    struct body *body = context;
    pthread_mutex_lock(&streams.mutex);
    bool fails = ++streams.reads > streams.failed_at && streams.failed_at > 0;
    if (streams.piece && size > streams.piece)
        size = streams.piece;
    pthread_mutex_unlock(&streams.mutex);
    if (fails)
        return -EIO;
    if (size > body->size - body->position)
        size = (size_t)(body->size - body->position);
    for (size_t i = 0; i < size; i++)
        out[i] = byte_at(body->position++);
    return (ssize_t)size;
}

static void close_body(void *context)
{
    free(context);
    pthread_mutex_lock(&streams.mutex);
    streams.closed++;
    pthread_cond_broadcast(&streams.changed);
    pthread_mutex_unlock(&streams.mutex);
}

static void answer_stream(uint64_t length, uint64_t size, struct web_answer *ret)
{
    struct body *body = calloc(1, sizeof *body);
    body->size = length;
    *ret = (struct web_answer){.status = 200, .type = "text/plain", .size = size,
                               .stream = {.context = body, .read = read_body, .close = close_body}};
    pthread_mutex_lock(&streams.mutex);
    streams.opened++;
    pthread_mutex_unlock(&streams.mutex);
}

static void answer_large(const struct view *v, const struct web_request *request, struct web_answer *ret)
{
    (void)v, (void)request;
    answer_stream(LARGE, LARGE, ret);
}

/* Answers with a body of as many bytes as the id in the path says. The header does not tell the size. */
static void answer_unknown(const struct view *v, const struct web_request *request, struct web_answer *ret)
{
    (void)v;
    answer_stream(request->alert, WEB_SIZE_UNKNOWN, ret);
}

static void answer_name(const struct view *v, const struct web_request *request, struct web_answer *ret)
{
    (void)v;
    web_answer_json(json_pack("{s:s, s:i}", "camera", request->camera, "limit", (int)request->limit), ret);
}

static const struct web_header page_headers[] = {
    {"Content-Security-Policy", "default-src 'self'"}, {"X-Route", "page"}, {NULL, NULL},
};

static const struct web_route table[] = {
    {WEB_GET, "/large", 0, answer_large, NULL, page_headers},
    {WEB_GET, "/unknown/ID", 0, answer_unknown, NULL, web_api_headers},
    {WEB_GET, "/NAME/of/NAME", WEB_LIMIT, answer_name, NULL, web_api_headers},
    {WEB_POST, "/NAME/of/NAME", 0, answer_name, NULL, page_headers},
    {WEB_POST, "/only", 0, answer_name, NULL, page_headers},
};
static const struct web_routes routes = {table, sizeof table / sizeof table[0]};

static void setup_streams(void)
{
    setup();
    web_server_close(server);
    open_server_with(&routes, &(struct web_limits){.connections = 64, .request_ms = 60000});
}

/* Waits until all streams that were opened are closed, and checks that there were n. */
static void check_closed(int n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&streams.mutex);
    while (streams.closed < n)
        ck_assert_msg(pthread_cond_timedwait(&streams.changed, &streams.mutex, &until) == 0, "not closed within 60 s");
    ck_assert_int_eq(streams.opened, n);
    ck_assert_int_eq(streams.closed, n);
    pthread_mutex_unlock(&streams.mutex);
}

static void check_body(const struct answer *answer, size_t size)
{
    ck_assert_int_eq(answer->status, 200);
    ck_assert_uint_eq(answer->size, size);
    for (size_t i = 0; i < size; i++)
        if (answer->body[i] != byte_at(i))
            ck_abort_msg("byte %zu", i);
}

START_TEST(whole)
{
    struct answer answer = ask("/large");
    check_body(&answer, LARGE);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Content-Length: 52428800\r\n"));
    answer_free(&answer);
    check_closed(1);
    ck_assert_int_ge(streams.reads, LARGE / (32 << 10));        /* it is read in pieces */
    static const int sizes[] = {1, 5, 32767, 32768, 32769, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char target[64];
        snprintf(target, sizeof target, "/unknown/%d", sizes[i]);
        answer = ask(target);
        check_body(&answer, (size_t)sizes[i]);
        ck_assert_ptr_nonnull(strstr(answer.headers, "Transfer-Encoding: chunked\r\n"));
        answer_free(&answer);
    }
    check_closed(7);
}
END_TEST

/* HTTP/1.0 has no chunks: the body ends with the connection. */
START_TEST(http_1_0)
{
    int fd = dial();
    send_text(fd, "GET /unknown/100000 HTTP/1.0\r\n\r\n");
    char *out = malloc(200000);
    ssize_t n = read_all(fd, out, 200000);
    close(fd);
    char *body = strstr(out, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_int_eq(out + n - (body + 4), 100000);
    free(out);
    check_closed(1);
}
END_TEST

START_TEST(head_alone)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/large", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.size, 0);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Content-Length: 52428800\r\n"));
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/unknown/7", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    check_closed(2);
    ck_assert_int_eq(streams.reads, 0);
}
END_TEST

/* Clients go away in the middle, by a close or a reset. One never reads, and the server closes. */
START_TEST(gone)
{
    char out[4096];
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        send_text(fd, i % 3 ? "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            : "GET /unknown/99999999 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ck_assert_int_gt(recv(fd, out, sizeof out, 0), 0);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(fd);
    }
    check_closed(20);
    int deaf = dial();
    send_text(deaf, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert_int_gt(recv(deaf, out, sizeof out, 0), 0);
    web_server_close(server);
    server = NULL;
    check_closed(21);
    close(deaf);
}
END_TEST

/* A stream breaks, and the client sees that the body is incomplete. */
START_TEST(broken)
{
    pthread_mutex_lock(&streams.mutex);
    streams.failed_at = 3;
    pthread_mutex_unlock(&streams.mutex);
    struct answer answer;
    ck_assert_int_ne(ask_with(&answer, "GET", "/large", NULL, NULL), CURLE_OK);
    ck_assert_uint_gt(answer.size, 0);
    ck_assert_uint_lt(answer.size, LARGE);
    answer_free(&answer);
    pthread_mutex_lock(&streams.mutex);
    streams.reads = 0;
    pthread_mutex_unlock(&streams.mutex);
    ck_assert_int_ne(ask_with(&answer, "GET", "/unknown/1000000", NULL, NULL), CURLE_OK);
    answer_free(&answer);
    check_closed(2);
}
END_TEST

/* A client that does not read is cut at its time limit. One that reads slowly is not, because the limit begins anew with
 * each piece. Others are answered meanwhile. */
START_TEST(slow)
{
    enum { REQUEST_MS = 800, PIECE = 32 << 10 };
    web_server_close(server);
    open_server_with(&routes, &(struct web_limits){.connections = 64, .request_ms = REQUEST_MS});
    int deaf = dial(), slow_fd = dial(), small = 256 << 10;
    ck_assert_int_eq(setsockopt(slow_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    send_text(deaf, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    send_text(slow_fd, "GET /unknown/4000000000 HTTP/1.0\r\n\r\n");

    /* Reads a piece, then sends another request, and so on for three times the limit of an answer that is no stream. */
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    double seconds = 0;
    int closed = 0;
    while ((seconds < 3 * REQUEST_MS / 1e3 || closed == 0) && seconds < 60) {
        static char out[PIECE];
        ck_assert_msg(recv(slow_fd, out, PIECE, MSG_WAITALL) == PIECE, "cut after %.2f s", seconds);
        struct answer answer = ask("/a/of/b");
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
        clock_gettime(CLOCK_MONOTONIC, &now);
        seconds = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
        pthread_mutex_lock(&streams.mutex);
        closed = streams.closed;
        pthread_mutex_unlock(&streams.mutex);
    }
    ck_assert_int_eq(closed, 1);        /* the stream of the client that does not read */
    close(slow_fd);
    check_closed(2);
    close(deaf);
}
END_TEST

/* Variables, methods and headers are those of the row in the table. */
START_TEST(rows)
{
    struct answer answer = ask("/a/of/b_2?limit=7");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(text(answer.json, "camera"), "b_2");
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "limit")), 7);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
    ck_assert_ptr_null(strstr(answer.headers, "X-Route"));
    answer_free(&answer);
    /* The row of POST has other parameters and headers. */
    ck_assert_int_eq(ask_with(&answer, "POST", "/a/of/c?limit=x", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "limit")), 100);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Content-Security-Policy: default-src 'self'\r\n"));
    ck_assert_ptr_nonnull(strstr(answer.headers, "X-Route: page\r\n"));
    ck_assert_ptr_null(strstr(answer.headers, "Cache-Control"));
    answer_free(&answer);

    static const struct { const char *method, *target, *allow; } cases[] = {
        {"PUT", "/a/of/b", "Allow: GET, HEAD, POST\r\n"}, {"GET", "/only", "Allow: POST\r\n"},
        {"POST", "/large", "Allow: GET, HEAD\r\n"}, {"DELETE", "/unknown/1", "Allow: GET, HEAD\r\n"},
        {"BREW", "/only", "Allow: POST\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(ask_with(&answer, cases[i].method, cases[i].target, NULL, NULL), CURLE_OK);
        check_problem(&answer, 405, NULL);
        ck_assert_msg(strstr(answer.headers, cases[i].allow) != NULL, "%s %s: %s", cases[i].method, cases[i].target,
                      answer.headers);
        answer_free(&answer);
    }
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/only", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 405);
    answer_free(&answer);
    static const char *const unknown[] = {"/", "/large/", "/unknown", "/unknown/0", "/unknown/x", "/A/of/b", "/a/of",
                                          "/a/of/b/c", "/api/v1/cameras", "/a/b/c/d/e/f/g/h/i/j"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        refuse(unknown[i], 404, NULL);
    refuse("/a/of/b?limit=x", 400, "limit");
    check_closed(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web stream");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup_streams, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, whole);
    tcase_add_test(rest, http_1_0);
    tcase_add_test(rest, head_alone);
    tcase_add_test(rest, gone);
    tcase_add_test(rest, broken);
    tcase_add_test(rest, slow);
    tcase_add_test(rest, rows);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
