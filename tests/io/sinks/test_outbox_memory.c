/* The queue of an endpoint: order, what a full queue drops, and messages that several queues hold. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/sinks/webhook_queue.h"
#include "tests/suite.h"

static struct webhook_message *make(int n)
{
    struct webhook_message *message = NULL;
    char data[16];
    snprintf(data, sizeof data, "%d", n);
    ck_assert_int_eq(webhook_message_make(&message, "camera.lost", 1709210096789123, data), 0);
    return message;
}

static void append(struct webhook_queue *queue, int n, bool keep_oldest, bool drops)
{
    struct webhook_message *message = make(n);
    ck_assert(webhook_queue_append(queue, message, keep_oldest) == drops);
    webhook_message_release(message);
}

/* Removes all, oldest first, and compares their numbers. */
static void drain(struct webhook_queue *queue, const int *expected, size_t n)
{
    ck_assert_uint_eq(queue->n, n);
    for (size_t i = 0; i < n; i++) {
        char data[32];
        snprintf(data, sizeof data, "\"data\":%d}", expected[i]);
        ck_assert_ptr_nonnull(strstr(webhook_queue_oldest(queue)->body, data));
        webhook_queue_remove_oldest(queue);
    }
    ck_assert_ptr_null(webhook_queue_oldest(queue));
}

START_TEST(bodies_and_ids)
{
    struct webhook_message *a = make(1), *b = make(1), *untouched = (void *)-1;
    ck_assert_str_eq(a->body, "{\"type\":\"camera.lost\",\"timestamp\":\"2024-02-29T12:34:56.789Z\",\"data\":1}");
    ck_assert_uint_eq(a->size, strlen(a->body));
    ck_assert_uint_eq(strlen(a->id), WEBHOOK_ID_SIZE - 1);
    ck_assert_int_eq(strncmp(a->id, "msg_", 4), 0);
    ck_assert_str_ne(a->id, b->id);
    ck_assert(a->posted_us <= monotonic_us() && a->posted_us > monotonic_us() - 60000000);
    ck_assert_int_eq(webhook_message_make(&untouched, "camera.lost", 0, "{no json"), -EINVAL);
    ck_assert_ptr_eq(untouched, (void *)-1);
    webhook_message_release(a);
    webhook_message_release(b);
}
END_TEST

START_TEST(oldest_first)
{
    struct webhook_queue queue;
    ck_assert_int_eq(webhook_queue_init(&queue, 3), 0);
    for (int round = 0; round < 5; round++) {           /* the ring goes round */
        append(&queue, 1, false, false);
        append(&queue, 2, true, false);
        drain(&queue, (int[]){1, 2}, 2);
    }
    webhook_queue_clear(&queue);
    webhook_queue_clear(&queue);
}
END_TEST

START_TEST(a_full_queue_drops_the_oldest)
{
    for (int first = 0; first < 3; first++) {           /* wherever the ring begins */
        struct webhook_queue queue;
        ck_assert_int_eq(webhook_queue_init(&queue, 3), 0);
        for (int i = 0; i < first; i++) {
            append(&queue, 99, false, false);
            webhook_queue_remove_oldest(&queue);
        }
        for (int i = 1; i <= 3; i++)
            append(&queue, i, false, false);
        append(&queue, 4, false, true);
        append(&queue, 5, true, true);                  /* 2 is being sent and stays */
        drain(&queue, (int[]){2, 4, 5}, 3);
        webhook_queue_clear(&queue);
    }
}
END_TEST

START_TEST(the_last_holder_frees)
{
    struct webhook_queue a, b;
    ck_assert_int_eq(webhook_queue_init(&a, 2), 0);
    ck_assert_int_eq(webhook_queue_init(&b, 2), 0);
    struct webhook_message *message = make(7);
    webhook_queue_append(&a, message, false);
    webhook_queue_append(&b, message, false);
    ck_assert_uint_eq(message->holders, 3);
    webhook_message_release(message);
    webhook_queue_clear(&a);
    ck_assert_uint_eq(message->holders, 1);
    ck_assert_str_eq(webhook_queue_oldest(&b)->id, message->id);
    webhook_queue_clear(&b);                            /* the address sanitizer sees a leak, or a second free */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook_queue");
    TCase *tests = tcase_create("webhook_queue");
    tcase_add_test(tests, bodies_and_ids);
    tcase_add_test(tests, oldest_first);
    tcase_add_test(tests, a_full_queue_drops_the_oldest);
    tcase_add_test(tests, the_last_holder_frees);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
