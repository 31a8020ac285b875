/* Events that are written, but wait: the opening of an alert waits for its pictures. A closing that comes before they are there
 * waits, too, so that the events of an alert are delivered in their order. Lists are linked by next. The store's thread. */
#ifndef MEMAED_DAEMON_WATCH_STORE_HOLDING_H
#define MEMAED_DAEMON_WATCH_STORE_HOLDING_H

#include "daemon/watch/store/queue.h"

/* Sets how long the item of the batch waits. hold_us: how long an opening does; 0: nothing waits. held: what waits already. */
void holding_set(struct queue_item *item, const struct queue_item *batch, const struct queue_item *held, int64_t hold_us);
/* The alert's events wait no longer than until_us (monotonic). */
void holding_end(struct queue_item *held, uint64_t alert, int64_t until_us);
/* The time until which the first one waits (monotonic); INT64_MAX: none waits. */
int64_t holding_next(const struct queue_item *held);

#endif
