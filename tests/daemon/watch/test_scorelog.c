/* daemon/watch/camera/scorelog numbers scores without gaps, is bounded, and gives whole records while a writer runs. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/watch/camera/scorelog.h"
#include "tests/suite.h"

static struct score_record score_of(uint64_t n)
{
    struct score_record s = {.window = n, .frame = 2 * n + 8, .is_static = n % 2, .is_slow = n % 3 == 0,
                             .time_us = (int64_t)n * 1000, .pts_us = -(int64_t)n,
                           .reference = (float)(n % 1000) / 7, .score = (float)(n % 1000) / 3,
                           .p_value = 1 / (float)(n + 1), .boxes.n = (int)(n % (BOXES_MAX + 1))};
    for (int v = 0; v < VOICES; v++)
        s.voices.score[v] = (float)(n % 1000) / (float)(v + 2);
    for (int i = 0; i < s.boxes.n; i++)
        s.boxes.box[i] = (struct box){(float)((n + (uint64_t)i) % 10001) / 1e4f, (float)(n % 9999) / 1e4f, 1, (float)i / 1e4f,
                                      (float)n - (float)i / 3};
    return s;
}

static bool is_score_of(const struct score_record *s, uint64_t n)
{
    struct score_record e = score_of(n);
    return s->window == e.window && s->frame == e.frame && s->time_us == e.time_us && s->pts_us == e.pts_us &&
           s->reference == e.reference && s->score == e.score && s->p_value == e.p_value &&
           memcmp(&s->voices, &e.voices, sizeof e.voices) == 0 && s->is_static == e.is_static && s->is_slow == e.is_slow &&
           s->boxes.n == e.boxes.n &&
           memcmp(s->boxes.box, e.boxes.box, (size_t)e.boxes.n * sizeof e.boxes.box[0]) == 0;
}

static void append(struct scorelog *log, uint64_t n)
{
    struct score_record score = score_of(n);
    scorelog_append(log, &score);
}

START_TEST(reads_from_a_number)
{
    struct scorelog *log = NULL;
    struct score_record out[16];
    struct record_range range;
    ck_assert_int_eq(scorelog_open(&log, 0), -EINVAL);
    ck_assert_int_eq(scorelog_open(&log, 8), 0);
    ck_assert_uint_eq(scorelog_read(log, 0, out, 16, &range), 0);
    ck_assert_uint_eq(range.oldest, 0);
    ck_assert_uint_eq(range.next, 0);
    for (uint64_t n = 0; n < 5; n++)
        append(log, n);
    ck_assert_uint_eq(scorelog_read(log, 2, out, 2, &range), 2);
    ck_assert(is_score_of(&out[0], 2) && is_score_of(&out[1], 3));
    ck_assert_uint_eq(range.oldest, 0);
    ck_assert_uint_eq(range.next, 5);
    ck_assert_uint_eq(scorelog_read(log, 5, out, 16, &range), 0);
    ck_assert_uint_eq(scorelog_read(log, 500, out, 16, &range), 0);
    for (uint64_t n = 5; n < 21; n++)
        append(log, n);
    ck_assert_uint_eq(scorelog_read(log, 2, out, 16, &range), 8);
    ck_assert_uint_eq(range.oldest, 13);
    ck_assert_uint_eq(range.next, 21);
    for (uint64_t i = 0; i < 8; i++)
        ck_assert(is_score_of(&out[i], 13 + i));
    scorelog_close(log);
    scorelog_close(NULL);
}
END_TEST

enum { SCORES = 200000 };

struct shared {
    struct scorelog *log;
    _Atomic uint64_t seen;
};

static void *write_all(void *arg)
{
    struct shared *s = arg;
    for (uint64_t n = 0; n < SCORES; n++) {
        append(s->log, n);
        if (n % 64 == 0)
            sched_yield();
    }
    return NULL;
}

/* Follows the log by number, as the web does. Aborts at a torn or misplaced record, and at a repeated or missing number. */
static void *follow(void *arg)
{
    struct shared *s = arg;
    struct score_record out[64];
    struct record_range range;
    for (uint64_t cursor = 0; cursor < SCORES;) {
        size_t n = scorelog_read(s->log, cursor, out, 64, &range);
        if (range.oldest > range.next || range.next - range.oldest > 100)
            abort();
        uint64_t first = cursor > range.oldest ? cursor : range.oldest;
        for (size_t i = 0; i < n; i++)
            if (!is_score_of(&out[i], first + i))
                abort();
        cursor = first + n;
        atomic_fetch_add(&s->seen, n);
    }
    return NULL;
}

START_TEST(readers_see_whole_entries)
{
    struct shared s = {0};
    ck_assert_int_eq(scorelog_open(&s.log, 100), 0);
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, write_all, &s);
    for (int i = 1; i < 3; i++)
        pthread_create(&threads[i], NULL, follow, &s);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_gt(atomic_load(&s.seen), 0);
    scorelog_close(s.log);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("scorelog");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reads_from_a_number);
    tcase_add_test(tcase, readers_see_whole_entries);
    Suite *suite = suite_create("scorelog");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
