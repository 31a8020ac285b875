/* web/: every route and every error over real sockets, a view of the test's own behind them; cursors that miss and repeat
 * nothing; metrics by a strict parser. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utc.h"
#include "io/base/record_json.h"
#include "tests/web/web_fixture.h"
#include "web/cursor.h"
#include "web/metrics.h"
#include "web/request.h"
#include "web/server.h"

/* ---- pure parts ----------------------------------------------------------------------------------------------------- */

START_TEST(utc)
{
    static const struct { int64_t us; const char *text; } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"}, {1709210096789999, "2024-02-29T12:34:56.789Z"}, {-1, "1969-12-31T23:59:59.999Z"},
        {951868800000000, "2000-03-01T00:00:00.000Z"}, {951782400000000, "2000-02-29T00:00:00.000Z"},
        {4107542400000000, "2100-03-01T00:00:00.000Z"}, {253402300799999999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"}, {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[UTC_SIZE];
        utc_format(out, cases[i].us);
        ck_assert_str_eq(out, cases[i].text);
    }
}
END_TEST

START_TEST(cursor_text)
{
    const struct web_cursor in = {.store = 0xfedcba9876543210, .log = 0x89abcdef, .entry = UINT64_MAX};
    char out[WEB_CURSOR_SIZE];
    web_format_cursor(out, &in);
    struct web_cursor back = {0};
    ck_assert_int_eq(web_parse_cursor(out, strlen(out), &back), 0);
    ck_assert_uint_eq(back.store, in.store);
    ck_assert_uint_eq(back.log, in.log);
    ck_assert_uint_eq(back.entry, in.entry);
    for (size_t size = 0; size < strlen(out); size++)
        ck_assert_int_eq(web_parse_cursor(out, size, &back), -EINVAL);
    for (size_t i = 0; i < strlen(out); i++) {
        static const char bad[] = " +-GxF/:`g";
        char kept = out[i];
        for (size_t k = 0; k < sizeof bad; k++) {
            out[i] = bad[k];
            ck_assert_int_eq(web_parse_cursor(out, WEB_CURSOR_SIZE - 1, &back), -EINVAL);
        }
        out[i] = kept;
    }
}
END_TEST

