/* The publisher tells a listener what the store has committed. The store's thread tells; any thread may end it. */
#ifndef MEMAED_DAEMON_WATCH_STORE_PUBLISHER_H
#define MEMAED_DAEMON_WATCH_STORE_PUBLISHER_H

#include "daemon/watch/store/queue.h"
#include "daemon/watch/store/store.h"
#include "io/base/lock.h"

struct publisher {
    struct lock lock;                   /* held while somebody is told; guards: */
    bool is_silent;                     /* nobody is told any more */
    store_publish *publish;             /* NULL: nobody */
    void *arg;
};

void publisher_init(struct publisher *publisher, store_publish *publish, void *arg);
void publisher_destroy(struct publisher *publisher);

/* The item's event is committed. */
void publisher_event(struct publisher *publisher, const struct queue_item *item);
/* The delivery is written, or given up. */
void publisher_delivery(struct publisher *publisher, const struct delivery *delivery);

/* Returns once nobody is being told. */
void publisher_silence(struct publisher *publisher);

#endif
