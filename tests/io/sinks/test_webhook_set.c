/* Endpoints of webhooks change while events wait. Equal endpoints go on untouched, and endpoints with the same key keep their
 * queues. Events of removed endpoints are counted. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/sinks/webhook.h"
#include "tests/io/sinks/outbox_memory.h"
#include "tests/suite.h"

enum { RECEIVERS = 2, SEEN_MAX = 256 };

/* A receiver takes one request a connection and answers with `status`. 0: it does not answer and keeps the connection. */
struct receiver {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t mutex;
    int status;
    int n;
    char ids[SEEN_MAX][64], bodies[SEEN_MAX][256];
    bool is_signed[SEEN_MAX];
    int held[SEEN_MAX], n_held;
};

static struct receiver receivers[RECEIVERS];

static void header_of(const char *request, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(request, name);
    out[0] = '\0';
    if (at)
        snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\r"), at + strlen(name));
}

static void take_request(struct receiver *receiver, int fd)
{
    char request[4096];
    size_t n = 0;
    char *end = NULL, length[16];
    for (ssize_t got; n < sizeof request - 1 && (got = read(fd, request + n, sizeof request - 1 - n)) > 0;) {
        n += (size_t)got;
        request[n] = '\0';
        end = strstr(request, "\r\n\r\n");
        header_of(request, "content-length: ", length, sizeof length);
        if (end && (size_t)(request + n - (end + 4)) >= (size_t)atoi(length))
            break;
    }
    if (!end) {
        close(fd);
        return;
    }
    pthread_mutex_lock(&receiver->mutex);
    int i = receiver->n++, status = receiver->status;
    char signature[128];
    header_of(request, "webhook-id: ", receiver->ids[i], sizeof receiver->ids[i]);
    header_of(request, "webhook-signature: ", signature, sizeof signature);
    receiver->is_signed[i] = signature[0] != '\0';
    snprintf(receiver->bodies[i], sizeof receiver->bodies[i], "%s", end + 4);
    if (status == 0)
        receiver->held[receiver->n_held++] = fd;
    pthread_mutex_unlock(&receiver->mutex);
    if (status == 0)
        return;
    dprintf(fd, "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    close(fd);
}

static void *receive(void *arg)
{
    struct receiver *receiver = arg;
    for (int fd; (fd = accept(receiver->fd, NULL, NULL)) >= 0;)
        take_request(receiver, fd);
    return NULL;
}

static void setup(void)
{
    for (int i = 0; i < RECEIVERS; i++) {
        struct receiver *r = &receivers[i];
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        *r = (struct receiver){.status = 200, .fd = socket(AF_INET, SOCK_STREAM, 0)};
        pthread_mutex_init(&r->mutex, NULL);
        ck_assert_int_eq(bind(r->fd, (struct sockaddr *)&address, size), 0);
        ck_assert_int_eq(listen(r->fd, 16), 0);
        ck_assert_int_eq(getsockname(r->fd, (struct sockaddr *)&address, &size), 0);
        r->port = ntohs(address.sin_port);
        pthread_create(&r->thread, NULL, receive, r);
    }
}

static void teardown(void)
{
    for (int i = 0; i < RECEIVERS; i++) {
        struct receiver *r = &receivers[i];
        shutdown(r->fd, SHUT_RDWR);
        pthread_join(r->thread, NULL);
        close(r->fd);
        for (int k = 0; k < r->n_held; k++)
            close(r->held[k]);
        pthread_mutex_destroy(&r->mutex);
    }
}

static char urls[RECEIVERS][64];

static struct config_webhook hook_to(int i)
{
    snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d/hook", receivers[i].port);
    return (struct config_webhook){.url = urls[i], .filter.types = EVENT_ALL, .timeout_s = 60, .give_up_h = 24};
}

static int seen(int i)
{
    pthread_mutex_lock(&receivers[i].mutex);
    int n = receivers[i].n;
    pthread_mutex_unlock(&receivers[i].mutex);
    return n;
}

static void set_status(int i, int status)
{
    pthread_mutex_lock(&receivers[i].mutex);
    receivers[i].status = status;
    pthread_mutex_unlock(&receivers[i].mutex);
}

static void wait_seen(int i, int n)
{
    while (seen(i) < n)
        usleep(1000);           /* the time limit of the test bounds this loop */
}

static struct webhooks *open_to(const struct config_webhook *hooks, size_t n)
{
    struct webhook_options options = webhook_default_options;
    struct webhooks *webhooks;
    struct error err = {""};
    options.backoff_first_us = options.backoff_max_us = 1000;
    ck_assert_msg(memory_open(&webhooks, hooks, n, &options, NULL, NULL, &err) == 0, "%s", err.text);
    return webhooks;
}

static void set(struct webhooks *webhooks, const struct config_webhook *hooks, size_t n)
{
    struct error err = {""};
    struct webhooks_change *change;
    ck_assert_msg(webhooks_prepare(&change, hooks, n, &err) == 0, "%s", err.text);
    webhooks_adopt(webhooks, change);
}

static void post(struct webhooks *webhooks, int number)
{
    char data[32];
    snprintf(data, sizeof data, "{\"number\":%d}", number);
    memory_post(webhooks, &(struct event){.type = EVENT_CAMERA_LOST, .camera = "gate"}, data);
}

/* Returns the counts of the endpoint with that number. */
static struct webhook_stats stats_of(struct webhooks *webhooks, size_t number)
{
    struct webhook_stats *by_name, one;
    size_t n;
    ck_assert_int_eq(webhooks_stats(webhooks, &by_name, &n), 0);
    ck_assert_uint_lt(number, n);
    one = by_name[number];
    free(by_name);
    return one;
}

static void wait_delivered(struct webhooks *webhooks, size_t number, uint64_t n)
{
    while (stats_of(webhooks, number).delivered < n)
        usleep(1000);
    ck_assert_uint_eq(stats_of(webhooks, number).delivered, n);
}

START_TEST(events_go_to_the_new_endpoints)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    struct webhooks *webhooks = open_to(NULL, 0);
    post(webhooks, 0);                                  /* there is no endpoint */
    set(webhooks, hooks, 1);
    post(webhooks, 1);
    wait_seen(0, 1);
    set(webhooks, &hooks[1], 1);
    post(webhooks, 2);
    wait_seen(1, 1);
    set(webhooks, NULL, 0);
    post(webhooks, 3);
    set(webhooks, hooks, 2);
    post(webhooks, 4);
    wait_seen(0, 2);
    wait_seen(1, 2);
    ck_assert_ptr_nonnull(strstr(receivers[0].bodies[0], "\"number\":1"));
    ck_assert_ptr_nonnull(strstr(receivers[1].bodies[0], "\"number\":2"));
    ck_assert_ptr_nonnull(strstr(receivers[0].bodies[1], "\"number\":4"));
    webhooks_close(webhooks, 1000);
    ck_assert_int_eq(seen(0) + seen(1), 4);
}
END_TEST

