#include "daemon/watch/store/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/record_json.h"

struct queue {
    struct lock lock;                   /* guards all below */
    pthread_cond_t changed;
    struct queue_item *first, **last;
    size_t n_events, n_taken;           /* items that wait; that were taken, and are not written yet */
    size_t n_deliveries;                /* among both */
    struct alert_record peaks[QUEUE_PEAKS_MAX];
    size_t n_peaks;
    struct score_row scores[QUEUE_SCORES_MAX];      /* a ring */
    size_t first_score, n_scores;
    uint64_t gone[QUEUE_GONE_MAX];
    size_t n_gone;
    uint64_t events_dropped, scores_dropped;
    bool ended;
};

/* ---- items ---------------------------------------------------------------------------------------------------------- */

void queue_item_free(struct queue_item *item)
{
    if (!item)
        return;
    queue_item_tell(item, -ECANCELED);
    free(item->order);
    delivery_free(item->delivery);
    free(item->body);
    free(item);
}

void queue_item_tell(struct queue_item *item, int status)
{
    struct queue_order *order = item->order;
    if (!order || !order->done)
        return;
    order->done(order->arg, status, &order->labels);
    order->done = NULL;
}

int queue_item_make(struct queue_item **ret, const struct event *event)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    item->type = event->type;
    item->has_event = true;
    item->time_us = event->time_us;
    snprintf(item->camera, sizeof item->camera, "%s", event->camera ? event->camera : "");
    snprintf(item->webhook, sizeof item->webhook, "%s", event->webhook ? event->webhook : "");
    if (event->alert) {
        item->has_alert = true;
        item->alert = *event->alert;
    }
    item->pictured = event->alert ? event->alert->id : event->health ? event->health->id : 0;
    item->body = event_body(event_type_name(event->type), event->time_us, event_json(event));
    int r = item->body ? event_new_id(item->id) : -ENOMEM;
    if (r < 0) {
        queue_item_free(item);
        return r;
    }
    *ret = item;
    return 0;
}

int queue_item_make_untold(struct queue_item **ret, const struct alert_record *alert)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    item->has_alert = true;
    item->alert = *alert;
    snprintf(item->camera, sizeof item->camera, "%s", alert->camera);
    *ret = item;
    return 0;
}

int queue_item_make_orders(struct queue_item **ret, const char *camera, const struct arming_orders *orders)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    item->has_orders = true;
    item->orders = *orders;
    snprintf(item->camera, sizeof item->camera, "%s", camera);
    *ret = item;
    return 0;
}

int queue_item_make_order(struct queue_item **ret, const struct alert_order *order,
                          void (*done)(void *arg, int status, const struct alert_labels *labels), void *arg)
{
    struct queue_item *item = calloc(1, sizeof *item);
    struct queue_order *copy = malloc(sizeof *copy);
    if (!item || !copy) {
        free(item);
        free(copy);
        return -ENOMEM;
    }
    *copy = (struct queue_order){.order = *order, .done = done, .arg = arg};
    item->order = copy;
    *ret = item;
    return 0;
}

int queue_item_make_evidence(struct queue_item **ret, const struct evidence_row *evidence)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    item->has_evidence = true;
    item->evidence = *evidence;
    *ret = item;
    return 0;
}

int queue_item_make_ready(struct queue_item **ret, uint64_t pictured)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    item->is_ready = true;
    item->pictured = pictured;
    *ret = item;
    return 0;
}

struct queue_item *queue_items_cut(struct queue_item *batch, size_t most)
{
    for (; most > 1 && batch->next; most--)
        batch = batch->next;
    struct queue_item *rest = batch->next;
    batch->next = NULL;
    return rest;
}

void queue_items_append(struct queue_item **list, struct queue_item *more)
{
    while (*list)
        list = &(*list)->next;
    *list = more;
}

int queue_item_make_delivery(struct queue_item **ret, struct delivery *delivery)
{
    struct queue_item *item = calloc(1, sizeof *item);
    if (!item) {
        delivery_free(delivery);
        return -ENOMEM;
    }
    item->delivery = delivery;
    *ret = item;
    return 0;
}

/* ---- the queue ------------------------------------------------------------------------------------------------------ */

int queue_open(struct queue **ret)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return -ENOMEM;
    lock_init(&queue->lock, LOCK_WAIT);
    lock_cond_init(&queue->changed);
    queue->last = &queue->first;
    *ret = queue;
    return 0;
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    while (queue->first) {
        struct queue_item *next = queue->first->next;
        queue_item_free(queue->first);
        queue->first = next;
    }
    pthread_cond_destroy(&queue->changed);
    lock_destroy(&queue->lock);
    free(queue);
}

