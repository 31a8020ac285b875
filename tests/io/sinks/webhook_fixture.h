/* Shared parts of the tests of webhooks: a receiver on loopback that answers by a script, and a sender with short back-offs and
 * a log that can be searched. Include it once in a test program. */
#ifndef MEMAED_TESTS_IO_SINKS_WEBHOOK_FIXTURE_H
#define MEMAED_TESTS_IO_SINKS_WEBHOOK_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <jansson.h>
#include <microhttpd.h>

#include "io/sinks/webhook.h"
#include "tests/io/sinks/outbox_memory.h"
#include "tests/suite.h"

static inline int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the receiver --------------------------------------------------------------------------------------------------- */

enum { RECEIVED_MAX = 512, PATIENCE_S = 60 };

struct received {
    char method[16], path[64], id[64], timestamp[32], signature[128], type[64], agent[64], body[1024], authorization[64];
    size_t size;
};

/* The answer to a request. status 0: no answer until let_go(), then one with the status `then`. size: bytes of the body. */
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
    size_t flooded;                     /* bytes of long answers that were sent */
};

static inline enum MHD_Result answer(struct MHD_Connection *connection, struct receiver *receiver,
                                     const struct reply *reply);

static inline void copy_header(struct MHD_Connection *connection, const char *name, char *out, size_t size)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    snprintf(out, size, "%s", value ? value : "");
}

static inline enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
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

static inline ssize_t flood(void *arg, uint64_t at, char *out, size_t max)
{
    struct receiver *receiver = arg;
    (void)at;
    memset(out, 'x', max);
    pthread_mutex_lock(&receiver->mutex);
    receiver->flooded += max;
    pthread_mutex_unlock(&receiver->mutex);
    return (ssize_t)max;
}

static inline enum MHD_Result answer(struct MHD_Connection *connection, struct receiver *receiver, const struct reply *reply)
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

static inline void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                                enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*context);
}