/* One event is being sent to an endpoint that does not answer, and two more wait. */
static struct webhooks *open_with_three_waiting(const struct config_webhook *hook)
{
    set_status(0, 0);
    struct webhooks *webhooks = open_to(hook, 1);
    for (int i = 0; i < 3; i++)
        post(webhooks, i);
    wait_seen(0, 1);
    return webhooks;
}

START_TEST(an_endpoint_that_stays_is_untouched)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    struct webhook_stats stats;
    struct webhooks *webhooks = open_with_three_waiting(hooks);
    set(webhooks, hooks, 2);
    set(webhooks, (struct config_webhook[]){hooks[1], hooks[0]}, 2);
    post(webhooks, 3);
    wait_seen(1, 1);
    stats = stats_of(webhooks, 0);
    ck_assert_int_eq(seen(0), 1);                       /* still the first attempt */
    ck_assert_uint_eq(stats.dropped, 0);
    ck_assert_uint_ge(stats.queued, 4);
    webhooks_close(webhooks, 0);
}
END_TEST

START_TEST(an_endpoint_of_the_same_url_takes_the_queue_over)
{
    struct config_webhook hook = hook_to(0);
    struct webhooks *webhooks = open_with_three_waiting(&hook);
    set_status(0, 200);
    memcpy(hook.secret, "0123456789abcdefghijklmnopqrstuv", 32);
    hook.secret_size = 32;
    set(webhooks, &hook, 1);
    wait_seen(0, 4);
    webhooks_close(webhooks, 1000);
    ck_assert_int_eq(seen(0), 4);
    for (int i = 0; i < 3; i++) {
        char number[32];
        snprintf(number, sizeof number, "\"number\":%d", i);
        ck_assert_ptr_nonnull(strstr(receivers[0].bodies[1 + i], number));
        ck_assert(receivers[0].is_signed[1 + i]);
    }
    ck_assert(!receivers[0].is_signed[0]);
    ck_assert_str_eq(receivers[0].ids[0], receivers[0].ids[1]);         /* it was sent again under the same id */
}
END_TEST

START_TEST(events_of_a_gone_endpoint_are_counted)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    struct webhook_stats stats;
    struct webhooks *webhooks = open_with_three_waiting(hooks);
    set(webhooks, &hooks[1], 1);
    stats = stats_of(webhooks, 0);
    ck_assert_uint_eq(stats.dropped, 3);
    ck_assert_uint_eq(stats.queued, 0);
    post(webhooks, 3);
    wait_seen(1, 1);
    webhooks_close(webhooks, 1000);
}
END_TEST

