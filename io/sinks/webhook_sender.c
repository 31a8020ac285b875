#include "io/sinks/webhook_sender.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "io/base/clock.h"
#include "io/base/redact.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define STEP_US (60 * SECOND_US)            /* a clock that moves by this from one look to the next was set */
#define RETRY_AFTER_MAX_US HOUR_US

enum { GONE = 410 };

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

static int64_t utc_now(const struct webhooks *webhooks)
{
    return webhooks->options.clock_us(webhooks->options.clock_arg);
}

/* ---- the outbox ----------------------------------------------------------------------------------------------------- */

/* Reports an error of the outbox, once until a change of the outbox succeeds. Returns true if r is none. */
static bool changed(struct webhooks *webhooks, const char *name, int r)
{
    if (r < 0 && !webhooks->outbox_fails)
        report(webhooks, LOG_ERR, "webhook %s: cannot read or write the outbox: %s; memaed tries again", name, strerror(-r));
    webhooks->outbox_fails = r < 0;
    return r >= 0;
}

static void drop_head(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    free(endpoint->head.body);
    endpoint->head = (struct outbox_entry){0};
    endpoint->look_us = 0;
    lock_take(&webhooks->lock);
    endpoint->shown.attempts = 0;
    endpoint->shown.next_us = 0;
    lock_give(&webhooks->lock);
}

/* Asks the outbox for the oldest entry. */
static void look(struct webhooks *webhooks, struct webhook_endpoint *endpoint, int64_t now, int64_t utc)
{
    struct outbox_entry entry;
    int r = webhooks->outbox.next(webhooks->outbox.context, endpoint->shown.key, &entry);
    endpoint->look_us = r < 0 ? now + webhooks->options.outbox_retry_us : INT64_MAX;
    if (r < 0)
        changed(webhooks, endpoint->shown.name, r);
    if (r <= 0)
        return;
    endpoint->head = entry;
    endpoint->seen_us = now;
    int64_t wait_us = entry.due_us - utc;
    if (wait_us > RETRY_AFTER_MAX_US)
        wait_us = RETRY_AFTER_MAX_US;
    if (wait_us > 0 && endpoint->due_us < now + wait_us)
        endpoint->due_us = now + wait_us;
    if (endpoint->failures == 0)
        endpoint->failures = entry.attempts;
    lock_take(&webhooks->lock);
    endpoint->shown.attempts = entry.attempts;
    endpoint->shown.next_us = endpoint->due_us > now ? utc + endpoint->due_us - now : 0;
    lock_give(&webhooks->lock);
}

/* Tells the outbox that head was delivered. While it cannot note that, nothing else is sent: the order would be lost. */
static void settle(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    int r = webhooks->outbox.delivered(webhooks->outbox.context, endpoint->shown.key, endpoint->head.seq, utc_now(webhooks));
    endpoint->unsettled = !changed(webhooks, endpoint->shown.name, r == -ENOENT ? 0 : r);
    endpoint->due_us = endpoint->unsettled ? monotonic_us() + webhooks->options.outbox_retry_us : 0;
    if (!endpoint->unsettled)
        drop_head(webhooks, endpoint);
}

/* Returns after how long head is too old; 0 or less: it is now. The age of an entry is that by UTC. It is at least the time for
 * which the entry has been head, because the clock may have been set back. */
static int64_t left_us(const struct webhooks *webhooks, const struct webhook_endpoint *endpoint, int64_t now, int64_t utc)
{
    int64_t give_up_us = (int64_t)(endpoint->hook.give_up_h * (double)HOUR_US);
    int64_t age_us = utc - endpoint->head.queued_us, seen_us = now - endpoint->seen_us;
    int64_t left = give_up_us - (age_us > seen_us ? age_us : seen_us);
    int64_t patience = webhooks->stepped_us + (give_up_us < HOUR_US ? give_up_us : HOUR_US) - now;
    return left > patience ? left : patience;
}

