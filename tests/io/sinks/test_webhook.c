/* io/webhook, io/signature: against a receiver on loopback that verifies, fails, redirects, hangs and floods. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <jansson.h>
#include <microhttpd.h>

#include "io/sinks/signature.h"
#include "io/sinks/webhook.h"

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the receiver --------------------------------------------------------------------------------------------------- */

enum { RECEIVED_MAX = 512, PATIENCE_S = 60 };

struct received {
    char method[16], path[64], id[64], timestamp[32], signature[64], type[64], agent[64], body[1024], authorization[64];
    size_t size;
};

/* Status to answer request i with; 0: none until the receiver is let go, then `then`. location, retry_after and size may
 * be set. */
struct reply {
    int status, then;
    const char *location, *retry_after;
    size_t size;
};

struct receiver {
    struct MHD_Daemon *daemon;
    int port;
    struct reply (*script)(struct receiver *receiver, size_t i);
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct received received[RECEIVED_MAX];
    size_t n;
    bool let_go;
    size_t flooded;                     /* bytes of a long answer that were taken */
};

static enum MHD_Result answer(struct MHD_Connection *connection, struct receiver *receiver, const struct reply *reply);

static void copy_header(struct MHD_Connection *connection, const char *name, char *out, size_t size)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    snprintf(out, size, "%s", value ? value : "");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **context)
{
    struct receiver *receiver = arg;
    struct received *r = *context;
    (void)version;
    if (!r) {
        *context = r = calloc(1, sizeof *r);
        return MHD_YES;
    }
    if (*upload_size) {
        size_t n = *upload_size < sizeof r->body - 1 - r->size ? *upload_size : sizeof r->body - 1 - r->size;
        memcpy(r->body + r->size, upload, n);
        r->size += n;
        *upload_size = 0;
        return MHD_YES;
    }
    snprintf(r->method, sizeof r->method, "%s", method);
    snprintf(r->path, sizeof r->path, "%s", url);
    copy_header(connection, "webhook-id", r->id, sizeof r->id);
    copy_header(connection, "webhook-timestamp", r->timestamp, sizeof r->timestamp);
    copy_header(connection, "webhook-signature", r->signature, sizeof r->signature);
    copy_header(connection, "Content-Type", r->type, sizeof r->type);
    copy_header(connection, "User-Agent", r->agent, sizeof r->agent);
    copy_header(connection, "Authorization", r->authorization, sizeof r->authorization);

    pthread_mutex_lock(&receiver->mutex);
    size_t i = receiver->n;
    if (i < RECEIVED_MAX) {
        receiver->received[i] = *r;
        receiver->n++;
    }
    struct reply reply = receiver->script ? receiver->script(receiver, i) : (struct reply){.status = 200};
    pthread_cond_broadcast(&receiver->cond);
    while (reply.status == 0 && !receiver->let_go)
        pthread_cond_wait(&receiver->cond, &receiver->mutex);
    pthread_mutex_unlock(&receiver->mutex);
    if (reply.status == 0)
        reply.status = reply.then;
    return answer(connection, receiver, &reply);
}

static ssize_t flood(void *arg, uint64_t at, char *out, size_t max)
{
    struct receiver *receiver = arg;
    (void)at;
    memset(out, 'x', max);
    pthread_mutex_lock(&receiver->mutex);
    receiver->flooded += max;
    pthread_mutex_unlock(&receiver->mutex);
    return (ssize_t)max;
}

static enum MHD_Result answer(struct MHD_Connection *connection, struct receiver *receiver, const struct reply *reply)
{
    static char empty[1];
    struct MHD_Response *response =
        reply->size ? MHD_create_response_from_callback(reply->size, 4096, flood, receiver, NULL)
                    : MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
    if (reply->location)
        MHD_add_response_header(response, "Location", reply->location);
    if (reply->retry_after)
        MHD_add_response_header(response, "Retry-After", reply->retry_after);
    enum MHD_Result r = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return r;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*context);
}

