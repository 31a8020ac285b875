#include "io/sinks/webhook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/base/thread.h"
#include "io/sinks/webhook_sender.h"

#define SECOND_US INT64_C(1000000)

static int64_t wall_clock_us(void *arg)
{
    (void)arg;
    return utc_us();
}

const struct webhook_options webhook_default_options = {
    .backoff_first_us = SECOND_US, .backoff_max_us = 300 * SECOND_US, .minute_us = 60 * SECOND_US,
    .outbox_retry_us = 5 * SECOND_US, .clock_us = wall_clock_us,
};

/* ---- any thread ----------------------------------------------------------------------------------------------------- */

void webhooks_wake(struct webhooks *webhooks)
{
    lock_take(&webhooks->lock);
    webhooks->woken = true;
    if (webhooks->deadline_us == INT64_MAX)
        webhooks->deadline_us = monotonic_us() + WEBHOOK_BUSY_US;
    lock_give(&webhooks->lock);
    curl_multi_wakeup(webhooks->multi);
}

static struct webhook_endpoint *find_locked(struct webhooks *webhooks, const char *key)
{
    for (size_t i = 0; i < webhooks->n_endpoints; i++)
        if (strcmp(webhooks->endpoints[i]->shown.key, key) == 0)
            return webhooks->endpoints[i];
    return NULL;
}

int webhooks_enable(struct webhooks *webhooks, const char *key)
{
    lock_take(&webhooks->lock);
    struct webhook_endpoint *endpoint = find_locked(webhooks, key);
    if (endpoint)
        endpoint->wants_enable = true;
    lock_give(&webhooks->lock);
    curl_multi_wakeup(webhooks->multi);
    return endpoint ? 0 : -ENOENT;
}

int webhooks_retry_dead(struct webhooks *webhooks, const char *key)
{
    lock_take(&webhooks->lock);
    struct webhook_endpoint *endpoint = find_locked(webhooks, key);
    if (endpoint)
        endpoint->wants_retry = true;
    lock_give(&webhooks->lock);
    curl_multi_wakeup(webhooks->multi);
    return endpoint ? 0 : -ENOENT;
}

int webhooks_list_dead(struct webhooks *webhooks, const char *key, struct outbox_dead **ret, size_t *n, size_t max)
{
    lock_take(&webhooks->lock);
    bool exists = find_locked(webhooks, key);
    lock_give(&webhooks->lock);
    int r = exists ? webhooks->outbox.list_dead(webhooks->outbox.context, key, ret, max) : -ENOENT;
    if (r >= 0)
        *n = (size_t)r;
    return r < 0 ? r : 0;
}

int webhooks_list(struct webhooks *webhooks, const char *camera, struct webhook_state **ret, size_t *n)
{
    lock_take(&webhooks->lock);
    size_t there = webhooks->n_endpoints;
    struct webhook_state *states = calloc(there + 1, sizeof *states);
    for (size_t i = 0; states && i < there; i++) {
        const struct webhook_endpoint *endpoint = webhooks->endpoints[i];
        states[i] = endpoint->shown;
        if (endpoint->wants_enable)
            states[i].disabled_us = 0;
        for (int type = 0; type < EVENT_TYPES; type++)
            if (webhook_wants(&endpoint->hook, endpoint->shown.key,
                              &(struct event){.type = (enum event_type)type, .camera = camera}))
                states[i].events |= event_bit((enum event_type)type);
    }
    lock_give(&webhooks->lock);
    if (!states)
        return -ENOMEM;
    for (size_t i = 0; i < there; i++) {
        struct outbox_counts counts = {0};
        webhooks->outbox.counts(webhooks->outbox.context, states[i].key, &counts);
        states[i].queued = counts.queued;
        states[i].dead_letters = counts.dead;
        states[i].oldest_us = counts.oldest_us;
    }
    *ret = states;
    *n = there;
    return 0;
}

