/* The queue of what the store's thread has to write: events, each with its alert; evidence; outcomes of deliveries; the peaks of
 * open alerts; and scores. Any thread adds, and never waits for the disk: where events or scores have no room, the new one is
 * refused and counted. One thread takes. Adding a score or a peak allocates nothing. A peak replaces the one of the same alert
 * that still waits. */
#ifndef MEMAED_DAEMON_WATCH_STORE_QUEUE_H
#define MEMAED_DAEMON_WATCH_STORE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alerting/arming.h"
#include "core/event.h"
#include "io/base/lock.h"
#include "daemon/watch/store/delivery.h"
#include "io/database/evidence_rows.h"
#include "io/database/score_rows.h"

enum { QUEUE_EVENTS_MAX = 4096, QUEUE_PEAKS_MAX = 2048, QUEUE_SCORES_MAX = 16384, QUEUE_GONE_MAX = 1024 };

/* A change of an alert's labels, and whoever waits until it is written. */
struct queue_order {
    struct alert_order order;
    int status;                         /* 0 or -ENOENT, once it is written */
    struct alert_labels labels;         /* of the alert, once it is written */
    void (*done)(void *arg, int status, const struct alert_labels *labels);     /* NULL: was called */
    void *arg;
};

/* An event to write, with its alert; or orders, a change of labels, evidence, or the outcome of a delivery. */
struct queue_item {
    struct queue_item *next;
    enum event_type type;
    bool has_alert, has_event, has_orders, has_evidence;        /* an item without an event is only written */
    bool is_ready;                      /* the events of `pictured` are not held any more */
    uint64_t pictured;                  /* the alert or fault that its event tells of, which has pictures; 0: none */
    bool alert_is_written;              /* the alert's row is in the database already */
    int64_t time_us;                    /* UTC */
    char camera[RECORD_NAME_SIZE];      /* "": the event is of no camera */
    char webhook[OUTBOX_KEY_SIZE];      /* of event->webhook; "": none */
    struct alert_record alert;
    struct arming_orders orders;        /* of the camera */
    struct evidence_row evidence;
    struct queue_order *order;          /* owned; NULL: none */
    struct delivery *delivery;          /* owned; or NULL */
    uint64_t takers;                    /* set before it is written: a bit for each endpoint that takes the event */
    char id[EVENT_ID_SIZE];
    int64_t seq;                        /* set once it is written */
    int64_t held_until_us;              /* monotonic; 0: it may be delivered at once */
    char *body;                         /* of the event; owned */
};

/* The event as an item that the caller owns, with its id and body. 0, -ENOMEM, or -EIO without random numbers. */
int queue_item_make(struct queue_item **ret, const struct event *event);
/* An alert that no event tells. */
int queue_item_make_untold(struct queue_item **ret, const struct alert_record *alert);
/* The orders that people have given for a camera. */
int queue_item_make_orders(struct queue_item **ret, const char *camera, const struct arming_orders *orders);
/* A change of an alert's labels. done(arg, status, labels) is called once: when it is committed or given up. */
int queue_item_make_order(struct queue_item **ret, const struct alert_order *order,
                          void (*done)(void *arg, int status, const struct alert_labels *labels), void *arg);
/* Tells who waits for the item's order, if anybody does. */
void queue_item_tell(struct queue_item *item, int status);
/* A file that is kept for an alert. */
int queue_item_make_evidence(struct queue_item **ret, const struct evidence_row *evidence);
/* An item with nothing to write: events of the alert or fault may be delivered once all that was queued before is written. */
int queue_item_make_ready(struct queue_item **ret, uint64_t pictured);
/* The outcome of a delivery. Takes delivery, also where it fails. */
int queue_item_make_delivery(struct queue_item **ret, struct delivery *delivery);
/* Ends a list after `most` items, or where it ends by itself. Returns the rest, or NULL. */
struct queue_item *queue_items_cut(struct queue_item *items, size_t most);
/* Appends one list to another. */
void queue_items_append(struct queue_item **list, struct queue_item *more);
void queue_item_free(struct queue_item *item);          /* takes NULL. Tells -ECANCELED who still waits for its order */

struct queue;

int queue_open(struct queue **ret);                     /* 0 or -ENOMEM */
void queue_close(struct queue *queue);                  /* takes NULL */

/* ---- adding, any thread --------------------------------------------------------------------------------------------- */

/* Takes the item, also where it fails. 0; -ENOSPC: no room, counted. A delivery always has room. */
int queue_add(struct queue *queue, struct queue_item *item);
void queue_add_peak(struct queue *queue, const struct alert_record *alert);
void queue_add_score(struct queue *queue, const char *camera, const struct score_record *score);
/* The files of the alert are deleted: its rows of evidence are to go. 0; -ENOSPC: no room. */
int queue_add_gone(struct queue *queue, uint64_t alert);
/* Wakes the thread, and makes queue_wait() return false from then on. */
void queue_end(struct queue *queue);

/* ---- taking, the store's thread ------------------------------------------------------------------------------------- */

/* Waits until there is an event to write (if wants_events), or until_us (monotonic). false: queue_end() was called. */
bool queue_wait(struct queue *queue, bool wants_events, int64_t until_us);
/* Returns at most `most` events, linked by next, oldest first. NULL: there is none. *more: others wait behind them. */
struct queue_item *queue_take(struct queue *queue, size_t most, bool *more);
/* An item that was taken is written, or given up. */
void queue_done(struct queue *queue, const struct queue_item *item);
/* Copies peaks into ret [QUEUE_PEAKS_MAX] and removes them. Takes none while events wait, as one may be the alert's opening. */
size_t queue_take_peaks(struct queue *queue, struct alert_record *ret);
/* Copies the oldest scores into ret [most] and leaves them; queue_drop_scores() removes them once they are written. */
size_t queue_peek_scores(struct queue *queue, struct score_row *ret, size_t most);
void queue_drop_scores(struct queue *queue, size_t n);
/* As queue_take_peaks(). */
size_t queue_take_gone(struct queue *queue, uint64_t ret[QUEUE_GONE_MAX]);

struct queue_counts {
    size_t events, deliveries, scores;  /* those not written yet */
    uint64_t events_dropped, scores_dropped;
};

void queue_counts(struct queue *queue, struct queue_counts *ret);   /* any thread */

#endif
