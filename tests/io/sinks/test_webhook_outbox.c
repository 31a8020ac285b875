/* Webhooks over an outbox that outlives the sender, as one on disk does. A later run finds attempts, due times and disabled
 * endpoints again. Also: dead letters that are tried again, an outbox that fails, a clock that is set. */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/io/sinks/webhook_fixture.h"

/* An outbox in memory whose calls can be made to fail. */
static struct outbox_memory memory = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static struct outbox inner;
static atomic_int failing;              /* enum call bits */
static atomic_uint calls_failed;

enum call { CALL_NEXT = 1, CALL_DELIVERED = 2, CALL_FAILED = 4, CALL_DEAD = 8, CALL_ENDPOINTS = 16 };

static bool fails(enum call call)
{
    bool now = atomic_load(&failing) & (int)call;
    atomic_fetch_add(&calls_failed, now);
    return now;
}

static int endpoints(void *context, const char *const *keys, size_t n)
{
    return fails(CALL_ENDPOINTS) ? -EIO : inner.endpoints(context, keys, n);
}

static int next(void *context, const char *key, struct outbox_entry *ret)
{
    return fails(CALL_NEXT) ? -EIO : inner.next(context, key, ret);
}

static int delivered(void *context, const char *key, uint64_t seq, int64_t time_us)
{
    return fails(CALL_DELIVERED) ? -ENOSPC : inner.delivered(context, key, seq, time_us);
}

static int failed(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t due_us, const char *cause)
{
    return fails(CALL_FAILED) ? -ENOSPC : inner.failed(context, key, seq, attempts, due_us, cause);
}

static int dead(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t time_us, const char *reason)
{
    return fails(CALL_DEAD) ? -ENOSPC : inner.dead(context, key, seq, attempts, time_us, reason);
}

static struct outbox box;
static struct receiver receiver;
static struct config_webhook hook;
static _Atomic int64_t wall_ahead_us;   /* how far the test's clock is ahead of the real one */
static atomic_int status;

static struct reply answer_status(struct receiver *r, size_t i)
{
    (void)r, (void)i;
    return (struct reply){.status = atomic_load(&status)};
}

static int64_t wall_us(void *arg)
{
    struct timespec now;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load(&wall_ahead_us);
}

static struct webhook_options options;

static void setup(void)
{
    box = inner = outbox_memory(&memory);
    box.endpoints = endpoints;
    box.next = next;
    box.delivered = delivered;
    box.failed = failed;
    box.dead = dead;
    receiver_open(&receiver, answer_status);
    atomic_store(&status, 200);
    hook = hook_to(&receiver, "/");
    hook.name = (char *)(uintptr_t)"yard";
    hook.give_up_h = 24;
    options = fast;
    options.outbox = &box;
    options.clock_us = wall_us;
}

static void teardown(void)
{
    receiver_close(&receiver);
}

static struct webhooks *open_one(void)
{
    return open_with(&hook, 1, &options);
}

/* Adds an entry, as the daemon's store does. */
static void add(struct webhooks *webhooks, int number)
{
    char data[64];
    snprintf(data, sizeof data, "{\"n\":%d}", number);
    outbox_memory_append(&memory, &(struct event){.type = EVENT_CAMERA_LOST, .time_us = wall_us(NULL)}, wall_us(NULL), data,
                         (const char *[]){"yard"}, 1);
    if (webhooks)
        webhooks_wake(webhooks);
}

START_TEST(a_later_run_goes_on)
{
    struct webhooks *webhooks = open_one();
    atomic_store(&status, 500);
    for (int i = 0; i < 5; i++)
        add(webhooks, i);
    AWAIT(stats_of(webhooks).failed_attempts >= 3);
    unsigned attempts = state_of(webhooks, 0).attempts;
    webhooks_close(webhooks, 0);
    ck_assert(has_logged("5 events were not delivered before the end and wait for the next start"));

    webhooks = open_one();
    AWAIT(state_of(webhooks, 0).attempts > attempts);           /* attempts are counted on */
    atomic_store(&status, 200);
    AWAIT(stats_of(webhooks).delivered == 5);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), 5);
}
END_TEST

/* Sets the due time of the oldest entry, as an earlier run left it. */
static void leave_due(int64_t from_now_us)
{
    struct outbox_entry entry;
    ck_assert_int_eq(inner.endpoints(inner.context, (const char *[]){"yard"}, 1), 0);
    add(NULL, 0);
    ck_assert_int_eq(inner.next(inner.context, "yard", &entry), 1);
    free(entry.body);
    ck_assert_int_eq(inner.failed(inner.context, "yard", entry.seq, 3, wall_us(NULL) + from_now_us, "x"), 0);
}

