/* The log of alerts of all cameras. An alert has an entry when it opens, and a new one when it closes, so who reads on sees
 * both. It has another where it was suppressed and is told while it is open. The earlier entries are then superseded: who lists
 * alerts leaves them out. Entries are numbered from 0 without gaps.
 * The log is bounded: a new entry overwrites the oldest.
 *
 * An alert's id is the milliseconds of its opening (UTC since 1970), or the id before it plus 1 if that is more. So ids rise, and
 * none is used again after a restart, unless the clock was set back. Any thread; each call takes a leaf lock for a copy. */
#ifndef MEMAED_DAEMON_WATCH_ALERTLOG_H
#define MEMAED_DAEMON_WATCH_ALERTLOG_H

#include "core/record.h"

struct alertlog;

int alertlog_open(struct alertlog **ret, size_t capacity);      /* in entries. 0, -EINVAL (capacity 0), -ENOMEM */
void alertlog_close(struct alertlog *log);                      /* takes NULL */

/* Appends an alert that opened. Sets its id and its entry. */
void alertlog_append(struct alertlog *log, struct alert_record *alert);
/* Replaces the record in the alert's entry. Does nothing where it has been overwritten. */
void alertlog_update(struct alertlog *log, const struct alert_record *alert);
/* Appends an alert that closed, or that is told although it was suppressed before. Sets its entry. */
void alertlog_append_again(struct alertlog *log, struct alert_record *alert);

/* As scorelog_read(). */
size_t alertlog_read(struct alertlog *log, uint64_t from, struct alert_record *ret, size_t max, struct record_range *range);

#endif
