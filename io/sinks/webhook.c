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

#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/redact.h"
#include "io/base/thread.h"
#include "io/sinks/webhook_endpoint.h"
#include "io/sinks/webhook_queue.h"

enum { SECOND_US = 1000000, BUSY_US = 10 * SECOND_US, RETRY_AFTER_MAX_S = 3600 };

static int64_t wall_clock_s(void *arg)
{
    (void)arg;
    return time(NULL);
}

const struct webhook_options webhook_default_options = {
    .backoff_first_us = SECOND_US, .backoff_max_us = INT64_C(300) * SECOND_US, .give_up_us = INT64_C(24) * 3600 * SECOND_US,
    .queue_max = 1000, .clock_s = wall_clock_s,
};

/* New endpoints, from webhooks_prepare() for the thread. */
struct webhooks_change {
    size_t n;
    struct webhook_endpoint **endpoints;    /* [n], new */
    struct webhook_endpoint **kept;         /* [n]: the old endpoint that stays instead of the new one; or NULL */
    struct webhook_endpoint **heirs;        /* [n]: the old endpoint whose queue goes to the new one; or NULL */
};

struct webhooks {
    struct webhook_options options;
    webhook_log *log;
    void *log_arg;
    CURLM *multi;
    pthread_t thread;
    bool has_curl, has_thread;

    struct lock lock;               /* rank LOCK_WAIT, a leaf; guards the fields below and the queues */
    struct webhook_endpoint **endpoints;    /* [n_endpoints]; only the thread changes it, so it may read it unlocked */
    size_t n_endpoints;
    struct webhooks_change *change;          /* for the thread to adopt; or NULL */
    pthread_cond_t adopted;
    struct webhook_tally *tallies;  /* owned; by name, in the order in which the names came */
    bool closing;
    int64_t close_us;               /* monotonic; when closing: the thread ends by then */
    int64_t deadline_us;            /* webhooks_deadline_us() */
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

/* ---- posting, any thread -------------------------------------------------------------------------------------------- */

int webhook_post(struct webhooks *webhooks, enum event_type event, int64_t time_us, const char *data_json)
{
    struct webhook_message *message;
    int r = webhook_message_make(&message, event_type_name(event), time_us, data_json);
    if (r < 0)
        return r;
    lock_take(&webhooks->lock);
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct webhook_endpoint *endpoint = webhooks->endpoints[i];
        if ((endpoint->hook.events & event_bit(event)) &&
            webhook_queue_append(&endpoint->queue, message, endpoint->sending != NULL)) {
            endpoint->overrun++;
            endpoint->tally->stats.dropped++;
        }
    }
    if (message->holders > 1 && webhooks->deadline_us == INT64_MAX)
        webhooks->deadline_us = monotonic_us() + BUSY_US;
    webhook_message_release(message);
    lock_give(&webhooks->lock);
    curl_multi_wakeup(webhooks->multi);
    return 0;
}

int webhooks_stats(struct webhooks *webhooks, struct webhook_stats **ret, size_t *n)
{
    size_t names = 0, at = 0;
    lock_take(&webhooks->lock);
    for (struct webhook_tally *tally = webhooks->tallies; tally; tally = tally->next)
        names++;
    struct webhook_stats *stats = calloc(names + 1, sizeof *stats);
    for (struct webhook_tally *tally = webhooks->tallies; stats && tally; tally = tally->next, at++) {
        stats[at] = tally->stats;
        for (size_t i = 0; i < webhooks->n_endpoints; i++)
            if (webhooks->endpoints[i]->tally == tally)
                stats[at].queued += webhooks->endpoints[i]->queue.n;
    }
    lock_give(&webhooks->lock);
    if (!stats)
        return -ENOMEM;
    *ret = stats;
    *n = names;
    return 0;
}

int64_t webhooks_deadline_us(struct webhooks *webhooks)
{
    lock_take(&webhooks->lock);
    int64_t deadline = webhooks->deadline_us;
    lock_give(&webhooks->lock);
    return deadline;
}

/* ---- one attempt, the thread ---------------------------------------------------------------------------------------- */

