#include "io/sinks/webhook.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

#include <curl/curl.h>
#include <jansson.h>

#include "core/utc.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/redact.h"
#include "io/base/thread.h"
#include "io/sinks/signature.h"

enum { SECOND_US = 1000000, BUSY_US = 10 * SECOND_US, BODY_MAX = 4096, CONNECT_MS = 5000, RETRY_AFTER_MAX_S = 3600,
       ID_SIZE = sizeof "msg_" + 32 };

static int64_t wall_clock_s(void *arg)
{
    (void)arg;
    return time(NULL);
}

const struct webhook_options webhook_default_options = {
    .backoff_first_us = SECOND_US, .backoff_max_us = INT64_C(300) * SECOND_US, .give_up_us = INT64_C(24) * 3600 * SECOND_US,
    .queue_max = 1000, .clock_s = wall_clock_s,
};

/* One event, shared by the queues that hold it. */
struct message {
    unsigned holders;               /* under the lock */
    char id[ID_SIZE];
    int64_t posted_us;              /* monotonic */
    size_t size;
    char body[];
};

struct endpoint {
    const struct config_webhook *hook;
    char name[300];                 /* scheme://host:port */

    /* Under the lock. */
    struct message **queue;         /* a ring of queue_max; oldest at first */
    size_t first, n;
    uint64_t overrun;               /* dropped for a full queue, and not reported yet */
    struct message *sending;        /* the oldest, while it is under way */

    /* The thread's own. */
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    size_t received;                /* of the answer's body */
    unsigned failures;              /* since the last delivery */
    int64_t due_us;                 /* not before */
};

struct webhooks {
    struct webhook_options options;
    webhook_log *log;
    void *log_arg;
    CURLM *multi;
    pthread_t thread;
    bool has_curl, has_thread;
    struct endpoint *endpoints;
    size_t n_endpoints;

    struct lock lock;               /* rank LOCK_WAIT, a leaf; guards what follows and the queues */
    struct webhook_stats stats;     /* all but queued */
    bool closing;
    int64_t close_us;               /* the latest end, once closing */
    int64_t deadline_us;
};

