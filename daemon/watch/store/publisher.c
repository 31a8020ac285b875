#include "daemon/watch/store/publisher.h"

#include "daemon/base/log.h"

void publisher_init(struct publisher *publisher, store_publish *publish, void *arg)
{
    lock_init(&publisher->lock, LOCK_PUBLISH);
    publisher->is_silent = false;
    publisher->publish = publish;
    publisher->arg = arg;
}

void publisher_destroy(struct publisher *publisher)
{
    lock_destroy(&publisher->lock);
}

void publisher_event(struct publisher *publisher, const struct queue_item *item)
{
    const struct store_event event = {.seq = item->seq, .id = item->id, .type = item->type, .time_us = item->time_us,
                                      .camera = item->camera, .alert = item->has_alert ? item->alert.id : 0, .body = item->body,
                                      .ready = item->held_until_us == 0};
    lock_take(&publisher->lock);
    if (publisher->publish && !publisher->is_silent)
        publisher->publish(publisher->arg, &event);
    lock_give(&publisher->lock);
}

void publisher_delivery(struct publisher *publisher, const struct delivery *delivery)
{
    struct log_number n;
    if (delivery->dropped)
        log_event(LOG_WARNING, "webhook_events_dropped", "count", log_int(&n, delivery->dropped), "reason",
                  "the configuration has no webhook any more that they waited for", NULL);
    lock_take(&publisher->lock);
    if (delivery->written && !publisher->is_silent)
        delivery->written(delivery->arg, delivery);
    lock_give(&publisher->lock);
}

void publisher_silence(struct publisher *publisher)
{
    lock_take(&publisher->lock);
    publisher->is_silent = true;
    lock_give(&publisher->lock);
}