START_TEST(hosts)
{
    static const char *const good[] = {"localhost", "LocalHost:8787", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:65535", "[::1]",
                                       "[::1]:8787", "localhost:"};
    static const char *const bad[] = {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil",
                                      "128.0.0.1", "0.0.0.0", "::1", "[::2]", "[::1", "localhost:80x", "localhost:123456",
                                      "user@localhost", "localhost localhost", "127.1", "0177.0.0.1", "[127.0.0.1]", " localhost"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(web_parse_loopback_host(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!web_parse_loopback_host(bad[i]), "%s", bad[i]);
}
END_TEST

/* ---- routes --------------------------------------------------------------------------------------------------------- */

START_TEST(cameras)
{
    struct answer all = ask("/api/v1/cameras");
    ck_assert_int_eq(all.status, 200);
    ck_assert_str_eq(all.type, "application/json");
    ck_assert_ptr_nonnull(strstr(all.headers, "Cache-Control: no-store"));
    ck_assert_ptr_nonnull(strstr(all.headers, "X-Content-Type-Options: nosniff"));
    ck_assert_ptr_null(strstr(all.headers, "Access-Control"));
    json_t *list = json_object_get(all.json, "cameras");
    ck_assert_uint_eq(json_array_size(list), 2);
    static const char *const keys[] = {"name", "state", "fps_in", "fps_analysed", "frames_dropped", "windows_skipped", "latency_ms",
                                       "last_score", "model", "windows_due", "windows_scored", "windows_pending", "frames",
                                       "frames_corrupt", "reconnects", "reason", "threshold", "drift", "precision", "alert_open",
                                       "windows_static", "frozen"};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            ck_assert_msg(json_object_get(json_array_get(list, i), keys[k]) != NULL, "%s", keys[k]);
    json_t *gate = json_array_get(list, 0), *yard = json_array_get(list, 1);
    ck_assert_str_eq(text(gate, "name"), "gate");
    ck_assert_str_eq(text(gate, "state"), "watching");
    ck_assert_str_eq(text(gate, "model"), "gate.safetensors");
    ck_assert_str_eq(text(gate, "precision"), "int8");
    ck_assert_str_eq(text(yard, "precision"), "fp32");
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "frames_dropped")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "windows_skipped")), 8);
    ck_assert_double_eq(json_number_value(json_object_get(gate, "latency_ms")), 41.235);
    ck_assert(json_is_true(json_object_get(gate, "alert_open")));
    ck_assert(json_is_true(json_object_get(gate, "frozen")));
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "windows_static")), 70);
    ck_assert(json_is_null(json_object_get(gate, "reason")));
    ck_assert_ptr_nonnull(strstr(all.body, "\"last_score\":0.1,"));
    ck_assert_ptr_nonnull(strstr(all.body, "\"fps_in\":25.0,"));
    ck_assert_str_eq(text(yard, "state"), "lost");
    ck_assert_str_eq(text(yard, "reason"), "connection refused ?");
    ck_assert(json_is_null(json_object_get(yard, "last_score")));
    ck_assert(json_is_null(json_object_get(yard, "latency_ms")));
    ck_assert(json_is_null(json_object_get(yard, "threshold")));
    ck_assert(json_is_null(json_object_get(yard, "drift")));
    ck_assert_double_eq_tol(json_number_value(json_object_get(gate, "drift")), 0.0625, 1e-3);

    struct answer one = ask("/api/v1/cameras/yard_2-x");
    ck_assert_int_eq(one.status, 200);
    ck_assert(json_equal(one.json, yard));
    struct answer encoded = ask("/api/v1/%63ameras/yard%5f2-x?nothing=x");
    ck_assert(json_equal(encoded.json, yard));
    answer_free(&all);
    answer_free(&one);
    answer_free(&encoded);
}
END_TEST

START_TEST(states)
{
    static const char *const names[] = {"starting", "warming", "watching", "lost", "stopped"};
    for (int state = VIEW_STARTING; state <= VIEW_STOPPED; state++) {
        lock();
        world.cameras[0].state = (enum view_camera_state)state;
        unlock();
        struct answer answer = ask("/api/v1/cameras/gate");
        ck_assert_str_eq(text(answer.json, "state"), names[state]);
        answer_free(&answer);
    }
}
END_TEST

START_TEST(paths_and_methods)
{
    static const char *const paths[] = {"/", "/api", "/api/v1", "/api/v1/", "/api/v2/cameras", "/api/v1/cameras/", "/api/v1/cameras/none",
                                        "/api/v1/cameras/Gate", "/api/v1/cameras/gate/", "/api/v1/cameras/gate/score", "/healthz/",
                                        "/api/v1/cameras/gate/scores/1", "/api/v1/cameras/none/scores", "/api/v1/alerts/", "/Healthz",
                                        "/api/v1/alerts/0", "/api/v1/alerts/1", "/api/v1/alerts/01", "/api/v1/alerts/-1", "/api/v1/alerts/x",
                                        "/api/v1/alerts/18446744073709551616", "/api/v1/alerts/18446744073709551615", "//healthz",
                                        "/api/v1/alerts/1/2", "/../healthz", "/api/v1/cameras%2Fgate", "/api/v1/cameras/gate%2Fscores"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        refuse(paths[i], 404, NULL);
    refuse("/api/v1/cameras/gate%00x", 400, NULL);
    refuse("/api/v1/cameras/%zz", 400, NULL);
    refuse("/healthz%", 400, NULL);

    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "get"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct answer answer;
        ck_assert_int_eq(ask_with(&answer, methods[i], "/api/v1/cameras", NULL, NULL), CURLE_OK);
        check_problem(&answer, 405, NULL);
        ck_assert_ptr_nonnull(strstr(answer.headers, "Allow: GET, HEAD\r\n"));
        answer_free(&answer);
        ck_assert_int_eq(ask_with(&answer, methods[i], "/nowhere", NULL, NULL), CURLE_OK);
        check_problem(&answer, 404, NULL);
        answer_free(&answer);
    }
}
END_TEST

