/* web/handlers/labels: labels that people give to an alert. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

static struct answer post(const char *target)
{
    struct answer answer;
    CURLcode r = ask_with(&answer, "POST", target, NULL, NULL);
    ck_assert_msg(r == CURLE_OK, "%s: %s", target, curl_easy_strerror(r));
    return answer;
}

START_TEST(orders)
{
    static const struct { const char *target; enum alert_action action; const char *by, *note; } cases[] = {
        {"acknowledge?by=anna", ALERT_ACKNOWLEDGE, "anna", ""}, {"acknowledge", ALERT_ACKNOWLEDGE, "", ""},
        {"mark?by=anna", ALERT_MARK, "", ""}, {"unmark", ALERT_UNMARK, "", ""},
        {"note?note=a%20cat%0Aand+a%20d%C3%B6g", ALERT_NOTE, "", "a cat\nand+a d\xc3\xb6g"}, {"note?note=", ALERT_NOTE, "", ""},
        {"normal?by=S%C3%B6ren%20K.", ALERT_NORMAL, "S\xc3\xb6ren K.", ""},
        {"normal/undo?by=anna", ALERT_NORMAL_UNDO, "anna", ""},
    };
    add_alert("gate");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[256];
        snprintf(target, sizeof target, "/api/v1/alerts/1/%s", cases[i].target);
        struct answer answer = post(target);
        ck_assert_msg(answer.status == 200, "%s: %s", target, answer.body);
        ck_assert_int_eq(labelled.n, (int)i + 1);
        ck_assert_uint_eq(labelled.order.alert, 1);
        ck_assert_int_eq(labelled.order.action, cases[i].action);
        ck_assert_int_gt(labelled.order.time_us, 1700000000000000);
        ck_assert_str_eq(labelled.order.by, cases[i].by);
        ck_assert_str_eq(labelled.order.note, cases[i].note);
        answer_free(&answer);
    }
}
END_TEST

START_TEST(what_alerts_show)
{
    add_alert("gate");
    add_alert("gate");
    world.labels[0] = (struct alert_labels){.marked = true, .note = "a \"cat\"", .acknowledged_us = 1700000000123000,
                                            .acknowledged_by = "anna", .normal_us = 1700000001000000};
    static const char expected[] = "\"acknowledged\":{\"time\":\"2023-11-14T22:13:20.123Z\",\"by\":\"anna\"},\"marked\":true,"
                                   "\"note\":\"a \\\"cat\\\"\",\"normal\":{\"time\":\"2023-11-14T22:13:21.000Z\",\"by\":null}";
    struct answer answer = ask("/api/v1/alerts/1");
    ck_assert_msg(strstr(answer.body, expected) != NULL, "%s", answer.body);
    answer_free(&answer);
    answer = ask("/api/v1/alerts");
    ck_assert_ptr_nonnull(strstr(answer.body, expected));
    ck_assert_ptr_nonnull(strstr(answer.body, "\"acknowledged\":null,\"marked\":false,\"note\":null,\"normal\":null}"));
    answer_free(&answer);
    memset(world.labels[0].note, 0, sizeof world.labels[0].note);
    world.labels[0].acknowledged_us = world.labels[0].normal_us = 0;
    answer = post("/api/v1/alerts/1/mark");
    ck_assert_str_eq(answer.body, "{\"acknowledged\":null,\"marked\":true,\"note\":null,\"normal\":null}");
    answer_free(&answer);
}
END_TEST

static void refuse_post(const char *target, long status, const char *parameter)
{
    struct answer answer = post(target);
    check_problem(&answer, status, parameter);
    ck_assert_int_eq(answer.status == 503, strstr(answer.headers, "Retry-After: 5") != NULL);
    answer_free(&answer);
}

START_TEST(refusals)
{
    char longest[1200] = "/api/v1/alerts/1/note?note=";
    size_t n = strlen(longest);
    add_alert("gate");
    memset(longest + n, 'x', 1024);
    struct answer answer = post(longest);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    longest[n + 1024] = 'x';
    int before = labelled.n;
    refuse_post(longest, 400, "note");
    refuse_post("/api/v1/alerts/1/note", 400, "note");
    refuse_post("/api/v1/alerts/1/note?note=a%09b", 400, "note");
    refuse_post("/api/v1/alerts/1/note?note=%ff", 400, "note");
    refuse_post("/api/v1/alerts/1/note?note=a&note=b", 400, "note");
    refuse_post("/api/v1/alerts/1/acknowledge?by=", 400, "by");
    refuse_post("/api/v1/alerts/1/acknowledge?by=a%0Ab", 400, "by");
    refuse_post("/api/v1/alerts/0/mark", 404, NULL);
    refuse_post("/api/v1/alerts/1/normal/redo", 404, NULL);
    refuse("/api/v1/alerts/1/mark", 405, NULL);
    ck_assert_int_eq(labelled.n, before);
    refuse_post("/api/v1/alerts/2/mark", 404, NULL);
    labelled.status = -ECANCELED;
    refuse_post("/api/v1/alerts/1/mark", 503, NULL);
    labelled.status = -ENOMEM;
    refuse_post("/api/v1/alerts/1/mark", 500, NULL);
}
END_TEST

START_TEST(filters)
{
    static const struct { const char *query, *ids; } cases[] = {
        {"acknowledged=true", "1 3 "}, {"acknowledged=false", "2 4 "}, {"marked=true", "3 4 "}, {"marked=false", "1 2 "},
        {"marked=true&acknowledged=false", "4 "},
    };
    for (int i = 0; i < 4; i++) {
        add_alert("gate");
        world.labels[i].acknowledged_us = i % 2 ? 0 : 5;
        world.labels[i].marked = i >= 2;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[128], ids[32] = "";
        snprintf(target, sizeof target, "/api/v1/alerts?%s", cases[i].query);
        struct answer answer = ask(target);
        json_t *alert;
        size_t k;
        json_array_foreach(json_object_get(answer.json, "alerts"), k, alert)
            sprintf(ids + strlen(ids), "%d ", (int)json_integer_value(json_object_get(alert, "id")));
        ck_assert_msg(strcmp(ids, cases[i].ids) == 0, "%s: %s", cases[i].query, ids);
        answer_free(&answer);
    }
    refuse("/api/v1/alerts?acknowledged=yes", 400, "acknowledged");
    refuse("/api/v1/alerts?marked=", 400, "marked");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web labels");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_add_test(rest, orders);
    tcase_add_test(rest, what_alerts_show);
    tcase_add_test(rest, refusals);
    tcase_add_test(rest, filters);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
