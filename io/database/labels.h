/* The labels that people give an alert, with who gave them and when: mark, note, acknowledgement, and that it shows something
 * normal. The last kind is kept in a table of its own, even after it was taken back, because the next calibration learns from it.
 * Each function is one transaction of its own, unless the caller has begun one. -ENOENT: no alert has that id. */
#ifndef MEMAED_IO_DATABASE_LABELS_H
#define MEMAED_IO_DATABASE_LABELS_H

#include "core/record.h"
#include "io/database/database.h"

int labels_read(struct database *database, uint64_t alert, struct alert_labels *ret, struct error *err);
int labels_mark(struct database *database, uint64_t alert, bool marked, struct error *err);
int labels_note(struct database *database, uint64_t alert, const char *note, struct error *err);       /* "": removes it */
/* now_us 0 takes it back. */
int labels_acknowledge(struct database *database, uint64_t alert, int64_t now_us, const char *who, struct error *err);

/* Labels the alert as something normal, or takes that back (is_normal false). Doing it twice changes nothing. */
int labels_normal(struct database *database, uint64_t alert, bool is_normal, int64_t now_us, const char *who, struct error *err);

/* Carries out an order, and reads the alert's labels afterwards. Within a transaction of the caller. */
int labels_apply(struct database *database, const struct alert_order *order, struct alert_labels *ret, struct error *err);

#endif
