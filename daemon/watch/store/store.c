#include "daemon/watch/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/watch/store/holding.h"
#include "daemon/watch/store/intake.h"
#include "daemon/watch/store/publisher.h"
#include "daemon/watch/store/queue.h"
#include "daemon/watch/store/writer.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"

enum { EVENTS_AT_ONCE = 64, SCORES_AT_ONCE = 512 };

#define TICK_US INT64_C(1000000)
#define STEP_US INT64_C(30000000)       /* a transaction that takes longer counts as stuck to the watchdog */
#define LAST_STEP_US INT64_C(250000)    /* before the end no transaction is begun: one may wait this long for a lock */
#define BACKOFF_FIRST_US INT64_C(100000)
#define BACKOFF_MAX_US INT64_C(5000000)

struct store {
    char *folder;
    int64_t hold_us;
    struct queue *queue;
    struct heartbeats *heartbeats;
    struct heartbeat beat;
    struct publisher publisher;
    pthread_t thread;
    bool has_thread, has_beat;
    uint64_t last_alert;
    _Atomic unsigned generation;
    _Atomic int64_t close_us;           /* monotonic; what waits is written until then */

    /* The thread's alone. */
    struct writer writer;
    struct queue_item *batch;           /* events that are being written */
    struct queue_item *held;            /* events that are written, and wait for their evidence */
    struct score_row scores[SCORES_AT_ONCE];
    struct alert_record peaks[QUEUE_PEAKS_MAX];
    size_t n_peaks;
    uint64_t gone[QUEUE_GONE_MAX];      /* alerts whose rows of evidence are to go */
    size_t n_gone;
    size_t most;                        /* events in a transaction; 1 after one was refused */
    bool scores_refused, prune_refused; /* the log says so */
    int status;                         /* of the last transaction: 0 or -errno */
    int64_t backoff_us, retry_us;       /* retry_us: monotonic; nothing is written before. 0: at once */