START_TEST(head)
{
    struct answer get = ask("/api/v1/cameras"), answer;
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/cameras", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.size, 0);
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", get.size);
    ck_assert_ptr_nonnull(strstr(answer.headers, length));
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "HEAD", "/api/v1/cameras/none", NULL, NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 404);
    ck_assert_str_eq(answer.type, "application/problem+json");
    answer_free(&answer);
    answer_free(&get);
}
END_TEST

/* Polls scores with next, appending and trimming meanwhile: each entry once, in order. */
START_TEST(scores)
{
    struct answer empty = ask("/api/v1/cameras/gate/scores");
    ck_assert_int_eq(empty.status, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(empty.json, "scores")), 0);
    char next[64];
    snprintf(next, sizeof next, "%s", text(empty.json, "next"));
    answer_free(&empty);

    uint64_t expected = 0;
    for (int round = 0; round < 20; round++) {
        lock();
        world.scores_range[0].next += (uint64_t)round % 5 * 7;
        unlock();
        char target[256];
        snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s&limit=10", next);
        struct answer answer = ask(target);
        ck_assert_int_eq(answer.status, 200);
        json_t *list = json_object_get(answer.json, "scores"), *score;
        size_t i;
        ck_assert_uint_le(json_array_size(list), 10);
        json_array_foreach(list, i, score) {
            char time[UTC_SIZE];
            struct score_record s = score_at(0, expected);
            utc_format(time, s.time_us);
            ck_assert_int_eq(json_integer_value(json_object_get(score, "window")), (json_int_t)expected);
            ck_assert_int_eq(json_integer_value(json_object_get(score, "frame")), (json_int_t)s.frame);
            ck_assert_str_eq(text(score, "time"), time);
            ck_assert_double_eq(json_real_value(json_object_get(score, "pts_s")), (double)s.pts_us / 1e6);
            ck_assert(json_is_real(json_object_get(score, "score")));
            ck_assert_float_eq((float)json_real_value(json_object_get(score, "score")), s.score);
            if (isnan(s.p_value))
                ck_assert(json_is_null(json_object_get(score, "p_value")));
            else
                ck_assert_float_eq((float)json_real_value(json_object_get(score, "p_value")), s.p_value);
            json_t *boxes = json_object_get(score, "boxes");
            ck_assert(json_is_array(boxes));
            ck_assert(json_is_boolean(json_object_get(score, "static")));
            ck_assert_int_eq(json_is_true(json_object_get(score, "static")), expected % 2);
            ck_assert_uint_eq(json_array_size(boxes), expected % 3);
            expected++;
        }
        if (json_array_size(list) > 2)
            ck_assert_ptr_nonnull(strstr(answer.body, "\"boxes\":[{\"x\":0.25,\"y\":0.0625,\"width\":0.5,\"height\":0.9355,"
                                         "\"score\":7.5},{\"x\":0.0,\"y\":0.1,\"width\":1.0,\"height\":0.2,\"score\":null}]}"));
        if (json_array_size(list))
            ck_assert_ptr_nonnull(strstr(answer.body, "\"reference\":0.1,"));
        snprintf(next, sizeof next, "%s", text(answer.json, "next"));
        answer_free(&answer);
    }
    ck_assert_uint_gt(expected, 100);

    lock();
    world.scores_range[0] = (struct record_range){2000, 3500};
    unlock();
    struct answer first = ask("/api/v1/cameras/gate/scores");
    json_t *list = json_object_get(first.json, "scores");
    ck_assert_uint_eq(json_array_size(list), 100);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "window")), 2000);
    answer_free(&first);
    first = ask("/api/v1/cameras/gate/scores?limit=1000");
    ck_assert_uint_eq(json_array_size(json_object_get(first.json, "scores")), 1000);
    answer_free(&first);

    /* What next pointed at is gone; oldest leads on. */
    char target[256];
    snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", next);
    struct answer gone = ask(target);
    check_problem(&gone, 410, NULL);
    snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?limit=1&since=%s", text(gone.json, "oldest"));
    answer_free(&gone);
    struct answer again = ask(target);
    ck_assert_int_eq(again.status, 200);
    list = json_object_get(again.json, "scores");
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "window")), 2000);
    answer_free(&again);
}
END_TEST