int queue_add(struct queue *queue, struct queue_item *item)
{
    lock_take(&queue->lock);
    bool fits = item->delivery || queue->n_events < QUEUE_EVENTS_MAX;
    if (fits) {
        item->next = NULL;
        *queue->last = item;
        queue->last = &item->next;
        queue->n_events++;
        queue->n_deliveries += item->delivery != NULL;
        pthread_cond_signal(&queue->changed);
    } else {
        queue->events_dropped++;
    }
    lock_give(&queue->lock);
    if (!fits)
        queue_item_free(item);
    return fits ? 0 : -ENOSPC;
}

void queue_add_peak(struct queue *queue, const struct alert_record *alert)
{
    lock_take(&queue->lock);
    size_t i = 0;
    while (i < queue->n_peaks && queue->peaks[i].id != alert->id)
        i++;
    if (i < QUEUE_PEAKS_MAX) {          /* else it is lost, until the alert's peak rises again or it closes */
        queue->peaks[i] = *alert;
        queue->n_peaks += i == queue->n_peaks;
    }
    lock_give(&queue->lock);
}

void queue_add_score(struct queue *queue, const char *camera, const struct score_record *score)
{
    lock_take(&queue->lock);
    if (queue->n_scores < QUEUE_SCORES_MAX) {
        struct score_row *row = &queue->scores[(queue->first_score + queue->n_scores++) % QUEUE_SCORES_MAX];
        *row = (struct score_row){.time_us = score->time_us, .window = score->window, .score = score->score,
                                  .reference = score->reference, .p = score->p_value, .slow = score->is_slow};
        snprintf(row->camera, sizeof row->camera, "%s", camera);
    } else {
        queue->scores_dropped++;
    }
    lock_give(&queue->lock);
}

void queue_end(struct queue *queue)
{
    lock_take(&queue->lock);
    queue->ended = true;
    pthread_cond_signal(&queue->changed);
    lock_give(&queue->lock);
}

bool queue_wait(struct queue *queue, bool wants_events, int64_t until_us)
{
    lock_take(&queue->lock);
    while (!queue->ended && !(wants_events && queue->n_events))
        if (!lock_wait_until(&queue->lock, &queue->changed, until_us))
            break;
    bool ended = queue->ended;
    lock_give(&queue->lock);
    return !ended;
}

struct queue_item *queue_take(struct queue *queue, size_t most, bool *more)
{
    lock_take(&queue->lock);
    struct queue_item *taken = queue->first, **at = &queue->first;
    for (; most > 0 && *at; most--) {
        at = &(*at)->next;
        queue->n_events--;
        queue->n_taken++;
    }
    queue->first = *at;
    if (!queue->first)
        queue->last = &queue->first;
    if (taken)
        *at = NULL;
    *more = queue->first != NULL;
    lock_give(&queue->lock);
    return taken;
}

void queue_done(struct queue *queue, const struct queue_item *item)
{
    lock_take(&queue->lock);
    queue->n_taken--;
    queue->n_deliveries -= item->delivery != NULL;
    lock_give(&queue->lock);
}

size_t queue_take_peaks(struct queue *queue, struct alert_record *ret)
{
    lock_take(&queue->lock);
    size_t n = queue->n_events ? 0 : queue->n_peaks;
    memcpy(ret, queue->peaks, n * sizeof *ret);
    queue->n_peaks -= n;
    lock_give(&queue->lock);
    return n;
}

size_t queue_peek_scores(struct queue *queue, struct score_row *ret, size_t most)
{
    lock_take(&queue->lock);
    size_t n = queue->n_scores < most ? queue->n_scores : most;
    for (size_t i = 0; i < n; i++)
        ret[i] = queue->scores[(queue->first_score + i) % QUEUE_SCORES_MAX];
    lock_give(&queue->lock);
    return n;
}

void queue_drop_scores(struct queue *queue, size_t n)
{
    lock_take(&queue->lock);
    queue->first_score = (queue->first_score + n) % QUEUE_SCORES_MAX;
    queue->n_scores -= n;
    lock_give(&queue->lock);
}

int queue_add_gone(struct queue *queue, uint64_t alert)
{
    lock_take(&queue->lock);
    bool fits = queue->n_gone < QUEUE_GONE_MAX;
    if (fits)
        queue->gone[queue->n_gone++] = alert;
    lock_give(&queue->lock);
    return fits ? 0 : -ENOSPC;
}

size_t queue_take_gone(struct queue *queue, uint64_t ret[QUEUE_GONE_MAX])
{
    lock_take(&queue->lock);
    size_t n = queue->n_events ? 0 : queue->n_gone;
    memcpy(ret, queue->gone, n * sizeof *ret);
    queue->n_gone -= n;
    lock_give(&queue->lock);
    return n;
}

void queue_counts(struct queue *queue, struct queue_counts *ret)
{
    lock_take(&queue->lock);
    *ret = (struct queue_counts){.events = queue->n_events + queue->n_taken - queue->n_deliveries,
                                 .deliveries = queue->n_deliveries, .scores = queue->n_scores,
                                 .events_dropped = queue->events_dropped, .scores_dropped = queue->scores_dropped};
    lock_give(&queue->lock);
}
