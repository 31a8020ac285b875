/* The log of alerts of all cameras. It numbers them from 0 without gaps in the order of opening; an alert's id is its
 * number + 1. It is bounded: a new alert overwrites the oldest. Any thread; each call takes a leaf lock for a copy. */
#ifndef MEMAED_DAEMON_WATCH_ALERTLOG_H
#define MEMAED_DAEMON_WATCH_ALERTLOG_H

#include "core/record.h"

struct alertlog;

int alertlog_open(struct alertlog **ret, size_t capacity);      /* 0, -EINVAL (capacity 0), -ENOMEM */
void alertlog_close(struct alertlog *log);                      /* takes NULL */

/* Appends a copy of alert, and sets the id in both. */
void alertlog_append(struct alertlog *log, struct alert_record *alert);
/* Replaces the record with the alert's id. Does nothing where it has been overwritten. */
void alertlog_update(struct alertlog *log, const struct alert_record *alert);

/* As scorelog_read(). */
size_t alertlog_read(struct alertlog *log, uint64_t from, struct alert_record *ret, size_t max, struct record_range *range);

#endif
