/* Events in the database: what was told, when, and the body that every endpoint gets. `seq` rises from event to event and is
 * never used again, also after a restart. */
#ifndef MEMAED_IO_DATABASE_EVENT_ROWS_H
#define MEMAED_IO_DATABASE_EVENT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "core/filter.h"
#include "core/record.h"
#include "io/database/database.h"

/* An event as it is stored. Texts are borrowed. */
struct event_row {
    int64_t seq;                /* set by event_rows_add() */
    const char *id;             /* by event_new_id() */
    const char *type;           /* "alert.opened" */
    int64_t time_us;            /* UTC */
    const char *camera;
    uint64_t alert;             /* its id; 0: a health event */
    const char *body;           /* {"type": …, "timestamp": …, "data": …} */
    bool ready;                 /* may be delivered */
};

/* The next event of an empty table gets the number `first`. If first is a time, the numbers of an earlier database are below
 * it. */
int event_rows_begin_at(struct database *database, int64_t first, struct error *err);

/* Within a transaction: adds the event, and sets event->seq. */
int event_rows_add(struct database *database, struct event_row *event, struct error *err);
/* The event may be delivered from now on. */
int event_rows_ready(struct database *database, int64_t seq, struct error *err);
/* The same for all events, at the start. *n says how many were not ready. */
int event_rows_all_ready(struct database *database, int *n, struct error *err);

/* Calls row() for each event from seq on, in order, at most `most` (0: all), until it returns false. Texts are borrowed for the
 * call. */
int event_rows_each(struct database *database, int64_t from, size_t most, bool (*row)(void *arg, const struct event_row *event),
                    void *arg, struct error *err);

/* Reads events for clients that follow them, by seq from `from` on, into ret [max]; *n is their number. Only those are read that
 * may be delivered and that the filter takes. The caller frees their bodies. It looks at EVENT_ROWS_SCANNED events at most. *next
 * is the seq at which to go on. *range begins where reading can go on, since older events have been deleted. It ends at the first
 * event that is not in the table or may not be delivered yet. */
enum { EVENT_ROWS_SCANNED = 1024 };
int event_rows_read(struct database *database, uint64_t from, const struct event_filter *filter, struct event_record *ret,
                    size_t max, size_t *n, uint64_t *next, struct record_range *range, struct error *err);

/* Deletes at most `most` events from before before_us, the oldest first. Events of marked alerts stay, and so do those that an
 * endpoint still waits for. The dead letters of deleted events go with them. */
int event_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err);

#endif
