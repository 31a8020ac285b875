/* POST /api/v1/cameras/NAME/arm, disarm, snooze and health/learn: what is ordered, what is answered, and what is refused
 * (tests/web/web_fixture.h). */
#include <check.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

static struct answer post(const char *path)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "POST", path, NULL, NULL), CURLE_OK);
    return answer;
}

static void check_order(const char *path, enum arming_action action, int minutes, const char *by, const char *body)
{
    int before = ordered.n;
    struct answer answer = post(path);
    ck_assert_msg(answer.status == 200, "%s: %s", path, answer.body);
    ck_assert_int_eq(ordered.n, before + 1);
    ck_assert_str_eq(ordered.camera, "gate");
    ck_assert_int_eq(ordered.action, action);
    ck_assert_int_eq(ordered.minutes, minutes);
    ck_assert_str_eq(ordered.by, by);
    ck_assert_str_eq(answer.body, body);
    answer_free(&answer);
}

START_TEST(orders)
{
    check_order("/api/v1/cameras/gate/disarm", ARMING_DISARM, 0, "",
                "{\"name\":\"gate\",\"arming\":{\"state\":\"disarmed\",\"until\":null,\"since\":null,\"by\":null}}");
    check_order("/api/v1/cameras/gate/snooze?minutes=30&by=J%C3%B6rg%20B.", ARMING_SNOOZE, 30, "J\xc3\xb6rg B.",
                "{\"name\":\"gate\",\"arming\":{\"state\":\"snoozed\",\"until\":\"2023-11-14T22:13:20.000Z\",\"since\":null,"
                "\"by\":null}}");
    check_order("/api/v1/cameras/gate/disarm?minutes=527040&by=x", ARMING_DISARM, 527040, "x",
                "{\"name\":\"gate\",\"arming\":{\"state\":\"disarmed\",\"until\":\"2023-11-14T22:13:20.000Z\",\"since\":null,"
                "\"by\":null}}");
    check_order("/api/v1/cameras/gate/arm", ARMING_ARM, 0, "",
                "{\"name\":\"gate\",\"arming\":{\"state\":\"armed\",\"until\":null,\"since\":null,\"by\":null}}");
}
END_TEST

START_TEST(refusals)
{
    static const struct { const char *path; int status; const char *parameter; } refused[] = {
        {"/api/v1/cameras/nobody/arm", 404, NULL},
        {"/api/v1/cameras/gate/snooze", 400, "minutes"},
        {"/api/v1/cameras/gate/snooze?minutes=0", 400, "minutes"},
        {"/api/v1/cameras/gate/snooze?minutes=-5", 400, "minutes"},
        {"/api/v1/cameras/gate/snooze?minutes=527041", 400, "minutes"},
        {"/api/v1/cameras/gate/snooze?minutes=5&minutes=6", 400, "minutes"},
        {"/api/v1/cameras/gate/disarm?by=", 400, "by"},
        {"/api/v1/cameras/gate/disarm?by=a%0Ab", 400, "by"},
        {"/api/v1/cameras/gate/disarm?by=a%FFb", 400, "by"},
        {"/api/v1/cameras/gate/disarm?by=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 400, "by"},
    };
    int before = ordered.n;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct answer answer = post(refused[i].path);
        check_problem(&answer, refused[i].status, refused[i].parameter);
        answer_free(&answer);
    }
    struct answer answer = ask("/api/v1/cameras/gate/arm");
    check_problem(&answer, 405, NULL);
    answer_free(&answer);
    ck_assert_int_eq(ordered.n, before);
}
END_TEST

START_TEST(learning_anew)
{
    static const struct { const char *path; int status; } refused[] = {
        {"/api/v1/cameras/nobody/health/learn", 404}, {"/api/v1/cameras/yard_2-x/health/learn", 409},
    };
    *relearned = '\0';
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct answer answer = post(refused[i].path);
        check_problem(&answer, refused[i].status, NULL);
        answer_free(&answer);
    }
    struct answer answer = ask("/api/v1/cameras/gate/health/learn");
    check_problem(&answer, 405, NULL);
    answer_free(&answer);
    ck_assert_str_eq(relearned, "");
    answer = post("/api/v1/cameras/gate/health/learn");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "{\"name\":\"gate\",\"health_learning\":true}");
    ck_assert_str_eq(relearned, "gate");
    answer_free(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web arming");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, orders);
    tcase_add_test(rest, refusals);
    tcase_add_test(rest, learning_anew);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