static void receiver_open_tls(struct receiver *receiver, struct reply (*script)(struct receiver *, size_t), const char *key,
                              const char *certificate)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->script = script;
    pthread_mutex_init(&receiver->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&receiver->cond, &attr);
    pthread_condattr_destroy(&attr);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | (key ? (unsigned)MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
                                   {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    receiver->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, receiver, MHD_OPTION_SOCK_ADDR, &address,
                                        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY, key ? tls : none,
                                        MHD_OPTION_END);
    ck_assert_ptr_nonnull(receiver->daemon);
    receiver->port = MHD_get_daemon_info(receiver->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void receiver_open(struct receiver *receiver, struct reply (*script)(struct receiver *, size_t))
{
    receiver_open_tls(receiver, script, NULL, NULL);
}

static void let_go(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    receiver->let_go = true;
    pthread_cond_broadcast(&receiver->cond);
    pthread_mutex_unlock(&receiver->mutex);
}

static void receiver_close(struct receiver *receiver)
{
    let_go(receiver);
    MHD_stop_daemon(receiver->daemon);
    pthread_cond_destroy(&receiver->cond);
    pthread_mutex_destroy(&receiver->mutex);
}

static void await(struct receiver *receiver, size_t n)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    int r = 0;
    pthread_mutex_lock(&receiver->mutex);
    while (receiver->n < n && r == 0)
        r = pthread_cond_timedwait(&receiver->cond, &receiver->mutex, &until);
    size_t got = receiver->n;
    pthread_mutex_unlock(&receiver->mutex);
    ck_assert_msg(got >= n, "%zu of %zu requests came", got, n);
}

static size_t count(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    size_t n = receiver->n;
    pthread_mutex_unlock(&receiver->mutex);
    return n;
}

/* ---- the sender ----------------------------------------------------------------------------------------------------- */

static const unsigned char secret[32] = "0123456789abcdefghijklmnopqrstu";

static struct {
    pthread_mutex_t mutex;
    char text[65536];
    int warnings, errors, notices;
} logged = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void take_log(void *arg, int priority, const char *text)
{
    (void)arg;
    pthread_mutex_lock(&logged.mutex);
    size_t n = strlen(logged.text);
    snprintf(logged.text + n, sizeof logged.text - n, "%s\n", text);
    logged.errors += priority == 3;
    logged.warnings += priority == 4;
    logged.notices += priority == 5;
    pthread_mutex_unlock(&logged.mutex);
}

static bool has_logged(const char *text)
{
    pthread_mutex_lock(&logged.mutex);
    bool found = strstr(logged.text, text) != NULL;
    pthread_mutex_unlock(&logged.mutex);
    return found;
}

/* A clock that moves a second each time that it is read, so that no two attempts are at the same time. */
static int64_t ticking(void *arg)
{
    (void)arg;
    static int64_t s = 1700000000;      /* read by the sender's thread alone */
    return s++;
}

static const struct webhook_options fast = {.backoff_first_us = 1000, .backoff_max_us = 4000, .give_up_us = INT64_C(3600000000),
                                            .queue_max = 1000, .clock_s = ticking};

static struct config_webhook hook_to(const struct receiver *receiver, const char *path)
{
    static char urls[8][256];
    static int n;
    char *url = urls[n++ % 8];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", receiver->port, path);
    struct config_webhook hook = {.url = url, .secret_size = sizeof secret, .events = EVENT_ALL, .timeout_s = 60};
    memcpy(hook.secret, secret, sizeof secret);
    return hook;
}

static struct webhooks *open_with(const struct config_webhook *hooks, size_t n, const struct webhook_options *options)
{
    struct webhooks *webhooks = NULL;
    struct error err = {""};
    int r = webhooks_open_with(&webhooks, hooks, n, options, take_log, NULL, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return webhooks;
}

static void post(struct webhooks *webhooks, int i)
{
    char data[64];
    snprintf(data, sizeof data, "{\"camera\":\"gate\",\"n\":%d,\"x\":0.1}", i);
    ck_assert_int_eq(webhook_post(webhooks, EVENT_CAMERA_LOST, 1709210096789123, data), 0);
}

static struct webhook_stats stats_of(struct webhooks *webhooks)
{
    struct webhook_stats stats;
    webhooks_stats(webhooks, &stats);
    return stats;
}

/* The sender counts a moment after the receiver has answered. */
#define AWAIT(condition) do { \
        int64_t until = now_us() + PATIENCE_S * INT64_C(1000000); \
        while (!(condition)) { \
            ck_assert_msg(now_us() < until, "never: %s", #condition); \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); \
        } \
    } while (0)

/* As a receiver would by the specification, not through io/signature. */
static void check_signature(const struct received *r)
{
    char content[2048];
    unsigned char mac[32];
    int n = snprintf(content, sizeof content, "%s.%s.%s", r->id, r->timestamp, r->body);
    ck_assert_int_eq(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, sizeof secret, content, (size_t)n, mac), 0);
    ck_assert_msg(strncmp(r->signature, "v1,", 3) == 0, "%s", r->signature);
    gnutls_datum_t raw, text = {(unsigned char *)(uintptr_t)(r->signature + 3), (unsigned)strlen(r->signature + 3)};
    ck_assert_int_eq(gnutls_base64_decode2(&text, &raw), 0);
    ck_assert_uint_eq(raw.size, sizeof mac);
    ck_assert_mem_eq(raw.data, mac, sizeof mac);
    gnutls_free(raw.data);
}

static int number_of(const struct received *r)
{
    json_t *root = json_loads(r->body, 0, NULL);
    ck_assert_msg(root != NULL, "no JSON: %s", r->body);
    int n = (int)json_integer_value(json_object_get(json_object_get(root, "data"), "n"));
    json_decref(root);
    return n;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

/* The example of the specification's libraries. */
START_TEST(known_signature)
{
    static const char key_text[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    gnutls_datum_t key, text = {(unsigned char *)(uintptr_t)key_text, sizeof key_text - 1};
    ck_assert_int_eq(gnutls_base64_decode2(&text, &key), 0);
    ck_assert_uint_eq(key.size, 24);
    static const char body[] = "{\"test\": 2432232314}";
    char out[SIGNATURE_SIZE];
    ck_assert_int_eq(signature_make(out, key.data, key.size, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, sizeof body - 1), 0);
    ck_assert_str_eq(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    ck_assert_int_eq(signature_make(out, key.data, key.size, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265331, body, sizeof body - 1), 0);
    ck_assert_str_ne(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    gnutls_free(key.data);
}
END_TEST

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
        /* Missed by chance once in 10^22. */
        ck_assert_msg(low >= 0 && low < ceiling / 20 && high < ceiling && high > ceiling - ceiling / 20,
                      "after %u: %lld to %lld", failures, (long long)low, (long long)high);
    }
}
END_TEST

START_TEST(delivers)
{
    /* A proxy of the environment would take it elsewhere. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hooks[2] = {hook_to(&receiver, "/all"), hook_to(&receiver, "/opened")};
    hooks[1].events = event_bit(EVENT_ALERT_OPENED);
    hooks[1].secret_size = 0;
    struct webhooks *webhooks = open_with(hooks, 2, &webhook_default_options);
    ck_assert_int_eq(webhooks_deadline_us(webhooks), INT64_MAX);

    static const struct { enum event_type event; const char *type; } events[] = {
        {EVENT_ALERT_OPENED, "alert.opened"}, {EVENT_ALERT_CLOSED, "alert.closed"}, {EVENT_CAMERA_LOST, "camera.lost"},
        {EVENT_CAMERA_RESTORED, "camera.restored"},
    };
    int64_t before = time(NULL);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(webhook_post(webhooks, events[i].event, 1709210096789123, "{\"camera\":\"gate\",\"score\":0.1}"), 0);
    await(&receiver, 5);
    AWAIT(stats_of(webhooks).delivered == 5);
    int64_t after = time(NULL);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts + stats_of(webhooks).dropped + stats_of(webhooks).queued, 0);
    AWAIT(webhooks_deadline_us(webhooks) == INT64_MAX);

    int next = 0, opened = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct received *r = &receiver.received[i];
        ck_assert_str_eq(r->method, "POST");
        ck_assert_str_eq(r->type, "application/json");
        ck_assert_str_eq(r->agent, "memaed/" MEMAED_VERSION);
        ck_assert_uint_eq(strlen(r->id), 36);
        ck_assert_int_ge(atoll(r->timestamp), before);
        ck_assert_int_le(atoll(r->timestamp), after);
        if (strcmp(r->path, "/opened") == 0) {
            ck_assert_ptr_nonnull(strstr(r->body, "alert.opened"));
            ck_assert_str_eq(r->signature, "");
            opened++;
            continue;
        }
        check_signature(r);
        char body[256];
        snprintf(body, sizeof body, "{\"type\":\"%s\",\"timestamp\":\"2024-02-29T12:34:56.789Z\","
                 "\"data\":{\"camera\":\"gate\",\"score\":0.1}}", events[next++].type);
        ck_assert_str_eq(r->body, body);
        for (size_t k = 0; k < i; k++)
            ck_assert(strcmp(receiver.received[k].path, "/opened") == 0 || strcmp(receiver.received[k].id, r->id) != 0);
    }
    ck_assert_int_eq(opened, 1);
    ck_assert_int_eq(webhook_post(webhooks, EVENT_ALERT_OPENED, 0, "{no json"), -EINVAL);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
}
END_TEST

static struct reply fail_thrice(struct receiver *receiver, size_t i)
{
    static const int statuses[] = {500, 404, 410};
    (void)receiver;
    return (struct reply){.status = i < 3 ? statuses[i] : 204};
}

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

static struct reply redirect(struct receiver *receiver, size_t i)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    (void)receiver;
    return i < 5 ? (struct reply){.status = statuses[i], .location = "/elsewhere"} : (struct reply){.status = 200};
}

START_TEST(redirects)
{
    struct receiver receiver;
    receiver_open(&receiver, redirect);
    struct config_webhook hook = hook_to(&receiver, "/here");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 1);
    await(&receiver, 6);
    AWAIT(stats_of(webhooks).delivered == 1);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 5);
    webhooks_close(webhooks, 0);
    for (size_t i = 0; i < receiver.n; i++)
        ck_assert_str_eq(receiver.received[i].path, "/here");
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

/* A receiver that says nothing holds up no other, is tried again after the time-out, and doesn't hold up the end. */
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

static struct reply hang_then_fail(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return i == 0 ? (struct reply){.status = 0, .then = 500} : (struct reply){.status = 200};
}

START_TEST(queue_full)
{
    struct receiver receiver;
    receiver_open(&receiver, hang_then_fail);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhook_options options = fast;
    options.queue_max = 4;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    post(webhooks, 0);
    await(&receiver, 1);        /* under way: this one stays */
    for (int i = 1; i < 10; i++)
        post(webhooks, i);
    struct webhook_stats stats = stats_of(webhooks);
    ck_assert_uint_eq(stats.queued, 4);
    ck_assert_uint_eq(stats.dropped, 6);
    let_go(&receiver);
    AWAIT(stats_of(webhooks).delivered == 4);
    webhooks_close(webhooks, 0);
    static const int kept[] = {0, 0, 7, 8, 9};
    ck_assert_uint_eq(receiver.n, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(number_of(&receiver.received[i]), kept[i]);
        check_signature(&receiver.received[i]);
    }
    ck_assert(has_logged("queue is full"));
    receiver_close(&receiver);
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
    struct webhook_options options = fast;
    options.give_up_us = 0;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).dropped == 1);
    post(webhooks, 1);
    AWAIT(stats_of(webhooks).delivered == 1);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 2);
    ck_assert_int_eq(number_of(&receiver.received[1]), 1);
    ck_assert(has_logged("given up"));
    receiver_close(&receiver);
}
END_TEST

static struct reply later(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = 503, .retry_after = "3000"};
}