__attribute__((format(printf, 3, 4)))
static void report(struct webhooks *webhooks, int priority, const char *format, ...)
{
    char text[1024], clean[1024];
    va_list args;
    if (!webhooks->log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    redact(clean, sizeof clean, text);
    webhooks->log(webhooks->log_arg, priority, clean);
}

/* ---- the queues; the lock is held ----------------------------------------------------------------------------------- */

static void release_locked(struct message *message)
{
    if (--message->holders == 0)
        free(message);
}

/* Takes the entry at place i (0: the oldest) out of the ring. i is 0 or 1. */
static void remove_locked(struct webhooks *webhooks, struct endpoint *endpoint, size_t i)
{
    size_t max = webhooks->options.queue_max;
    struct message **slot = &endpoint->queue[(endpoint->first + i) % max];
    release_locked(*slot);
    if (i == 1)
        *slot = endpoint->queue[endpoint->first];
    endpoint->first = (endpoint->first + 1) % max;
    endpoint->n--;
}

static void append_locked(struct webhooks *webhooks, struct endpoint *endpoint, struct message *message)
{
    size_t max = webhooks->options.queue_max;
    if (endpoint->n == max) {
        /* What is under way may have arrived; the next gives way. */
        remove_locked(webhooks, endpoint, endpoint->sending ? 1 : 0);
        endpoint->overrun++;
        webhooks->stats.dropped++;
    }
    endpoint->queue[(endpoint->first + endpoint->n) % max] = message;
    endpoint->n++;
    message->holders++;
}

/* ---- posting, any thread -------------------------------------------------------------------------------------------- */

static int message_make(struct message **ret, const char *type, int64_t time_us, const char *data_json)
{
    json_error_t where;
    json_t *data = json_loads(data_json, JSON_DECODE_ANY, &where);
    if (!data)
        return json_error_code(&where) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
    char timestamp[UTC_SIZE];
    utc_format(timestamp, time_us);
    json_t *root = json_pack("{s:s, s:s, s:o}", "type", type, "timestamp", timestamp, "data", data);
    char *body = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (!body)
        return -ENOMEM;

    size_t size = strlen(body);
    struct message *message = malloc(sizeof *message + size + 1);
    unsigned char random[16];
    int r = message ? 0 : -ENOMEM;
    if (message && getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        r = -EIO;
    if (r == 0) {
        message->holders = 0;
        message->posted_us = monotonic_us();
        message->size = size;
        memcpy(message->body, body, size + 1);
        memcpy(message->id, "msg_", 4);
        for (size_t i = 0; i < sizeof random; i++)
            snprintf(message->id + 4 + 2 * i, 3, "%02x", random[i]);
        *ret = message;
    } else
        free(message);
    free(body);
    return r;
}

int webhook_post(struct webhooks *webhooks, enum event_type event, int64_t time_us, const char *data_json)
{
    struct message *message;
    int r = message_make(&message, event_type_name(event), time_us, data_json);
    if (r < 0)
        return r;
    lock_take(&webhooks->lock);
    message->holders = 1;
    for (size_t i = 0; i < webhooks->n_endpoints; i++)
        if (webhooks->endpoints[i].hook->events & event_bit(event))
            append_locked(webhooks, &webhooks->endpoints[i], message);
    if (message->holders > 1 && webhooks->deadline_us == INT64_MAX)
        webhooks->deadline_us = monotonic_us() + BUSY_US;
    release_locked(message);
    lock_give(&webhooks->lock);
    curl_multi_wakeup(webhooks->multi);
    return 0;
}

void webhooks_stats(struct webhooks *webhooks, struct webhook_stats *ret)
{
    lock_take(&webhooks->lock);
    *ret = webhooks->stats;
    for (size_t i = 0; i < webhooks->n_endpoints; i++)
        ret->queued += webhooks->endpoints[i].n;
    lock_give(&webhooks->lock);
}

int64_t webhooks_deadline_us(struct webhooks *webhooks)
{
    lock_take(&webhooks->lock);
    int64_t deadline = webhooks->deadline_us;
    lock_give(&webhooks->lock);
    return deadline;
}

/* ---- one attempt, the thread ---------------------------------------------------------------------------------------- */

/* Reading stops, and with it the connection, where a body is longer than anyone needs. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct endpoint *endpoint = arg;
    (void)data;
    endpoint->received += size * n;
    return endpoint->received > BODY_MAX ? 0 : size * n;
}

__attribute__((format(printf, 2, 3)))
static int add_header(struct endpoint *endpoint, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct curl_slist *longer = curl_slist_append(endpoint->headers, text);
    if (!longer)
        return -ENOMEM;
    endpoint->headers = longer;
    return 0;
}

static int begin(struct webhooks *webhooks, struct endpoint *endpoint, const struct message *message)
{
    const struct config_webhook *hook = endpoint->hook;
    int64_t timestamp = webhooks->options.clock_s(webhooks->options.clock_arg);
    endpoint->received = 0;
    endpoint->error[0] = '\0';
    curl_slist_free_all(endpoint->headers);
    endpoint->headers = NULL;
    int r = add_header(endpoint, "Content-Type: application/json");
    if (r == 0)
        r = add_header(endpoint, "Expect:");        /* no 100-continue */
    if (r == 0)
        r = add_header(endpoint, "webhook-id: %s", message->id);
    if (r == 0)
        r = add_header(endpoint, "webhook-timestamp: %" PRId64, timestamp);
    if (r == 0 && hook->secret_size) {
        char signature[SIGNATURE_SIZE];
        r = signature_make(signature, hook->secret, hook->secret_size, message->id, timestamp, message->body,
                           message->size);
        if (r == 0)
            r = add_header(endpoint, "webhook-signature: %s", signature);
    }
    if (r < 0)
        return r;
    curl_easy_setopt(endpoint->easy, CURLOPT_HTTPHEADER, endpoint->headers);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDS, (const char *)message->body);
    curl_easy_setopt(endpoint->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->size);
    return curl_multi_add_handle(webhooks->multi, endpoint->easy) == CURLM_OK ? 0 : -ENOMEM;
}

