/* The routes of webhooks: state, dead letters, enabling, trying again, and the test alert (tests/web/web_fixture.h has the
 * view). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

static struct answer post(const char *target)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "POST", target, NULL, NULL), CURLE_OK);
    return answer;
}

START_TEST(state)
{
    struct answer answer = ask("/api/v1/webhooks");
    ck_assert_int_eq(answer.status, 200);
    json_t *list = json_object_get(answer.json, "webhooks"), *first = json_array_get(list, 0);
    double age_s = json_number_value(json_object_get(first, "oldest_age_s"));
    ck_assert_double_gt(age_s, 1e7);
    json_object_del(first, "oldest_age_s");
    char *got = json_dumps(list, JSON_COMPACT);
    ck_assert_str_eq(got, "[{\"id\":\"yard\",\"name\":\"yard\",\"disabled\":null,\"queued\":2,"
                          "\"oldest\":\"2023-11-14T22:13:20.123Z\",\"attempts\":3,\"next_attempt\":\"2023-11-14T22:13:21.123Z\","
                          "\"last_failure\":{\"time\":\"2023-11-14T22:13:20.223Z\",\"cause\":\"HTTP status "
                          "500\"},\"delivered\":7,\"newest_delivered\":\"2023-11-14T22:13:20.000Z\",\"dead_letters\":8,"
                          "\"events\":[\"alert.opened\",\"webhook.disabled\"]},"
                          "{\"id\":\"url-01234567\",\"name\":\"http://[::1]:8080\","
                          "\"disabled\":{\"since\":\"2023-11-14T22:13:20.323Z\",\"reason\":\"gone\"},\"queued\":0,"
                          "\"oldest\":null,\"oldest_age_s\":null,\"attempts\":0,\"next_attempt\":null,\"last_failure\":null,"
                          "\"delivered\":0,\"newest_delivered\":null,\"dead_letters\":0,"
                          "\"events\":[\"alert.opened\",\"alert.closed\","
                          "\"camera.lost\",\"camera.restored\",\"camera.frozen\",\"camera.unfrozen\",\"camera.slow\","
                          "\"camera.slow_ended\",\"camera.armed\",\"camera.disarmed\","
                          "\"health.opened\",\"health.closed\",\"drift.began\",\"drift.ended\",\"normal.changed\","
                          "\"webhook.disabled\",\"storage.full\",\"storage.recovered\"]}]");
    free(got);
    answer_free(&answer);
}
END_TEST

START_TEST(dead_letters)
{
    struct answer answer = ask("/api/v1/webhooks/yard/dead?limit=2");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "{\"dead\":[{\"id\":\"msg_1\",\"time\":\"2023-11-14T22:13:20.123Z\","
                                  "\"died\":\"2023-11-14T22:13:20.323Z\",\"attempts\":9,\"reason\":\"too old\","
                                  "\"event\":{\"type\":\"x\"}},"
                                  "{\"id\":\"msg_1\",\"time\":\"2023-11-14T22:13:20.123Z\",\"died\":\"2023-11-14T22:13:20.323Z\","
                                  "\"attempts\":9,\"reason\":\"too old\",\"event\":null}]}");
    answer_free(&answer);
    answer = ask("/api/v1/webhooks/yard/dead");
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "dead")), 3);
    answer_free(&answer);
    answer = ask("/api/v1/webhooks/nobody/dead");
    check_problem(&answer, 404, NULL);
    answer_free(&answer);
}
END_TEST

START_TEST(actions)
{
    struct answer answer = ask("/api/v1/webhooks/yard/enable");
    check_problem(&answer, 405, NULL);
    answer_free(&answer);
    ck_assert_int_eq(acted.action, -1);
    answer = post("/api/v1/webhooks/yard/enable");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "{\"id\":\"yard\",\"status\":\"enabled\"}");
    ck_assert_int_eq(acted.action, VIEW_WEBHOOK_ENABLE);
    answer_free(&answer);
    answer = post("/api/v1/webhooks/yard/retry");
    ck_assert_str_eq(answer.body, "{\"id\":\"yard\",\"status\":\"retrying\"}");
    ck_assert_int_eq(acted.action, VIEW_WEBHOOK_RETRY);
    answer_free(&answer);
    acted.action = -1;
    static const char *const wrong[] = {"/api/v1/webhooks/nobody/enable", "/api/v1/webhooks/nobody/retry",
                                        "/api/v1/webhooks/Yard/retry", "/api/v1/webhooks/yard"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        answer = post(wrong[i]);
        check_problem(&answer, 404, NULL);
        answer_free(&answer);
    }
    /* A page of another site cannot enable it. */
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/webhooks/yard/enable", "Origin: http://stranger.example", NULL),
                     CURLE_OK);
    ck_assert_int_eq(answer.status, 403);
    ck_assert_int_eq(acted.action, -1);
    answer_free(&answer);
}
END_TEST

START_TEST(test_alert)
{
    struct answer answer = post("/api/v1/alerts/test?camera=gate");
    ck_assert_int_eq(answer.status, 200);
    json_t *alert = json_object_get(answer.json, "alert");
    ck_assert(json_is_true(json_object_get(alert, "test")));
    ck_assert_str_eq(text(alert, "closed"), "2023-11-14T22:13:20.124Z");
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "webhooks")), 2);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(answer.json, "webhooks"), 1)), "url-01234567");
    answer_free(&answer);
    answer = post("/api/v1/alerts/test?camera=yard");
    check_problem(&answer, 404, NULL);
    answer_free(&answer);
    answer = post("/api/v1/alerts/test");
    check_problem(&answer, 400, "camera");
    answer_free(&answer);
    answer = ask("/api/v1/alerts/test?camera=gate");
    check_problem(&answer, 405, NULL);
    answer_free(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web webhooks");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, state);
    tcase_add_test(rest, dead_letters);
    tcase_add_test(rest, actions);
    tcase_add_test(rest, test_alert);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
