/* The outbox in memory: order, what a full queue drops, dead letters, state, and bodies that several queues hold. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/sinks/outbox_memory.h"
#include "tests/suite.h"

static const char *const keys[] = {"a", "b"};
static struct outbox_memory *memory;
static struct outbox box;

static void open_box(size_t max)
{
    ck_assert_int_eq(outbox_memory_open(&memory, max), 0);
    box = outbox_memory(memory);
    ck_assert_int_eq(box.endpoints(box.context, keys, 2), 0);
}

static struct webhook_message *make(int n)
{
    struct webhook_message *message = NULL;
    char data[16];
    snprintf(data, sizeof data, "%d", n);
    ck_assert_int_eq(webhook_message_make(&message, "camera.lost", 1709210096789123, data), 0);
    return message;
}

/* To the first n keys. Returns how many the first queue dropped. */
static unsigned append_to(int number, size_t n)
{
    struct webhook_message *message = make(number);
    unsigned dropped[2] = {9, 9};
    ck_assert_int_eq(outbox_memory_append(memory, message, 1000 + number, keys, n, dropped), 0);
    free(message);
    return dropped[0];
}

/* The number of the oldest entry, -1: none. *seq is its own. */
static int oldest(const char *key, uint64_t *seq)
{
    struct outbox_entry entry;
    int r = box.next(box.context, key, &entry);
    ck_assert_int_ge(r, 0);
    if (r == 0)
        return -1;
    int n = atoi(strstr(entry.body, "\"data\":") + 7);
    ck_assert_int_eq(entry.time_us, 1709210096789123);
    ck_assert_uint_eq(entry.size, strlen(entry.body));
    *seq = entry.seq;
    free(entry.body);
    return n;
}

/* Takes all entries as delivered, and compares their numbers. */
static void drain(const char *key, const int *expected, size_t n)
{
    uint64_t seq, before = 0;
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(oldest(key, &seq), expected[i]);
        ck_assert(seq > before);
        before = seq;
        ck_assert_int_eq(box.delivered(box.context, key, seq + 1, 0), -ENOENT);
        ck_assert_int_eq(box.delivered(box.context, key, seq, 0), 0);
    }
    ck_assert_int_eq(oldest(key, &seq), -1);
}

START_TEST(bodies_and_ids)
{
    struct webhook_message *a = make(1), *b = make(1), *untouched = (void *)-1;
    ck_assert_str_eq(a->body, "{\"type\":\"camera.lost\",\"timestamp\":\"2024-02-29T12:34:56.789Z\",\"data\":1}");
    ck_assert_uint_eq(a->size, strlen(a->body));
    ck_assert_uint_eq(strlen(a->id), EVENT_ID_SIZE - 1);
    ck_assert_int_eq(strncmp(a->id, "msg_", 4), 0);
    ck_assert_str_ne(a->id, b->id);
    ck_assert_int_eq(webhook_message_make(&untouched, "camera.lost", 0, "{no json"), -EINVAL);
    ck_assert_ptr_eq(untouched, (void *)-1);
    free(a);
    free(b);
}
END_TEST

START_TEST(oldest_first)
{
    open_box(3);
    for (int round = 0; round < 5; round++) {
        ck_assert_uint_eq(append_to(1, 2), 0);
        ck_assert_uint_eq(append_to(2, 1), 0);
        drain("a", (int[]){1, 2}, 2);
        drain("b", (int[]){1}, 1);
    }
    outbox_memory_close(memory);
}
END_TEST

START_TEST(a_full_queue_drops_the_oldest)
{
    uint64_t seq;
    open_box(3);
    for (int i = 1; i <= 3; i++)
        append_to(i, 1);
    ck_assert_uint_eq(append_to(4, 1), 1);
    ck_assert_int_eq(oldest("a", &seq), 2);
    ck_assert_uint_eq(append_to(5, 1), 1);              /* 2 may be on its way and stays */
    drain("a", (int[]){2, 4, 5}, 3);
    outbox_memory_close(memory);
}
END_TEST

START_TEST(attempts_and_counts)
{
    uint64_t seq;
    struct outbox_entry entry;
    struct outbox_counts counts;
    open_box(3);
    append_to(1, 2);
    append_to(2, 2);
    ck_assert_int_eq(oldest("a", &seq), 1);
    ck_assert_int_eq(box.failed(box.context, "a", seq, 7, 12345, "why"), 0);
    ck_assert_int_eq(box.failed(box.context, "a", seq + 1, 7, 12345, "why"), -ENOENT);
    ck_assert_int_eq(box.next(box.context, "a", &entry), 1);
    ck_assert_uint_eq(entry.attempts, 7);
    ck_assert_int_eq(entry.due_us, 12345);
    ck_assert_int_eq(entry.queued_us, 1001);
    free(entry.body);
    ck_assert_int_eq(box.next(box.context, "b", &entry), 1);
    ck_assert_uint_eq(entry.attempts, 0);
    free(entry.body);
    ck_assert_int_eq(box.counts(box.context, "a", &counts), 0);
    ck_assert_uint_eq(counts.queued, 2);
    ck_assert_int_eq(counts.oldest_us, 1001);
    ck_assert_int_eq(box.counts(box.context, "c", &counts), -ENOENT);
    ck_assert_int_eq(box.next(box.context, "c", &entry), -ENOENT);
    outbox_memory_close(memory);
}
END_TEST

