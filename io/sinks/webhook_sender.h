/* The thread "webhook", which delivers out of the outbox, and what it shares with the functions of io/sinks/webhook.h. Only
 * io/sinks/webhook.c and io/sinks/webhook_sender.c use this. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_SENDER_H
#define MEMAED_IO_SINKS_WEBHOOK_SENDER_H

#include <pthread.h>

#include "io/base/lock.h"
#include "io/sinks/webhook_endpoint.h"

enum { WEBHOOK_BUSY_US = 10 * 1000000 };        /* for the watchdog: what the thread may take without a sign of life */

/* New endpoints, from webhooks_prepare() for the thread. */
struct webhooks_change {
    size_t n;
    struct webhook_endpoint **endpoints;    /* [n], new */
    struct webhook_endpoint **kept;         /* [n]: the old endpoint that stays instead of the new one; or NULL */
    struct webhook_endpoint **heirs;        /* [n]: the old endpoint of the same key; or NULL */
};

struct webhooks {
    struct webhook_options options;
    struct outbox outbox;
    webhook_log *log;
    void *log_arg;
    CURLM *multi;
    pthread_t thread;
    bool has_curl, has_thread;

    struct lock lock;               /* rank LOCK_WAIT, a leaf; guards the fields below, and those that endpoints name */
    struct webhook_endpoint **endpoints;    /* [n_endpoints]; only the thread changes it, so it may read it unlocked */
    size_t n_endpoints;
    struct webhooks_change *change; /* for the thread to adopt; or NULL */
    pthread_cond_t adopted;
    struct webhook_tally *tallies;  /* owned; by name, in the order in which the names came */
    bool woken;                     /* webhooks_wake() was called */
    bool closing;
    int64_t close_us;               /* monotonic; when closing: the thread ends by then */
    int64_t deadline_us;            /* webhooks_deadline_us() */

    /* For the thread alone. */
    int64_t ahead_us;               /* UTC less monotonic, at the last look */
    int64_t stepped_us;             /* monotonic; when that grew by a minute or more, or the run began */
    int64_t tell_us;                /* monotonic; when the outbox is to be told the endpoints (again); INT64_MAX: it knows them */
    bool outbox_fails;              /* its last error was reported, and no call has succeeded since */
};

/* The body of the thread; arg is a struct webhooks. */
void *webhook_sender_run(void *arg);

/* Replaces the endpoints by those of webhooks->change, if there is one. Only the thread calls it, and webhooks_open() before
 * the thread starts. */
void webhook_sender_adopt(struct webhooks *webhooks);

/* Ends the attempt of an endpoint and frees it. Only the thread may call it, or another while the thread does not run. */
void webhook_sender_retire(struct webhooks *webhooks, struct webhook_endpoint *endpoint);

#endif
