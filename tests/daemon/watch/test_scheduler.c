/* daemon/watch/scheduler passes results on in order, loses no window, shares fairly, and lets clients come and go. Frames
 * stay untouched while a window runs. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/watch/scheduler.h"
#include "tests/suite.h"

static unsigned seed;

enum { LENGTH = 5, STRIDE = 2, FRAME_SIZE = 256, MAX_CLIENTS = 6, MAX_LOG = 4096 };

struct source {                     /* a camera */
    struct scheduler *scheduler;
    struct scheduled *scheduled;
    size_t index;
    struct frame_ring *ring;
    int n_frames, break_every;
    unsigned random;
    /* Only commit writes these. If two workers committed at once, the thread sanitizer would report it. */
    uint64_t committed, last_window, gaps;
    _Atomic uint64_t run;
};

static uint8_t pattern(size_t camera, uint64_t number, size_t i)
{
    return (uint8_t)(camera * 101 + number * 31 + i * 7);
}

static void publish(struct source *s, int64_t due_us)
{
    struct frame_ring_stats stats;
    frame_ring_stats(s->ring, &stats);
    struct frame_ring_frame *frame = frame_ring_frame(s->ring);
    for (size_t i = 0; i < FRAME_SIZE; i++)
        frame->pixels[i] = pattern(s->index, stats.frames, i);
    frame->pts_us = (int64_t)stats.frames * 10;
    frame->time_us = (int64_t)stats.frames * 100;
    frame->due_us = due_us;
    if (frame_ring_publish(s->ring))
        scheduler_due(s->scheduler, s->scheduled);
}

static void run(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    struct source *s = arg;
    memset(workspace, (int)window->index, 100);         /* the workspace is this worker's alone */
    for (int k = 0; k < LENGTH; k++) {
        const struct frame_ring_frame *frame = window->frames[k];
        if (frame->number != window->index * STRIDE + (uint64_t)k)
            abort();
        for (size_t i = 0; i < FRAME_SIZE; i++)
            if (frame->pixels[i] != pattern(s->index, frame->number, i))
                abort();
    }
    if (window->index % 13 == 0)
        for (int i = 0; i < 50; i++)
            sched_yield();                              /* a slow window, which others overtake */
    ret->reference = (float)window->index;
    ret->score = ret->reference + ((const uint8_t *)workspace)[99];
    atomic_fetch_add(&s->run, 1);
}

static void commit(void *arg, const struct scheduler_result *result)
{
    struct source *s = arg;
    if (s->committed && result->window <= s->last_window)
        abort();
    if (result->frame != result->window * STRIDE + LENGTH / 2 || result->pts_us != (int64_t)result->frame * 10 ||
        result->time_us != (int64_t)result->frame * 100 || result->reference != (float)result->window ||
        result->score != result->reference + (float)(uint8_t)result->window)
        abort();
    s->gaps += result->gap_before;
    s->last_window = result->window;
    s->committed++;
}

static void open_source(struct source *s, size_t index, struct scheduler *scheduler, int workers, int backlog,
                        const struct scheduler_client *calls)
{
    struct scheduler_client client = *calls;
    s->scheduler = scheduler;
    s->index = index;
    ck_assert_int_eq(frame_ring_open(&s->ring, &(struct frame_ring_options){.frame_size = FRAME_SIZE, .length = LENGTH,
                                                                            .stride = STRIDE, .backlog = backlog,
                                                                            .readers = workers}), 0);
    client.ring = s->ring;
    client.length = LENGTH;
    client.workspace_size = 100;
    client.arg = s;
    ck_assert_int_eq(scheduler_add(scheduler, &client, &s->scheduled), 0);
}

static void open_sources(struct source *sources, size_t n, struct scheduler **scheduler, int workers, int backlog,
                         void (*commit_fn)(void *, const struct scheduler_result *))
{
    ck_assert_int_eq(scheduler_open(scheduler, &(struct scheduler_options){.workers = workers}), 0);
    for (size_t i = 0; i < n; i++)
        open_source(&sources[i], i, *scheduler, workers, backlog,
                    &(struct scheduler_client){.run = run, .commit = commit_fn});
}

static void close_sources(struct source *sources, size_t n, struct scheduler *scheduler)
{
    scheduler_close(scheduler);
    for (size_t i = 0; i < n; i++)
        frame_ring_close(sources[i].ring);
}