/* Makes head a dead letter. false: the outbox fails, and head stays. */
static bool bury(struct webhooks *webhooks, struct webhook_endpoint *endpoint, int64_t utc, const char *why)
{
    char reason[OUTBOX_CAUSE_SIZE], clean[OUTBOX_CAUSE_SIZE];
    snprintf(reason, sizeof reason, "not delivered within %.1f h: %s", endpoint->hook.give_up_h, why);
    redact(clean, sizeof clean, reason);
    int r = webhooks->outbox.dead(webhooks->outbox.context, endpoint->shown.key, endpoint->head.seq, endpoint->head.attempts, utc,
                                  clean);
    if (!changed(webhooks, endpoint->shown.name, r == -ENOENT ? 0 : r))
        return false;
    report(webhooks, LOG_ERR, "webhook %s: an event became a dead letter after %.1f h without a delivery", endpoint->shown.name,
           endpoint->hook.give_up_h);
    lock_take(&webhooks->lock);
    endpoint->tally->stats.dead++;
    lock_give(&webhooks->lock);
    drop_head(webhooks, endpoint);
    return true;
}

/* ---- disabled endpoints --------------------------------------------------------------------------------------------- */

static void disable(struct webhooks *webhooks, struct webhook_endpoint *endpoint, int64_t utc)
{
    char mark[OUTBOX_MARK_SIZE], reason[WEBHOOK_NAME_SIZE + 64];
    snprintf(reason, sizeof reason, "webhook %s answered 410: it wants no events any more", endpoint->shown.name);
    webhook_mark(mark, endpoint->hook.url);
    lock_take(&webhooks->lock);
    endpoint->shown.disabled_us = utc;
    snprintf(endpoint->shown.disabled_reason, OUTBOX_CAUSE_SIZE, "%.*s", OUTBOX_CAUSE_SIZE - 1, reason);
    endpoint->shown.next_us = 0;
    endpoint->wants_enable = false;
    lock_give(&webhooks->lock);
    changed(webhooks, endpoint->shown.name,
            webhooks->outbox.disable(webhooks->outbox.context, endpoint->shown.key, utc, endpoint->shown.disabled_reason, mark));
    report(webhooks, LOG_ERR, "webhook %s: disabled, because it answered 410; change it in the configuration, or POST "
           "/api/v1/webhooks/%s/enable", endpoint->shown.name, endpoint->shown.key);
    if (webhooks->options.disabled)
        webhooks->options.disabled(webhooks->options.disabled_arg, endpoint->shown.key, reason);
}

static void enable(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    changed(webhooks, endpoint->shown.name, webhooks->outbox.enable(webhooks->outbox.context, endpoint->shown.key));
    lock_take(&webhooks->lock);
    endpoint->shown.disabled_us = 0;
    endpoint->shown.disabled_reason[0] = '\0';
    lock_give(&webhooks->lock);
    endpoint->due_us = 0;
    endpoint->failures = 0;
    report(webhooks, LOG_NOTICE, "webhook %s: enabled again", endpoint->shown.name);
}

/* ---- one attempt ---------------------------------------------------------------------------------------------------- */

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

/* The endpoint took head. */
static void succeed(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    int64_t utc = utc_now(webhooks);
    lock_take(&webhooks->lock);
    endpoint->tally->stats.delivered++;
    delays_add(&endpoint->tally->stats.delays, endpoint->head.time_us, utc);
    endpoint->shown.delivered++;
    if (endpoint->shown.newest_us < endpoint->head.time_us)
        endpoint->shown.newest_us = endpoint->head.time_us;
    lock_give(&webhooks->lock);
    if (endpoint->failures)
        report(webhooks, LOG_NOTICE, "webhook %s: delivers again after %u failed attempts", endpoint->shown.name,
               endpoint->failures);
    endpoint->failures = 0;
    settle(webhooks, endpoint);
}