START_TEST(foreign_cursors)
{
    world.scores_range[0] = world.scores_range[1] = (struct record_range){5, 10};
    const struct web_cursor cursors[] = {
        {view.store, WEB_LOG_CAMERA + 1, 7},        /* of the other camera */
        {view.store, WEB_LOG_ALERTS, 7},            /* of the alerts */
        {view.store + 1, WEB_LOG_CAMERA, 7},        /* of another run */
        {view.store, WEB_LOG_CAMERA, 11},           /* of the future */
        {view.store, WEB_LOG_CAMERA, 4},            /* no longer kept */
        {view.store, WEB_LOG_CAMERA, UINT64_MAX},
    };
    char target[256], cursor[WEB_CURSOR_SIZE];
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        web_format_cursor(cursor, &cursors[i]);
        snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", cursor);
        struct answer gone = ask(target);
        check_problem(&gone, 410, NULL);
        struct web_cursor oldest;
        const char *given = text(gone.json, "oldest");
        ck_assert_int_eq(web_parse_cursor(given, strlen(given), &oldest), 0);
        ck_assert_uint_eq(oldest.entry, 5);
        ck_assert_uint_eq(oldest.log, WEB_LOG_CAMERA);
        ck_assert_uint_eq(oldest.store, view.store);
        answer_free(&gone);
    }
    for (uint64_t entry = 5; entry <= 10; entry++) {
        web_format_cursor(cursor, &(struct web_cursor){view.store, WEB_LOG_CAMERA, entry});
        snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", cursor);
        struct answer answer = ask(target);
        ck_assert_int_eq(answer.status, 200);
        ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "scores")), 10 - entry);
        answer_free(&answer);
    }
    web_format_cursor(cursor, &(struct web_cursor){view.store, WEB_LOG_CAMERA, 0});
    snprintf(target, sizeof target, "/api/v1/alerts?since=%s", cursor);
    refuse(target, 410, NULL);
}
END_TEST

START_TEST(bad_parameters)
{
    static const char *const limits[] = {"", "0", "-1", "+1", "1001", "1e2", "10x", "0x10", " 1", "%201", "01", "99999999999999999999999",
                                         "1%00"};
    char target[512];
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strchr(limits[i], ' '))
            continue;       /* no request line holds one */
        snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?limit=%s", limits[i]);
        refuse(target, 400, "limit");
        snprintf(target, sizeof target, "/api/v1/alerts?camera=gate&limit=%s", limits[i]);
        refuse(target, 400, "limit");
    }
    static const char *const cursors[] = {"", "0", "x", "..", "0000000000000000000000000000000000000000x", "%00",
                                          "000000000000000000000000000000000000000G", "00000000000000000000000000000000000000%"};
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", cursors[i]);
        refuse(target, 400, "since");
        snprintf(target, sizeof target, "/api/v1/alerts?since=%s", cursors[i]);
        refuse(target, 400, "since");
    }
    refuse("/api/v1/cameras/gate/scores?limit=1&limit=1", 400, "limit");
    refuse("/api/v1/cameras/gate/scores?limit", 400, "limit");
    refuse("/api/v1/cameras/gate/scores?%6cimit=0", 400, "limit");
    refuse("/api/v1/cameras/gate/scores?a%zz=1", 400, NULL);
    refuse("/api/v1/alerts?camera=", 400, "camera");
    refuse("/api/v1/alerts?camera=Gate", 400, "camera");
    refuse("/api/v1/alerts?camera=none", 404, "camera");
    struct answer answer = ask("/api/v1/cameras/gate/scores?&&color=red&limit=1&");
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
}
END_TEST

