/* Locks: waiting until a deadline. In debug builds, taking locks whose ranks do not rise aborts. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "io/base/lock.h"
#include "tests/suite.h"

START_TEST(waiting_ends_at_the_deadline)
{
    struct lock lock;
    pthread_cond_t cond;
    lock_init(&lock, LOCK_WAIT);
    lock_cond_init(&cond);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t deadline_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + 20000;
    lock_take(&lock);
    while (lock_wait_until(&lock, &cond, deadline_us))
        ;
    lock_give(&lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ck_assert_int_ge((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, deadline_us);

    /* A deadline before the clock's beginning has passed, too. Otherwise a caller that waits in a loop would spin. */
    static const int64_t past[] = {0, -1, -1000000, -1000001, INT64_MIN};
    lock_take(&lock);
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++)
        ck_assert(!lock_wait_until(&lock, &cond, past[i]));
    lock_give(&lock);
    pthread_cond_destroy(&cond);
    lock_destroy(&lock);
}
END_TEST

static void take_both(enum lock_rank first, enum lock_rank second)
{
    struct lock a, b;
    lock_init(&a, first);
    lock_init(&b, second);
    lock_take(&a);
    lock_take(&b);
    lock_give(&b);
    lock_give(&a);
    lock_take(&b);
    lock_give(&b);
    lock_destroy(&b);
    lock_destroy(&a);
}

START_TEST(rising_ranks_pass)
{
    take_both(LOCK_SCHEDULER, LOCK_RING);
    take_both(LOCK_RESULTS, LOCK_WAIT);
}
END_TEST

#ifdef MEMAED_DEBUG
START_TEST(a_falling_rank_aborts)
{
    take_both(LOCK_RING, LOCK_SCHEDULER);
}
END_TEST

START_TEST(an_equal_rank_aborts)
{
    take_both(LOCK_VIEW, LOCK_VIEW);
}
END_TEST
#endif

int main(void)
{
    TCase *tcase = tcase_create("lock");
    tcase_add_test(tcase, waiting_ends_at_the_deadline);
    tcase_add_test(tcase, rising_ranks_pass);
#ifdef MEMAED_DEBUG
    tcase_add_test_raise_signal(tcase, a_falling_rank_aborts, SIGABRT);
    tcase_add_test_raise_signal(tcase, an_equal_rank_aborts, SIGABRT);
#else
    printf("SKIP rank tests: only in debug builds\n");
#endif
    Suite *suite = suite_create("lock");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