/* The attempt to send head failed. */
static void fail(struct webhooks *webhooks, struct webhook_endpoint *endpoint, long status, const char *cause,
                 int64_t retry_after_us)
{
    int64_t now = monotonic_us(), utc = utc_now(webhooks);
    char clean[OUTBOX_CAUSE_SIZE];
    redact(clean, sizeof clean, cause);
    if (endpoint->failures < UINT_MAX)
        endpoint->failures++;
    if (endpoint->head.attempts < UINT_MAX)
        endpoint->head.attempts++;
    int64_t wait_us = webhook_backoff_us(&webhooks->options, endpoint->failures);
    if (wait_us < retry_after_us)
        wait_us = retry_after_us;
    endpoint->due_us = now + wait_us;
    lock_take(&webhooks->lock);
    endpoint->tally->stats.failed_attempts++;
    endpoint->shown.attempts = endpoint->head.attempts;
    endpoint->shown.failed_us = utc;
    endpoint->shown.next_us = utc + wait_us;
    memcpy(endpoint->shown.cause, clean, sizeof clean);
    lock_give(&webhooks->lock);
    /* Only the first failure in a row is a warning. */
    report(webhooks, endpoint->failures == 1 ? LOG_WARNING : LOG_INFO, "webhook %s: attempt %u failed: %s; next in %.1f s",
           endpoint->shown.name, endpoint->failures, clean, (double)wait_us / (double)SECOND_US);
    if (status != GONE && left_us(webhooks, endpoint, now, utc) <= 0 && bury(webhooks, endpoint, utc, clean))
        return;
    changed(webhooks, endpoint->shown.name,
            webhooks->outbox.failed(webhooks->outbox.context, endpoint->shown.key, endpoint->head.seq, endpoint->head.attempts,
                                    utc + wait_us, clean));
    if (status == GONE)
        disable(webhooks, endpoint, utc);
}

static void begin(struct webhooks *webhooks, struct webhook_endpoint *endpoint, int64_t now)
{
    const struct outbox_entry *head = &endpoint->head;
    if (endpoint->hook.max_per_minute > 0)
        endpoint->starts[endpoint->n_starts++ % (size_t)endpoint->hook.max_per_minute] = now;
    endpoint->sending = webhook_endpoint_begin(endpoint, webhooks->multi, head->id, head->body, head->size,
                                               utc_now(webhooks) / SECOND_US, &webhooks->options.snapshots) == 0;
    if (!endpoint->sending)
        fail(webhooks, endpoint, 0, "out of memory, or the event could not be signed", 0);
}

static void on_done(struct webhooks *webhooks, CURL *easy, CURLcode result)
{
    struct webhook_endpoint *endpoint;
    curl_off_t retry_after_s = 0;
    char cause[WEBHOOK_CAUSE_SIZE];
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &endpoint);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);      /* of a date: seconds until then */
    long status = webhook_endpoint_end(endpoint, webhooks->multi, result, cause);
    if ((status != 429 && status != 503) || retry_after_s < 0)
        retry_after_s = 0;
    if (retry_after_s > RETRY_AFTER_MAX_US / SECOND_US)
        retry_after_s = RETRY_AFTER_MAX_US / SECOND_US;
    endpoint->sending = false;
    if (*cause)
        fail(webhooks, endpoint, status, cause, (int64_t)retry_after_s * SECOND_US);
    else
        succeed(webhooks, endpoint);
}

/* ---- change of endpoints -------------------------------------------------------------------------------------------- */

void webhook_sender_retire(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    if (webhooks->multi)
        curl_multi_remove_handle(webhooks->multi, endpoint->easy);
    webhook_endpoint_free(endpoint);
}