/* Retry-After is heeded; what waits for it is not due, and the end doesn't wait. */
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

/* What is queued at the end still goes out. */
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

static struct reply talk(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = 200, .size = 100 << 20};
}

/* 2xx with a hundred megabytes behind it is taken, and most of them never read. */
START_TEST(long_answer)
{
    struct receiver receiver;
    receiver_open(&receiver, talk);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    post(webhooks, 1);
    AWAIT(stats_of(webhooks).delivered == 2);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 0);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
    ck_assert_uint_lt(receiver.flooded, 40 << 20);
}
END_TEST

/* A key and a certificate for 127.0.0.1 that nobody has signed but itself; the caller frees with gnutls_free. */
static void self_signed(gnutls_datum_t *key, gnutls_datum_t *certificate)
{
    gnutls_x509_privkey_t private;
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_init(&private);
    ck_assert_int_eq(gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    gnutls_x509_crt_init(&crt);
    static const unsigned char address[4] = {127, 0, 0, 1};
    ck_assert_int_eq(gnutls_x509_crt_set_version(crt, 3), 0);
    gnutls_x509_crt_set_serial(crt, "\x01", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "127.0.0.1", 9);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, sizeof address, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_key(crt, private);
    ck_assert_int_eq(gnutls_x509_crt_sign2(crt, crt, private, GNUTLS_DIG_SHA256, 0), 0);
    ck_assert_int_eq(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, certificate), 0);
    ck_assert_int_eq(gnutls_x509_privkey_export2(private, GNUTLS_X509_FMT_PEM, key), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(private);
}

START_TEST(certificates)
{
    gnutls_datum_t key, certificate;
    self_signed(&key, &certificate);
    struct receiver receiver;
    receiver_open_tls(&receiver, NULL, (const char *)key.data, (const char *)certificate.data);
    struct config_webhook hook = hook_to(&receiver, "/");
    char url[256];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", receiver.port);
    hook.url = url;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).failed_attempts >= 3);
    ck_assert_uint_eq(stats_of(webhooks).delivered, 0);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 0);
    ck_assert(has_logged("certificate"));
    receiver_close(&receiver);
    gnutls_free(key.data);
    gnutls_free(certificate.data);
}
END_TEST

