#include "daemon/watch/store/intake.h"

#include "daemon/base/log.h"

static int take_event(void *arg, const struct event *event)
{
    struct queue_item *item;
    int r = queue_item_make(&item, event);
    return r < 0 ? r : queue_add(arg, item);
}

struct event_sink intake_events(struct queue *queue)
{
    return (struct event_sink){.take = take_event, .arg = queue};
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

struct alertlog_sink intake_alertlog(struct queue *queue)
{
    return (struct alertlog_sink){.peak = take_peak, .untold = take_untold, .score = take_score, .arg = queue};
}

void intake_orders(struct queue *queue, const char *camera, const struct arming_orders *orders)
{
    struct queue_item *item;
    if (queue_item_make_orders(&item, camera, orders) < 0 || queue_add(queue, item) < 0)
        log_event(LOG_ERR, "event_not_queued", "type", "arming", "camera", camera, NULL);
}

int intake_label(struct queue *queue, const struct alert_order *order,
                 void (*done)(void *arg, int status, const struct alert_labels *labels), void *arg)
{
    struct queue_item *item;
    int r = queue_item_make_order(&item, order, done, arg);
    if (r == 0)
        queue_add(queue, item);         /* which tells where there is no room */
    return r;
}

void intake_evidence(struct queue *queue, const struct evidence_row *evidence)
{
    struct queue_item *item;
    if (queue_item_make_evidence(&item, evidence) < 0 || queue_add(queue, item) < 0)
        log_event(LOG_ERR, "event_not_queued", "type", "evidence", "path", evidence->path, NULL);
}

void intake_ready(struct queue *queue, uint64_t alert)
{
    struct queue_item *item;
    if (queue_item_make_ready(&item, alert) == 0)
        queue_add(queue, item);         /* where it does not fit, the events wait until their time is over */
}

int intake_delivery(struct queue *queue, struct delivery *delivery)
{
    struct queue_item *item;
    int r = queue_item_make_delivery(&item, delivery);
    return r < 0 ? r : queue_add(queue, item);
}
