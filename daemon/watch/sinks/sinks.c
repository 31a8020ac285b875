#include "daemon/watch/sinks/sinks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/watch/evidence/place.h"
#include "io/base/lock.h"

static const struct sink_kind *const kinds[SINK_KINDS] = {[SINK_WEBHOOKS] = &webhook_sink};

struct sinks {
    struct events *events;
    const char *state_dir;
    struct store_outbox *outboxes[SINK_KINDS];

    struct lock lock;                   /* a leaf; guards: */
    void *senders[SINK_KINDS];          /* changed by main's thread alone; NULL: not opened so far */
};

struct sinks_change {
    void *changes[SINK_KINDS];          /* NULL: the kind has no sender */
};

void *sinks_sender(struct sinks *sinks, int kind)
{
    lock_take(&sinks->lock);
    void *sender = sinks->senders[kind];
    lock_give(&sinks->lock);
    return sender;
}

void sinks_wake(void *arg)
{
    for (int k = 0; k < SINK_KINDS; k++) {
        void *sender = sinks_sender(arg, k);
        if (sender)
            kinds[k]->wake(sender);
    }
}

const char *sinks_stuck(struct sinks *sinks, int64_t now_us)
{
    for (int k = 0; k < SINK_KINDS; k++) {
        void *sender = sinks_sender(sinks, k);
        if (sender && kinds[k]->deadline_us(sender) < now_us)
            return kinds[k]->thread;
    }
    return NULL;
}

/* ---- the endpoints, as the store sees them ----------------------------------------------------------------------------- */

static bool wants(const void *arg, size_t i, const char *name, const struct event *event)
{
    const struct config *config = arg;
    int k = 0;
    for (size_t n; i >= (n = kinds[k]->count(config)); k++)
        i -= n;
    return kinds[k]->wants(config, i, name, event);
}

void sinks_endpoints(const struct config *config, struct store_endpoints *ret)
{
    _Static_assert((int)CONFIG_MAX_WEBHOOKS <= (int)STORE_ENDPOINTS_MAX, "the store takes all endpoints");
    _Static_assert((int)OUTBOX_KEY_SIZE == (int)STORE_NAME_SIZE, "the store takes all keys");
    ret->n = 0;
    ret->wants = wants;
    ret->arg = config;
    for (int k = 0; k < SINK_KINDS; k++) {
        kinds[k]->keys(config, ret->names + ret->n);
        ret->n += kinds[k]->count(config);
    }
}

/* ---- senders ----------------------------------------------------------------------------------------------------------- */

/* Runs on a sender's thread. */
static int read_snapshot(void *arg, const struct snapshot_place *at, size_t most, void **ret, size_t *size)
{
    const struct place place = {.camera = at->camera, .opened_us = at->opened_us, .alert = at->id};
    char name[32];
    snprintf(name, sizeof name, "%s.jpg", at->file);
    return place_get(((struct sinks *)arg)->state_dir, &place, name, most, ret, size);
}

struct snapshot_store sinks_snapshots(struct sinks *sinks)
{
    return (struct snapshot_store){.read = read_snapshot, .arg = sinks};
}

static int open_sender(struct sinks *sinks, int k, const struct config *config, struct error *err)
{
    const struct outbox outbox = store_outbox(sinks->outboxes[k]);
    void *sender;
    int r = kinds[k]->open(&sender, &(struct sink_surroundings){.outbox = &outbox, .events = sinks->events,
                                                                .snapshots = sinks_snapshots(sinks)}, config, err);
    if (r < 0)
        return r;
    lock_take(&sinks->lock);
    sinks->senders[k] = sender;
    lock_give(&sinks->lock);
    return 0;
}

int sinks_open(struct sinks **ret, struct store *store, struct events *events, const char *state_dir, const struct config *config,
               struct error *err)
{
    struct sinks *sinks = calloc(1, sizeof *sinks);
    if (!sinks)
        return error_set(err, -ENOMEM, "out of memory");
    lock_init(&sinks->lock, LOCK_VIEW);
    sinks->events = events;
    sinks->state_dir = state_dir;
    *ret = sinks;
    int r = 0;
    for (int k = 0; k < SINK_KINDS && r == 0; k++) {
        r = store_outbox_open(&sinks->outboxes[k], store, kinds[k]->scope, sinks_wake, sinks, err);
        if (r == 0 && kinds[k]->count(config) > 0) {
            r = open_sender(sinks, k, config, err);
        } else if (r == 0) {
            const struct outbox outbox = store_outbox(sinks->outboxes[k]);
            if ((r = outbox.endpoints(outbox.context, NULL, 0)) < 0)
                error_set(err, r, "out of memory");
        }
    }
    return r;
}

void sinks_close(struct sinks *sinks, int grace_ms)
{
    for (int k = 0; sinks && k < SINK_KINDS; k++) {
        kinds[k]->close(sinks->senders[k], grace_ms);
        lock_take(&sinks->lock);
        sinks->senders[k] = NULL;
        lock_give(&sinks->lock);
    }
}

void sinks_free(struct sinks *sinks)
{
    if (!sinks)
        return;
    for (int k = 0; k < SINK_KINDS; k++)
        store_outbox_close(sinks->outboxes[k]);
    lock_destroy(&sinks->lock);
    free(sinks);
}

/* ---- change of endpoints ----------------------------------------------------------------------------------------------- */

void sinks_forget(struct sinks_change *change)
{
    for (int k = 0; change && k < SINK_KINDS; k++)
        kinds[k]->forget(change->changes[k]);
    free(change);
}

int sinks_prepare(struct sinks_change **ret, struct sinks *sinks, const struct config *config, struct error *err)
{
    struct sinks_change *change = calloc(1, sizeof *change);
    int r = change ? 0 : error_set(err, -ENOMEM, "out of memory");
    for (int k = 0; k < SINK_KINDS && r == 0; k++) {
        if (!sinks->senders[k] && kinds[k]->count(config) > 0)
            r = open_sender(sinks, k, NULL, err);
        if (r == 0 && sinks->senders[k])
            r = kinds[k]->prepare(&change->changes[k], sinks->senders[k], config, err);
    }
    if (r < 0)
        sinks_forget(change);
    else
        *ret = change;
    return r;
}

void sinks_adopt(struct sinks *sinks, struct sinks_change *change)
{
    for (int k = 0; k < SINK_KINDS; k++)
        if (change->changes[k])
            kinds[k]->adopt(sinks->senders[k], change->changes[k]);
    free(change);
}