static int64_t now_s(const struct webhooks *webhooks)
{
    return webhooks->options.clock_s(webhooks->options.clock_arg);
}

static int64_t random_below(int64_t n)
{
    uint64_t x = 0;
    if (n <= 0 || getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x)
        return n;
    return (int64_t)(x % (uint64_t)n);
}

/* Full jitter: senders that failed at the same time try again at different times. */
int64_t webhook_backoff_us(const struct webhook_options *options, unsigned failures)
{
    int64_t ceiling = options->backoff_first_us;
    for (unsigned i = 1; i < failures && ceiling < options->backoff_max_us; i++)
        ceiling *= 2;
    return random_below(ceiling < options->backoff_max_us ? ceiling : options->backoff_max_us);
}

/* Ends the attempt of endpoint->sending. cause NULL: the endpoint took the event. */
static void finish(struct webhooks *webhooks, struct webhook_endpoint *endpoint, const char *cause, int64_t retry_after_us)
{
    int64_t now = monotonic_us();
    bool taken = !cause;
    lock_take(&webhooks->lock);
    bool given_up = !taken && now - endpoint->sending->posted_us >= webhooks->options.give_up_us;
    endpoint->sending = NULL;
    if (taken || given_up)
        webhook_queue_remove_oldest(&endpoint->queue);
    endpoint->tally->stats.delivered += taken;
    endpoint->tally->stats.failed_attempts += !taken;
    endpoint->tally->stats.dropped += given_up;
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
    /* Only the first failure in a row is a warning. */
    report(webhooks, endpoint->failures == 1 ? LOG_WARNING : LOG_INFO, "webhook %s: attempt %u failed: %s; next in %.1f s",
           endpoint->name, endpoint->failures, cause, (double)wait_us / SECOND_US);
    if (given_up)
        report(webhooks, LOG_ERR, "webhook %s: an event was dropped after %.1f h without a delivery", endpoint->name,
               (double)webhooks->options.give_up_us / SECOND_US / 3600);
}

static void on_done(struct webhooks *webhooks, CURL *easy, CURLcode result)
{
    struct webhook_endpoint *endpoint;
    curl_off_t retry_after_s = 0;
    char cause[WEBHOOK_CAUSE_SIZE];
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &endpoint);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    long status = webhook_endpoint_end(endpoint, webhooks->multi, result, cause);
    if ((status != 429 && status != 503) || retry_after_s < 0)
        retry_after_s = 0;
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    finish(webhooks, endpoint, *cause ? cause : NULL, (int64_t)retry_after_s * SECOND_US);
}

/* ---- change of endpoints, the thread -------------------------------------------------------------------------------- */

void webhooks_forget(struct webhooks_change *change)
{
    if (!change)
        return;
    for (size_t i = 0; i < change->n; i++)
        webhook_endpoint_free(change->endpoints[i]);
    free(change->endpoints);
    free(change->kept);
    free(change->heirs);
    free(change);
}

/* Frees the endpoint with its queue, and aborts its attempt. The caller counts the events that are lost. */
static void retire_locked(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    if (webhooks->multi)
        curl_multi_remove_handle(webhooks->multi, endpoint->easy);
    webhook_endpoint_free(endpoint);
}

/* Moves the queue of endpoint to heir, which has a queue of the same size. */
static void inherit_locked(struct webhook_endpoint *heir, struct webhook_endpoint *endpoint)
{
    for (; endpoint->queue.n > 0; webhook_queue_remove_oldest(&endpoint->queue))
        webhook_queue_append(&heir->queue, webhook_queue_oldest(&endpoint->queue), false);
}

/* Gives the endpoint the tally of its name: an earlier one, or its own. */
static void count_by_name_locked(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    struct webhook_tally **at = &webhooks->tallies;
    while (*at && strcmp((*at)->stats.name, endpoint->name) != 0)
        at = &(*at)->next;
    if (*at)
        free(endpoint->tally);
    else
        *at = endpoint->tally;
    endpoint->tally = *at;
    endpoint->adopted = true;
}

