#include "daemon/watch/store/writer.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "io/base/clock.h"
#include "io/database/alert_rows.h"
#include "io/database/arming_rows.h"
#include "io/database/evidence_rows.h"
#include "io/database/labels.h"
#include "io/database/outbox_rows.h"

enum { SCORES_PRUNED = 2000, ROWS_PRUNED = 200 };
enum { PATIENCE_MS = 200 };             /* for another process's lock; short, so that the thread can end */

#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

/* ---- opening -------------------------------------------------------------------------------------------------------- */

int writer_version(void)
{
    return database_version();
}

/* The id names this database in cursors. */
static int ensure_id(struct database *database, struct error *err)
{
    int64_t id;
    int r = database_number(database, STORE_ID, &id, err);
    if (r != -ENOENT)
        return r;
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        return error_set(err, -EIO, "cannot make the id of the database: the kernel gives no random numbers");
    /* Numbers of events begin with the time, so that clients that saw events of another database see that this one is new. */
    r = event_rows_begin_at(database, utc_us() / 1000, err);
    return r < 0 ? r : database_set_number(database, STORE_ID, id, err);
}

int writer_open(struct writer *writer, const char *folder, struct database_opening *opening, struct error *err)
{
    *writer = (struct writer){.database = NULL};
    int r = database_open(&writer->database, folder, opening, err);
    if (r == 0)
        r = ensure_id(writer->database, err);
    if (r == 0)
        database_patience(writer->database, PATIENCE_MS);
    else
        writer_close(writer);
    return r;
}

void writer_close(struct writer *writer)
{
    database_close(writer->database);
    writer->database = NULL;
}

bool writer_is_open(const struct writer *writer)
{
    return writer->database != NULL;
}

int64_t writer_size(const struct writer *writer)
{
    return writer->database ? database_size(writer->database) : 0;
}

int writer_last_alert(struct writer *writer, uint64_t *ret, struct error *err)
{
    return alert_rows_last_id(writer->database, ret, err);
}

int writer_each_orders(struct writer *writer, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                       void *arg, struct error *err)
{
    return arming_rows_each(writer->database, row, arg, err);
}

/* ---- transactions --------------------------------------------------------------------------------------------------- */

static int begin(struct writer *writer, struct error *err)
{
    return writer->database ? database_begin(writer->database, err)
                            : error_set(err, -EUCLEAN, "the database could not be opened again after it failed");
}

static int end(struct writer *writer, int r, struct error *err)
{
    if (r == 0)
        r = database_commit(writer->database, err);
    if (r < 0 && writer->database)
        database_rollback(writer->database);
    return r;
}

void writer_choose(struct queue_item *item, const struct store_endpoints *endpoints)
{
    const struct event event = {.type = item->type, .camera = *item->camera ? item->camera : NULL,
                                .webhook = *item->webhook ? item->webhook : NULL, .alert = item->has_alert ? &item->alert : NULL};
    item->takers = 0;
    for (size_t i = 0; i < endpoints->n && item->has_event; i++)
        if (endpoints->wants(endpoints->arg, i, endpoints->names[i], &event))
            item->takers |= UINT64_C(1) << i;
}

static int write_delivery(struct writer *writer, struct delivery *d, unsigned generation, struct error *err)
{
    struct database *database = writer->database;
    bool is_of_event = d->kind == DELIVERY_TAKEN || d->kind == DELIVERY_FAILED || d->kind == DELIVERY_DEAD;
    int revived;
    if (is_of_event && d->generation != generation)
        return 0;
    switch (d->kind) {
    case DELIVERY_TAKEN:
        return outbox_rows_delivered(database, d->key, d->seq, err);
    case DELIVERY_FAILED:
        return outbox_rows_failed(database, d->key, d->seq, (int)d->attempts, d->time_us, d->text, err);
    case DELIVERY_DEAD:
        return outbox_rows_dead(database, d->key, d->seq, (int)d->attempts, d->time_us, d->text, err);
    case DELIVERY_REVIVED:
        return outbox_rows_revive(database, d->key, d->time_us, &revived, err);
    case DELIVERY_DISABLED:
        return outbox_rows_disable(database, d->key, d->time_us, d->text, d->mark, err);
    case DELIVERY_ENABLED:
        return outbox_rows_enable(database, d->key, err);
    case DELIVERY_ENDPOINTS:
        return outbox_rows_keep(database, d->key, (const char *const *)d->keys, d->n_keys, &d->dropped, err);
    case DELIVERY_FLUSH:
        break;
    }
    return 0;
}

static int write_item(struct writer *writer, struct queue_item *item, const struct writer_endpoints *endpoints,
                      unsigned generation, struct error *err)
{
    if (item->delivery)
        return write_delivery(writer, item->delivery, generation, err);
    int r = item->has_alert && !item->alert_is_written ? alert_rows_put(writer->database, &item->alert, err) : 0;
    if (r == 0 && item->has_orders)
        r = arming_rows_save(writer->database, item->camera, &item->orders, err);
    if (r == 0 && item->has_evidence)
        r = evidence_rows_add(writer->database, &item->evidence, err);
    if (r == 0 && item->order) {
        item->order->status = labels_apply(writer->database, &item->order->order, &item->order->labels, err);
        r = item->order->status == -ENOENT ? 0 : item->order->status;
    }
    if (r < 0 || !item->has_event)
        return r;
    struct event_row row = {.id = item->id, .type = event_type_name(item->type), .time_us = item->time_us, .camera = item->camera,
                            .alert = item->has_alert ? item->alert.id : 0, .body = item->body, .ready = item->held_until_us == 0};
    r = event_rows_add(writer->database, &row, err);
    item->seq = row.seq;
    for (size_t i = 0; i < endpoints->n && r == 0; i++)
        if (item->takers >> i & 1)
            r = outbox_rows_add(writer->database, endpoints->names[i], item->seq, utc_us(), err);
    return r;
}

