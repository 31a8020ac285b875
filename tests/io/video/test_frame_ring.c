/* The ring gives the windows that its header defines. Its counts add up. Pixels that a reader holds are not overwritten. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/video/frame_ring.h"
#include "tests/suite.h"

static unsigned seed;

static void publish(struct frame_ring *ring, int64_t time)
{
    struct frame_ring_frame *frame = frame_ring_frame(ring);
    ck_assert_ptr_eq(frame, frame_ring_frame(ring));
    ck_assert_int_eq((int)((uintptr_t)frame->pixels % 64), 0);
    frame->pts_us = frame->time_us = frame->due_us = time;
    frame_ring_publish(ring);
}

static void check_stats(struct frame_ring *ring, uint64_t due, uint64_t claimed, uint64_t skipped, uint64_t dropped)
{
    struct frame_ring_stats stats;
    frame_ring_stats(ring, &stats);
    ck_assert_uint_eq(stats.windows_due, due);
    ck_assert_uint_eq(stats.windows_claimed, claimed);
    ck_assert_uint_eq(stats.windows_skipped, skipped);
    ck_assert_uint_eq(stats.windows_pending, due - claimed - skipped);
    ck_assert_uint_eq(stats.frames_dropped, dropped);
}

static struct frame_ring *open_ring(int length, int stride, int backlog, int readers)
{
    struct frame_ring *ring = NULL;
    ck_assert_int_eq(frame_ring_open(&ring, &(struct frame_ring_options){.frame_size = 8, .length = length, .stride = stride,
                                                                         .backlog = backlog, .readers = readers}), 0);
    return ring;
}

/* If the caller gives memory, all pictures lie in it, and nothing else does. */
START_TEST(memory_is_the_callers)
{
    struct frame_ring_options options = {.frame_size = 8, .length = 3, .stride = 1, .backlog = 2, .readers = 1};
    size_t size = frame_ring_bytes(&options);
    uint8_t *memory = aligned_alloc(64, size + 64);
    memset(memory, 0xee, size + 64);
    options.memory = memory;
    struct frame_ring *ring = NULL;
    ck_assert_int_eq(frame_ring_open(&ring, &options), 0);
    for (int i = 0; i < 50; i++) {
        struct frame_ring_frame *frame = frame_ring_frame(ring);
        ck_assert(frame->pixels >= memory && frame->pixels + 8 <= memory + size);
        publish(ring, i);
    }
    frame_ring_close(ring);
    for (size_t i = 0; i < size + 64; i++)
        ck_assert_int_eq(memory[i], i < size ? 0 : 0xee);
    free(memory);
}
END_TEST

START_TEST(options_are_checked)
{
    static const struct frame_ring_options bad[] = {
        {.frame_size = 0, .length = 16, .stride = 1, .readers = 1},
        {.frame_size = 8, .length = 0, .stride = 1, .readers = 1},
        {.frame_size = 8, .length = FRAME_RING_MAX_LENGTH + 1, .stride = 1, .readers = 1},
        {.frame_size = 8, .length = 16, .stride = 0, .readers = 1},
        {.frame_size = 8, .length = 16, .stride = 1, .backlog = -1, .readers = 1},
        {.frame_size = 8, .length = 16, .stride = 1, .readers = 0},
        {.frame_size = SIZE_MAX / 2, .length = 16, .stride = 1, .readers = 1},
        {.frame_size = 8, .length = 16, .stride = 1, .backlog = 1 << 30, .readers = 1},
    };
    struct frame_ring *ring = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(frame_ring_open(&ring, &bad[i]), -EINVAL);
    ck_assert_ptr_null(ring);
    frame_ring_close(NULL);
}
END_TEST

