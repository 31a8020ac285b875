/* web/handlers: scores and alerts. Polling with cursors misses and repeats nothing. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utc.h"
#include "io/base/record_json.h"
#include "tests/suite.h"
#include "tests/web/web_fixture.h"
#include "web/cursor.h"

/* Polls with next while the log grows and loses its oldest entries: each entry comes once, in order. */
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
            ck_assert(json_is_boolean(json_object_get(score, "slow")));
            ck_assert_int_eq(json_is_true(json_object_get(score, "slow")), s.is_slow);
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

    first = ask("/api/v1/cameras/gate/scores?since=latest&limit=3");
    list = json_object_get(first.json, "scores");
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 2), "window")), 3499);
    char after[128];
    snprintf(after, sizeof after, "/api/v1/cameras/gate/scores?since=%s", text(first.json, "next"));
    answer_free(&first);
    first = ask(after);
    ck_assert_uint_eq(json_array_size(json_object_get(first.json, "scores")), 0);
    answer_free(&first);

    /* The entry of next is no longer kept; polling goes on with oldest. */
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

/* A camera is replaced between two polls. It keeps its name and gets a new id, and its log begins anew. The old cursor is
 * refused, though the new log has an entry of that number. */
START_TEST(replaced_camera)
{
    world.scores_range[0] = (struct record_range){0, 10};
    world.scores_range[2] = (struct record_range){3, 20};
    struct answer answer = ask("/api/v1/cameras/gate/scores?limit=7");
    char target[256];
    snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", text(answer.json, "next"));
    answer_free(&answer);
    answer = ask(target);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "scores")), 3);
    answer_free(&answer);

    lock();
    world.cameras[0].id = 2;
    unlock();
    answer = ask(target);
    check_problem(&answer, 410, NULL);
    snprintf(target, sizeof target, "/api/v1/cameras/gate/scores?since=%s", text(answer.json, "oldest"));
    answer_free(&answer);
    answer = ask(target);
    ck_assert_int_eq(answer.status, 200);
    json_t *list = json_object_get(answer.json, "scores");
    ck_assert_uint_eq(json_array_size(list), 17);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "window")), 3);
    ck_assert_float_eq((float)json_number_value(json_object_get(json_array_get(list, 0), "reference")), 0.1f + 2);
    answer_free(&answer);

    /* The camera is replaced within one request, after its name was looked up. The answer is the new camera's. */
    lock();
    world.cameras[0].id = 0;
    world.replaced_by = 2;
    unlock();
    answer = ask("/api/v1/cameras/gate/scores");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "scores")), 17);
    answer_free(&answer);

    /* The camera is removed, and its name with it. */
    lock();
    world.n_cameras = 0;
    unlock();
    refuse(target, 404, NULL);
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
    ck_assert_ptr_nonnull(strstr(all.body, "\"boxes\":[{\"x\":0.1,\"y\":0.2,\"width\":0.3,\"height\":0.4,\"score\":0.7}],"
                                           "\"zones\":[],\"opened_by_zone\":null,\"health\":[],"));
    struct answer one = ask("/api/v1/alerts/2");
    ck_assert(json_equal(one.json, second));
    char *own = record_json_dump(alert_json(&world.alerts[1]));
    ck_assert_int_eq(strncmp(own, one.body, strlen(own) - 1), 0);       /* in one alert's answer, labels follow */
    free(own);
    answer_free(&one);
    answer_free(&all);

    /* Pages of one camera's alerts, while the log loses its oldest entries: no alert comes twice. */
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
    for (int i = 0; i < 3; i++) {
        static const struct { const char *query; size_t n; json_int_t first; } cases[] = {
            {"since=latest&limit=2", 2, 151}, {"camera=gate&since=latest&limit=1", 1, 152},
            {"since=latest&camera=gate&limit=2", 2, 150}};
        snprintf(target, sizeof target, "/api/v1/alerts?%s", cases[i].query);
        struct answer latest = ask(target);
        list = json_object_get(latest.json, "alerts");
        ck_assert_uint_eq(json_array_size(list), cases[i].n);
        ck_assert_msg(json_integer_value(json_object_get(json_array_get(list, 0), "id")) == cases[i].first, "%s: %s", target,
                      latest.body);
        answer_free(&latest);
    }
    /* Polling sees the closing of an alert that it has seen open, and the listing does not have it twice. */
    struct answer before = ask("/api/v1/alerts?limit=1000");
    size_t listed = json_array_size(json_object_get(before.json, "alerts"));
    snprintf(target, sizeof target, "/api/v1/alerts?since=%s", text(before.json, "next"));
    answer_free(&before);
    lock();
    struct alert_record *open = &world.alerts[world.alerts_range.next - 2], *closed = &world.alerts[world.alerts_range.next++];
    json_int_t closed_id = (json_int_t)open->id;
    *closed = *open;
    closed->closed_us = 1700000009000000;
    closed->closed_pts_us = 12500000;
    open->id = 0;
    unlock();
    struct answer polled = ask(target);
    list = json_object_get(polled.json, "alerts");
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), closed_id);
    ck_assert_str_eq(text(json_array_get(list, 0), "closed"), "2023-11-14T22:13:29.000Z");
    ck_assert_double_eq(json_number_value(json_object_get(json_array_get(list, 0), "closed_pts_s")), 12.5);
    snprintf(target, sizeof target, "/api/v1/alerts/%lld", (long long)closed_id);
    struct answer alone = ask(target);
    ck_assert(json_equal(alone.json, json_array_get(list, 0)));
    answer_free(&alone);
    answer_free(&polled);
    struct answer again = ask("/api/v1/alerts?limit=1000");
    ck_assert_uint_eq(json_array_size(json_object_get(again.json, "alerts")), listed);
    answer_free(&again);

    refuse("/api/v1/alerts/3", 404, NULL);      /* no longer kept */

    /* A camera is removed: its alerts stay. */
    lock();
    world.n_cameras = 1;
    unlock();
    struct answer removed = ask("/api/v1/alerts?camera=yard_2-x&limit=1000");
    ck_assert_int_eq(removed.status, 200);
    ck_assert_uint_gt(json_array_size(json_object_get(removed.json, "alerts")), 0);
    answer_free(&removed);
    refuse("/api/v1/alerts?camera=never", 404, "camera");
    web_format_cursor(next, &(struct web_cursor){77, WEB_LOG_ALERTS, 3});
    snprintf(target, sizeof target, "/api/v1/alerts?since=%s", next);
    refuse(target, 410, NULL);
    web_format_cursor(next, &(struct web_cursor){view.store, WEB_LOG_ALERTS, 100});     /* of this run, but not of the database */
    snprintf(target, sizeof target, "/api/v1/alerts?since=%s", next);
    refuse(target, 410, NULL);
}
END_TEST