static bool is_among(struct webhook_endpoint *const *endpoints, size_t n, const struct webhook_endpoint *endpoint)
{
    for (size_t i = 0; i < n; i++)
        if (endpoints[i] == endpoint)
            return true;
    return false;
}

/* Replaces the endpoints by those of webhooks->change, if there is one. Only the thread calls it, and webhooks_open_with()
 * before the thread starts. */
static void adopt(struct webhooks *webhooks)
{
    lock_take(&webhooks->lock);
    struct webhooks_change *change = webhooks->change;
    if (!change) {
        lock_give(&webhooks->lock);
        return;
    }
    struct webhook_endpoint **before = webhooks->endpoints;
    size_t n_before = webhooks->n_endpoints;
    for (size_t i = 0; i < change->n; i++) {
        if (change->kept[i]) {
            webhook_endpoint_free(change->endpoints[i]);
            change->endpoints[i] = change->kept[i];
            continue;
        }
        count_by_name_locked(webhooks, change->endpoints[i]);
        if (change->heirs[i])
            inherit_locked(change->endpoints[i], change->heirs[i]);
    }
    webhooks->endpoints = change->endpoints;
    webhooks->n_endpoints = change->n;
    for (size_t i = 0; i < n_before; i++)
        if (!is_among(webhooks->endpoints, webhooks->n_endpoints, before[i])) {
            before[i]->tally->stats.dropped += before[i]->queue.n;
            retire_locked(webhooks, before[i]);
        }
    free(before);
    change->endpoints = NULL;           /* the webhooks' now */
    change->n = 0;
    webhooks_forget(change);
    webhooks->change = NULL;
    pthread_cond_broadcast(&webhooks->adopted);
    lock_give(&webhooks->lock);
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

/* Starts every attempt that is due. Returns the number of attempts under way; *next_us is when the next one falls due,
 * INT64_MAX for never. */
static size_t start_due(struct webhooks *webhooks, int64_t now, int64_t *next_us)
{
    size_t under_way = 0;
    *next_us = INT64_MAX;
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct webhook_endpoint *endpoint = webhooks->endpoints[i];
        struct webhook_message *message = NULL;
        lock_take(&webhooks->lock);
        uint64_t overrun = endpoint->overrun;
        endpoint->overrun = 0;
        bool busy = endpoint->sending != NULL, waits = !busy && endpoint->queue.n > 0;
        if (waits && endpoint->due_us <= now)
            message = endpoint->sending = webhook_queue_oldest(&endpoint->queue);
        lock_give(&webhooks->lock);

        if (overrun)
            report(webhooks, LOG_ERR, "webhook %s: the queue is full, the %" PRIu64 " oldest events were dropped",
                   endpoint->name, overrun);
        if (message && webhook_endpoint_begin(endpoint, webhooks->multi, message, now_s(webhooks)) < 0)
            finish(webhooks, endpoint, "memory is short, or the signature failed", 0);
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
        adopt(webhooks);
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
            continue;       /* the next event of that endpoint may be due */

        /* During attempts the thread wakes once a second, to move its deadline. */
        int64_t wait_us = next_us == INT64_MAX ? INT64_MAX : next_us - now;
        if (under_way && wait_us > SECOND_US)
            wait_us = SECOND_US;
        lock_take(&webhooks->lock);
        size_t queued = 0;
        for (size_t i = 0; i < webhooks->n_endpoints; i++)
            queued += webhooks->endpoints[i]->queue.n;
        bool over = webhooks->closing && (under_way == 0 || now >= webhooks->close_us);
        if (webhooks->closing && wait_us > webhooks->close_us - now)
            wait_us = webhooks->close_us - now;
        webhooks->deadline_us = queued > 0 ? now + (wait_us == INT64_MAX ? 0 : wait_us) + BUSY_US : INT64_MAX;
        lock_give(&webhooks->lock);
        if (over) {
            if (queued)
                report(webhooks, LOG_WARNING, "webhooks: %zu events were not delivered before the end and are lost", queued);
            return NULL;
        }
        if (wait_us < 0)
            wait_us = 0;
        int wait_ms = wait_us > INT64_C(3600) * SECOND_US ? 3600000 : (int)((wait_us + 999) / 1000);
        curl_multi_poll(webhooks->multi, NULL, 0, wait_ms, NULL);
    }
}