START_TEST(alerts)
{
    for (int i = 0; i < 150; i++)
        add_alert(i % 3 ? "gate" : "yard_2-x");
    lock();
    world.alerts[1].closed_us = 1700000009000000;
    unlock();
    struct answer all = ask("/api/v1/alerts");
    ck_assert_int_eq(all.status, 200);
    json_t *list = json_object_get(all.json, "alerts");
    ck_assert_uint_eq(json_array_size(list), 100);
    json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "id")), 1);
    ck_assert_str_eq(text(first, "opened"), "2023-11-14T22:13:20.123Z");
    ck_assert(json_is_null(json_object_get(first, "closed")));
    ck_assert_str_eq(text(first, "peak_time"), "2023-11-14T22:13:21.000Z");
    ck_assert_str_eq(text(second, "closed"), "2023-11-14T22:13:29.000Z");
    ck_assert_ptr_nonnull(strstr(all.body, "\"peak_score\":0.7,"));
    ck_assert_ptr_nonnull(strstr(all.body, "\"boxes\":[{\"x\":0.1,\"y\":0.2,\"width\":0.3,\"height\":0.4,\"score\":0.7}]}"));
    struct answer one = ask("/api/v1/alerts/2");
    ck_assert(json_equal(one.json, second));
    char *own = record_json_dump(alert_json(&world.alerts[1]));
    ck_assert_str_eq(own, one.body);
    free(own);
    answer_free(&one);
    answer_free(&all);

    /* One camera's, in pages, across the log being trimmed; what is found once is not found again. */
    char next[64] = "", target[256];
    json_int_t last = 0;
    size_t found = 0;
    for (int page = 0; page < 20; page++) {
        snprintf(target, sizeof target, "/api/v1/alerts?camera=gate&limit=7%s%s", *next ? "&since=" : "", next);
        struct answer answer = ask(target);
        ck_assert_int_eq(answer.status, 200);
        json_t *alert;
        size_t i;
        json_array_foreach(json_object_get(answer.json, "alerts"), i, alert) {
            json_int_t id = json_integer_value(json_object_get(alert, "id"));
            ck_assert_str_eq(text(alert, "camera"), "gate");
            ck_assert_int_gt(id, last);
            last = id;
            found++;
        }
        snprintf(next, sizeof next, "%s", text(answer.json, "next"));
        answer_free(&answer);
        lock();
        if (page < 10)
            world.alerts_range.oldest += 5;
        unlock();
    }
    ck_assert_uint_eq(found, 100);
    add_alert("yard_2-x");
    add_alert("gate");
    snprintf(target, sizeof target, "/api/v1/alerts?camera=gate&since=%s", next);
    struct answer after = ask(target);
    list = json_object_get(after.json, "alerts");
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 152);
    answer_free(&after);
    refuse("/api/v1/alerts/3", 404, NULL);      /* not kept any more */
    web_format_cursor(next, &(struct web_cursor){view.store, WEB_LOG_ALERTS, 3});
    snprintf(target, sizeof target, "/api/v1/alerts?since=%s", next);
    refuse(target, 410, NULL);
}
END_TEST

START_TEST(health)
{
    struct answer answer = ask("/healthz");
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    lock();
    world.process.healthy = false;
    strcpy(world.process.unhealthy, "worker 1 is stuck");
    unlock();
    answer = ask("/healthz");
    check_problem(&answer, 503, NULL);
    ck_assert_str_eq(text(answer.json, "reason"), "worker 1 is stuck");
    answer_free(&answer);

    answer = ask("/readyz");
    check_problem(&answer, 503, NULL);
    json_t *list = json_object_get(answer.json, "cameras");
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(text(json_array_get(list, 0), "name"), "yard_2-x");
    ck_assert_str_eq(text(json_array_get(list, 0), "state"), "lost");
    answer_free(&answer);
    for (int state = VIEW_STARTING; state <= VIEW_STOPPED; state++) {
        lock();
        world.cameras[1].state = (enum view_camera_state)state;
        unlock();
        answer = ask("/readyz");
        ck_assert_int_eq(answer.status, state == VIEW_WATCHING || state == VIEW_STOPPED ? 200 : 503);
        answer_free(&answer);
    }
}
END_TEST