START_TEST(windows_follow_the_definition)
{
    struct frame_ring *ring = open_ring(4, 2, 8, 1);
    struct frame_ring_window window;
    for (int i = 0; i < 3; i++)
        publish(ring, i);
    ck_assert(!frame_ring_claim(ring, &window));
    ck_assert_int_eq(frame_ring_waiting_since(ring), INT64_MAX);
    publish(ring, 3);
    ck_assert_int_eq(frame_ring_waiting_since(ring), 3);
    publish(ring, 4);
    publish(ring, 5);
    check_stats(ring, 2, 0, 0, 0);
    for (uint64_t w = 0; w < 2; w++) {
        ck_assert(frame_ring_claim(ring, &window));
        ck_assert_uint_eq(window.index, w);
        ck_assert_uint_eq(window.ticket, w);
        ck_assert(!window.gap_before);
        for (uint64_t i = 0; i < 4; i++)
            ck_assert_uint_eq(window.frames[i]->number, w * 2 + i);
        frame_ring_release(ring, &window);
    }
    ck_assert(!frame_ring_claim(ring, &window));
    check_stats(ring, 2, 2, 0, 0);
    frame_ring_close(ring);
}
END_TEST

START_TEST(no_window_spans_a_break)
{
    struct frame_ring *ring = open_ring(4, 2, 8, 1);
    struct frame_ring_window window;
    for (int i = 0; i < 7; i++)
        publish(ring, i);               /* windows 0 and 1 are due; 2 and 3 have begun */
    frame_ring_break(ring);
    frame_ring_break(ring);
    for (int i = 7; i < 12; i++)
        publish(ring, i);               /* the next whole window is 4: frames 8…11 */
    static const struct { uint64_t index; bool gap; } expected[] = {{0, false}, {1, false}, {4, true}};
    for (int i = 0; i < 3; i++) {
        ck_assert(frame_ring_claim(ring, &window));
        ck_assert_uint_eq(window.index, expected[i].index);
        ck_assert_int_eq(window.gap_before, expected[i].gap);
        ck_assert_uint_eq(window.frames[0]->number, expected[i].index * 2);
        frame_ring_release(ring, &window);
    }
    ck_assert(!frame_ring_claim(ring, &window));
    check_stats(ring, 3, 3, 0, 0);
    frame_ring_close(ring);
}
END_TEST

START_TEST(the_oldest_gives_way)
{
    struct frame_ring *ring = open_ring(4, 2, 2, 1);      /* keeps 6 frames: two windows */
    struct frame_ring_window window;
    for (int i = 0; i < 6; i++)
        publish(ring, i);
    check_stats(ring, 2, 0, 0, 0);
    publish(ring, 6);                               /* window 0 is skipped, frames 0 and 1 are dropped */
    check_stats(ring, 2, 0, 1, 2);
    ck_assert(frame_ring_claim(ring, &window));
    ck_assert_uint_eq(window.index, 1);
    ck_assert(!window.gap_before);                  /* a window was skipped, but the sequence did not break */
    for (int i = 7; i < 14; i++)
        publish(ring, i);                           /* while window 1 is held */
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_uint_eq(window.frames[i]->number, 2 + i);
    frame_ring_release(ring, &window);
    frame_ring_skip_pending(ring);
    struct frame_ring_stats stats;
    frame_ring_stats(ring, &stats);
    ck_assert_uint_eq(stats.windows_pending, 0);
    ck_assert_uint_eq(stats.windows_due, 1 + stats.windows_skipped);
    ck_assert_int_eq(frame_ring_waiting_since(ring), INT64_MAX);
    frame_ring_close(ring);
}
END_TEST

/* The frames published so far, with the windows and counts that the header promises for them. */
struct oracle {
    int length, stride, capacity;
    int n, broken_at;                   /* frames published; the first one after the last break */
    int due[4096], sequence[4096], head, tail;      /* windows */
    int next, now, claimed_sequence, claimed;
    uint64_t n_due, n_skipped, n_dropped;
};