static int64_t random_below(int64_t n)
{
    uint64_t x = 0;
    if (n <= 0 || getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x)
        return n;
    return (int64_t)(x % (uint64_t)n);
}

/* Full jitter: senders that failed together don't come back together. */
int64_t webhook_backoff_us(const struct webhook_options *options, unsigned failures)
{
    int64_t ceiling = options->backoff_first_us;
    for (unsigned i = 1; i < failures && ceiling < options->backoff_max_us; i++)
        ceiling *= 2;
    return random_below(ceiling < options->backoff_max_us ? ceiling : options->backoff_max_us);
}

/* The attempt of endpoint->sending has ended; cause is NULL where it was taken. */
static void finish(struct webhooks *webhooks, struct endpoint *endpoint, const char *cause, int64_t retry_after_us)
{
    int64_t now = monotonic_us();
    bool taken = !cause;
    lock_take(&webhooks->lock);
    bool given_up = !taken && now - endpoint->sending->posted_us >= webhooks->options.give_up_us;
    endpoint->sending = NULL;
    if (taken || given_up)
        remove_locked(webhooks, endpoint, 0);
    webhooks->stats.delivered += taken;
    webhooks->stats.failed_attempts += !taken;
    webhooks->stats.dropped += given_up;
    lock_give(&webhooks->lock);

    if (taken) {
        endpoint->due_us = 0;
        if (endpoint->failures)
            report(webhooks, LOG_NOTICE, "webhook %s: delivers again after %u failed attempts", endpoint->name,
                   endpoint->failures);
        endpoint->failures = 0;
        return;
    }
    if (endpoint->failures < UINT_MAX)
        endpoint->failures++;
    int64_t wait_us = webhook_backoff_us(&webhooks->options, endpoint->failures);
    if (wait_us < retry_after_us)
        wait_us = retry_after_us;
    endpoint->due_us = now + wait_us;
    /* The first failure is news, the others are not. */
    report(webhooks, endpoint->failures == 1 ? LOG_WARNING : LOG_INFO, "webhook %s: attempt %u failed: %s; next in %.1f s",
           endpoint->name, endpoint->failures, cause, (double)wait_us / SECOND_US);
    if (given_up)
        report(webhooks, LOG_ERR, "webhook %s: an event was given up, %.1f h old", endpoint->name,
               (double)webhooks->options.give_up_us / SECOND_US / 3600);
}

static void on_done(struct webhooks *webhooks, CURL *easy, CURLcode result)
{
    struct endpoint *endpoint;
    long status = 0;
    curl_off_t retry_after_s = 0;
    char cause[CURL_ERROR_SIZE + 64];
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &endpoint);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_multi_remove_handle(webhooks->multi, easy);

    /* A status that has come counts, whatever became of the body after it. */
    if (status >= 200 && status < 300) {
        finish(webhooks, endpoint, NULL, 0);
        return;
    }
    if (status >= 200)
        snprintf(cause, sizeof cause, "HTTP status %ld", status);
    else
        snprintf(cause, sizeof cause, "%s", *endpoint->error ? endpoint->error : curl_easy_strerror(result));
    if ((status != 429 && status != 503) || retry_after_s < 0)
        retry_after_s = 0;
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    finish(webhooks, endpoint, cause, (int64_t)retry_after_s * SECOND_US);
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

