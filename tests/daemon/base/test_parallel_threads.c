#include "daemon/base/parallel_threads.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_ITEMS = 1000, MAX_WORKERS = 8 };

struct record {
    int threads;
    atomic_int calls[MAX_ITEMS];
    atomic_int inside[MAX_WORKERS];     /* calls under way with this worker's number */
    atomic_bool wrong;
    pthread_t caller;
};

static void record(void *arg, int i, int worker)
{
    struct record *r = arg;

    if (worker < 0 || worker >= r->threads || atomic_fetch_add(&r->inside[worker], 1) != 0 ||
        (worker == 0) != (pthread_equal(pthread_self(), r->caller) != 0))
        atomic_store(&r->wrong, true);
    atomic_fetch_add(&r->calls[i], 1);
    atomic_fetch_sub(&r->inside[worker], 1);
}

START_TEST(every_item_runs_once)
{
    for (int n = 1; n <= MAX_WORKERS; n++) {
        struct parallel_threads *threads = NULL;
        ck_assert_int_eq(parallel_threads_open(&threads, n), 0);
        struct parallel p = parallel_threads_parallel(threads);
        ck_assert_int_eq(p.threads, n);
        for (int run = 0; run < 200; run++) {
            static struct record r;
            int items = run * 7 % 50;

            memset(&r, 0, sizeof r);
            r.threads = n;
            r.caller = pthread_self();
            p.run(&p, items, record, &r);
            ck_assert(!r.wrong);
            for (int i = 0; i < MAX_ITEMS; i++)
                ck_assert_int_eq(r.calls[i], i < items);
        }
        parallel_threads_close(threads);
    }
}
END_TEST

/* The items wait for each other, so the run ends only if they run at the same time. */
static void meet(void *arg, int i, int worker)
{
    (void)i;
    (void)worker;
    pthread_barrier_wait(arg);
}

START_TEST(workers_run_at_once)
{
    struct parallel_threads *threads;
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, 4);
    ck_assert_int_eq(parallel_threads_open(&threads, 4), 0);
    struct parallel p = parallel_threads_parallel(threads);
    for (int run = 0; run < 100; run++)
        p.run(&p, 4, meet, &barrier);
    parallel_threads_close(threads);
    pthread_barrier_destroy(&barrier);
}
END_TEST

/* Workers see plain memory that the caller wrote. The caller sees theirs after run(). The thread sanitizer checks both. */
struct sums {
    int in[100];
    long out[100];
};

static void twice(void *arg, int i, int worker)
{
    struct sums *sums = arg;

    (void)worker;
    sums->out[i] = 2L * sums->in[i];
}

START_TEST(memory_is_published_both_ways)
{
    struct parallel_threads *threads;
    struct sums sums;

    ck_assert_int_eq(parallel_threads_open(&threads, 3), 0);
    struct parallel p = parallel_threads_parallel(threads);
    for (int run = 0; run < 200; run++) {
        for (int i = 0; i < 100; i++)
            sums.in[i] = run * 100 + i;
        p.run(&p, 100, twice, &sums);
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(sums.out[i], 2L * (run * 100 + i));
    }
    parallel_threads_close(threads);
}
END_TEST

/* Worker 1 is still busy when worker 0 has no more items. */
struct late {
    pthread_barrier_t barrier;
    atomic_bool done;
};

static void finish_late(void *arg, int i, int worker)
{
    struct late *late = arg;

    (void)i;
    pthread_barrier_wait(&late->barrier);
    if (worker == 0)
        return;
    for (volatile int spin = 0; spin < 300000; spin++)
        ;
    atomic_store(&late->done, true);
}

START_TEST(run_waits_for_the_last)
{
    struct parallel_threads *threads;
    struct late late = {.done = false};

    pthread_barrier_init(&late.barrier, NULL, 2);
    ck_assert_int_eq(parallel_threads_open(&threads, 2), 0);
    struct parallel p = parallel_threads_parallel(threads);
    for (int run = 0; run < 20; run++) {
        atomic_store(&late.done, false);
        p.run(&p, 2, finish_late, &late);
        ck_assert(late.done);
    }
    parallel_threads_close(threads);
    pthread_barrier_destroy(&late.barrier);
}
END_TEST

struct seen {
    pthread_barrier_t barrier;
    bool blocked[2];
    char name[2][16];
};

static void look(void *arg, int i, int worker)
{
    struct seen *seen = arg;
    sigset_t mask;

    (void)i;
    pthread_barrier_wait(&seen->barrier);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->blocked[worker] = sigismember(&mask, SIGTERM) == 1;
    pthread_getname_np(pthread_self(), seen->name[worker], sizeof seen->name[worker]);
}

START_TEST(threads_have_names_and_no_signals)
{
    struct parallel_threads *threads;
    struct seen seen;
    sigset_t mask;

    pthread_barrier_init(&seen.barrier, NULL, 2);
    ck_assert_int_eq(parallel_threads_open(&threads, 2), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
    struct parallel p = parallel_threads_parallel(threads);
    p.run(&p, 2, look, &seen);
    ck_assert(seen.blocked[1] && !seen.blocked[0]);
    ck_assert_str_eq(seen.name[1], "work-1");
    parallel_threads_close(threads);
    pthread_barrier_destroy(&seen.barrier);
}
END_TEST

START_TEST(refuses_what_makes_no_set)
{
    struct parallel_threads *threads = (void *)&threads;

    ck_assert_int_eq(parallel_threads_open(&threads, 0), -EINVAL);
    ck_assert_int_eq(parallel_threads_open(&threads, -1), -EINVAL);
    ck_assert_int_eq(parallel_threads_open(&threads, PARALLEL_THREADS_MAX + 1), -EINVAL);
    ck_assert_ptr_eq(threads, (void *)&threads);
    parallel_threads_close(NULL);
    ck_assert_int_ge(parallel_threads_cores(), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_item_runs_once);
    tcase_add_test(tests, workers_run_at_once);
    tcase_add_test(tests, memory_is_published_both_ways);
    tcase_add_test(tests, run_waits_for_the_last);
    tcase_add_test(tests, threads_have_names_and_no_signals);
    tcase_add_test(tests, refuses_what_makes_no_set);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