/* The number of published frames that a due window, or the next one, needs. */
static int oracle_kept(const struct oracle *o)
{
    int kept = 0;
    for (int f = 0; f < o->n; f++) {
        bool needed = f >= o->broken_at && f >= o->next * o->stride;
        for (int i = o->head; i < o->tail && !needed; i++)
            needed = f >= o->due[i] * o->stride && f < o->due[i] * o->stride + o->length;
        kept += needed;
    }
    return kept;
}

static void oracle_skip(struct oracle *o)
{
    int before = oracle_kept(o);
    o->head++;
    o->n_skipped++;
    o->n_dropped += (uint64_t)(before - oracle_kept(o));
}

static void oracle_publish(struct oracle *o)
{
    int f = o->n;
    if (f >= o->next * o->stride)
        while (oracle_kept(o) == o->capacity)
            oracle_skip(o);
    o->n++;
    if (f == o->next * o->stride + o->length - 1) {
        o->sequence[o->tail] = o->now;
        o->due[o->tail++] = o->next++;
        o->n_due++;
    }
}

static void oracle_break(struct oracle *o)
{
    o->now++;
    o->broken_at = o->n;
    while (o->next * o->stride < o->n)
        o->next++;
    while (o->next > 0 && (o->next - 1) * o->stride >= o->n)
        o->next--;
}

START_TEST(random_histories_agree_with_the_definition)
{
    srand(seed + (unsigned)_i);
    int length = 1 + rand() % 8, stride = 1 + rand() % 12, backlog = rand() % 12, readers = 1 + rand() % 3;
    struct frame_ring *ring = open_ring(length, stride, backlog, readers);
    struct oracle o = {.length = length, .stride = stride, .capacity = length + backlog};
    struct frame_ring_window held[3];
    int n_held = 0;
    uint64_t claimed = 0;
    for (int step = 0; step < 600; step++) {
        int what = rand() % 100;
        if (what < 60) {
            struct frame_ring_frame *frame = frame_ring_frame(ring);
            memcpy(frame->pixels, &(uint64_t){(uint64_t)o.n}, 8);
            frame->due_us = o.n;
            frame_ring_publish(ring);
            oracle_publish(&o);
        } else if (what < 65) {
            frame_ring_break(ring);
            oracle_break(&o);
        } else if (what < 82 && n_held < readers) {
            struct frame_ring_window *w = &held[n_held];
            bool any = frame_ring_claim(ring, w);
            ck_assert_int_eq(any, o.head < o.tail);
            if (any) {
                ck_assert_uint_eq(w->index, (uint64_t)o.due[o.head]);
                ck_assert_uint_eq(w->ticket, claimed);
                ck_assert_int_eq(w->gap_before, claimed && o.sequence[o.head] != o.claimed_sequence);
                o.claimed_sequence = o.sequence[o.head++];
                claimed++;
                n_held++;
            }
        } else if (n_held) {
            int i = rand() % n_held;
            for (int k = 0; k < length; k++) {
                uint64_t number;
                memcpy(&number, held[i].frames[k]->pixels, 8);
                ck_assert_uint_eq(number, held[i].index * (uint64_t)stride + (uint64_t)k);
                ck_assert_uint_eq(held[i].frames[k]->number, number);
            }
            frame_ring_release(ring, &held[i]);
            held[i] = held[--n_held];
        }
        check_stats(ring, o.n_due, claimed, o.n_skipped, o.n_dropped);
        ck_assert_int_eq(frame_ring_waiting_since(ring),
                         o.head < o.tail ? (int64_t)o.due[o.head] * stride + length - 1 : INT64_MAX);
    }
    while (n_held)
        frame_ring_release(ring, &held[--n_held]);
    frame_ring_close(ring);
}
END_TEST

/* ---- threads ---- */

enum { STRESS_FRAMES = 20000, STRESS_SIZE = 512, STRESS_LENGTH = 7, STRESS_WORKERS = 3 };

struct stress {
    struct frame_ring *ring;
    atomic_bool done;
    _Atomic uint64_t scored;
};

