/* Webhooks over many attempts: back-off, order, a receiver that hangs, and closing. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/io/sinks/webhook_fixture.h"

START_TEST(backoff)
{
    const struct webhook_options *options = &webhook_default_options;
    ck_assert_int_eq(options->backoff_first_us, 1000000);
    ck_assert_int_eq(options->backoff_max_us, 300000000);
    for (unsigned failures = 1; failures < 40; failures++) {
        int64_t ceiling = failures > 9 ? options->backoff_max_us : INT64_C(1000000) << (failures - 1);
        ceiling = ceiling < options->backoff_max_us ? ceiling : options->backoff_max_us;
        int64_t low = INT64_MAX, high = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t wait = webhook_backoff_us(options, failures);
            low = wait < low ? wait : low;
            high = wait > high ? wait : high;
        }
        /* By chance this fails once in 10^22 runs. */
        ck_assert_msg(low >= 0 && low < ceiling / 20 && high < ceiling && high > ceiling - ceiling / 20,
                      "after %u: %lld to %lld", failures, (long long)low, (long long)high);
    }
}
END_TEST

START_TEST(retries)
{
    struct receiver receiver;
    receiver_open(&receiver, fail_thrice);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 1);
    await(&receiver, 4);
    AWAIT(stats_of(webhooks).delivered == 1);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 3);
    ck_assert_uint_eq(stats_of(webhooks).queued, 0);
    for (size_t i = 0; i < 4; i++) {
        const struct received *r = &receiver.received[i];
        check_signature(r);
        ck_assert_str_eq(r->id, receiver.received[0].id);
        ck_assert_str_eq(r->body, receiver.received[0].body);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(r->timestamp, receiver.received[k].timestamp);
            ck_assert_str_ne(r->signature, receiver.received[k].signature);
        }
    }
    post(webhooks, 2);
    await(&receiver, 5);
    ck_assert_str_ne(receiver.received[4].id, receiver.received[0].id);
    webhooks_close(webhooks, 1000);
    ck_assert_int_eq(logged.warnings, 1);
    ck_assert_int_eq(logged.notices, 1);
    ck_assert(has_logged("HTTP status 500"));
    receiver_close(&receiver);
}
END_TEST

static struct reply every_third(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = i % 3 == 0 ? 503 : 200};
}

START_TEST(keeps_order)
{
    struct receiver receiver;
    receiver_open(&receiver, every_third);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    for (int i = 0; i < 40; i++)
        post(webhooks, i);
    AWAIT(stats_of(webhooks).delivered == 40);
    webhooks_close(webhooks, 0);
    int next = 0;
    for (size_t i = 0; i < receiver.n; i++) {
        ck_assert_int_eq(number_of(&receiver.received[i]), next);
        check_signature(&receiver.received[i]);
        if (i % 3 != 0)
            next++;
    }
    ck_assert_int_eq(next, 40);
    receiver_close(&receiver);
}
END_TEST

static struct reply hang(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = 0, .then = 200};
}

/* A receiver that never answers delays no other endpoint. It is tried again after the time-out. Closing does not wait for it. */
START_TEST(hangs)
{
    struct receiver dead, alive;
    receiver_open(&dead, hang);
    receiver_open(&alive, NULL);
    struct config_webhook hooks[2] = {hook_to(&dead, "/"), hook_to(&alive, "/")};
    hooks[0].timeout_s = 0.1;
    struct webhooks *webhooks = open_with(hooks, 2, &fast);
    for (int i = 0; i < 20; i++)
        post(webhooks, i);
    await(&alive, 20);
    await(&dead, 3);
    ck_assert(webhooks_deadline_us(webhooks) < INT64_MAX);
    ck_assert(webhooks_deadline_us(webhooks) > now_us());
    int64_t before = now_us();
    webhooks_close(webhooks, 100);
    ck_assert_int_lt(now_us() - before, 2000000);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(number_of(&dead.received[i]), 0);
    ck_assert(has_logged("timed out"));
    ck_assert(has_logged("not delivered"));
    receiver_close(&dead);
    receiver_close(&alive);
}
END_TEST

static struct reply refuse_first(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = i == 0 ? 500 : 200};
}

START_TEST(gives_up)
{
    struct receiver receiver;
    receiver_open(&receiver, refuse_first);
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.give_up_h = 0;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).dead == 1);
    ck_assert_uint_eq(stats_of(webhooks).dead_letters, 1);
    post(webhooks, 1);
    AWAIT(stats_of(webhooks).delivered == 1);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 2);
    ck_assert_int_eq(number_of(&receiver.received[1]), 1);
    ck_assert(has_logged("became a dead letter after 0.0 h"));
    receiver_close(&receiver);
}
END_TEST

static struct reply later(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = 503, .retry_after = "3000"};
}

/* Retry-After is obeyed. Until then events are not due, and closing does not wait for them. */
START_TEST(retry_after)
{
    struct receiver receiver;
    receiver_open(&receiver, later);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).failed_attempts == 1);
    post(webhooks, 1);
    int64_t before = now_us();
    webhooks_close(webhooks, 50000);
    ck_assert_int_lt(now_us() - before, 20000000);
    ck_assert_uint_eq(receiver.n, 1);
    ck_assert(has_logged("next in 3000.0 s"));
    receiver_close(&receiver);
}
END_TEST

/* Events that are queued and due at the end are still sent. */
START_TEST(grace)
{
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    for (int i = 0; i < 10; i++)
        post(webhooks, i);
    webhooks_close(webhooks, PATIENCE_S * 1000);
    ck_assert_uint_eq(count(&receiver), 10);
    webhooks_close(NULL, 0);
    receiver_close(&receiver);
}
END_TEST

static void *post_many(void *arg)
{
    for (int i = 0; i < 25; i++)
        post(arg, i);
    return NULL;
}

START_TEST(many_threads)
{
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, webhooks), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    AWAIT(stats_of(webhooks).delivered == 100);
    webhooks_close(webhooks, 0);
    for (size_t i = 0; i < receiver.n; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(receiver.received[i].id, receiver.received[k].id);
    receiver_close(&receiver);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("webhook_retry");
    tcase_add_test(tests, backoff);
    tcase_add_test(tests, retries);
    tcase_add_test(tests, keeps_order);
    tcase_add_test(tests, hangs);
    tcase_add_test(tests, gives_up);
    tcase_add_test(tests, retry_after);
    tcase_add_test(tests, grace);
    tcase_add_test(tests, many_threads);
    return webhook_run("webhook_retry", tests);
}
