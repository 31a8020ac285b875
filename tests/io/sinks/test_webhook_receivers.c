/* Webhooks against receivers that are not well: down, flapping, slow, 500, 429 and 503 with Retry-After, 410. Events keep their
 * order and ids. Also the settings of an endpoint: cameras, a limit per minute, two secrets. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/io/sinks/webhook_fixture.h"

enum { EVENTS = 12 };

static void post_all(struct webhooks *webhooks)
{
    for (int i = 0; i < EVENTS; i++)
        post(webhooks, i);
}

/* At first no receiver listens. */
START_TEST(down)
{
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    int port = receiver.port;
    receiver_close(&receiver);
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post_all(webhooks);
    AWAIT(stats_of(webhooks).failed_attempts >= 5);
    struct webhook_state state = state_of(webhooks, 0);
    ck_assert_uint_eq(state.queued, EVENTS);
    ck_assert_uint_ge(state.attempts, 4);
    ck_assert_int_ne(state.oldest_us, 0);
    ck_assert_int_ne(state.failed_us, 0);
    ck_assert_ptr_nonnull(strstr(state.cause, "onnect"));
    receiver_open_at(&receiver, NULL, port);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    state = state_of(webhooks, 0);
    ck_assert_uint_eq(state.attempts, 0);
    ck_assert_int_eq(state.next_us + state.oldest_us, 0);
    ck_assert_int_eq(state.newest_us, 1709210096789123);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    ck_assert(has_logged("delivers again after"));
    receiver_close(&receiver);
}
END_TEST

static struct reply flap(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = i / 3 % 2 == 0 ? 500 : 200};
}

START_TEST(flapping)
{
    struct receiver receiver;
    receiver_open(&receiver, flap);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post_all(webhooks);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_uint_ge(stats_of(webhooks).failed_attempts, 9);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

static struct reply slowly(struct receiver *receiver, size_t i)
{
    (void)receiver;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return i % 4 == 0 ? (struct reply){.status = 0, .then = 500} : (struct reply){.status = 200};
}

/* Each answer takes a while. Each fourth comes too late. */
START_TEST(slow)
{
    struct receiver receiver;
    receiver_open(&receiver, slowly);
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.timeout_s = 0.3;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post_all(webhooks);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_uint_ge(stats_of(webhooks).failed_attempts, 3);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

static struct reply refuse_each_twice(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = i % 3 < 2 ? 500 : 200};
}

START_TEST(status_500)
{
    struct receiver receiver;
    receiver_open(&receiver, refuse_each_twice);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post_all(webhooks);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 2 * EVENTS);
    ck_assert_str_eq(state_of(webhooks, 0).cause, "HTTP status 500");
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

/* The wait that each Retry-After gives, read from the log. The date lies at most 100 s ahead. */
static const char *retry_after;
static int retry_status;

static struct reply ask_to_wait(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = retry_status, .retry_after = retry_after};
}

