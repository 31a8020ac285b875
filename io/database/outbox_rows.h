/* What is still to be delivered: a row for each event and each endpoint that takes it. A row is written in the transaction of its
 * event, and goes when the endpoint has taken it, or when it is given up and becomes a dead letter. Events of an endpoint are
 * delivered in the order of their seq. An endpoint that is disabled keeps its rows. Every function that writes is one transaction of
 * its own, unless the caller has begun one. */
#ifndef MEMAED_IO_DATABASE_OUTBOX_ROWS_H
#define MEMAED_IO_DATABASE_OUTBOX_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "io/database/database.h"
#include "io/database/event_rows.h"

struct outbox_row {
    int64_t seq;
    char id[EVENT_ID_SIZE];
    int64_t time_us;            /* UTC of the event */
    int attempts;               /* that failed */
    int64_t due_us;             /* UTC; no attempt before */
    bool ready;                 /* false: the event waits for its evidence */
    char *body;                 /* free() it */
};

struct outbox_rows_counts {
    int64_t queued, dead;       /* rows */
    int64_t oldest_us;          /* UTC of the oldest queued event; 0: none */
    bool is_disabled;
    int64_t disabled_us;
    char reason[256];           /* why it is disabled */
};

int outbox_rows_add(struct database *database, const char *endpoint, int64_t seq, struct error *err);

/* The endpoint's first event, whether it is due and ready or not. 1 with *ret, 0: none waits, or the endpoint is disabled; -errno. */
int outbox_rows_next(struct database *database, const char *endpoint, struct outbox_row *ret, struct error *err);

int outbox_rows_delivered(struct database *database, const char *endpoint, int64_t seq, struct error *err);
/* An attempt failed: counts it, and keeps when the next one is due and why this one failed (redacted by the caller). */
int outbox_rows_failed(struct database *database, const char *endpoint, int64_t seq, int64_t due_us, const char *cause, struct error *err);
/* Gives the event up: it becomes a dead letter. */
int outbox_rows_dead(struct database *database, const char *endpoint, int64_t seq, int64_t now_us, const char *reason, struct error *err);
/* All events of an endpoint that the configuration no longer has become dead letters. *n says how many. */
int outbox_rows_dead_all(struct database *database, const char *endpoint, int64_t now_us, const char *reason, int *n, struct error *err);
/* Queues a dead letter again, due at once. *n says how many did: with seq 0, all of the endpoint. */
int outbox_rows_revive(struct database *database, const char *endpoint, int64_t seq, int *n, struct error *err);

int outbox_rows_disable(struct database *database, const char *endpoint, int64_t now_us, const char *reason, struct error *err);
int outbox_rows_enable(struct database *database, const char *endpoint, struct error *err);

int outbox_rows_counts(struct database *database, const char *endpoint, struct outbox_rows_counts *ret, struct error *err);
/* Calls name() for each endpoint that has rows or is disabled. */
int outbox_rows_endpoints(struct database *database, void (*name)(void *arg, const char *endpoint), void *arg, struct error *err);
/* Deletes at most `most` dead letters that died before before_us. */
int outbox_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err);

#endif