/* ---- metrics -------------------------------------------------------------------------------------------------------- */

static size_t name_length(const char *line)
{
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz_:0123456789");
    ck_assert_msg(n > 0 && !(line[0] >= '0' && line[0] <= '9'), "name: %s", line);
    return n;
}

/* The text format by its letter: HELP, TYPE, then that family's samples, each family once, no sample twice. Returns the
 * value of `wanted` (name and labels as they stand there), NAN where there is none. */
static double parse_metrics(const char *metrics, const char *wanted)
{
    char family[128] = "", kind[16] = "", seen[32768] = "";
    double found = NAN;
    ck_assert_msg(metrics[strlen(metrics) - 1] == '\n', "the last line has no end");
    for (const char *line = metrics, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        char copy[1024];
        ck_assert_uint_lt((size_t)(end - line), sizeof copy);
        snprintf(copy, sizeof copy, "%.*s", (int)(end - line), line);
        if (strncmp(copy, "# HELP ", 7) == 0) {
            size_t n = name_length(copy + 7);
            ck_assert_msg(copy[7 + n] == ' ' && copy[8 + n], "%s", copy);
            snprintf(family, sizeof family, "%.*s", (int)n, copy + 7);
            ck_assert_msg(strncmp(family, "memaed_", 7) == 0, "%s", copy);
            char once[160];
            snprintf(once, sizeof once, "\n# HELP %s ", family);
            const char *at = strstr(metrics, once + 1);
            ck_assert_msg(at && !strstr(at + 1, once + 1), "twice: %s", family);
            *kind = '\0';
        } else if (strncmp(copy, "# TYPE ", 7) == 0) {
            size_t n = strlen(family);
            ck_assert_msg(strncmp(copy + 7, family, n) == 0 && copy[7 + n] == ' ', "%s after %s", copy, family);
            snprintf(kind, sizeof kind, "%s", copy + 8 + n);
            ck_assert(strcmp(kind, "gauge") == 0 || strcmp(kind, "counter") == 0 || strcmp(kind, "histogram") == 0);
            bool total = n > 6 && strcmp(family + n - 6, "_total") == 0;
            ck_assert_msg(total == (strcmp(kind, "counter") == 0), "%s is a %s", family, kind);
        } else {
            ck_assert_msg(*kind, "a sample without TYPE: %s", copy);
            size_t n = name_length(copy);
            ck_assert_msg(strncmp(copy, family, strlen(family)) == 0, "%s within %s", copy, family);
            const char *suffix = copy + strlen(family);
            bool part = strncmp(suffix, "_bucket{", 8) == 0 || strncmp(suffix, "_sum{", 5) == 0 || strncmp(suffix, "_count{", 7) == 0;
            ck_assert_msg(strcmp(kind, "histogram") == 0 ? part : n == strlen(family), "%s within %s", copy, family);
            if (copy[n] == '{') {
                do {
                    n++;
                    n += name_length(copy + n);
                    ck_assert_msg(strncmp(copy + n, "=\"", 2) == 0, "%s", copy);
                    for (n += 2; copy[n] != '"'; n++) {
                        ck_assert_msg(copy[n], "%s", copy);
                        if (copy[n] == '\\') {
                            n++;
                            ck_assert_msg(copy[n] && strchr("\\\"n", copy[n]), "%s", copy);
                        }
                    }
                    n++;
                } while (copy[n] == ',');
                ck_assert_msg(copy[n] == '}', "%s", copy);
                n++;
            }
            ck_assert_msg(copy[n] == ' ', "%s", copy);
            char *rest;
            double value = strtod(copy + n + 1, &rest);
            ck_assert_msg(rest > copy + n + 1 && *rest == '\0', "%s", copy);
            copy[n] = '\0';
            char once[1100];
            snprintf(once, sizeof once, "\n%s\n", copy);
            ck_assert_msg(!strstr(seen, once), "twice: %s", copy);
            ck_assert_uint_lt(strlen(seen) + strlen(once), sizeof seen);
            strcat(seen, once);
            if (strcmp(copy, wanted) == 0)
                found = value;
        }
    }
    return found;
}