/* Returns the answer to a query of the history; the caller frees it. */
static struct answer history(const char *query)
{
    char target[256];
    snprintf(target, sizeof target, "/api/v1/cameras/gate/history?%s", query);
    struct answer answer = ask(target);
    ck_assert_msg(answer.status == 200, "%s: %s", target, answer.body);
    return answer;
}

/* Going on with next brings every window once, though the answer's times have milliseconds and windows may share one. */
START_TEST(history_in_pages)
{
    char query[128] = "to=2023-11-15T00:00:00Z&from=2023-11-14T22:13:20Z&limit=7";
    json_int_t expected = 0;
    for (int pages = 0; *query; pages++) {
        ck_assert_int_lt(pages, 1000);
        struct answer answer = history(query);
        json_t *row, *list = json_object_get(answer.json, "scores");
        size_t i;
        ck_assert_str_eq(text(answer.json, "step"), "raw");
        json_array_foreach(list, i, row)
            ck_assert_int_eq(json_integer_value(json_object_get(row, "window")), expected++);
        const json_t *next = json_object_get(answer.json, "next");
        query[0] = '\0';
        if (!json_is_null(next))
            snprintf(query, sizeof query, "to=2023-11-15T00:00:00Z&limit=7&from=%s", json_string_value(next));
        answer_free(&answer);
    }
    ck_assert_int_eq(expected, 1000);
}
END_TEST