/* Nobody listens. No log holds more of the URL than its host. */
START_TEST(refused_and_silent)
{
    struct receiver receiver;
    receiver_open(&receiver, fail_thrice);
    int closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);      /* bound, not listening */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(bind(closed, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(closed, (struct sockaddr *)&address, &size), 0);
    char urls[2][256], origin[64];
    snprintf(urls[0], sizeof urls[0], "http://bob:hush@127.0.0.1:%d/services/T0PSECRET?token=zauber", receiver.port);
    snprintf(urls[1], sizeof urls[1], "http://bob:hush@127.0.0.1:%d/services/T0PSECRET?token=zauber", ntohs(address.sin_port));
    struct config_webhook hooks[2] = {hook_to(&receiver, "/"), hook_to(&receiver, "/")};
    hooks[0].url = urls[0];
    hooks[1].url = urls[1];
    struct webhooks *webhooks = open_with(hooks, 2, &fast);
    post(webhooks, 0);
    await(&receiver, 4);
    AWAIT(stats_of(webhooks).failed_attempts >= 6);
    webhooks_close(webhooks, 0);
    close(closed);
    ck_assert_str_eq(receiver.received[0].authorization, "Basic Ym9iOmh1c2g=");
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d:", ntohs(address.sin_port));
    ck_assert_msg(has_logged(origin), "%s", logged.text);
    ck_assert(!has_logged("hush"));
    ck_assert(!has_logged("T0PSECRET"));
    ck_assert(!has_logged("zauber"));
    ck_assert(!has_logged((const char *)secret));
    receiver_close(&receiver);
}
END_TEST