    struct lock lock;                   /* a leaf; guards: */
    struct store_endpoints endpoints;
    struct store_retention retention;
    struct store_stats stats;           /* without what the queue counts */
    bool is_flushed;
    pthread_cond_t flushed;
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static void log_opening(const struct database_opening *opening, const char *folder)
{
    struct log_number version;
    if (*opening->set_aside)
        log_event(LOG_CRIT, "database_damaged", "reason", opening->damage, "set_aside", opening->set_aside, "folder", folder,
                  NULL);
    else if (opening->version_before == 0)
        log_event(LOG_NOTICE, "database_created", "folder", folder, NULL);
    else if (opening->version_before < writer_version())
        log_event(LOG_NOTICE, "database_migrated", "folder", folder, "from", log_int(&version, opening->version_before), NULL);
}

static int open_database(struct store *store, struct error *err)
{
    struct database_opening opening;
    int r = writer_open(&store->writer, store->folder, &opening, err);
    if (r == 0)
        log_opening(&opening, store->folder);
    return r;
}

int store_open(struct store **ret, const struct store_options *options, struct error *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(err, -ENOMEM, "out of memory");
    publisher_init(&store->publisher, options->publish, options->publish_arg);
    lock_init(&store->lock, LOCK_VIEW);
    lock_cond_init(&store->flushed);
    store->folder = strdup(options->folder);
    store->hold_us = options->hold_us;
    store->retention = options->retention;
    store->heartbeats = options->heartbeats;
    store->most = EVENTS_AT_ONCE;
    atomic_init(&store->close_us, INT64_MAX);
    int r = store->folder && queue_open(&store->queue) == 0 ? 0 : error_set(err, -ENOMEM, "out of memory");
    if (r == 0)
        r = open_database(store, err);
    if (r == 0)
        r = writer_last_alert(&store->writer, &store->last_alert, err);
    if (r < 0) {
        store_free(store);
        return r;
    }
    *ret = store;
    return 0;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    writer_close(&store->writer);
    for (struct queue_item *lists[] = {store->batch, store->held}, **list = lists; list < lists + 2; list++)
        while (*list) {
            struct queue_item *next = (*list)->next;
            queue_item_free(*list);
            *list = next;
        }
    queue_close(store->queue);
    pthread_cond_destroy(&store->flushed);
    lock_destroy(&store->lock);
    publisher_destroy(&store->publisher);
    free(store->folder);
    free(store);
}

uint64_t store_last_alert(const struct store *store)
{
    return store->last_alert;
}

int store_each_orders(struct store *store, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                      void *arg, struct error *err)
{
    return writer_each_orders(&store->writer, row, arg, err);
}

unsigned store_generation(const struct store *store)
{
    return atomic_load(&store->generation);
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

/* ---- any thread ----------------------------------------------------------------------------------------------------- */

struct queue *store_queue(struct store *store)
{
    return store->queue;
}

void store_set_endpoints(struct store *store, const struct store_endpoints *endpoints)
{
    lock_take(&store->lock);
    store->endpoints = *endpoints;
    lock_give(&store->lock);
}

void store_set_retention(struct store *store, const struct store_retention *retention)
{
    lock_take(&store->lock);
    store->retention = *retention;
    lock_give(&store->lock);
}

void store_stats(struct store *store, struct store_stats *ret)
{
    struct queue_counts counts;
    queue_counts(store->queue, &counts);
    lock_take(&store->lock);
    *ret = store->stats;
    lock_give(&store->lock);
    ret->events_queued = counts.events;
    ret->scores_queued = counts.scores;
    ret->events_dropped += counts.events_dropped;
    ret->scores_dropped += counts.scores_dropped;
}

/* ---- after a transaction -------------------------------------------------------------------------------------------- */

static void count_commit(struct store *store, int64_t began_us)
{
    int64_t bytes = writer_size(&store->writer);
    lock_take(&store->lock);
    store->stats.commits++;
    store->stats.commit_seconds += (double)(monotonic_us() - began_us) / 1e6;
    store->stats.failing = store->stats.no_space = false;
    store->stats.bytes = bytes;
    lock_give(&store->lock);
    if (store->status < 0)
        log_event(LOG_NOTICE, "store_writes_again", "folder", store->folder, NULL);
    store->status = 0;
    store->backoff_us = 0;
}

/* The database refuses rows for what they are, or lacks what they need: to try again does not help. */
static bool is_refused(int status)
{
    return status == -EEXIST || status == -EINVAL;
}

/* The database is damaged: another one takes its place. */
static void replace_database(struct store *store)
{
    struct error err;
    heartbeat_idle(&store->beat);       /* the check of a large file takes long */
    writer_close(&store->writer);
    if (open_database(store, &err) < 0)
        log_event(LOG_CRIT, "database_lost", "reason", err.text, NULL);
    else
        atomic_fetch_add(&store->generation, 1);
}

static void take_failure(struct store *store, int status, const char *cause)
{
    if (store->status == 0)
        log_event(LOG_ERR, "store_failed", "reason", cause, NULL);
    store->status = status;
    lock_take(&store->lock);
    store->stats.failures++;
    store->stats.failing = true;
    store->stats.no_space = status == -ENOSPC;
    lock_give(&store->lock);
    /* With -EBUSY the database itself has waited for a lock, so the shortest back-off does. */
    store->backoff_us = status == -EBUSY || store->backoff_us == 0 ? BACKOFF_FIRST_US : 2 * store->backoff_us;
    if (store->backoff_us > BACKOFF_MAX_US)
        store->backoff_us = BACKOFF_MAX_US;
    store->retry_us = monotonic_us() + store->backoff_us;
    if (status == -EUCLEAN || !writer_is_open(&store->writer))
        replace_database(store);
}

/* ---- the steps of the thread; each is one transaction at most ------------------------------------------------------- */

static void step_begins(struct store *store)
{
    heartbeat_until(&store->beat, monotonic_us() + STEP_US);
}

/* Takes the endpoints for one transaction, and chooses among them for the items. */
static void take_endpoints(struct store *store, struct writer_endpoints *ret, struct queue_item *items)
{
    lock_take(&store->lock);
    ret->n = store->endpoints.n;
    memcpy(ret->names, store->endpoints.names, ret->n * sizeof ret->names[0]);
    for (; items; items = items->next)
        writer_choose(items, &store->endpoints);
    lock_give(&store->lock);
}

/* The first event of the batch is refused for what it is: it is dropped, so that the others go on. */
static void drop_first(struct store *store, const char *cause)
{
    struct queue_item *item = store->batch;
    const char *what = item->has_event ? event_type_name(item->type) : item->has_alert ? "alert" : item->order ? "label"
                       : item->has_evidence ? "evidence" : item->delivery ? "delivery" : "arming";
    log_event(LOG_ERR, "event_not_stored", "type", what, item->delivery ? "webhook" : "camera",
              item->delivery ? item->delivery->key : item->camera, "reason", cause, NULL);
    store->batch = item->next;
    queue_done(store->queue, item);
    if (item->delivery)
        publisher_delivery(&store->publisher, item->delivery);
    queue_item_free(item);
    lock_take(&store->lock);
    store->stats.events_dropped++;
    lock_give(&store->lock);
}

/* Lets events be delivered whose evidence is there, or whose time is over. */
static void release_held(struct store *store)
{
    int64_t now_us = monotonic_us();
    struct error err;
    for (struct queue_item **at = &store->held; *at;) {
        struct queue_item *item = *at;
        if (item->held_until_us > now_us) {
            at = &item->next;
            continue;
        }
        int64_t began_us = monotonic_us();
        step_begins(store);
        int r = writer_ready(&store->writer, item->seq, &err);
        if (r < 0) {                    /* it stays, and its time is over */
            take_failure(store, r, err.text);
            return;
        }
        count_commit(store, began_us);
        *at = item->next;
        item->held_until_us = 0;
        publisher_event(&store->publisher, item);
        queue_item_free(item);
    }
}

/* Releases all events that are held. From now on none is held. */
static void let_go(struct store *store)
{
    store->hold_us = 0;
    for (struct queue_item *item = store->held; item; item = item->next)
        item->held_until_us = 1;
    release_held(store);
}

static void publish_batch(struct store *store)
{
    while (store->batch) {
        struct queue_item *item = store->batch;
        store->batch = item->next;
        item->next = NULL;
        queue_done(store->queue, item);
        if (item->is_ready)
            holding_end(store->held, item->pictured, monotonic_us());
        if (item->has_event)
            publisher_event(&store->publisher, item);
        if (item->order)
            queue_item_tell(item, item->order->status);
        if (item->delivery) {
            if (item->delivery->kind == DELIVERY_FLUSH)
                let_go(store);
            publisher_delivery(&store->publisher, item->delivery);
        }
        if (item->held_until_us)
            queue_items_append(&store->held, item);
        else
            queue_item_free(item);
    }
}

/* Writes the batch. Returns true if there is more to do at once. */
static bool write_events(struct store *store)
{
    bool more = false;
    if (!store->batch)
        store->batch = queue_take(store->queue, EVENTS_AT_ONCE, &more);
    if (!store->batch)
        return false;
    struct writer_endpoints endpoints;
    struct error err;
    struct queue_item *rest = queue_items_cut(store->batch, store->most);
    for (struct queue_item *item = store->batch; item; item = item->next)
        holding_set(item, store->batch, store->held, store->hold_us);
    take_endpoints(store, &endpoints, store->batch);
    int64_t began_us = monotonic_us();
    step_begins(store);
    int r = writer_events(&store->writer, store->batch, &endpoints, store_generation(store), &err);
    if (r == 0) {
        count_commit(store, began_us);
        publish_batch(store);
        store->most = rest ? store->most : EVENTS_AT_ONCE;
        store->batch = rest;
        return rest || more;
    }
    bool refused = is_refused(r);
    queue_items_append(&store->batch, rest);
    if (refused && store->most == 1) {
        drop_first(store, err.text);
        return true;
    }
    if (refused)
        store->most = 1;                /* one by one, to find the one that is refused */
    else
        take_failure(store, r, err.text);
    return refused;
}

/* Drops what the database refused, so that it holds up nothing else. The log has the first time in a row. */
static void drop_scores(struct store *store, size_t n, const char *cause)
{
    if (!store->scores_refused)
        log_event(LOG_ERR, "scores_not_stored", "reason", cause, NULL);
    store->scores_refused = true;
    lock_take(&store->lock);
    store->stats.scores_dropped += n;
    lock_give(&store->lock);
}

/* Writes peaks and some scores. Returns true if more scores wait. */
static bool write_scores(struct store *store)
{
    struct error err;
    if (store->n_peaks == 0)
        store->n_peaks = queue_take_peaks(store->queue, store->peaks);
    size_t n = queue_peek_scores(store->queue, store->scores, SCORES_AT_ONCE);
    if (n == 0 && store->n_peaks == 0)
        return false;
    int64_t began_us = monotonic_us();
    step_begins(store);
    int r = writer_scores(&store->writer, store->scores, n, store->peaks, store->n_peaks, &err);
    if (r < 0 && !is_refused(r)) {
        take_failure(store, r, err.text);
        return false;
    }
    if (r < 0) {
        drop_scores(store, n, err.text);
    } else {
        store->scores_refused = false;
        count_commit(store, began_us);
    }
    store->n_peaks = 0;
    queue_drop_scores(store->queue, n);
    return n == SCORES_AT_ONCE;
}

static void prune(struct store *store)
{
    struct store_retention retention;
    struct error err;
    lock_take(&store->lock);
    retention = store->retention;
    lock_give(&store->lock);
    int64_t began_us = monotonic_us();
    step_begins(store);
    if (store->n_gone == 0)
        store->n_gone = queue_take_gone(store->queue, store->gone);
    int r = writer_prune(&store->writer, &retention, store->gone, store->n_gone, utc_us(), &err);
    if (is_refused(r) && !store->prune_refused)
        log_event(LOG_ERR, "old_rows_not_deleted", "reason", err.text, NULL);
    else if (r < 0 && !is_refused(r))
        take_failure(store, r, err.text);
    else if (r > 0)
        count_commit(store, began_us);
    store->prune_refused = is_refused(r);
    store->n_gone = r < 0 ? store->n_gone : 0;
}

/* Does the work that is due once a second. It stops where an event comes. */
static void tick(struct store *store)
{
    struct queue_counts counts;
    bool more = true;
    while (more && store->retry_us == 0) {
        queue_counts(store->queue, &counts);
        if (counts.events || counts.deliveries)
            return;
        more = write_scores(store);
    }
    if (store->retry_us == 0)
        prune(store);
}

/* Writes all that waits, as far as it goes until close_us. */
static void write_rest(struct store *store)
{
    let_go(store);
    for (bool more = true; more && monotonic_us() < atomic_load(&store->close_us);) {
        store->retry_us = 0;
        more = write_events(store);
        if (!more && store->retry_us == 0)
            more = write_scores(store);
        if (!more && store->retry_us == 0)
            release_held(store);
        more = more || (store->retry_us && store->status == -EBUSY);
    }
}

static void *run(void *arg)
{
    struct store *store = arg;
    int64_t tick_us = monotonic_us() + TICK_US;
    bool more = false;
    for (;;) {
        int64_t held_us = holding_next(store->held), until_us = tick_us < held_us ? tick_us : held_us;
        if (store->retry_us)
            until_us = store->retry_us;
        heartbeat_until(&store->beat, until_us + STEP_US);
        if (!queue_wait(store->queue, store->retry_us == 0, more ? 0 : until_us))
            break;
        if (store->retry_us > monotonic_us())
            continue;
        store->retry_us = 0;
        release_held(store);
        more = store->retry_us == 0 && write_events(store);
        if (!more && store->retry_us == 0 && monotonic_us() >= tick_us) {
            tick(store);
            tick_us = monotonic_us() + TICK_US;
        }
    }
    write_rest(store);
    heartbeat_idle(&store->beat);
    return NULL;
}

/* ---- start and end -------------------------------------------------------------------------------------------------- */

static void choose(void *arg, struct writer_endpoints *ret, struct queue_item *item)
{
    take_endpoints(arg, ret, item);
}

static int close_interrupted(struct store *store, struct error *err)
{
    int r;
    do {
        struct queue_item *item = NULL;
        r = writer_interrupt(&store->writer, &item, choose, store, err);
        if (r == 1) {
            struct log_number id;
            log_event(LOG_WARNING, "alert_interrupted", "camera", item->camera, "id", log_int(&id, (long long)item->alert.id),
                      "reason", "the alert was open when memaed ended without closing it", NULL);
            publisher_event(&store->publisher, item);
        }
        queue_item_free(item);
    } while (r == 1);
    return r;
}

int store_start(struct store *store, struct error *err)
{
    int r = writer_recover(&store->writer, err);
    if (r == 0)
        r = close_interrupted(store, err);
    if (r < 0)
        return r;
    heartbeat_add(store->heartbeats, &store->beat, "store");
    store->has_beat = true;
    r = thread_start(&store->thread, "store", run, store);
    store->has_thread = r == 0;
    return r < 0 ? error_set(err, r, "cannot start the store thread: %s", strerror(-r)) : 0;
}

static void flush_written(void *arg, const struct delivery *delivery)
{
    struct store *store = arg;
    (void)delivery;
    lock_take(&store->lock);
    store->is_flushed = true;
    pthread_cond_signal(&store->flushed);
    lock_give(&store->lock);
}

void store_flush(struct store *store, int64_t deadline_us)
{
    struct delivery *delivery = store && store->has_thread ? calloc(1, sizeof *delivery) : NULL;
    if (!delivery)
        return;
    *delivery = (struct delivery){.kind = DELIVERY_FLUSH, .written = flush_written, .arg = store};
    lock_take(&store->lock);
    store->is_flushed = false;
    lock_give(&store->lock);
    if (store_add_delivery(store, delivery) < 0)
        return;
    lock_take(&store->lock);
    while (!store->is_flushed && lock_wait_until(&store->lock, &store->flushed, deadline_us))
        ;
    lock_give(&store->lock);
}

void store_silence(struct store *store)
{
    if (store)
        publisher_silence(&store->publisher);
}

bool store_close(struct store *store, int64_t deadline_us)
{
    bool ended = true;
    if (!store)
        return true;
    if (store->has_thread) {
        atomic_store(&store->close_us, deadline_us - LAST_STEP_US);
        queue_end(store->queue);
        ended = thread_join(store->thread, deadline_us);
        store->has_thread = !ended;
    }
    store_silence(store);
    struct queue_counts counts;
    queue_counts(store->queue, &counts);
    if (counts.deliveries) {
        struct log_number n;
        log_event(LOG_WARNING, "deliveries_not_noted", "count", log_int(&n, (long long)counts.deliveries), "reason",
                  "the database could not be written before the end: these events are sent again at the next start", NULL);
    }
    if (counts.events) {
        struct log_number n;
        log_event(LOG_ERR, "events_lost", "count", log_int(&n, (long long)counts.events), "reason",
                  "the database could not be written before the end", NULL);
    }
    if (ended && store->has_beat)
        heartbeat_remove(store->heartbeats, &store->beat);
    return ended;
}