START_TEST(a_due_time_holds_over_a_restart)
{
    leave_due(700000);
    int64_t before = now_us();
    struct webhooks *webhooks = open_one();
    AWAIT(state_of(webhooks, 0).next_us > wall_us(NULL));
    AWAIT(stats_of(webhooks).delivered == 1);
    ck_assert_int_ge(now_us() - before, 600000);
    webhooks_close(webhooks, 0);
}
END_TEST

/* The clock was wrong in the earlier run, or is wrong now. The sender waits for an hour at most. */
START_TEST(a_due_time_is_bounded)
{
    leave_due(INT64_C(6) * 365 * 86400 * 1000000);
    struct webhooks *webhooks = open_one();
    AWAIT(state_of(webhooks, 0).attempts == 3);
    int64_t wait_us = state_of(webhooks, 0).next_us - wall_us(NULL);
    ck_assert_int_le(wait_us, INT64_C(3600) * 1000000);
    ck_assert_int_ge(wait_us, INT64_C(3500) * 1000000);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 0);
}
END_TEST

/* The clock goes forward by years, then back, while events wait. That makes no event too old. */
START_TEST(a_clock_that_is_set_loses_nothing)
{
    static const int64_t steps_us[] = {INT64_C(5) * 365 * 86400 * 1000000, INT64_C(-5) * 365 * 86400 * 1000000};
    atomic_store(&status, 500);
    struct webhooks *webhooks = open_one();
    for (size_t i = 0; i < 2; i++) {
        add(webhooks, 2 * (int)i);
        add(webhooks, 2 * (int)i + 1);
        uint64_t before = stats_of(webhooks).failed_attempts;
        AWAIT(stats_of(webhooks).failed_attempts > before + 2);
        atomic_fetch_add(&wall_ahead_us, steps_us[i]);
        before = stats_of(webhooks).failed_attempts;
        AWAIT(stats_of(webhooks).failed_attempts > before + 5);
        ck_assert_uint_eq(stats_of(webhooks).dead, 0);
    }
    atomic_store(&status, 200);
    AWAIT(stats_of(webhooks).delivered == 4);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), 4);
}
END_TEST

/* The clock goes forward after the run has lasted longer than give_up_h. The event that waited still gets give_up_h, or an hour
 * if that is shorter. */
START_TEST(a_step_of_the_clock_gives_time)
{
    hook.give_up_h = 3.0 / 3600;
    atomic_store(&status, 500);
    struct webhooks *webhooks = open_one();
    nanosleep(&(struct timespec){.tv_sec = 3, .tv_nsec = 200000000}, NULL);
    int64_t queued_us = wall_us(NULL);
    atomic_fetch_add(&wall_ahead_us, INT64_C(365) * 86400 * 1000000);
    outbox_memory_append(&memory, &(struct event){.type = EVENT_CAMERA_LOST, .time_us = queued_us}, queued_us, "{\"n\":0}",
                         (const char *[]){"yard"}, 1);
    webhooks_wake(webhooks);
    AWAIT(stats_of(webhooks).failed_attempts >= 3);
    ck_assert_uint_eq(stats_of(webhooks).dead, 0);
    AWAIT(stats_of(webhooks).dead == 1);
    webhooks_close(webhooks, 0);
}
END_TEST

/* An event that is always refused does not block the queue for ever, even if the clock was set back. */
START_TEST(age_counts_though_the_clock_was_set_back)
{
    hook.give_up_h = 0.3 / 3600;
    atomic_store(&status, 400);
    struct webhooks *webhooks = open_one();
    add(webhooks, 0);
    atomic_fetch_sub(&wall_ahead_us, INT64_C(365) * 86400 * 1000000);
    AWAIT(stats_of(webhooks).dead == 1);
    webhooks_close(webhooks, 0);
}
END_TEST

START_TEST(disabled_over_a_restart)
{
    struct webhooks *webhooks = open_one();
    atomic_store(&status, 410);
    add(webhooks, 0);
    AWAIT(stats_of(webhooks).disabled == 1);
    int64_t since = state_of(webhooks, 0).disabled_us;
    webhooks_close(webhooks, 0);

    atomic_store(&status, 200);
    webhooks = open_one();
    AWAIT(stats_of(webhooks).disabled == 1);
    ck_assert_int_eq(state_of(webhooks, 0).disabled_us, since);
    ck_assert_ptr_nonnull(strstr(state_of(webhooks, 0).disabled_reason, "410"));
    add(webhooks, 1);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    ck_assert_uint_eq(count(&receiver), 1);
    webhooks_close(webhooks, 0);

    hook = hook_to(&receiver, "/another");              /* the endpoint got another URL between two runs */
    hook.name = (char *)(uintptr_t)"yard";
    webhooks = open_one();
    AWAIT(stats_of(webhooks).delivered == 2);
    ck_assert_uint_eq(stats_of(webhooks).disabled, 0);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), 2);
}
END_TEST

