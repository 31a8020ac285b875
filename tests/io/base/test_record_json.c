/* The id and the body of an event, as every sink gets them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/record_json.h"
#include "tests/suite.h"

START_TEST(bodies)
{
    char *body = event_body("camera.lost", 1709210096789123,
                            json_pack("{s:s, s:o}", "camera", "gate", "score", record_json_number(0.1)));
    ck_assert_str_eq(body, "{\"type\":\"camera.lost\",\"timestamp\":\"2024-02-29T12:34:56.789Z\","
                           "\"data\":{\"camera\":\"gate\",\"score\":0.1}}");
    free(body);
    ck_assert_ptr_null(event_body("camera.lost", 0, NULL));
}
END_TEST

START_TEST(ids)
{
    char a[EVENT_ID_SIZE], b[EVENT_ID_SIZE];
    ck_assert_int_eq(event_new_id(a), 0);
    ck_assert_int_eq(event_new_id(b), 0);
    ck_assert_uint_eq(strlen(a), EVENT_ID_SIZE - 1);
    ck_assert_int_eq(strncmp(a, "msg_", 4), 0);
    ck_assert_uint_eq(strspn(a + 4, "0123456789abcdef"), 32);
    ck_assert_str_ne(a, b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record_json");
    TCase *tcase = tcase_create("record_json");
    tcase_add_test(tcase, bodies);
    tcase_add_test(tcase, ids);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