/* Starts what is due. Returns how many are under way; *next_us is when the next falls due, INT64_MAX for never. */
static size_t start_due(struct webhooks *webhooks, int64_t now, int64_t *next_us)
{
    size_t under_way = 0;
    *next_us = INT64_MAX;
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct endpoint *endpoint = &webhooks->endpoints[i];
        struct message *message = NULL;
        lock_take(&webhooks->lock);
        uint64_t overrun = endpoint->overrun;
        endpoint->overrun = 0;
        bool busy = endpoint->sending != NULL, waits = !busy && endpoint->n > 0;
        if (waits && endpoint->due_us <= now)
            message = endpoint->sending = endpoint->queue[endpoint->first];
        lock_give(&webhooks->lock);

        if (overrun)
            report(webhooks, LOG_ERR, "webhook %s: the queue is full, %" PRIu64 " of the oldest events were dropped",
                   endpoint->name, overrun);
        if (message && begin(webhooks, endpoint, message) < 0)
            finish(webhooks, endpoint, "out of memory, or no signature", 0);
        else if (message || busy)
            under_way++;
        if (!busy && waits && endpoint->due_us > now && endpoint->due_us < *next_us)
            *next_us = endpoint->due_us;
    }
    return under_way;
}

static void *run(void *arg)
{
    struct webhooks *webhooks = arg;
    for (;;) {
        int64_t now = monotonic_us(), next_us;
        size_t under_way = start_due(webhooks, now, &next_us);
        int running, left;
        CURLMsg *message;
        bool ended = false;
        curl_multi_perform(webhooks->multi, &running);
        while ((message = curl_multi_info_read(webhooks->multi, &left))) {
            if (message->msg == CURLMSG_DONE) {
                on_done(webhooks, message->easy_handle, message->data.result);
                ended = true;
            }
        }
        if (ended)
            continue;       /* what waited behind it may be due */

        /* While something is under way the thread shows once a second that it lives. */
        int64_t wait_us = next_us == INT64_MAX ? INT64_MAX : next_us - now;
        if (under_way && wait_us > SECOND_US)
            wait_us = SECOND_US;
        lock_take(&webhooks->lock);
        bool pending = under_way > 0 || next_us != INT64_MAX;
        size_t queued = 0;
        for (size_t i = 0; i < webhooks->n_endpoints; i++)
            queued += webhooks->endpoints[i].n;
        pending |= queued > 0;      /* posted just now */
        bool over = webhooks->closing && (under_way == 0 || now >= webhooks->close_us);
        if (webhooks->closing && wait_us > webhooks->close_us - now)
            wait_us = webhooks->close_us - now;
        webhooks->deadline_us = pending ? now + (wait_us == INT64_MAX ? 0 : wait_us) + BUSY_US : INT64_MAX;
        lock_give(&webhooks->lock);
        if (over) {
            if (queued)
                report(webhooks, LOG_WARNING, "webhooks: %zu events were not delivered before the end", queued);
            return NULL;
        }
        if (wait_us < 0)
            wait_us = 0;
        curl_multi_poll(webhooks->multi, NULL, 0, wait_us > INT64_C(3600) * SECOND_US ? 3600000 : (int)((wait_us + 999) / 1000),
                        NULL);
    }
}

/* ---- opening and closing -------------------------------------------------------------------------------------------- */