START_TEST(dead_letters_are_tried_again)
{
    hook.give_up_h = 0;
    atomic_store(&status, 500);
    struct webhooks *webhooks = open_one();
    for (int i = 0; i < 3; i++)
        add(webhooks, i);
    AWAIT(stats_of(webhooks).dead_letters == 3);
    ck_assert_uint_eq(state_of(webhooks, 0).queued, 0);
    ck_assert_int_eq(webhooks_retry_dead(webhooks, "nobody"), -ENOENT);
    atomic_store(&status, 200);
    ck_assert_int_eq(webhooks_retry_dead(webhooks, "yard"), 0);
    AWAIT(stats_of(webhooks).delivered == 3);
    ck_assert_uint_eq(stats_of(webhooks).dead_letters, 0);
    ck_assert_uint_eq(stats_of(webhooks).dead, 3);
    webhooks_close(webhooks, 0);
    ck_assert(has_logged("3 dead letters are tried again"));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(number_of(&receiver.received[i]), (int)i);
        ck_assert_str_eq(receiver.received[3 + i].id, receiver.received[i].id);
    }
}
END_TEST

/* While the outbox cannot note a delivery, nothing else is sent, and the delivered event is not sent again. */
START_TEST(an_outbox_that_cannot_note_a_delivery)
{
    struct webhooks *webhooks = open_one();
    atomic_store(&failing, CALL_DELIVERED);
    for (int i = 0; i < 3; i++)
        add(webhooks, i);
    AWAIT(atomic_load(&calls_failed) >= 1);
    ck_assert(webhooks_deadline_us(webhooks) > now_us());
    ck_assert_uint_eq(count(&receiver), 1);
    atomic_store(&failing, 0);
    AWAIT(stats_of(webhooks).delivered == 3);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 3);
    ck_assert_int_eq(check_order(&receiver), 3);
    ck_assert(has_logged("cannot read or write the outbox: No space left on device; memaed tries again"));
    ck_assert_int_eq(logged.errors, 1);
}
END_TEST

/* The sender asks an outbox that fails again. A failed attempt that the outbox cannot note counts all the same. */
START_TEST(an_outbox_that_fails_otherwise)
{
    atomic_store(&failing, CALL_NEXT | CALL_ENDPOINTS);
    struct webhooks *webhooks = open_one();
    AWAIT(atomic_load(&calls_failed) >= 2);
    atomic_store(&failing, CALL_FAILED);
    atomic_store(&status, 500);
    AWAIT(stats_of(webhooks).queued == 0);
    ck_assert_int_eq(inner.endpoints(inner.context, (const char *[]){"yard"}, 1), 0);
    add(webhooks, 0);
    AWAIT(state_of(webhooks, 0).attempts >= 3);
    atomic_store(&status, 200);
    AWAIT(stats_of(webhooks).delivered == 1);
    webhooks_close(webhooks, 0);
}
END_TEST

START_TEST(keys)
{
    struct config_webhook hooks[5] = {{.url = (char *)(uintptr_t)"http://h/1"}, {.url = (char *)(uintptr_t)"http://h/2"},
                                      {.url = (char *)(uintptr_t)"http://h/1"}, {.url = (char *)(uintptr_t)"http://h/1"},
                                      {.url = (char *)(uintptr_t)"http://h/1", .name = (char *)(uintptr_t)"yard"}};
    char got[5][OUTBOX_KEY_SIZE];
    webhook_keys(got, hooks, 5);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(strncmp(got[i], "url-", 4), 0);
    ck_assert_uint_eq(strlen(got[0]), 12);
    ck_assert_str_ne(got[0], got[1]);
    ck_assert_int_eq(strncmp(got[2], got[0], 12), 0);
    ck_assert_str_eq(got[2] + 12, "-2");
    ck_assert_str_eq(got[3] + 12, "-3");
    ck_assert_str_eq(got[4], "yard");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("webhook_outbox");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_later_run_goes_on);
    tcase_add_test(tests, a_due_time_holds_over_a_restart);
    tcase_add_test(tests, a_due_time_is_bounded);
    tcase_add_test(tests, a_clock_that_is_set_loses_nothing);
    tcase_add_test(tests, a_step_of_the_clock_gives_time);
    tcase_add_test(tests, age_counts_though_the_clock_was_set_back);
    tcase_add_test(tests, disabled_over_a_restart);
    tcase_add_test(tests, dead_letters_are_tried_again);
    tcase_add_test(tests, an_outbox_that_cannot_note_a_delivery);
    tcase_add_test(tests, an_outbox_that_fails_otherwise);
    tcase_add_test(tests, keys);
    return webhook_run("webhook_outbox", tests);
}
