/* Webhooks as a kind of sink. */
#include "daemon/base/log.h"
#include "daemon/watch/sinks/sinks.h"
#include "io/sinks/webhook.h"

static size_t count(const struct config *config)
{
    return config->n_webhooks;
}

static void keys(const struct config *config, char (*ret)[OUTBOX_KEY_SIZE])
{
    webhook_keys(ret, config->webhooks, config->n_webhooks);
}

static bool wants(const struct config *config, size_t i, const char *key, const struct event *event)
{
    return webhook_wants(&config->webhooks[i], key, event);
}

static void log_webhook(void *arg, int priority, const char *text)
{
    (void)arg;
    log_event(priority, "webhook", "text", text, NULL);
}

/* Runs on the webhooks' thread. */
static void tell_disabled(void *arg, const char *key, const char *reason)
{
    events_post(arg, &(struct event){.type = EVENT_WEBHOOK_DISABLED, .webhook = key, .reason = reason});
}

static int open_sender(void **ret, const struct sink_surroundings *around, const struct config *config, struct error *err)
{
    struct webhook_options options = webhook_default_options;
    options.outbox = around->outbox;
    options.snapshots = around->snapshots;
    options.disabled = tell_disabled;
    options.disabled_arg = around->events;
    struct webhooks *webhooks;
    int r = webhooks_open(&webhooks, config ? config->webhooks : NULL, config ? config->n_webhooks : 0, &options, log_webhook,
                          NULL, err);
    if (r == 0)
        *ret = webhooks;
    return r;
}

static int prepare(void **ret, void *sender, const struct config *config, struct error *err)
{
    (void)sender;
    struct webhooks_change *change;
    int r = webhooks_prepare(&change, config->webhooks, config->n_webhooks, err);
    if (r == 0)
        *ret = change;
    return r;
}

static void adopt(void *sender, void *change)
{
    webhooks_adopt(sender, change);
}

static void forget(void *change)
{
    webhooks_forget(change);
}

static void wake(void *sender)
{
    webhooks_wake(sender);
}

static int64_t deadline_us(void *sender)
{
    return webhooks_deadline_us(sender);
}

static void close_sender(void *sender, int grace_ms)
{
    webhooks_close(sender, grace_ms);
}

const struct sink_kind webhook_sink = {.scope = "", .thread = "webhook sender", .count = count, .keys = keys, .wants = wants,
                                       .open = open_sender, .prepare = prepare, .adopt = adopt, .forget = forget, .wake = wake,
                                       .deadline_us = deadline_us, .close = close_sender};