START_TEST(metrics)
{
    struct answer answer = ask("/metrics");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.type, "text/plain; version=0.0.4; charset=utf-8");
    static const struct { const char *name; double value; } cases[] = {
        {"memaed_build_info{version=\"" MEMAED_VERSION "\"}", 1}, {"memaed_resident_memory_bytes", 123456789012},
        {"memaed_camera_frames_total{camera=\"gate\"}", 1000}, {"memaed_camera_windows_due_total{camera=\"gate\"}", 100},
        {"memaed_camera_windows_scored_total{camera=\"gate\"}", 90}, {"memaed_camera_windows_skipped_total{camera=\"gate\"}", 8},
        {"memaed_camera_windows_pending{camera=\"gate\"}", 2}, {"memaed_camera_frames_dropped_total{camera=\"gate\"}", 5},
        {"memaed_camera_up{camera=\"gate\"}", 1}, {"memaed_camera_up{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_state{camera=\"yard_2-x\",state=\"lost\"}", 1}, {"memaed_camera_state{camera=\"gate\",state=\"lost\"}", 0},
        {"memaed_camera_threshold{camera=\"gate\"}", 0.25}, {"memaed_camera_drift{camera=\"gate\"}", 0.0625},
        {"memaed_camera_windows_static_total{camera=\"gate\"}", 70}, {"memaed_camera_frozen{camera=\"gate\"}", 1},
        {"memaed_camera_frozen{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_alert_open{camera=\"gate\"}", 1},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"0.005\"}", 60},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"0.01\"}", 80},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"2\"}", 80},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"5\"}", 87},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"+Inf\"}", 90},
        {"memaed_camera_window_latency_seconds_count{camera=\"gate\"}", 90},
        {"memaed_camera_window_latency_seconds_sum{camera=\"gate\"}", 40.5},
        {"memaed_webhooks_delivered_total", 7}, {"memaed_cube_seconds_total", 12.5}, {"memaed_healthy", 1},
        {"memaed_start_time_seconds", 1700000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(parse_metrics(answer.body, cases[i].name) == cases[i].value, "%s: %g", cases[i].name,
                      parse_metrics(answer.body, cases[i].name));
    ck_assert_double_eq_tol(parse_metrics(answer.body, "memaed_camera_latency_seconds{camera=\"gate\"}"), 0.04123456, 1e-9);
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_last_score{camera=\"yard_2-x\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_threshold{camera=\"yard_2-x\"}")));
    answer_free(&answer);

    strcpy(world.cameras[0].name, "a\\b\"c\nd");
    size_t size;
    char *escaped = web_metrics_text(&view, &size);
    ck_assert_uint_eq(size, strlen(escaped));
    ck_assert_double_eq(parse_metrics(escaped, "memaed_camera_frames_total{camera=\"a\\\\b\\\"c\\nd\"}"), 1000);
    free(escaped);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, utc);
    tcase_add_test(pure, cursor_text);
    tcase_add_test(pure, hosts);
    suite_add_tcase(suite, pure);
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, cameras);
    tcase_add_test(rest, states);
    tcase_add_test(rest, paths_and_methods);
    tcase_add_test(rest, head);
    tcase_add_test(rest, scores);
    tcase_add_test(rest, foreign_cursors);
    tcase_add_test(rest, bad_parameters);
    tcase_add_test(rest, alerts);
    tcase_add_test(rest, health);
    tcase_add_test(rest, metrics);
    suite_add_tcase(suite, rest);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