START_TEST(dead_letters)
{
    uint64_t seq;
    struct outbox_dead *list;
    struct outbox_counts counts;
    open_box(3);
    for (int i = 1; i <= 3; i++)
        append_to(i, 2);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(oldest("a", &seq), i);
        ck_assert_int_eq(box.dead(box.context, "a", seq, 4, 5000 + i, "too old"), 0);
    }
    ck_assert_int_eq(box.counts(box.context, "a", &counts), 0);
    ck_assert_uint_eq(counts.queued, 1);
    ck_assert_uint_eq(counts.dead, 2);
    ck_assert_int_eq(box.list_dead(box.context, "a", &list, 1), 1);
    ck_assert_str_eq(list[0].reason, "too old");
    ck_assert_uint_eq(list[0].attempts, 4);
    ck_assert_int_eq(list[0].died_us, 5001);
    ck_assert_ptr_nonnull(strstr(list[0].body, "\"data\":1}"));
    outbox_dead_free(list, 1);
    ck_assert_int_eq(box.list_dead(box.context, "b", &list, 9), 0);
    outbox_dead_free(list, 0);
    ck_assert_int_eq(box.retry_dead(box.context, "a", 9000), 2);
    ck_assert_int_eq(box.counts(box.context, "a", &counts), 0);
    ck_assert_uint_eq(counts.queued, 3);
    ck_assert_uint_eq(counts.dead, 0);
    ck_assert_int_eq(counts.oldest_us, 9000);
    append_to(4, 1);                                    /* full: 1 goes */
    drain("a", (int[]){2, 3, 4}, 3);
    drain("b", (int[]){1, 2, 3}, 3);
    outbox_memory_close(memory);
}
END_TEST

/* As many dead letters are kept as a queue holds. */
START_TEST(dead_letters_are_bounded)
{
    uint64_t seq;
    struct outbox_dead *list;
    open_box(2);
    for (int i = 1; i <= 5; i++) {
        append_to(i, 1);
        ck_assert_int_eq(oldest("a", &seq), i);
        ck_assert_int_eq(box.dead(box.context, "a", seq, 1, i, "x"), 0);
    }
    ck_assert_int_eq(box.list_dead(box.context, "a", &list, 9), 2);
    ck_assert_int_eq(list[0].died_us, 4);
    ck_assert_int_eq(list[1].died_us, 5);
    outbox_dead_free(list, 2);
    outbox_memory_close(memory);
}
END_TEST

START_TEST(endpoints_and_state)
{
    struct outbox_state state;
    struct outbox_counts counts;
    open_box(3);
    append_to(1, 2);
    ck_assert_int_eq(box.disable(box.context, "a", 77, "gone", "url-1"), 0);
    ck_assert_int_eq(box.endpoints(box.context, (const char *[]){"c", "a"}, 2), 0);
    ck_assert_int_eq(box.state(box.context, "b", &state), -ENOENT);
    ck_assert_int_eq(box.state(box.context, "a", &state), 0);
    ck_assert_int_eq(state.disabled_us, 77);
    ck_assert_str_eq(state.reason, "gone");
    ck_assert_str_eq(state.mark, "url-1");
    ck_assert_int_eq(box.counts(box.context, "a", &counts), 0);
    ck_assert_uint_eq(counts.queued, 1);
    ck_assert_int_eq(box.enable(box.context, "a"), 0);
    ck_assert_int_eq(box.state(box.context, "a", &state), 0);
    ck_assert_int_eq(state.disabled_us, 0);
    ck_assert_int_eq(box.counts(box.context, "c", &counts), 0);
    ck_assert_uint_eq(counts.queued, 0);
    outbox_memory_close(memory);
    outbox_memory_close(NULL);
    ck_assert_int_eq(outbox_memory_open(&memory, 1), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox_memory");
    TCase *tests = tcase_create("outbox_memory");
    tcase_add_test(tests, bodies_and_ids);
    tcase_add_test(tests, oldest_first);
    tcase_add_test(tests, a_full_queue_drops_the_oldest);
    tcase_add_test(tests, attempts_and_counts);
    tcase_add_test(tests, dead_letters);
    tcase_add_test(tests, dead_letters_are_bounded);
    tcase_add_test(tests, endpoints_and_state);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