/* Gives the endpoint the tally of its name: an earlier one, or its own. */
static void count_by_name_locked(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    struct webhook_tally **at = &webhooks->tallies;
    while (*at && strcmp((*at)->stats.name, endpoint->shown.name) != 0)
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

/* Tells the outbox which endpoints there are. */
static void tell(struct webhooks *webhooks, struct webhook_endpoint *const *endpoints, size_t n)
{
    const char *keys[CONFIG_MAX_WEBHOOKS];
    for (size_t i = 0; i < n; i++)
        keys[i] = endpoints[i]->shown.key;
    bool told = changed(webhooks, "*", webhooks->outbox.endpoints(webhooks->outbox.context, keys, n));
    webhooks->tell_us = told ? INT64_MAX : monotonic_us() + webhooks->options.outbox_retry_us;
}

/* Reads whether the endpoint was disabled in an earlier run. It is enabled if its URL is another one now. */
static void read_state(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    struct outbox_state state;
    char mark[OUTBOX_MARK_SIZE];
    endpoint->fresh = webhooks->outbox.state(webhooks->outbox.context, endpoint->shown.key, &state) < 0;
    if (endpoint->fresh || !state.disabled_us)
        return;
    webhook_mark(mark, endpoint->hook.url);
    lock_take(&webhooks->lock);
    endpoint->shown.disabled_us = state.disabled_us;
    memcpy(endpoint->shown.disabled_reason, state.reason, sizeof state.reason);
    endpoint->wants_enable = endpoint->wants_enable || strcmp(mark, state.mark) != 0;
    lock_give(&webhooks->lock);
}

/* The entries of an endpoint that is among none of change. */
static uint64_t count_lost(struct webhooks *webhooks, const struct webhooks_change *change, const struct webhook_endpoint *before)
{
    struct outbox_counts counts = {0};
    for (size_t i = 0; i < change->n; i++)
        if (strcmp(change->endpoints[i]->shown.key, before->shown.key) == 0)
            return 0;
    webhooks->outbox.counts(webhooks->outbox.context, before->shown.key, &counts);
    return counts.queued;
}

/* Keeps what REST shows of an endpoint when its configuration changes. */
static void inherit_locked(struct webhook_endpoint *heir, const struct webhook_endpoint *before)
{
    struct webhook_state shown = before->shown;
    memcpy(shown.name, heir->shown.name, sizeof shown.name);
    heir->shown = shown;
    heir->fresh = before->fresh;
    heir->wants_enable = true;
    heir->wants_retry = before->wants_retry;
}

void webhook_sender_adopt(struct webhooks *webhooks)
{
    lock_take(&webhooks->lock);
    struct webhooks_change *change = webhooks->change;
    lock_give(&webhooks->lock);
    if (!change)
        return;
    struct webhook_endpoint **before = webhooks->endpoints;
    size_t n_before = webhooks->n_endpoints;
    uint64_t lost[CONFIG_MAX_WEBHOOKS] = {0};
    for (size_t i = 0; i < n_before; i++)
        lost[i] = count_lost(webhooks, change, before[i]);
    /* The outbox is told before others can post to the new endpoints. */
    tell(webhooks, change->endpoints, change->n);

    lock_take(&webhooks->lock);
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
            before[i]->tally->stats.dropped += lost[i];
            webhook_sender_retire(webhooks, before[i]);
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

/* Does what other threads asked of the endpoint. */
static void obey(struct webhooks *webhooks, struct webhook_endpoint *endpoint)
{
    lock_take(&webhooks->lock);
    bool wants_enable = endpoint->wants_enable, wants_retry = endpoint->wants_retry && !endpoint->sending && !endpoint->unsettled;
    endpoint->wants_enable = false;
    if (wants_retry)
        endpoint->wants_retry = false;
    lock_give(&webhooks->lock);
    if (wants_enable && endpoint->shown.disabled_us)
        enable(webhooks, endpoint);
    if (wants_retry) {
        int r = webhooks->outbox.retry_dead(webhooks->outbox.context, endpoint->shown.key, utc_now(webhooks));
        if (changed(webhooks, endpoint->shown.name, r) && r > 0) {
            report(webhooks, LOG_NOTICE, "webhook %s: %d dead letters are tried again", endpoint->shown.name, r);
            drop_head(webhooks, endpoint);
            endpoint->due_us = 0;
        }
    }
}

/* The time at which max_per_minute allows the next attempt. */
static int64_t allowed_us(const struct webhooks *webhooks, const struct webhook_endpoint *endpoint)
{
    size_t max = (size_t)endpoint->hook.max_per_minute;
    return max == 0 || endpoint->n_starts < max ? 0 : endpoint->starts[endpoint->n_starts % max] + webhooks->options.minute_us;
}

/* Does what is due at an endpoint. Returns true while it is being sent to; else *next_us becomes when there is more to do, if
 * that is earlier. */
static bool tend(struct webhooks *webhooks, struct webhook_endpoint *endpoint, int64_t now, int64_t *next_us)
{
    int64_t at = INT64_MAX, utc = utc_now(webhooks);
    if (endpoint->fresh && webhooks->tell_us == INT64_MAX)
        read_state(webhooks, endpoint);
    obey(webhooks, endpoint);
    if (endpoint->sending)
        return true;
    if (endpoint->unsettled && endpoint->due_us <= now)
        settle(webhooks, endpoint);
    if (!endpoint->head.body && endpoint->look_us <= now)
        look(webhooks, endpoint, now, utc);

    if (endpoint->fresh) {
        at = now + webhooks->options.outbox_retry_us;
    } else if (endpoint->unsettled) {
        at = endpoint->due_us;
    } else if (!endpoint->head.body) {
        at = endpoint->look_us;
    } else if (endpoint->shown.disabled_us) {
        int64_t left = left_us(webhooks, endpoint, now, utc);
        if (left > 0)
            at = now + left;
        else
            at = bury(webhooks, endpoint, utc, "the endpoint is disabled") ? now : now + webhooks->options.outbox_retry_us;
    } else {
        at = allowed_us(webhooks, endpoint);
        if (at < endpoint->due_us)
            at = endpoint->due_us;
        if (at <= now)
            begin(webhooks, endpoint, now);
        if (at <= now && !endpoint->sending)
            at = endpoint->due_us;
    }
    if (!endpoint->sending && at < *next_us)
        *next_us = at;
    return endpoint->sending;
}

/* Returns the number of attempts under way; *next_us is when there is more to do. */
static size_t tend_all(struct webhooks *webhooks, int64_t now, int64_t *next_us)
{
    lock_take(&webhooks->lock);
    bool woken = webhooks->woken;
    webhooks->woken = false;
    lock_give(&webhooks->lock);
    if (webhooks->tell_us <= now)
        tell(webhooks, webhooks->endpoints, webhooks->n_endpoints);
    int64_t ahead_us = utc_now(webhooks) - now;
    if (ahead_us - webhooks->ahead_us >= STEP_US)
        webhooks->stepped_us = now;
    webhooks->ahead_us = ahead_us;

    size_t under_way = 0;
    *next_us = webhooks->tell_us;
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct webhook_endpoint *endpoint = webhooks->endpoints[i];
        if (woken && endpoint->look_us == INT64_MAX)
            endpoint->look_us = 0;
        under_way += tend(webhooks, endpoint, now, next_us);
    }
    return under_way;
}

static uint64_t count_queued(struct webhooks *webhooks)
{
    uint64_t queued = 0;
    for (size_t i = 0; i < webhooks->n_endpoints; i++) {
        struct outbox_counts counts = {0};
        webhooks->outbox.counts(webhooks->outbox.context, webhooks->endpoints[i]->shown.key, &counts);
        queued += counts.queued;
    }
    return queued;
}

void *webhook_sender_run(void *arg)
{
    struct webhooks *webhooks = arg;
    for (;;) {
        webhook_sender_adopt(webhooks);
        int64_t now = monotonic_us(), next_us;
        size_t under_way = tend_all(webhooks, now, &next_us);
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

        /* During attempts the thread wakes once a second, to move its deadline. Once an hour it looks at the clock. */
        int64_t wait_us = next_us < now ? 0 : next_us - now;
        int64_t longest_us = under_way ? SECOND_US : HOUR_US;
        if (wait_us > longest_us)
            wait_us = longest_us;
        bool waits = false;
        for (size_t i = 0; i < webhooks->n_endpoints; i++)
            waits = waits || webhooks->endpoints[i]->head.body;
        lock_take(&webhooks->lock);
        bool over = webhooks->closing && (under_way == 0 || now >= webhooks->close_us);
        if (webhooks->closing && wait_us > webhooks->close_us - now)
            wait_us = webhooks->close_us > now ? webhooks->close_us - now : 0;
        if (webhooks->woken)
            wait_us = 0;
        webhooks->deadline_us = waits || webhooks->woken ? now + wait_us + WEBHOOK_BUSY_US : INT64_MAX;
        lock_give(&webhooks->lock);
        if (over) {
            uint64_t queued = count_queued(webhooks);
            if (queued)
                report(webhooks, LOG_WARNING, "webhooks: %" PRIu64 " events were not delivered before the end and wait for the "
                       "next start", queued);
            return NULL;
        }
        curl_multi_poll(webhooks->multi, NULL, 0, (int)((wait_us + 999) / 1000), NULL);
    }
}