/* An endpoint's name is that of the configuration, or its URL without user, password and path. Its counts outlive it. */
START_TEST(counts_are_by_name)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    char secret_url[128], name[64];
    const char *port = strrchr(hooks[1].url, ':') + 1;
    snprintf(secret_url, sizeof secret_url, "http://user:hunter2@127.0.0.1:%d/token?key=hunter2", atoi(port));
    snprintf(name, sizeof name, "http://127.0.0.1:%d", atoi(port));
    hooks[0].name = (char *)(uintptr_t)"yard";
    hooks[1].url = secret_url;
    set_status(0, 200);
    set_status(1, 500);
    struct webhooks *webhooks = open_to(hooks, 2);
    post(webhooks, 0);
    wait_delivered(webhooks, 0, 1);
    while (stats_of(webhooks, 1).failed_attempts < 2)
        usleep(1000);
    ck_assert_str_eq(stats_of(webhooks, 0).name, "yard");
    ck_assert_str_eq(stats_of(webhooks, 1).name, name);
    ck_assert_uint_eq(stats_of(webhooks, 0).failed_attempts + stats_of(webhooks, 0).queued, 0);
    ck_assert_uint_eq(stats_of(webhooks, 1).delivered, 0);
    ck_assert_uint_eq(stats_of(webhooks, 1).queued, 1);
    set(webhooks, hooks, 1);                            /* the second endpoint is removed, and its event with it */
    ck_assert_uint_eq(stats_of(webhooks, 1).dropped, 1);
    ck_assert_uint_eq(stats_of(webhooks, 0).dropped + stats_of(webhooks, 1).queued, 0);
    hooks[1] = hook_to(1);                              /* another endpoint of the same name */
    hooks[1].name = hooks[0].name;
    set_status(1, 200);
    set(webhooks, hooks, 2);
    post(webhooks, 1);
    wait_delivered(webhooks, 0, 3);
    struct webhook_stats *all;
    size_t n;
    ck_assert_int_eq(webhooks_stats(webhooks, &all, &n), 0);
    ck_assert_uint_eq(n, 2);
    free(all);
    webhooks_close(webhooks, 1000);
}
END_TEST

START_TEST(a_faulty_endpoint_changes_nothing)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    struct error err = {""};
    struct webhooks *webhooks = open_to(hooks, 1);
    hooks[1].url = (char *)(uintptr_t)"ftp://127.0.0.1/";
    struct webhooks_change *change;
    ck_assert_int_lt(webhooks_prepare(&change, hooks, 2, &err), 0);
    ck_assert_str_ne(err.text, "");
    post(webhooks, 0);
    wait_seen(0, 1);
    webhooks_close(webhooks, 1000);
}
END_TEST

START_TEST(a_forgotten_change_changes_nothing)
{
    struct config_webhook hooks[2] = {hook_to(0), hook_to(1)};
    struct webhooks_change *change;
    struct webhook_stats stats;
    struct error err = {""};
    struct webhooks *webhooks = open_with_three_waiting(hooks);
    ck_assert_int_eq(webhooks_prepare(&change, &hooks[1], 1, &err), 0);
    webhooks_forget(change);
    stats = stats_of(webhooks, 0);
    ck_assert_uint_eq(stats.dropped, 0);
    ck_assert_uint_eq(stats.queued, 3);
    webhooks_close(webhooks, 0);
    ck_assert_int_eq(seen(1), 0);
}
END_TEST

/* Every event reaches an endpoint whose URL stays the same, whatever else changes. */
START_TEST(many_changes_lose_nothing)
{
    enum { EVENTS = 40 };
    struct config_webhook hook = hook_to(0), other = hook_to(1);
    struct webhooks *webhooks = open_to(&hook, 1);
    for (int i = 0; i < EVENTS; i++) {
        post(webhooks, i);
        hook.timeout_s = 60 + i;
        set(webhooks, (struct config_webhook[]){other, hook}, 2);
        set(webhooks, (struct config_webhook[]){hook, other}, 1 + (size_t)i % 2);
    }
    webhooks_close(webhooks, 5000);
    bool found[EVENTS] = {0};
    for (int k = 0; k < seen(0); k++)
        for (int i = 0; i < EVENTS; i++) {
            char number[32];
            snprintf(number, sizeof number, "\"number\":%d}", i);
            found[i] |= strstr(receivers[0].bodies[k], number) != NULL;
        }
    for (int i = 0; i < EVENTS; i++)
        ck_assert_msg(found[i], "event %d was lost", i);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("webhook_set");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, events_go_to_the_new_endpoints);
    tcase_add_test(tcase, an_endpoint_that_stays_is_untouched);
    tcase_add_test(tcase, an_endpoint_of_the_same_url_takes_the_queue_over);
    tcase_add_test(tcase, events_of_a_gone_endpoint_are_counted);
    tcase_add_test(tcase, counts_are_by_name);
    tcase_add_test(tcase, a_faulty_endpoint_changes_nothing);
    tcase_add_test(tcase, a_forgotten_change_changes_nothing);
    tcase_add_test(tcase, many_changes_lose_nothing);
    Suite *suite = suite_create("webhook_set");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
