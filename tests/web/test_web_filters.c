/* web/request, core/filter: the filters of GET /api/v1/alerts. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

/* Alert i of 9 opens i seconds after 22:13:20. Odd ones close 2.5 s later. Every third is of kind still. */
static void add_alerts(void)
{
    for (int i = 0; i < 9; i++) {
        add_alert(i < 5 ? "gate" : "yard_2-x");
        lock();
        struct alert_record *alert = &world.alerts[i];
        alert->kind = i % 3 == 0 ? ALERT_STILL : ALERT_ANOMALY;
        alert->closed_us = i % 2 ? alert->opened_us + 2500000 : 0;
        unlock();
    }
}

START_TEST(filters)
{
    static const struct { const char *query, *ids; } cases[] = {
        {"", "1 2 3 4 5 6 7 8 9 "}, {"state=open", "1 3 5 7 9 "}, {"state=closed", "2 4 6 8 "}, {"kind=still", "1 4 7 "},
        {"kind=anomaly&state=closed", "2 6 8 "}, {"camera=gate&state=open", "1 3 5 "},
        {"camera=gate&kind=still&state=closed", "4 "},
        {"to=2023-11-14T22:13:22.124Z", "1 2 3 "}, {"to=2023-11-14T22:13:22.123Z", "1 2 "},
        {"from=2023-11-14T22:13:25.7Z", "1 3 5 6 7 8 9 "},
        {"from=2023-11-14T23:13:25.623%2B01:00&to=2023-11-14T22:13:25Z&state=closed", "4 "},
        {"from=2023-11-14T22:13:20Z&to=2023-11-14T22:13:20Z", ""}, {"state=closed&since=latest&limit=2", "6 8 "},
    };
    add_alerts();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[256], ids[64] = "";
        snprintf(target, sizeof target, "/api/v1/alerts?%s", cases[i].query);
        struct answer answer = ask(target);
        ck_assert_int_eq(answer.status, 200);
        json_t *alert;
        size_t k;
        json_array_foreach(json_object_get(answer.json, "alerts"), k, alert)
            sprintf(ids + strlen(ids), "%d ", (int)json_integer_value(json_object_get(alert, "id")));
        ck_assert_msg(strcmp(ids, cases[i].ids) == 0, "%s: %s", cases[i].query, ids);
        answer_free(&answer);
    }
}
END_TEST

START_TEST(bad_values)
{
    static const char *const bad[][2] = {
        {"state=", "state"}, {"state=OPEN", "state"}, {"state=open,closed", "state"}, {"state=open&state=open", "state"},
        {"kind=", "kind"}, {"kind=motion", "kind"}, {"from=", "from"}, {"from=yesterday", "from"}, {"from=2023-11-14", "from"},
        {"to=1700000000", "to"}, {"to=2023-11-14T22:13:20", "to"}, {"to=2023-11-14T22:13:20Z%00", "to"},
        {"to=2023-02-29T00:00:00Z", "to"},
        {"camera=gate,yard_2-x", "camera"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char target[256];
        snprintf(target, sizeof target, "/api/v1/alerts?%s", bad[i][0]);
        refuse(target, 400, bad[i][1]);
    }
    struct answer answer = ask("/api/v1/cameras?state=x");         /* this route has no such parameter */
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web filters");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_add_test(rest, filters);
    tcase_add_test(rest, bad_values);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
