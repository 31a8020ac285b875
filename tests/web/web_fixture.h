/* A server for the tests of web/, over a view that the test controls (web_view.h), and clients of that server. */
#ifndef MEMAED_TESTS_WEB_WEB_FIXTURE_H
#define MEMAED_TESTS_WEB_WEB_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "tests/web/web_view.h"
#include "web/server.h"

/* ---- the client ----------------------------------------------------------------------------------------------------- */

static struct web_server *server;
static char base[64];

struct answer {
    long status;
    char type[128], headers[4096];
    char *body;
    size_t size, capacity;
    json_t *json;           /* NULL: the body is no JSON */
};

static inline size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    if (answer->size + size * n + 1 > answer->capacity) {
        answer->capacity = 2 * (answer->size + size * n + 1);
        answer->body = realloc(answer->body, answer->capacity);
    }
    memcpy(answer->body + answer->size, data, size * n);
    answer->size += size * n;
    answer->body[answer->size] = '\0';
    return size * n;
}

static inline size_t collect_header(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    strncat(answer->headers, data, size * n < sizeof answer->headers - strlen(answer->headers) - 1 ? size * n : 0);
    return size * n;
}

static inline void answer_free(struct answer *answer)
{
    json_decref(answer->json);
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

static inline CURLcode ask_with(struct answer *answer, const char *method, const char *target, const char *header,
                                const char *body)
{
    char url[8192];
    memset(answer, 0, sizeof *answer);
    snprintf(url, sizeof url, "%s%s", base, target);
    CURL *easy = curl_easy_init();
    struct curl_slist *list = header ? curl_slist_append(NULL, header) : NULL;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, collect_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(method, "GET") != 0 || body)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    CURLcode r = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    snprintf(answer->type, sizeof answer->type, "%s", type ? type : "");
    if (answer->body && strstr(answer->type, "json")) {
        answer->json = json_loads(answer->body, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(answer->json != NULL, "no JSON: %s", answer->body);
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(easy);
    return r;
}

static inline struct answer ask(const char *target)
{
    struct answer answer;
    CURLcode r = ask_with(&answer, "GET", target, NULL, NULL);
    ck_assert_msg(r == CURLE_OK, "%s: %s", target, curl_easy_strerror(r));
    return answer;
}

static inline const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    ck_assert_msg(value != NULL, "no text at %s", key);
    return value;
}

static inline void check_problem(const struct answer *answer, long status, const char *parameter)
{
    ck_assert_msg(answer->status == status, "expected status %ld, got %ld: %s", status, answer->status, answer->body);
    ck_assert_str_eq(answer->type, "application/problem+json");
    ck_assert_int_eq(json_integer_value(json_object_get(answer->json, "status")), status);
    ck_assert_str_eq(text(answer->json, "type"), "about:blank");
    ck_assert_uint_gt(strlen(text(answer->json, "title")), 0);
    ck_assert_int_eq(strcmp(text(answer->json, "title"), "Internal Server Error") == 0, status == 500);
    ck_assert_uint_gt(strlen(text(answer->json, "detail")), 0);
    if (parameter)
        ck_assert_str_eq(text(answer->json, "parameter"), parameter);
    else
        ck_assert_ptr_null(json_object_get(answer->json, "parameter"));
}

static inline void refuse(const char *target, long status, const char *parameter)
{
    struct answer answer = ask(target);
    check_problem(&answer, status, parameter);
    answer_free(&answer);
}

static inline int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_text(int fd, const char *data)
{
    ck_assert_int_eq(send(fd, data, strlen(data), MSG_NOSIGNAL), (ssize_t)strlen(data));
}

/* Reads until the server closes. Returns how many bytes came, or -1 when nothing came for a minute. */
static inline ssize_t read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 60000) != 1)
            return -1;
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = '\0';
    return (ssize_t)n;
}

static inline int status_of(const char *request, char *out, size_t size)
{
    int fd = dial();
    send_text(fd, request);
    ck_assert_int_ge(read_all(fd, out, size), 0);
    close(fd);
    int status = 0;
    sscanf(out, "HTTP/1.1 %d", &status);
    return status;
}

static inline void open_server_with(const struct web_routes *routes, const struct web_limits *limits)
{
    struct error err = {""};
    int r = web_server_open_with(&server, "127.0.0.1", 0, &view, routes, limits, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_int_gt(web_server_port(server), 0);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", web_server_port(server));
}

static inline void open_server(const struct web_limits *limits)
{
    open_server_with(&web_routes, limits);
}

static inline void setup(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    view.events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(view.events_fd, 0);
    world.n_cameras = 2;
    world.cameras[0] = (struct view_camera){
        .name = "gate", .state = VIEW_WATCHING, .fps_in = 25.00049, .time = VIEW_TIME_ARRIVAL, .fps_analysed = 10, .frames = 1000,
        .frames_corrupt = 3, .frames_dropped = 5, .breaks = {[VIEW_BREAK_GAP] = 6, [VIEW_BREAK_LOOP] = 2}, .windows_due = 100,
        .windows_scored = 90, .windows_static = 70, .windows_slow = 30, .windows_skipped = 8, .windows_pending = 2, .alerts = 4,
        .alerts_suppressed = {[SUPPRESSED_COOLDOWN] = 2, [SUPPRESSED_RATE] = 9}, .reconnects = 1, .latency_ms = 41.23456,
        .latencies = {[0] = 60, [1] = 20, [VIEW_LATENCIES - 1] = 7, [VIEW_LATENCIES] = 3}, .latency_seconds = 40.5,
        .has_score = true, .last_score = 0.1f, .alert_open = true, .frozen = true, .slow = true, .health_learning = true,
        .threshold = 0.25, .drift = 0.0625,
        .health = {[HEALTH_BLACK] = {.on = true, .known = true, .open = true, .quantity = 3.12349, .baseline = 180,
                                     .opens_at = 90, .since_us = 1700000000123000},
                   [HEALTH_BLUR] = {.on = true}},
        .drift_by_voice = {{0.5f, 0.125f, NAN, NAN, NAN}}, .model = "gate.safetensors", .precision = PRECISION_INT8};
    world.cameras[1] = (struct view_camera){
        .id = 1, .name = "yard_2-x", .state = VIEW_LOST, .reason = "connection refused \xff", .threshold = NAN, .drift = NAN,
        .drift_by_voice = {{NAN, NAN, NAN, NAN, NAN}},
        .model = "m"};
    world.process = (struct view_process){.started_us = 1700000000000000, .healthy = true, .rss_bytes = 123456789012,
                                          .workers = 2, .cubes = 90, .cube_seconds = 12.5,
                                          .snapshots = {[1] = 3, [VIEW_SNAPSHOTS] = 2}, .snapshot_seconds = 14.5,
                                          .snapshots_gray = 1, .snapshots_failed = 4};
    world.scores_range[0] = (struct record_range){0, 0};
    world.scores_range[1] = (struct record_range){0, 0};
    world.alerts_range = (struct record_range){0, 0};
    open_server(&(struct web_limits){.connections = 64, .request_ms = 60000});
}

static inline void teardown(void)
{
    web_server_close(server);
    server = NULL;
    close(view.events_fd);
    curl_global_cleanup();
}

#endif