static int name_endpoint(struct endpoint *endpoint, size_t i, struct error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    int r = -EINVAL;
    if (!url)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    if (!endpoint->hook->url || curl_url_set(url, CURLUPART_URL, endpoint->hook->url, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        error_set(err, r, "webhooks: number %zu: its URL is none of http:// or https://", i + 1);
    else {
        bool has_port = curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        snprintf(endpoint->name, sizeof endpoint->name, "%s://%s%s%s", scheme, host, has_port ? ":" : "",
                 has_port ? port : "");
        r = 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return r;
}

static int endpoint_init(struct webhooks *webhooks, struct endpoint *endpoint, size_t i, struct error *err)
{
    int r = name_endpoint(endpoint, i, err);
    if (r < 0)
        return r;
    endpoint->queue = calloc(webhooks->options.queue_max, sizeof *endpoint->queue);
    endpoint->easy = curl_easy_init();
    if (!endpoint->queue || !endpoint->easy)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    CURL *easy = endpoint->easy;
    long timeout_ms = (long)(endpoint->hook->timeout_s * 1000);
    if (timeout_ms < 1)
        timeout_ms = 1;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, endpoint->hook->url) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_USERAGENT, "memaed/" MEMAED_VERSION) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, endpoint) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PRIVATE, endpoint) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, endpoint->error) == CURLE_OK;
    if (!ok)
        return error_set(err, -EINVAL, "webhooks: %s: libcurl lacks an option that is needed", endpoint->name);
    /* A thread stuck in name resolution is left behind at the end. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return 0;
}

int webhooks_open_with(struct webhooks **ret, const struct config_webhook *hooks, size_t n,
                       const struct webhook_options *options, webhook_log *log, void *log_arg, struct error *err)
{
    if (options->queue_max < 2)
        return error_set(err, -EINVAL, "webhooks: a queue holds 2 or more");
    struct webhooks *webhooks = calloc(1, sizeof *webhooks);
    if (!webhooks)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    webhooks->options = *options;
    webhooks->log = log;
    webhooks->log_arg = log_arg;
    webhooks->deadline_us = INT64_MAX;
    lock_init(&webhooks->lock, LOCK_WAIT);

    int r = -ENOMEM;
    webhooks->has_curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (webhooks->has_curl)
        webhooks->multi = curl_multi_init();
    webhooks->endpoints = calloc(n ? n : 1, sizeof *webhooks->endpoints);
    if (!webhooks->multi || !webhooks->endpoints) {
        error_set(err, r, "webhooks: out of memory, or libcurl doesn't start");
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        webhooks->endpoints[i].hook = &hooks[i];
        webhooks->n_endpoints++;
        r = endpoint_init(webhooks, &webhooks->endpoints[i], i, err);
        if (r < 0)
            goto fail;
    }
    r = thread_start(&webhooks->thread, "webhook", run, webhooks);
    webhooks->has_thread = r == 0;
    if (r < 0) {
        error_set(err, r, "webhooks: can't start a thread: %s", strerror(-r));
        goto fail;
    }
    *ret = webhooks;
    return 0;
fail:
    webhooks_close(webhooks, 0);
    return r;
}

int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, webhook_log *log, void *log_arg,
                  struct error *err)
{
    return webhooks_open_with(ret, hooks, n, &webhook_default_options, log, log_arg, err);
}

void webhooks_close(struct webhooks *webhooks, int grace_ms)
{
    if (!webhooks)
        return;
    if (webhooks->has_thread) {
        lock_take(&webhooks->lock);
        webhooks->closing = true;
        webhooks->close_us = monotonic_us() + grace_ms * INT64_C(1000);
        lock_give(&webhooks->lock);
        curl_multi_wakeup(webhooks->multi);
        pthread_join(webhooks->thread, NULL);
    }
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct endpoint *endpoint = &webhooks->endpoints[i];
        while (endpoint->n > 0)
            remove_locked(webhooks, endpoint, 0);       /* nobody else is left */
        if (endpoint->easy && webhooks->multi)
            curl_multi_remove_handle(webhooks->multi, endpoint->easy);
        curl_easy_cleanup(endpoint->easy);
        curl_slist_free_all(endpoint->headers);
        free(endpoint->queue);
    }
    curl_multi_cleanup(webhooks->multi);
    free(webhooks->endpoints);
    if (webhooks->has_curl)
        curl_global_cleanup();
    lock_destroy(&webhooks->lock);
    free(webhooks);
}