/* ---- opening and closing -------------------------------------------------------------------------------------------- */

int webhooks_prepare(struct webhooks_change **ret, const struct webhooks *webhooks, const struct config_webhook *hooks,
                     size_t n, struct error *err)
{
    struct webhooks_change *change = calloc(1, sizeof *change);
    if (!change)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    change->endpoints = calloc(n + 1, sizeof *change->endpoints);
    change->kept = calloc(n + 1, sizeof *change->kept);
    change->heirs = calloc(n + 1, sizeof *change->heirs);
    int r = change->endpoints && change->kept && change->heirs ? 0 : error_set(err, -ENOMEM, "webhooks: out of memory");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = webhook_endpoint_new(&change->endpoints[i], &hooks[i], i, webhooks->options.queue_max, err);
        change->n += r == 0;
    }
    if (r < 0)
        webhooks_forget(change);
    else
        *ret = change;
    return r;
}

int webhooks_open_with(struct webhooks **ret, const struct config_webhook *hooks, size_t n,
                       const struct webhook_options *options, webhook_log *log, void *log_arg, struct error *err)
{
    if (options->queue_max < 2)
        return error_set(err, -EINVAL, "webhooks: queue_max: expected 2 or more, got %zu", options->queue_max);
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
    lock_cond_init(&webhooks->adopted);
    if (!webhooks->multi) {
        error_set(err, r, "webhooks: memory is short, or libcurl does not start");
        goto fail;
    }
    r = webhooks_prepare(&webhooks->change, webhooks, hooks, n, err);
    if (r < 0)
        goto fail;
    adopt(webhooks);
    r = thread_start(&webhooks->thread, "webhook", run, webhooks);
    webhooks->has_thread = r == 0;
    if (r < 0) {
        error_set(err, r, "webhooks: cannot start a thread: %s", strerror(-r));
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

/* Finds the old endpoints that are kept or inherited, each at most once, because two entries of the configuration may be
 * equal. */
static void match(struct webhooks_change *change, struct webhook_endpoint *const *present, size_t n)
{
    for (size_t i = 0; i < change->n; i++)
        for (size_t k = 0; k < n && !change->kept[i]; k++)
            if (config_webhook_equal(&change->endpoints[i]->hook, &present[k]->hook) &&
                !is_among(change->kept, change->n, present[k]))
                change->kept[i] = present[k];
    for (size_t i = 0; i < change->n; i++)
        for (size_t k = 0; k < n && !change->kept[i] && !change->heirs[i]; k++)
            if (strcmp(change->endpoints[i]->hook.url, present[k]->hook.url) == 0 &&
                !is_among(change->kept, change->n, present[k]) && !is_among(change->heirs, change->n, present[k]))
                change->heirs[i] = present[k];
}

void webhooks_adopt(struct webhooks *webhooks, struct webhooks_change *change)
{
    lock_take(&webhooks->lock);
    match(change, webhooks->endpoints, webhooks->n_endpoints);
    webhooks->change = change;
    curl_multi_wakeup(webhooks->multi);
    while (webhooks->change)
        lock_wait(&webhooks->lock, &webhooks->adopted);
    lock_give(&webhooks->lock);
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
    for (size_t i = 0; i < webhooks->n_endpoints; i++)
        retire_locked(webhooks, webhooks->endpoints[i]);        /* needs no lock: the thread has ended, and nobody posts */
    curl_multi_cleanup(webhooks->multi);
    free(webhooks->endpoints);
    webhooks_forget(webhooks->change);
    for (struct webhook_tally *tally = webhooks->tallies, *next; tally; tally = next) {
        next = tally->next;
        free(tally);
    }
    if (webhooks->has_curl)
        curl_global_cleanup();
    pthread_cond_destroy(&webhooks->adopted);
    lock_destroy(&webhooks->lock);
    free(webhooks);
}
