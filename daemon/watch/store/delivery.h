/* An order to the store's thread: to write the outcome of a delivery, or a change of endpoints. The thread writes orders as they
 * were queued. Plain data. */
#ifndef MEMAED_DAEMON_WATCH_STORE_DELIVERY_H
#define MEMAED_DAEMON_WATCH_STORE_DELIVERY_H

#include <stdint.h>

#include "io/sinks/outbox.h"

enum delivery_kind {
    DELIVERY_TAKEN,             /* the endpoint took the event */
    DELIVERY_FAILED,            /* an attempt failed */
    DELIVERY_DEAD,              /* the event is given up */
    DELIVERY_REVIVED,           /* all dead letters of the endpoint wait again */
    DELIVERY_DISABLED, DELIVERY_ENABLED,        /* the endpoint */
    DELIVERY_ENDPOINTS,         /* endpoints of the scope that are not among keys are forgotten */
    DELIVERY_FLUSH              /* nothing is written; what was queued before it has been, and held events are released */
};

struct delivery {
    enum delivery_kind kind;
    char key[OUTBOX_KEY_SIZE];  /* the endpoint; endpoints: their scope */
    int64_t seq;                /* the event: taken, failed, dead. Endpoints: a number of its own */
    unsigned generation;        /* of the store, as the event was read: another database has other events under the same seq */
    unsigned attempts;          /* failed, dead: how many failed */
    int64_t time_us;            /* UTC; failed: of the next attempt; dead, disabled, revived: of now */
    char text[OUTBOX_CAUSE_SIZE];       /* failed: the cause; dead, disabled: the reason */
    char mark[OUTBOX_MARK_SIZE];        /* disabled */
    size_t n_keys;
    char **keys;                /* endpoints: [n_keys], owned, with the texts */
    int dropped;                /* endpoints: set once it is written: how many events still waited for an endpoint that is gone */

    /* Called on the store's thread once it is written, or given up. Must not block. NULL: nobody. Not called after the store was
     * silenced. */
    void (*written)(void *arg, const struct delivery *delivery);
    void *arg;                  /* borrowed until store_free() */
};

static inline void delivery_free(struct delivery *delivery)     /* takes NULL */
{
    for (size_t i = 0; delivery && i < delivery->n_keys; i++)
        free(delivery->keys[i]);
    if (delivery)
        free(delivery->keys);
    free(delivery);
}

#endif