START_TEST(history_by_minute)
{
    struct answer answer = history("step=minute&from=2023-11-14T22:14:00.000Z&to=2023-11-14T22:16:00Z");
    ck_assert_str_eq(answer.body, "{\"step\":\"minute\",\"scores\":["
                     "{\"time\":\"2023-11-14T22:14:00.000Z\",\"windows\":240,\"slow\":0,\"minimum\":-1.0,\"mean\":0.5,"
                     "\"maximum\":2.0,\"p_least\":null},"
                     "{\"time\":\"2023-11-14T22:15:00.000Z\",\"windows\":240,\"slow\":1,\"minimum\":-1.0,\"mean\":0.5,"
                     "\"maximum\":2.0,\"p_least\":null}],\"next\":null}");
    answer_free(&answer);
    answer = history("from=2023-11-14T22:13:20.25Z&to=2023-11-14T22:13:20.5Z&step=raw");
    ck_assert_str_eq(answer.body,
                     "{\"step\":\"raw\",\"scores\":[{\"time\":\"2023-11-14T22:13:20.250Z\",\"window\":1,\"score\":0.1,"
                     "\"reference\":null,\"p_value\":null,\"slow\":true}],\"next\":null}");
    answer_free(&answer);
    answer = history("");                       /* the last day */
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "scores")), 0);
    answer_free(&answer);
    refuse("/api/v1/cameras/gate/history?from=yesterday", 400, "from");
    refuse("/api/v1/cameras/gate/history?to=2023-02-29T00:00:00Z", 400, "to");
    refuse("/api/v1/cameras/gate/history?step=hour", 400, "step");
    refuse("/api/v1/cameras/gate/history?from=2023-11-14T22:14:00Z&to=2023-11-14T22:13:00Z", 400, "from");
    refuse("/api/v1/cameras/never/history", 404, NULL);
}
END_TEST

START_TEST(an_unread_database)
{
    add_alert("gate");
    lock();
    world.database_status = -EIO;
    unlock();
    refuse("/api/v1/alerts", 503, NULL);
    refuse("/api/v1/alerts?camera=gate", 503, NULL);
    refuse("/api/v1/alerts/1", 503, NULL);
    refuse("/api/v1/cameras/gate/history", 503, NULL);
}
END_TEST

START_TEST(suppressed_alerts_are_listed_where_asked)
{
    static const struct { const char *query; int n; json_int_t first; } cases[] = {
        {"?limit=9", 2, 1}, {"?suppressed=all", 4, 1}, {"?suppressed=only", 2, 2}, {"?suppressed=only&camera=gate", 1, 2},
        {"?suppressed=only&since=latest&limit=1", 1, 4}, {"?since=latest&limit=1", 1, 3},
    };
    for (int i = 0; i < 4; i++)
        add_alert(i < 3 ? "gate" : "yard_2-x");
    world.alerts[1].suppressed = SUPPRESSED_COOLDOWN;
    world.alerts[3].suppressed = SUPPRESSED_RATE;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[100];
        snprintf(target, sizeof target, "/api/v1/alerts%s", cases[i].query);
        struct answer answer = ask(target);
        json_t *list = json_object_get(answer.json, "alerts");
        ck_assert_int_eq((int)json_array_size(list), cases[i].n);
        ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), cases[i].first);
        answer_free(&answer);
    }
    struct answer one = ask("/api/v1/alerts/4"), told = ask("/api/v1/alerts/3");
    ck_assert_str_eq(text(one.json, "suppressed"), "rate");
    ck_assert(json_is_null(json_object_get(told.json, "suppressed")));
    answer_free(&one);
    answer_free(&told);
    refuse("/api/v1/alerts?suppressed=true", 400, "suppressed");
    refuse("/api/v1/alerts?suppressed=all&suppressed=only", 400, "suppressed");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web logs");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, scores);
    tcase_add_test(rest, foreign_cursors);
    tcase_add_test(rest, replaced_camera);
    tcase_add_test(rest, alerts);
    tcase_add_test(rest, history_in_pages);
    tcase_add_test(rest, history_by_minute);
    tcase_add_test(rest, an_unread_database);
    tcase_add_test(rest, suppressed_alerts_are_listed_where_asked);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