static inline void receiver_open_tls(struct receiver *receiver, struct reply (*script)(struct receiver *, size_t),
                                     const char *key, const char *certificate, int port)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->script = script;
    pthread_mutex_init(&receiver->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&receiver->cond, &attr);
    pthread_condattr_destroy(&attr);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | (key ? (unsigned)MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
                                   {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    receiver->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, receiver, MHD_OPTION_SOCK_ADDR, &address,
                                        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
                                        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY, key ? tls : none,
                                        MHD_OPTION_END);
    ck_assert_ptr_nonnull(receiver->daemon);
    receiver->port = MHD_get_daemon_info(receiver->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static inline void receiver_open(struct receiver *receiver, struct reply (*script)(struct receiver *, size_t))
{
    receiver_open_tls(receiver, script, NULL, NULL, 0);
}

static inline void receiver_open_at(struct receiver *receiver, struct reply (*script)(struct receiver *, size_t), int port)
{
    receiver_open_tls(receiver, script, NULL, NULL, port);
}

static inline void let_go(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    receiver->let_go = true;
    pthread_cond_broadcast(&receiver->cond);
    pthread_mutex_unlock(&receiver->mutex);
}

static inline void receiver_close(struct receiver *receiver)
{
    let_go(receiver);
    MHD_stop_daemon(receiver->daemon);
    pthread_cond_destroy(&receiver->cond);
    pthread_mutex_destroy(&receiver->mutex);
}

static inline void await(struct receiver *receiver, size_t n)
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

static inline size_t count(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    size_t n = receiver->n;
    pthread_mutex_unlock(&receiver->mutex);
    return n;
}

/* A script: the first three requests get 500, 404 and 403, the others 204. */
static inline struct reply fail_thrice(struct receiver *receiver, size_t i)
{
    static const int statuses[] = {500, 404, 403};
    (void)receiver;
    return (struct reply){.status = i < 3 ? statuses[i] : 204};
}

/* ---- the sender ----------------------------------------------------------------------------------------------------- */

static const unsigned char secret[32] = "0123456789abcdefghijklmnopqrstu";

static struct {
    pthread_mutex_t mutex;
    char text[65536];
    int warnings, errors, notices;
} logged = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void take_log(void *arg, int priority, const char *text)
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

static inline bool has_logged(const char *text)
{
    pthread_mutex_lock(&logged.mutex);
    bool found = strstr(logged.text, text) != NULL;
    pthread_mutex_unlock(&logged.mutex);
    return found;
}

/* A clock that moves by a second with each reading, so that no two attempts have the same time. */
static inline int64_t ticking(void *arg)
{
    (void)arg;
    static _Atomic int64_t s = 1700000000;
    return s++ * 1000000;
}

static const struct webhook_options fast = {.backoff_first_us = 1000, .backoff_max_us = 4000,
                                            .minute_us = 60000000, .outbox_retry_us = 100000, .clock_us = ticking};

static inline struct config_webhook hook_to(const struct receiver *receiver, const char *path)
{
    static char urls[8][256];
    static int n;
    char *url = urls[n++ % 8];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", receiver->port, path);
    struct config_webhook hook = {.url = url, .secret_size = sizeof secret, .filter.types = EVENT_ALL, .timeout_s = 60,
                                  .give_up_h = 1000};
    memcpy(hook.secret, secret, sizeof secret);
    return hook;
}

/* Opens webhooks with an outbox in memory, unless the options name another. */
static inline struct webhooks *open_with(const struct config_webhook *hooks, size_t n, const struct webhook_options *options)
{
    struct webhooks *webhooks = NULL;
    struct error err = {""};
    int r = (options->outbox ? webhooks_open : memory_open)(&webhooks, hooks, n, options, take_log, NULL, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return webhooks;
}

static inline void post(struct webhooks *webhooks, int i)
{
    char data[64];
    snprintf(data, sizeof data, "{\"camera\":\"gate\",\"n\":%d,\"x\":0.1}", i);
    const struct event event = {.type = EVENT_CAMERA_LOST, .time_us = 1709210096789123, .camera = "gate"};
    memory_post(webhooks, &event, data);
}

/* The statistics of all endpoints together. */
static inline struct webhook_stats stats_of(struct webhooks *webhooks)
{
    struct webhook_stats *by_name, sum = {0};
    size_t n;
    ck_assert_int_eq(webhooks_stats(webhooks, &by_name, &n), 0);
    for (size_t i = 0; i < n; i++) {
        sum.delivered += by_name[i].delivered;
        sum.failed_attempts += by_name[i].failed_attempts;
        sum.dropped += by_name[i].dropped;
        sum.dead += by_name[i].dead;
        sum.queued += by_name[i].queued;
        sum.dead_letters += by_name[i].dead_letters;
        sum.disabled += by_name[i].disabled;
    }
    free(by_name);
    return sum;
}

/* Waits until the condition holds: the sender counts a moment after the receiver has answered. */
#define AWAIT(condition) do { \
        int64_t until = now_us() + PATIENCE_S * INT64_C(1000000); \
        while (!(condition)) { \
            ck_assert_msg(now_us() < until, "never: %s", #condition); \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); \
        } \
    } while (0)

/* Verifies signature number `which` by the specification, not through io/sinks/signature. */
static inline void check_signature_by(const struct received *r, const void *key, int which)
{
    char content[2048], given[128];
    unsigned char mac[32];
    int n = snprintf(content, sizeof content, "%s.%s.%s", r->id, r->timestamp, r->body);
    ck_assert_int_eq(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, sizeof secret, content, (size_t)n, mac), 0);
    const char *at = r->signature;
    for (; which > 0; which--) {
        at = strchr(at, ' ');
        ck_assert_msg(at != NULL, "too few signatures: %s", r->signature);
        at++;
    }
    snprintf(given, sizeof given, "%.*s", (int)strcspn(at, " "), at);
    ck_assert_msg(strncmp(given, "v1,", 3) == 0, "%s", r->signature);
    gnutls_datum_t raw, text = {(unsigned char *)given + 3, (unsigned)strlen(given + 3)};
    ck_assert_int_eq(gnutls_base64_decode2(&text, &raw), 0);
    ck_assert_uint_eq(raw.size, sizeof mac);
    ck_assert_mem_eq(raw.data, mac, sizeof mac);
    gnutls_free(raw.data);
}

static inline void check_signature(const struct received *r)
{
    check_signature_by(r, secret, 0);
}

static inline int number_of(const struct received *r)
{
    json_t *root = json_loads(r->body, 0, NULL);
    ck_assert_msg(root != NULL, "no JSON: %s", r->body);
    int n = (int)json_integer_value(json_object_get(json_object_get(root, "data"), "n"));
    json_decref(root);
    return n;
}

/* Checks the order: each delivery repeats the event before, with its id, or is the next event. Returns how many events came. */
static inline int check_order(struct receiver *receiver)
{
    int last = -1;
    for (size_t i = 0; i < receiver->n; i++) {
        const struct received *r = &receiver->received[i];
        int n = number_of(r);
        check_signature(r);
        ck_assert_msg(n == last || n == last + 1, "event %d came after %d", n, last);
        for (size_t k = 0; k < i; k++)
            ck_assert((number_of(&receiver->received[k]) == n) == (strcmp(receiver->received[k].id, r->id) == 0));
        last = n;
    }
    return last + 1;
}

/* The state of endpoint i. */
static inline struct webhook_state state_of(struct webhooks *webhooks, size_t i)
{
    struct webhook_state *states, one;
    size_t n;
    ck_assert_int_eq(webhooks_list(webhooks, NULL, &states, &n), 0);
    ck_assert_uint_lt(i, n);
    one = states[i];
    free(states);
    return one;
}

/* Runs the tests in forks. Returns the exit status of the program. */
static inline int webhook_run(const char *name, TCase *tests)
{
    Suite *suite = suite_create(name);
    tcase_set_timeout(tests, 2 * PATIENCE_S);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}

#endif
