#include "daemon/watch/store/holding.h"

#include "io/base/clock.h"

/* Returns until when an event of the same alert or fault waits; 0: none does. If the list has the item, only those before it
 * count. */
static int64_t waits_until(const struct queue_item *list, const struct queue_item *item)
{
    for (; list && list != item; list = list->next)
        if (list->held_until_us && list->pictured == item->pictured)
            return list->held_until_us;
    return 0;
}

void holding_set(struct queue_item *item, const struct queue_item *batch, const struct queue_item *held, int64_t hold_us)
{
    if (!item->has_event || !item->pictured || hold_us == 0)
        item->held_until_us = 0;
    else if (item->type != EVENT_ALERT_CLOSED)
        item->held_until_us = monotonic_us() + hold_us;
    else if ((item->held_until_us = waits_until(held, item)) == 0)
        item->held_until_us = waits_until(batch, item);
}

void holding_end(struct queue_item *held, uint64_t pictured, int64_t until_us)
{
    for (; held; held = held->next)
        if (held->pictured == pictured)
            held->held_until_us = until_us;
}

int64_t holding_next(const struct queue_item *held)
{
    int64_t next = INT64_MAX;
    for (; held; held = held->next)
        next = held->held_until_us < next ? held->held_until_us : next;
    return next;
}