START_TEST(retry_after_forms)
{
    char date[64], far[64], past[64];
    time_t now = time(NULL);
    struct tm tm;
    time_t at = now + 100;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    at = now + 86400;
    strftime(far, sizeof far, "%a %b %e %H:%M:%S %Y", gmtime_r(&at, &tm));         /* the form of asctime() */
    at = now - 86400;
    strftime(past, sizeof past, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    const struct { int status; const char *value; double least_s, most_s; } cases[] = {
        {429, "70", 70, 70}, {503, "70", 70, 70}, {429, date, 60, 100}, {503, date, 60, 100}, {429, "7200", 3600, 3600},
        {429, far, 3600, 3600}, {429, past, 0, 1}, {429, "-5", 0, 1}, {429, "soon", 0, 1}, {429, "0", 0, 1}, {429, "", 0, 1},
        {429, "99999999999999999999999999", 0, 3600}, {500, "70", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct receiver receiver;
        retry_after = cases[i].value;
        retry_status = cases[i].status;
        receiver_open(&receiver, ask_to_wait);
        struct config_webhook hook = hook_to(&receiver, "/");
        logged.text[0] = '\0';
        struct webhooks *webhooks = open_with(&hook, 1, &fast);
        post(webhooks, 0);
        AWAIT(stats_of(webhooks).failed_attempts >= 1);
        webhooks_close(webhooks, 0);
        const char *said = strstr(logged.text, "next in ");
        ck_assert_msg(said, "%s", logged.text);
        double wait_s = strtod(said + 8, NULL);
        ck_assert_msg(wait_s >= cases[i].least_s && wait_s <= cases[i].most_s, "%d, \"%s\": %s", cases[i].status, cases[i].value,
                      said);
        receiver_close(&receiver);
    }
}
END_TEST

static struct reply busy_once(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return i == 2 ? (struct reply){.status = 429, .retry_after = "1"} : (struct reply){.status = 200};
}

START_TEST(status_429)
{
    struct receiver receiver;
    receiver_open(&receiver, busy_once);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    int64_t before = now_us();
    post_all(webhooks);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_int_ge(now_us() - before, 1000000);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 1);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

static _Atomic bool gone;

static struct reply say_gone(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = gone && i >= 2 ? 410 : 200};
}

static char disabled_key[OUTBOX_KEY_SIZE], disabled_reason[OUTBOX_CAUSE_SIZE];

/* Tells the other endpoints, as the daemon does. */
static void on_disabled(void *arg, const char *key, const char *reason)
{
    struct webhooks **webhooks = arg;
    snprintf(disabled_key, sizeof disabled_key, "%s", key);
    snprintf(disabled_reason, sizeof disabled_reason, "%s", reason);
    memory_post(*webhooks, &(struct event){.type = EVENT_WEBHOOK_DISABLED, .webhook = key}, "{\"n\":99}");
}

/* After a 410 nothing is sent to the endpoint, its entries wait, and the other endpoints are told. Once it is enabled again, it
 * goes on where it was. */
START_TEST(status_410)
{
    struct receiver receiver, other;
    gone = true;
    receiver_open(&receiver, say_gone);
    receiver_open(&other, NULL);
    struct config_webhook hooks[] = {hook_to(&receiver, "/"), hook_to(&other, "/")};
    hooks[0].name = (char *)(uintptr_t)"yard";
    hooks[1].name = (char *)(uintptr_t)"log";
    hooks[1].filter.types = event_bit(EVENT_WEBHOOK_DISABLED);
    struct webhooks *webhooks;
    struct webhook_options options = fast;
    options.disabled = on_disabled;
    options.disabled_arg = &webhooks;
    webhooks = open_with(hooks, 2, &options);
    post_all(webhooks);
    await(&other, 1);
    AWAIT(stats_of(webhooks).delivered == 3);
    ck_assert_str_eq(disabled_key, "yard");
    ck_assert_ptr_nonnull(strstr(disabled_reason, "410"));
    ck_assert_ptr_nonnull(strstr(other.received[0].body, "\"type\":\"webhook.disabled\""));
    struct webhook_state state = state_of(webhooks, 0);
    ck_assert_int_ne(state.disabled_us, 0);
    ck_assert_str_eq(state.disabled_reason, disabled_reason);
    ck_assert_uint_eq(state.queued, EVENTS - 2);
    ck_assert_uint_eq(stats_of(webhooks).disabled, 1);
    post(webhooks, EVENTS);                                     /* this event waits, too */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    ck_assert_uint_eq(count(&receiver), 3);
    AWAIT(webhooks_deadline_us(webhooks) > now_us() + 20000000);        /* the sender sleeps */

    ck_assert_int_eq(webhooks_enable(webhooks, "nobody"), -ENOENT);
    gone = false;
    ck_assert_int_eq(webhooks_enable(webhooks, "yard"), 0);
    ck_assert_int_eq(state_of(webhooks, 0).disabled_us, 0);
    ck_assert_uint_eq(stats_of(webhooks).disabled, 0);
    AWAIT(stats_of(webhooks).delivered == EVENTS + 2);
    ck_assert_int_eq(webhooks_enable(webhooks, "yard"), 0);     /* it is enabled already: nothing happens */
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS + 1);
    ck_assert(has_logged("webhook yard: disabled, because it answered 410"));
    ck_assert(has_logged("webhook yard: enabled again"));
    receiver_close(&receiver);
    receiver_close(&other);
}
END_TEST

