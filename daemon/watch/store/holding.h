/* Events that are written, but wait: an alert that opens waits for its pictures. If it closes before they are there, that waits,
 * too, so that the events of an alert are delivered in their order. A fault of a picture waits as it opens and as it closes, each
 * for pictures of its own. If it closes before it may be told that it opened, both wait for the same. Lists are linked by next.
 * The store's thread. */
#ifndef MEMAED_DAEMON_WATCH_STORE_HOLDING_H
#define MEMAED_DAEMON_WATCH_STORE_HOLDING_H

#include "daemon/watch/store/queue.h"

/* Sets how long the item of the batch waits. hold_us: how long an opening does; 0: nothing waits. held: what waits already. */
void holding_set(struct queue_item *item, const struct queue_item *batch, const struct queue_item *held, int64_t hold_us);
/* The events of the alert or fault wait no longer than until_us (monotonic). */
void holding_end(struct queue_item *held, uint64_t pictured, int64_t until_us);
/* The time until which the first one waits (monotonic); INT64_MAX: none waits. */
int64_t holding_next(const struct queue_item *held);

#endif
