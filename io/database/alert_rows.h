/* Alerts in the database. An alert has one row, from its opening on. Its `entry` is its place in the order in which alerts
 * opened and closed. It gets one when it opens and a new one when it closes. So a reader who goes on from an entry sees both.
 * Entries rise by 1 from commit to commit and are never used again. */
#ifndef MEMAED_IO_DATABASE_ALERT_ROWS_H
#define MEMAED_IO_DATABASE_ALERT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/filter.h"
#include "core/record.h"
#include "io/database/database.h"

/* ---- writing, within a transaction ---------------------------------------------------------------------------------- */

/* Writes an alert that opened or closed, and gives it the next entry (alert->entry). An alert that is in the table already
 * keeps its marks and notes. The id of a new one must be above all ids before (alert_rows_last_id()). */
int alert_rows_put(struct database *database, struct alert_record *alert, struct error *err);
/* Writes the peak of an alert that is open, and leaves its entry. Does nothing where it is not open. */
int alert_rows_peak(struct database *database, const struct alert_record *alert, struct error *err);

/* The next alert that the last run left open. Its state becomes interrupted, and it ends at the last time that the database
 * knows of its camera. It gets a new entry. 1 with *ret, 0 where there is none, or -errno. */
int alert_rows_interrupt(struct database *database, struct alert_record *ret, struct error *err);

/* Deletes at most `most` alerts that opened before before_us, the oldest first; not those that are open or marked, or that have
 * evidence. *deleted says how many. */
int alert_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err);

/* ---- reading -------------------------------------------------------------------------------------------------------- */

int alert_rows_last_id(struct database *database, uint64_t *ret, struct error *err);   /* the highest ever given; 0: none */

struct alert_query {
    uint64_t from;              /* an entry */
    bool latest;                /* the latest `most` instead */
    struct alert_filter filter;
    size_t most;
};

/* The alerts of a query, by entry, into ret [query->most], and what people say about them into labels [query->most] (NULL: not
 * wanted); *n of them. *next is the entry at which the next query begins. *range holds the entries from which reading can go on:
 * oldest (below it, alerts have been deleted) to next. */
int alert_rows_read(struct database *database, const struct alert_query *query, struct alert_record *ret,
                    struct alert_labels *labels, size_t *n, uint64_t *next, struct record_range *range, struct error *err);
int alert_rows_find(struct database *database, uint64_t id, struct alert_record *ret, struct error *err);  /* -ENOENT */
/* Calls row() for each alert, by id, until it returns false. */
int alert_rows_each(struct database *database, bool (*row)(void *arg, const struct alert_record *alert), void *arg,
                    struct error *err);

#endif