static uint8_t pattern(uint64_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (number >> 8));
}

static void *stress_decode(void *arg)
{
    struct stress *s = arg;
    for (uint64_t n = 0; n < STRESS_FRAMES; n++) {
        struct frame_ring_frame *frame = frame_ring_frame(s->ring);
        for (size_t i = 0; i < STRESS_SIZE; i++)
            frame->pixels[i] = pattern(n, i);
        frame->pts_us = (int64_t)n;
        frame_ring_publish(s->ring);
        if (n % 97 == 96)
            frame_ring_break(s->ring);
        if (n % 16 == 0)
            sched_yield();
    }
    atomic_store(&s->done, true);
    return NULL;
}

static void *stress_work(void *arg)
{
    struct stress *s = arg;
    struct frame_ring_window window;
    for (;;) {
        bool done = atomic_load(&s->done);
        if (!frame_ring_claim(s->ring, &window)) {
            if (done)
                return NULL;
            sched_yield();
            continue;
        }
        for (int k = 0; k < STRESS_LENGTH; k++) {
            const struct frame_ring_frame *frame = window.frames[k];
            if (frame->number != window.index * 2 + (uint64_t)k || frame->pts_us != (int64_t)frame->number ||
                window.index * 2 / 97 != frame->number / 97)
                abort();
            for (size_t i = 0; i < STRESS_SIZE; i++)
                if (frame->pixels[i] != pattern(frame->number, i))
                    abort();
        }
        frame_ring_release(s->ring, &window);
        atomic_fetch_add(&s->scored, 1);
    }
}

static void *stress_look(void *arg)
{
    struct stress *s = arg;
    while (!atomic_load(&s->done)) {
        struct frame_ring_stats stats;
        uint64_t scored = atomic_load(&s->scored);
        frame_ring_stats(s->ring, &stats);
        if (stats.windows_due != stats.windows_claimed + stats.windows_skipped + stats.windows_pending ||
            stats.windows_claimed < scored)
            abort();
        sched_yield();
    }
    return NULL;
}

START_TEST(threads_see_whole_frames_and_whole_counts)
{
    struct stress s = {0};
    ck_assert_int_eq(frame_ring_open(&s.ring, &(struct frame_ring_options){.frame_size = STRESS_SIZE, .length = STRESS_LENGTH,
                                        .stride = 2, .backlog = 9, .readers = STRESS_WORKERS}), 0);
    pthread_t threads[STRESS_WORKERS + 2];
    pthread_create(&threads[0], NULL, stress_decode, &s);
    pthread_create(&threads[1], NULL, stress_look, &s);
    for (int i = 0; i < STRESS_WORKERS; i++)
        pthread_create(&threads[2 + i], NULL, stress_work, &s);
    for (int i = 0; i < STRESS_WORKERS + 2; i++)
        pthread_join(threads[i], NULL);
    struct frame_ring_stats stats;
    frame_ring_stats(s.ring, &stats);
    ck_assert_uint_eq(stats.frames, STRESS_FRAMES);
    ck_assert_uint_eq(stats.windows_pending, 0);
    ck_assert_uint_eq(stats.windows_due, stats.windows_skipped + atomic_load(&s.scored));
    ck_assert_uint_gt(atomic_load(&s.scored), 0);
    frame_ring_close(s.ring);
}
END_TEST

int main(void)
{
    seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    TCase *tcase = tcase_create("frame_ring");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, memory_is_the_callers);
    tcase_add_test(tcase, windows_follow_the_definition);
    tcase_add_test(tcase, no_window_spans_a_break);
    tcase_add_test(tcase, the_oldest_gives_way);
    tcase_add_loop_test(tcase, random_histories_agree_with_the_definition, 0, 60);
    tcase_add_test(tcase, threads_see_whole_frames_and_whole_counts);
    Suite *suite = suite_create("frame_ring");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