START_TEST(bad_urls)
{
    static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense://hush", "", "http://"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct config_webhook hook = {.url = (char *)(uintptr_t)urls[i], .events = EVENT_ALL, .timeout_s = 1};
        struct webhooks *webhooks = NULL;
        struct error err = {""};
        ck_assert_msg(webhooks_open(&webhooks, &hook, 1, take_log, NULL, &err) == -EINVAL, "%s", urls[i]);
        ck_assert_ptr_null(webhooks);
        ck_assert_ptr_nonnull(strstr(err.text, "number 1"));
        ck_assert_ptr_null(strstr(err.text, "hush"));
    }
    struct webhooks *none = NULL;
    ck_assert_int_eq(webhooks_open(&none, NULL, 0, take_log, NULL, NULL), 0);
    post(none, 0);
    ck_assert_uint_eq(stats_of(none).queued, 0);
    webhooks_close(none, 1000);
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
    Suite *suite = suite_create("webhook");
    TCase *tc = tcase_create("webhook");
    tcase_set_timeout(tc, 2 * PATIENCE_S);
    tcase_add_test(tc, known_signature);
    tcase_add_test(tc, backoff);
    tcase_add_test(tc, delivers);
    tcase_add_test(tc, retries);
    tcase_add_test(tc, redirects);
    tcase_add_test(tc, keeps_order);
    tcase_add_test(tc, hangs);
    tcase_add_test(tc, queue_full);
    tcase_add_test(tc, gives_up);
    tcase_add_test(tc, retry_after);
    tcase_add_test(tc, grace);
    tcase_add_test(tc, long_answer);
    tcase_add_test(tc, certificates);
    tcase_add_test(tc, refused_and_silent);
    tcase_add_test(tc, bad_urls);
    tcase_add_test(tc, many_threads);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
