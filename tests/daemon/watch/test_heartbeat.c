/* daemon/heartbeat: who is stuck, and who only waits. */
#include <check.h>

#include "daemon/watch/heartbeat.h"

START_TEST(the_longest_overdue_is_named)
{
    struct heartbeats set = {0};
    struct heartbeat a, b, c;
    heartbeat_add(&set, &a, "worker 0");
    heartbeat_add(&set, &b, "worker 1");
    heartbeat_add(&set, &c, "camera gate");
    ck_assert_ptr_null(heartbeats_stuck(&set, INT64_MAX));
    heartbeat_until(&a, 1000);
    heartbeat_until(&b, 900);
    ck_assert_ptr_null(heartbeats_stuck(&set, 900));
    ck_assert_ptr_eq(heartbeats_stuck(&set, 901), &b);
    ck_assert_ptr_eq(heartbeats_stuck(&set, 5000), &b);
    heartbeat_idle(&b);
    ck_assert_str_eq(heartbeats_stuck(&set, 5000)->name, "worker 0");
    heartbeat_until(&a, 6000);
    ck_assert_ptr_null(heartbeats_stuck(&set, 5000));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("heartbeat");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_longest_overdue_is_named);
    Suite *suite = suite_create("heartbeat");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
