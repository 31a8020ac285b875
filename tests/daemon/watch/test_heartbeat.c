/* daemon/watch/heartbeat: a stuck thread is named, a waiting thread is not. Beats join and leave while other threads look. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "daemon/watch/heartbeat.h"
#include "tests/suite.h"

static bool stuck_is(struct heartbeats *set, int64_t now_us, const char *expected)
{
    char name[HEARTBEAT_NAME_SIZE] = "";
    bool stuck = heartbeats_stuck(set, now_us, name);
    return expected ? stuck && strcmp(name, expected) == 0 : !stuck && name[0] == '\0';
}

START_TEST(the_longest_overdue_is_named)
{
    struct heartbeats set;
    struct heartbeat a, b, c;
    heartbeats_init(&set);
    heartbeat_add(&set, &a, "worker 0");
    heartbeat_add(&set, &b, "worker 1");
    heartbeat_add(&set, &c, "camera gate");
    ck_assert(stuck_is(&set, INT64_MAX, NULL));
    heartbeat_until(&a, 1000);
    heartbeat_until(&b, 900);
    ck_assert(stuck_is(&set, 900, NULL));
    ck_assert(stuck_is(&set, 901, "worker 1"));
    ck_assert(stuck_is(&set, 5000, "worker 1"));
    heartbeat_idle(&b);
    ck_assert(stuck_is(&set, 5000, "worker 0"));
    heartbeat_until(&a, 6000);
    ck_assert(stuck_is(&set, 5000, NULL));
    heartbeats_destroy(&set);
}
END_TEST

START_TEST(a_beat_that_left_is_not_named)
{
    struct heartbeats set;
    struct heartbeat beats[3], stranger;
    heartbeats_init(&set);
    for (int i = 0; i < 3; i++) {
        heartbeat_add(&set, &beats[i], i == 0 ? "first" : i == 1 ? "middle" : "last");
        heartbeat_until(&beats[i], 10 * (i + 1));
    }
    heartbeat_remove(&set, &stranger);
    ck_assert(stuck_is(&set, 100, "first"));
    heartbeat_remove(&set, &beats[0]);
    ck_assert(stuck_is(&set, 100, "middle"));
    heartbeat_remove(&set, &beats[2]);
    heartbeat_remove(&set, &beats[2]);
    ck_assert(stuck_is(&set, 100, "middle"));
    heartbeat_remove(&set, &beats[1]);
    ck_assert(stuck_is(&set, 100, NULL));
    heartbeats_destroy(&set);
}
END_TEST

static void *join_and_leave(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct heartbeat beat;
        heartbeat_add(arg, &beat, "guest");
        heartbeat_until(&beat, 1);
        heartbeat_remove(arg, &beat);
        memset(&beat, 0xff, sizeof beat);
    }
    return NULL;
}

START_TEST(beats_join_and_leave_while_others_look)
{
    struct heartbeats set;
    pthread_t threads[2];
    heartbeats_init(&set);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, join_and_leave, &set), 0);
    for (int i = 0; i < 2000; i++) {
        char name[HEARTBEAT_NAME_SIZE];
        if (heartbeats_stuck(&set, 2, name))
            ck_assert_str_eq(name, "guest");
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert(stuck_is(&set, 2, NULL));
    heartbeats_destroy(&set);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("heartbeat");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_longest_overdue_is_named);
    tcase_add_test(tcase, a_beat_that_left_is_not_named);
    tcase_add_test(tcase, beats_join_and_leave_while_others_look);
    Suite *suite = suite_create("heartbeat");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
