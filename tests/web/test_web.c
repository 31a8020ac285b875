/* web/: paths, methods, parameters, cameras and health over real sockets, over a view that the test controls. The
 * routes that read a log are in test_web_logs.c, /metrics is in test_web_metrics.c, reload in test_web_reload.c. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utc.h"
#include "tests/suite.h"
#include "tests/web/web_fixture.h"
#include "web/cursor.h"
#include "web/origin.h"
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
                                      "user@localhost", "localhost localhost", "127.1", "0177.0.0.1", "[127.0.0.1]",
                                      " localhost"};
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
    static const char *const keys[] = {"name", "state", "fps_in", "fps_analysed", "frames_dropped", "windows_skipped",
                                       "latency_ms", "last_score", "model", "windows_due", "windows_scored", "windows_pending",
                                       "frames", "frames_corrupt", "reconnects", "reason", "threshold", "drift", "precision",
                                       "alert_open", "arming", "windows_static", "frozen", "health"};
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
    ck_assert_ptr_nonnull(strstr(all.body, "\"breaks\":{\"corrupt\":0,\"gap\":6,\"clock\":0,\"packets\":0,\"size\":0,\"lost\":0,"
                                           "\"loop\":2},"));
    ck_assert_double_eq(json_number_value(json_object_get(gate, "latency_ms")), 41.235);
    ck_assert(json_is_true(json_object_get(gate, "alert_open")));
    ck_assert(json_is_true(json_object_get(gate, "frozen")));
    ck_assert(json_is_true(json_object_get(gate, "slow")));
    ck_assert(json_is_false(json_object_get(yard, "slow")));
    ck_assert(json_is_null(json_object_get(yard, "health")));
    ck_assert(json_is_true(json_object_get(gate, "health_learning")));
    ck_assert(json_is_false(json_object_get(yard, "health_learning")));
    ck_assert_ptr_nonnull(strstr(all.body, "\"health\":{\"black\":{\"known\":true,\"quantity\":3.123,\"unit\":\"levels\","
                                           "\"baseline\":180.0,\"opens_at\":90.0,\"open\":true,"
                                           "\"since\":\"2023-11-14T22:13:20.123Z\"},"
                                           "\"blur\":{\"known\":false,\"quantity\":null,\"unit\":\"%\",\"baseline\":null,"
                                           "\"opens_at\":null,\"open\":false,\"since\":null}},"));
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "windows_static")), 70);
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "windows_slow")), 30);
    ck_assert(json_is_null(json_object_get(gate, "reason")));
    ck_assert_ptr_nonnull(strstr(all.body, "\"last_score\":0.1,"));
    ck_assert_ptr_nonnull(strstr(all.body, "\"fps_in\":25.0,"));
    ck_assert_str_eq(text(gate, "time_source"), "arrival");
    ck_assert(json_is_null(json_object_get(yard, "time_source")));
    ck_assert_str_eq(text(yard, "state"), "lost");
    ck_assert_str_eq(text(yard, "reason"), "connection refused ?");
    ck_assert(json_is_null(json_object_get(yard, "last_score")));
    ck_assert(json_is_null(json_object_get(yard, "latency_ms")));
    ck_assert(json_is_null(json_object_get(yard, "threshold")));
    ck_assert(json_is_null(json_object_get(yard, "drift")));
    ck_assert_int_eq(json_integer_value(json_object_get(gate, "alerts")), 4);
    ck_assert_ptr_nonnull(strstr(all.body,
                                 "\"drift_by_voice\":{\"speed\":0.5,\"change\":0.125,\"pace\":null,\"appearance\":null},"));
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

/* Whoever opens the address in a browser sees the list of calls. */
START_TEST(index_of_calls)
{
    static const char *const paths[] = {"/", "/api/v1"};
    for (int i = 0; i < 2; i++) {
        struct answer answer = ask(paths[i]);
        ck_assert_int_eq(answer.status, 200);
        ck_assert_str_eq(text(answer.json, "program"), "memaed");
        ck_assert_str_eq(text(answer.json, "version"), MEMAED_VERSION);
        json_t *calls = json_object_get(answer.json, "calls");
        ck_assert_uint_eq(json_array_size(calls), 35);
        ck_assert_str_eq(json_string_value(json_array_get(calls, 0)), "GET /api/v1/cameras");
        ck_assert_ptr_nonnull(strstr(answer.body, "\"POST /api/v1/reload\""));
        ck_assert_ptr_nonnull(strstr(answer.body, "\"POST /api/v1/alerts/ID/copy\""));
        answer_free(&answer);
    }
}
END_TEST

START_TEST(paths_and_methods)
{
    static const char *const paths[] = {"/api", "/api/v1/", "//", "/api/v2/cameras", "/api/v1/cameras/", "/api/v1/cameras/none",
                                        "/api/v1/cameras/Gate", "/api/v1/cameras/gate/", "/api/v1/cameras/gate/score",
                                        "/healthz/", "/api/v1/cameras/gate/scores/1", "/api/v1/cameras/none/scores",
                                        "/api/v1/alerts/", "/Healthz", "/api/v1/alerts/0", "/api/v1/alerts/1",
                                        "/api/v1/alerts/01", "/api/v1/alerts/-1", "/api/v1/alerts/x",
                                        "/api/v1/alerts/18446744073709551616", "/api/v1/alerts/18446744073709551615", "//healthz",
                                        "/api/v1/alerts/1/2", "/../healthz", "/api/v1/cameras%2Fgate",
                                        "/api/v1/cameras/gate%2Fscores"};
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

START_TEST(bad_parameters)
{
    static const char *const limits[] = {"", "0", "-1", "+1", "1001", "1e2", "10x", "0x10", " 1", "%201", "01",
                                         "99999999999999999999999", "1%00"};
    char target[512];
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strchr(limits[i], ' '))
            continue;       /* a request line cannot hold a blank */
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
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(text(json_array_get(list, 0), "name"), "gate");
    ck_assert_str_eq(text(json_array_get(list, 0), "state"), "watching");
    ck_assert_str_eq(text(json_array_get(list, 0), "reason"), "faults of the picture: black");
    ck_assert_str_eq(text(json_array_get(list, 1), "name"), "yard_2-x");
    ck_assert_str_eq(text(json_array_get(list, 1), "state"), "lost");
    answer_free(&answer);
    lock();
    world.cameras[0].health[HEALTH_BLACK].open = false;
    world.cameras[0].health[HEALTH_BLUR].open = true;           /* a camera with blur still sees */
    unlock();
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
    tcase_add_test(rest, index_of_calls);
    tcase_add_test(rest, paths_and_methods);
    tcase_add_test(rest, head);
    tcase_add_test(rest, bad_parameters);
    tcase_add_test(rest, health);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