static void *decode(void *arg)
{
    struct source *s = arg;
    for (int n = 0; n < s->n_frames; n++) {
        publish(s, n);
        if (s->break_every && n % s->break_every == s->break_every - 1)
            frame_ring_break(s->ring);
        if (rand_r(&s->random) % 8 == 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(counts_are_conserved_and_results_in_order)
{
    struct source sources[4] = {0};
    struct scheduler *scheduler = NULL;
    open_sources(sources, 4, &scheduler, 3, 12, commit);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        sources[i].n_frames = 4000;
        sources[i].break_every = i == 1 ? 53 : i == 2 ? 7 : 0;
        sources[i].random = seed + (unsigned)i;
        pthread_create(&threads[i], NULL, decode, &sources[i]);
    }
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    /* Waits until the last due window is claimed. */
    for (bool done = false; !done;) {
        done = true;
        for (int i = 0; i < 4; i++)
            done &= frame_ring_waiting_since(sources[i].ring) == INT64_MAX;
        sched_yield();
    }
    scheduler_stop(scheduler);
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
    uint64_t windows = 0;
    for (int i = 0; i < 4; i++) {
        struct frame_ring_stats stats;
        frame_ring_stats(sources[i].ring, &stats);
        ck_assert_uint_eq(stats.windows_pending, 0);
        ck_assert_uint_eq(stats.windows_due, stats.windows_skipped + sources[i].committed);
        ck_assert_uint_eq(sources[i].committed, atomic_load(&sources[i].run));
        ck_assert_uint_gt(sources[i].committed, 0);
        ck_assert_int_eq(sources[i].gaps > 0, sources[i].break_every != 0);
        windows += sources[i].committed;
    }
    struct scheduler_stats stats;
    scheduler_stats(scheduler, &stats);
    ck_assert_uint_eq(stats.windows, windows);
    close_sources(sources, 4, scheduler);
}
END_TEST

/* With one worker, the order of commits is the order of choice. */
static size_t chosen[MAX_LOG];
static size_t n_chosen;

static void commit_noting(void *arg, const struct scheduler_result *result)
{
    commit(arg, result);
    if (n_chosen < MAX_LOG)
        chosen[n_chosen++] = ((struct source *)arg)->index;
}

static void finish(struct scheduler *scheduler, struct source *sources, size_t n)
{
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    for (bool done = false; !done; sched_yield()) {
        done = true;
        for (size_t i = 0; i < n; i++)
            done &= frame_ring_waiting_since(sources[i].ring) == INT64_MAX;
    }
    scheduler_stop(scheduler);
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
}

START_TEST(ties_go_to_the_longest_waiting_and_turns_are_equal)
{
    struct source sources[3] = {0};
    struct scheduler *scheduler = NULL;
    n_chosen = 0;
    open_sources(sources, 3, &scheduler, 1, 200, commit_noting);
    /* Camera 0 has 40 windows, camera 1 has 20, camera 2 has 10. Camera 2 has waited longest, then 1, then 0. */
    static const int windows[] = {40, 20, 10};
    for (int i = 2; i >= 0; i--)
        for (int f = 0; f < LENGTH + (windows[i] - 1) * STRIDE; f++)
            publish(&sources[i], (3 - i) * 1000 + f);
    finish(scheduler, sources, 3);
    ck_assert_uint_eq(n_chosen, 70);
    for (size_t k = 0; k < 30; k++)
        ck_assert_uint_eq(chosen[k], 2 - k % 3);
    for (size_t k = 30; k < 50; k++)
        ck_assert_uint_eq(chosen[k], 1 - k % 2);
    for (size_t k = 50; k < 70; k++)
        ck_assert_uint_eq(chosen[k], 0);
    close_sources(sources, 3, scheduler);
}
END_TEST

/* Camera 1 appears after camera 0 has been served for long. From then on they take turns: camera 1 gets no more than its
 * share. */
static struct source *late;

static void commit_starting_late(void *arg, const struct scheduler_result *result)
{
    commit_noting(arg, result);
    if (n_chosen == 50)
        for (int f = 0; f < LENGTH + 19 * STRIDE; f++)
            publish(late, 5000 + f);
}

START_TEST(who_was_idle_has_saved_up_nothing)
{
    struct source sources[2] = {0};
    struct scheduler *scheduler = NULL;
    n_chosen = 0;
    late = &sources[1];
    open_sources(sources, 2, &scheduler, 1, 300, commit_starting_late);
    for (int f = 0; f < LENGTH + 99 * STRIDE; f++)
        publish(&sources[0], f);
    finish(scheduler, sources, 2);
    ck_assert_uint_eq(n_chosen, 120);
    int of_late = 0;
    for (size_t k = 0; k < 60; k++)
        of_late += chosen[k] == 1;
    ck_assert_int_ge(of_late, 4);
    ck_assert_int_le(of_late, 6);
    close_sources(sources, 2, scheduler);
}
END_TEST

/* Overload: for each scored window one or two more come due, so that every camera always has windows waiting. The cameras
 * get equal shares, although one brings twice as many. Only one worker runs. With several, the kernel may suspend a worker in
 * the middle of a window, which would hold back the worker's camera. */
static atomic_bool enough;

static void commit_bringing_more(void *arg, const struct scheduler_result *result)
{
    struct source *s = arg;
    commit(arg, result);
    if (s->committed == 400)
        atomic_store(&enough, true);
    for (int i = 0; i < (s->index ? STRIDE : 2 * STRIDE); i++)
        publish(s, (int64_t)s->committed);
}

START_TEST(shares_are_fair_under_overload)
{
    struct source sources[3] = {0};
    struct scheduler *scheduler = NULL;
    open_sources(sources, 3, &scheduler, 1, 64, commit_bringing_more);
    for (int i = 0; i < 3; i++)
        for (int f = 0; f < LENGTH + 64; f++)
            publish(&sources[i], f);
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    while (!atomic_load(&enough))
        sched_yield();
    scheduler_stop(scheduler);
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
    for (int i = 0; i < 3; i++) {
        struct frame_ring_stats stats;
        frame_ring_stats(sources[i].ring, &stats);
        ck_assert_uint_gt(stats.windows_pending, 0);
        ck_assert_uint_eq(stats.windows_due, stats.windows_skipped + stats.windows_pending + sources[i].committed);
        ck_assert_int_eq(stats.windows_skipped > 0, i == 0);
        ck_assert_uint_le(sources[i].committed, sources[0].committed + 1);
        ck_assert_uint_ge(sources[i].committed + 1, sources[0].committed);
    }
    close_sources(sources, 3, scheduler);
}
END_TEST

/* One window hangs. Its camera gets at most 2 * workers windows, the other camera goes on, and results come in order. */
static atomic_bool hang;
static _Atomic uint64_t other_runs;

static void run_hanging(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    struct source *s = arg;
    if (s->index == 0 && window->index == 0)
        while (atomic_load(&hang))
            sched_yield();
    run(arg, window, workspace, ret);
    if (s->index == 1 && atomic_fetch_add(&other_runs, 1) == 99)
        atomic_store(&hang, false);
    /* At most three more windows of this camera run while its first window hangs. */
    if (s->index == 0 && atomic_load(&hang) && atomic_load(&s->run) > 3)
        abort();
}

START_TEST(a_slow_window_holds_up_its_camera_alone)
{
    struct source sources[2] = {0};
    struct scheduler *scheduler = NULL;
    struct heartbeats beats;
    heartbeats_init(&beats);
    atomic_store(&hang, true);
    ck_assert_int_eq(scheduler_open(&scheduler, &(struct scheduler_options){.workers = 2, .heartbeats = &beats}), 0);
    for (size_t i = 0; i < 2; i++) {
        open_source(&sources[i], i, scheduler, 2, 400, &(struct scheduler_client){.run = run_hanging, .commit = commit});
        for (int f = 0; f < LENGTH + 99 * STRIDE; f++)
            publish(&sources[i], f);
    }
    finish(scheduler, sources, 2);
    ck_assert_uint_eq(sources[0].committed, 100);
    ck_assert_uint_eq(sources[1].committed, 100);
    char name[HEARTBEAT_NAME_SIZE];
    ck_assert(!heartbeats_stuck(&beats, INT64_MAX, name));      /* no worker has a deadline left */
    close_sources(sources, 2, scheduler);
    ck_assert_ptr_null(beats.first);
    heartbeats_destroy(&beats);
}
END_TEST

/* The time that a window took is the time that run() reports. Waiting does not count. */
static void run_reporting(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    run(arg, window, workspace, ret);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    ret->computed_us = 100;
}

START_TEST(waiting_is_not_computing)
{
    struct source source = {0};
    struct scheduler *scheduler = NULL;
    struct scheduler_stats stats;
    ck_assert_int_eq(scheduler_open(&scheduler, &(struct scheduler_options){.workers = 1}), 0);
    open_source(&source, 0, scheduler, 1, 64, &(struct scheduler_client){.run = run_reporting, .commit = commit});
    for (int f = 0; f < LENGTH + 9 * STRIDE; f++)
        publish(&source, f);
    finish(scheduler, &source, 1);
    scheduler_stats(scheduler, &stats);
    ck_assert_uint_eq(stats.windows, 10);
    ck_assert_double_eq_tol(stats.seconds, 10 * 100e-6, 1e-9);
    close_sources(&source, 1, scheduler);
}
END_TEST

/* Clients come and go while the workers are busy with other clients. A later client needs a larger workspace. */
enum { LARGE = 1 << 16, ROUNDS = 150 };

static void run_large(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret)
{
    memset(workspace, 0x5a, LARGE);
    run(arg, window, workspace, ret);
}

static void *decode_until(void *arg)
{
    struct source *s = arg;
    for (int64_t n = 0; !atomic_load(&enough); n++) {
        publish(s, n);
        if (n % 8 == 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(clients_come_and_go)
{
    struct source stays[2] = {0};
    struct scheduler *scheduler = NULL;
    pthread_t threads[2];
    atomic_store(&enough, false);
    open_sources(stays, 2, &scheduler, 2, 16, commit);
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, decode_until, &stays[i]);
    for (int round = 0; round < ROUNDS; round++) {
        struct source guest = {0};
        struct scheduler_client calls = {.run = round < ROUNDS / 2 ? run : run_large, .commit = commit};
        ck_assert_int_eq(frame_ring_open(&guest.ring, &(struct frame_ring_options){.frame_size = FRAME_SIZE, .length = LENGTH,
                                                                                   .stride = STRIDE, .backlog = 64,
                                                                                   .readers = 2}), 0);
        calls.ring = guest.ring;
        calls.length = LENGTH;
        calls.workspace_size = round < ROUNDS / 2 ? 100 : LARGE;
        calls.arg = &guest;
        guest.scheduler = scheduler;
        guest.index = 2;
        ck_assert_int_eq(scheduler_add(scheduler, &calls, &guest.scheduled), 0);
        for (int f = 0; f < LENGTH + 20 * STRIDE; f++)
            publish(&guest, f);
        while (round % 3 == 0 && frame_ring_waiting_since(guest.ring) != INT64_MAX)
            sched_yield();
        ck_assert(scheduler_remove(scheduler, guest.scheduled, INT64_MAX));
        struct frame_ring_stats stats;
        frame_ring_stats(guest.ring, &stats);
        ck_assert_uint_eq(stats.windows_claimed, guest.committed);
        if (round % 3 == 0)
            ck_assert_uint_eq(guest.committed, 21);
        frame_ring_close(guest.ring);
        memset(&guest, 0xff, sizeof guest);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    scheduler_stop(scheduler);
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_gt(stays[i].committed, 0);
    close_sources(stays, 2, scheduler);
}
END_TEST

/* A client is not removed while its window runs. It can be removed later. */
START_TEST(a_client_at_work_is_not_removed)
{
    struct source source = {0};
    struct scheduler *scheduler = NULL;
    atomic_store(&hang, true);
    ck_assert_int_eq(scheduler_open(&scheduler, &(struct scheduler_options){.workers = 1}), 0);
    open_source(&source, 0, scheduler, 1, 64, &(struct scheduler_client){.run = run_hanging, .commit = commit});
    for (int f = 0; f < LENGTH + 5 * STRIDE; f++)
        publish(&source, f);
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    struct frame_ring_stats stats;
    do {
        sched_yield();
        frame_ring_stats(source.ring, &stats);
    } while (stats.windows_claimed == 0);
    ck_assert(!scheduler_remove(scheduler, source.scheduled, 0));
    ck_assert_uint_eq(source.committed, 0);
    atomic_store(&hang, false);
    ck_assert(scheduler_remove(scheduler, source.scheduled, INT64_MAX));
    ck_assert_uint_eq(source.committed, 1);             /* no other window of it was claimed any more */
    scheduler_stop(scheduler);
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
    close_sources(&source, 1, scheduler);
}
END_TEST

int main(void)
{
    seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    TCase *tcase = tcase_create("scheduler");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, counts_are_conserved_and_results_in_order);
    tcase_add_test(tcase, ties_go_to_the_longest_waiting_and_turns_are_equal);
    tcase_add_test(tcase, who_was_idle_has_saved_up_nothing);
    tcase_add_test(tcase, shares_are_fair_under_overload);
    tcase_add_test(tcase, a_slow_window_holds_up_its_camera_alone);
    tcase_add_test(tcase, waiting_is_not_computing);
    tcase_add_test(tcase, clients_come_and_go);
    tcase_add_test(tcase, a_client_at_work_is_not_removed);
    Suite *suite = suite_create("scheduler");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