int webhooks_stats(struct webhooks *webhooks, struct webhook_stats **ret, size_t *n)
{
    struct webhook_state *states;
    size_t names = 0, at = 0, there;
    if (webhooks_list(webhooks, NULL, &states, &there) < 0)
        return -ENOMEM;
    lock_take(&webhooks->lock);
    for (struct webhook_tally *tally = webhooks->tallies; tally; tally = tally->next)
        names++;
    struct webhook_stats *stats = calloc(names + 1, sizeof *stats);
    for (struct webhook_tally *tally = webhooks->tallies; stats && tally; tally = tally->next)
        stats[at++] = tally->stats;
    lock_give(&webhooks->lock);
    for (size_t i = 0; stats && i < names; i++)
        for (size_t k = 0; k < there; k++)
            if (strcmp(stats[i].name, states[k].name) == 0) {
                stats[i].queued += states[k].queued;
                stats[i].dead_letters += states[k].dead_letters;
                stats[i].disabled += states[k].disabled_us != 0;
            }
    free(states);
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

/* ---- change of endpoints -------------------------------------------------------------------------------------------- */

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

int webhooks_prepare(struct webhooks_change **ret, const struct config_webhook *hooks, size_t n, struct error *err)
{
    char keys[CONFIG_MAX_WEBHOOKS][OUTBOX_KEY_SIZE];
    if (n > CONFIG_MAX_WEBHOOKS)
        return error_set(err, -EINVAL, "webhooks: expected at most %d, got %zu", (int)CONFIG_MAX_WEBHOOKS, n);
    webhook_keys(keys, hooks, n);
    struct webhooks_change *change = calloc(1, sizeof *change);
    if (!change)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    change->endpoints = calloc(n + 1, sizeof *change->endpoints);
    change->kept = calloc(n + 1, sizeof *change->kept);
    change->heirs = calloc(n + 1, sizeof *change->heirs);
    int r = change->endpoints && change->kept && change->heirs ? 0 : error_set(err, -ENOMEM, "webhooks: out of memory");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = webhook_endpoint_new(&change->endpoints[i], &hooks[i], keys[i], i, err);
        change->n += r == 0;
    }
    if (r < 0)
        webhooks_forget(change);
    else
        *ret = change;
    return r;
}

/* Finds the old endpoint of each new one's key. The old one stays if its configuration is equal. */
static void match(struct webhooks_change *change, struct webhook_endpoint *const *present, size_t n)
{
    for (size_t i = 0; i < change->n; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(change->endpoints[i]->shown.key, present[k]->shown.key) == 0) {
                bool equal = config_webhook_equal(&change->endpoints[i]->hook, &present[k]->hook);
                *(equal ? &change->kept[i] : &change->heirs[i]) = present[k];
            }
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

/* ---- opening and closing -------------------------------------------------------------------------------------------- */

int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, const struct webhook_options *options,
                  webhook_log *log, void *log_arg, struct error *err)
{
    struct webhooks *webhooks = calloc(1, sizeof *webhooks);
    if (!webhooks)
        return error_set(err, -ENOMEM, "webhooks: out of memory");
    webhooks->options = *options;
    webhooks->outbox = *options->outbox;
    webhooks->log = log;
    webhooks->log_arg = log_arg;
    webhooks->deadline_us = INT64_MAX;
    webhooks->stepped_us = monotonic_us();
    webhooks->ahead_us = options->clock_us(options->clock_arg) - webhooks->stepped_us;
    lock_init(&webhooks->lock, LOCK_WAIT);

    int r = 0;
    webhooks->has_curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (webhooks->has_curl)
        webhooks->multi = curl_multi_init();
    lock_cond_init(&webhooks->adopted);
    if (!webhooks->multi) {
        r = error_set(err, -ENOMEM, "webhooks: out of memory, or libcurl cannot start");
        goto fail;
    }
    r = webhooks_prepare(&webhooks->change, hooks, n, err);
    if (r < 0)
        goto fail;
    webhook_sender_adopt(webhooks);
    r = thread_start(&webhooks->thread, "webhook", webhook_sender_run, webhooks);
    webhooks->has_thread = r == 0;
    if (r < 0) {
        error_set(err, r, "webhooks: cannot start the thread that sends events: %s", strerror(-r));
        goto fail;
    }
    *ret = webhooks;
    return 0;
fail:
    webhooks_close(webhooks, 0);
    return r;
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
        webhook_sender_retire(webhooks, webhooks->endpoints[i]);
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
