#include "daemon/watch/store/intake.h"

#include "daemon/base/log.h"
#include "daemon/watch/store/store.h"

static int take_event(void *arg, const struct event *event)
{
    struct queue_item *item;
    int r = queue_item_make(&item, event);
    return r < 0 ? r : queue_add(arg, item);
}

struct event_sink store_event_sink(struct store *store)
{
    return (struct event_sink){.take = take_event, .arg = store_queue(store)};
}

static void take_peak(void *arg, const struct alert_record *alert)
{
    queue_add_peak(arg, alert);
}

static void take_untold(void *arg, const struct alert_record *alert)
{
    struct queue_item *item;
    if (queue_item_make_untold(&item, alert) < 0 || queue_add(arg, item) < 0)
        log_event(LOG_ERR, "event_not_queued", "type", "alert", "camera", alert->camera, NULL);
}

static void take_score(void *arg, const char *camera, const struct score_record *score)
{
    queue_add_score(arg, camera, score);
}

struct alertlog_sink store_alertlog_sink(struct store *store)
{
    return (struct alertlog_sink){.peak = take_peak, .untold = take_untold, .score = take_score, .arg = store_queue(store)};
}

void store_keep_orders(void *arg, const char *camera, const struct arming_orders *orders)
{
    struct queue_item *item;
    if (queue_item_make_orders(&item, camera, orders) < 0 || queue_add(store_queue(arg), item) < 0)
        log_event(LOG_ERR, "event_not_queued", "type", "arming", "camera", camera, NULL);
}

int store_label(struct store *store, const struct alert_order *order, store_labelled *done, void *arg)
{
    struct queue_item *item;
    int r = queue_item_make_order(&item, order, done, arg);
    if (r == 0)
        queue_add(store_queue(store), item);         /* without room it tells done at once */
    return r;
}

void store_add_evidence(struct store *store, const struct evidence_row *evidence)
{
    struct queue_item *item;
    if (queue_item_make_evidence(&item, evidence) < 0 || queue_add(store_queue(store), item) < 0)
        log_event(LOG_ERR, "event_not_queued", "type", "evidence", "path", evidence->path, NULL);
}

void store_pictures_ready(struct store *store, uint64_t pictured)
{
    struct queue_item *item;
    if (queue_item_make_ready(&item, pictured) == 0)
        queue_add(store_queue(store), item);         /* if it does not fit, the events wait until their time is over */
}

int store_add_delivery(struct store *store, struct delivery *delivery)
{
    struct queue_item *item;
    int r = queue_item_make_delivery(&item, delivery);
    return r < 0 ? r : queue_add(store_queue(store), item);
}

int store_evidence_gone(struct store *store, uint64_t alert)
{
    return queue_add_gone(store_queue(store), alert);
}