/* A reload that changes the endpoint enables it. A reload that leaves it as it is does not. */
START_TEST(a_changed_endpoint_is_enabled)
{
    struct receiver receiver;
    struct error err;
    gone = true;
    receiver_open(&receiver, say_gone);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    struct webhooks_change *change;
    post_all(webhooks);
    AWAIT(stats_of(webhooks).disabled == 1);
    gone = false;
    ck_assert_int_eq(webhooks_prepare(&change, &hook, 1, &err), 0);
    webhooks_adopt(webhooks, change);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    ck_assert_uint_eq(count(&receiver), 3);
    ck_assert_uint_eq(stats_of(webhooks).disabled, 1);
    hook.timeout_s = 61;
    ck_assert_int_eq(webhooks_prepare(&change, &hook, 1, &err), 0);
    webhooks_adopt(webhooks, change);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_uint_eq(state_of(webhooks, 0).delivered, EVENTS);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

/* Events that wait for a disabled endpoint become dead letters when they are too old. */
START_TEST(a_disabled_endpoint_gives_up)
{
    struct receiver receiver;
    struct outbox_dead *dead;
    size_t n;
    gone = true;
    receiver_open(&receiver, say_gone);
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.give_up_h = 0.5 / 3600;
    struct webhook_options options = fast;
    options.clock_us = webhook_default_options.clock_us;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    post_all(webhooks);
    AWAIT(stats_of(webhooks).disabled == 1);
    ck_assert_uint_eq(stats_of(webhooks).dead, 0);
    AWAIT(stats_of(webhooks).dead == EVENTS - 2);
    ck_assert_int_eq(webhooks_list_dead(webhooks, state_of(webhooks, 0).key, &dead, &n, 100), 0);
    ck_assert_uint_eq(n, EVENTS - 2);
    ck_assert_ptr_nonnull(strstr(dead[0].reason, "the endpoint is disabled"));
    ck_assert_ptr_nonnull(strstr(dead[0].body, "\"n\":2,"));
    outbox_dead_free(dead, n);
    ck_assert_int_eq(webhooks_list_dead(webhooks, "nobody", &dead, &n, 100), -ENOENT);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 3);
    receiver_close(&receiver);
}
END_TEST

/* A 410 disables the endpoint even if the event is too old by then. */
START_TEST(gone_and_too_old)
{
    struct receiver receiver;
    gone = true;
    receiver_open(&receiver, say_gone);
    receiver.n = 2;                                             /* say_gone() accepts only the first two */
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.give_up_h = 0;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).dead == 1);
    ck_assert_uint_eq(stats_of(webhooks).disabled, 1);
    ck_assert_uint_eq(state_of(webhooks, 0).dead_letters, 1);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
}
END_TEST

START_TEST(a_limit_delays)
{
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.max_per_minute = 5;
    struct webhook_options options = fast;
    options.minute_us = 400000;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    int64_t before = now_us();
    post_all(webhooks);
    AWAIT(stats_of(webhooks).delivered == EVENTS);
    ck_assert_int_ge(now_us() - before, 400000 * 2);            /* 5, then 5, then 2 events */
    ck_assert_uint_eq(stats_of(webhooks).dropped, 0);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(check_order(&receiver), EVENTS);
    receiver_close(&receiver);
}
END_TEST

START_TEST(two_secrets)
{
    static const unsigned char old[32] = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDE";
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    memcpy(hook.old_secret, old, sizeof old);
    hook.old_secret_size = sizeof old;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    await(&receiver, 1);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(strlen(receiver.received[0].signature), 2 * 47 + 1);
    check_signature_by(&receiver.received[0], secret, 0);
    check_signature_by(&receiver.received[0], old, 1);
    receiver_close(&receiver);
}
END_TEST

