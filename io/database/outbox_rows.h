/* Deliveries that are still to be made: a row for each event and each endpoint that takes it. A row is written in the
 * transaction of its event. It is deleted when the endpoint has taken it, or when it is given up and becomes a dead letter.
 * Events of an endpoint are delivered in the order of their seq. An endpoint that is disabled keeps its rows. Every function that
 * writes is one transaction of its own, unless the caller has begun one. A function that names a missing row changes nothing. */
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
    int64_t queued_us;          /* UTC; when the row was written, or the dead letter was queued again */
    int attempts;               /* number of failed ones */
    int64_t due_us;             /* UTC; no attempt before */
    bool ready;                 /* false: the event waits for its evidence */
    char *body;                 /* free() it */
};

struct outbox_rows_counts {
    int64_t queued, dead;       /* rows */
};

struct outbox_rows_state {
    int64_t disabled_us;        /* UTC; 0: the endpoint is enabled */
    char reason[320], mark[16]; /* as given to outbox_rows_disable() */
};

struct outbox_dead_row {
    int64_t seq, time_us, died_us;      /* time_us: of the event; UTC */
    int attempts;
    const char *id, *reason, *body;     /* borrowed for the call */
};

int outbox_rows_add(struct database *database, const char *endpoint, int64_t seq, int64_t now_us, struct error *err);

/* The endpoint's first event with that seq or a higher one, whether it is due and ready or not. 1 with *ret, 0: there is none;
 * -errno. */
int outbox_rows_next(struct database *database, const char *endpoint, int64_t from, struct outbox_row *ret, struct error *err);

int outbox_rows_delivered(struct database *database, const char *endpoint, int64_t seq, struct error *err);
/* `attempts` have failed by now, the last one for that cause (redacted by the caller); the next one is due at due_us. */
int outbox_rows_failed(struct database *database, const char *endpoint, int64_t seq, int attempts, int64_t due_us,
                       const char *cause, struct error *err);
/* Gives the event up: it becomes a dead letter. */
int outbox_rows_dead(struct database *database, const char *endpoint, int64_t seq, int attempts, int64_t now_us,
                     const char *reason, struct error *err);
/* Queues all dead letters of the endpoint again, due at once. *n says how many. */
int outbox_rows_revive(struct database *database, const char *endpoint, int64_t now_us, int *n, struct error *err);

int outbox_rows_disable(struct database *database, const char *endpoint, int64_t now_us, const char *reason, const char *mark,
                        struct error *err);
int outbox_rows_enable(struct database *database, const char *endpoint, struct error *err);

/* Deletes the rows, the dead letters and the state of all endpoints of a scope but keys [n]. An endpoint belongs to the scope
 * with which its key begins, and to the scope "" if its key has no ':'. *dropped says how many events still waited. */
int outbox_rows_keep(struct database *database, const char *scope, const char *const *keys, size_t n, int *dropped,
                     struct error *err);

int outbox_rows_counts(struct database *database, const char *endpoint, struct outbox_rows_counts *ret, struct error *err);
int outbox_rows_state(struct database *database, const char *endpoint, struct outbox_rows_state *ret, struct error *err);
/* Calls row() for the endpoint's dead letters, by seq, until it returns false. */
int outbox_rows_each_dead(struct database *database, const char *endpoint,
                          bool (*row)(void *arg, const struct outbox_dead_row *dead), void *arg, struct error *err);
/* Deletes at most `most` dead letters that died before before_us. */
int outbox_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err);

#endif