int writer_events(struct writer *writer, struct queue_item *items, const struct writer_endpoints *endpoints, unsigned generation,
                  struct error *err)
{
    int r = begin(writer, err);
    for (struct queue_item *item = items; item && r == 0; item = item->next)
        r = write_item(writer, item, endpoints, generation, err);
    return end(writer, r, err);
}

int writer_ready(struct writer *writer, int64_t seq, struct error *err)
{
    int r = begin(writer, err);
    if (r == 0)
        r = event_rows_ready(writer->database, seq, err);
    return end(writer, r, err);
}

int writer_scores(struct writer *writer, const struct score_row *scores, size_t n, const struct alert_record *peaks,
                  size_t n_peaks, struct error *err)
{
    int r = begin(writer, err);
    for (size_t i = 0; i < n_peaks && r == 0; i++)
        r = alert_rows_peak(writer->database, &peaks[i], err);
    for (size_t i = 0; i < n && r == 0; i++)
        r = score_rows_add(writer->database, &scores[i], err);
    return end(writer, r, err);
}

int writer_recover(struct writer *writer, struct error *err)
{
    int n, r = begin(writer, err);
    if (r == 0)
        r = event_rows_all_ready(writer->database, &n, err);
    return end(writer, r, err);
}

int writer_interrupt(struct writer *writer, struct queue_item **item,
                     void (*choose)(void *arg, struct writer_endpoints *ret, struct queue_item *item), void *arg,
                     struct error *err)
{
    struct alert_record alert;
    struct queue_item *made = NULL;
    struct writer_endpoints endpoints;
    int r = begin(writer, err);
    int found = r == 0 ? alert_rows_interrupt(writer->database, &alert, err) : r;
    r = found < 0 ? found : 0;
    if (found == 1) {
        r = queue_item_make(&made, &(struct event){.type = EVENT_ALERT_CLOSED, .time_us = alert.closed_us, .camera = alert.camera,
                                                   .alert = &alert});
        if (r < 0)
            error_set(err, r, "cannot make an event: %s", strerror(-r));
        else {
            made->alert_is_written = true;
            choose(arg, &endpoints, made);
            r = write_item(writer, made, &endpoints, 0, err);
        }
    }
    r = end(writer, r, err);
    if (r < 0 || found == 0) {
        queue_item_free(made);
        return r;
    }
    *item = made;
    return 1;
}

/* ---- pruning -------------------------------------------------------------------------------------------------------- */

/* UTC before which rows are too old; INT64_MIN: none is. */
static int64_t limit_of(int64_t now_us, int days)
{
    return days > 0 ? now_us - days * DAY_US : INT64_MIN;
}

/* Scores of one camera after the other. */
static int prune_scores(struct writer *writer, const struct store_retention *retention, int64_t now_us, int *deleted,
                        struct error *err)
{
    int r = score_rows_next_camera(writer->database, writer->pruned, writer->pruned, err);
    if (r < 0 || !*writer->pruned)
        return r;
    return score_rows_prune(writer->database, writer->pruned, now_us - (int64_t)(retention->raw_h * (double)HOUR_US),
                            limit_of(now_us, retention->minutes_days), SCORES_PRUNED, deleted, err);
}

static int prune_events(struct writer *writer, int64_t before_us, int *deleted, struct error *err)
{
    int alerts = 0, letters = 0, r = event_rows_prune(writer->database, before_us, ROWS_PRUNED, deleted, err);
    if (r == 0)
        r = alert_rows_prune(writer->database, before_us, ROWS_PRUNED, &alerts, err);
    if (r == 0)
        r = outbox_rows_prune(writer->database, before_us, ROWS_PRUNED, &letters, err);
    *deleted += alerts + letters;
    return r;
}

int writer_prune(struct writer *writer, const struct store_retention *retention, const uint64_t *gone, size_t n_gone,
                 int64_t now_us, struct error *err)
{
    int scores = 0, events = 0, r = begin(writer, err);
    for (size_t i = 0; i < n_gone && r == 0; i++)
        r = evidence_rows_remove_all(writer->database, gone[i], err);
    if (r == 0)
        r = prune_scores(writer, retention, now_us, &scores, err);
    bool is_due = now_us >= writer->prune_us || writer->prune_us - now_us > MINUTE_US;       /* the clock was set back */
    if (r == 0 && retention->alerts_days > 0 && is_due) {
        r = prune_events(writer, limit_of(now_us, retention->alerts_days), &events, err);
        if (events == 0)
            writer->prune_us = now_us + MINUTE_US;      /* else the next second goes on */
    }
    if (r == 0 && n_gone == 0 && scores + events == 0) {
        database_rollback(writer->database);
        return 0;
    }
    r = end(writer, r, err);
    return r < 0 ? r : 1;
}