START_TEST(cameras_are_filtered)
{
    struct receiver receiver;
    char *cameras[] = {(char *)(uintptr_t)"yard", (char *)(uintptr_t)"gate"};
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    hook.filter.cameras = cameras;
    hook.filter.n_cameras = 2;
    hook.filter.types &= ~event_bit(EVENT_CAMERA_FROZEN);
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    const struct event events[] = {{.type = EVENT_CAMERA_LOST, .camera = "door"},
                                   {.type = EVENT_CAMERA_FROZEN, .camera = "gate"},
                                   {.type = EVENT_CAMERA_LOST, .camera = "gate"},
                                   {.type = EVENT_CAMERA_LOST, .camera = "gat"},
                                   {.type = EVENT_WEBHOOK_DISABLED, .webhook = "x"},
                                   {.type = EVENT_CAMERA_LOST, .camera = "yard"}};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%zu}", i);
        memory_post(webhooks, &events[i], data);
    }
    AWAIT(stats_of(webhooks).delivered == 3);
    struct webhook_state *states;
    size_t n;
    ck_assert_int_eq(webhooks_list(webhooks, "door", &states, &n), 0);
    ck_assert_uint_eq(states[0].events, 0);
    free(states);
    ck_assert_int_eq(webhooks_list(webhooks, "gate", &states, &n), 0);
    ck_assert_uint_eq(states[0].events, EVENT_ALL & ~event_bit(EVENT_CAMERA_FROZEN));
    free(states);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 3);
    ck_assert_int_eq(number_of(&receiver.received[0]), 2);
    ck_assert_int_eq(number_of(&receiver.received[1]), 4);
    ck_assert_int_eq(number_of(&receiver.received[2]), 5);
    receiver_close(&receiver);
}
END_TEST

/* The delay counts from the time of the event. */
START_TEST(delays_are_counted)
{
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhook_options options = fast;
    options.clock_us = webhook_default_options.clock_us;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    static const int64_t ago_s[] = {7, 7, 100, 200000, -50};
    for (size_t i = 0; i < sizeof ago_s / sizeof ago_s[0]; i++)
        memory_post(webhooks, &(struct event){.type = EVENT_CAMERA_LOST, .camera = "gate",
                                              .time_us = (now.tv_sec - ago_s[i]) * 1000000}, "{}");
    AWAIT(stats_of(webhooks).delivered == 5);
    struct webhook_stats *stats;
    size_t n;
    ck_assert_int_eq(webhooks_stats(webhooks, &stats, &n), 0);
    for (size_t i = 0; i <= DELAYS_BOUNDS; i++) {
        double from = i > 0 ? delays_bound_s[i - 1] : -1, to = i < DELAYS_BOUNDS ? delays_bound_s[i] : 1e9;
        uint64_t expected = (from < 0) + 2 * (from < 8 && to > 8) + (from < 101 && to > 101) + (to > 1e8);
        ck_assert_msg(stats->delays.n[i] == expected, "%g to %g: %llu", from, to, (unsigned long long)stats->delays.n[i]);
    }
    ck_assert_double_ge(stats->delays.sum_s, 200114);
    ck_assert_double_lt(stats->delays.sum_s, 200200);
    free(stats);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("webhook_receivers");
    tcase_add_test(tests, down);
    tcase_add_test(tests, flapping);
    tcase_add_test(tests, slow);
    tcase_add_test(tests, status_500);
    tcase_add_test(tests, retry_after_forms);
    tcase_add_test(tests, status_429);
    tcase_add_test(tests, status_410);
    tcase_add_test(tests, a_changed_endpoint_is_enabled);
    tcase_add_test(tests, a_disabled_endpoint_gives_up);
    tcase_add_test(tests, gone_and_too_old);
    tcase_add_test(tests, a_limit_delays);
    tcase_add_test(tests, two_secrets);
    tcase_add_test(tests, cameras_are_filtered);
    tcase_add_test(tests, delays_are_counted);
    return webhook_run("webhook_receivers", tests);
}
