/* The log of scores of one camera, which numbers them from 0 without gaps. It is bounded: a new score overwrites the
 * oldest. One thread at a time appends. Any thread reads, without a lock, and never delays the writer. All memory is
 * resident from the start. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_SCORELOG_H
#define MEMAED_DAEMON_WATCH_CAMERA_SCORELOG_H

#include "core/record.h"

struct scorelog;

int scorelog_open(struct scorelog **ret, size_t capacity);      /* 0, -EINVAL (capacity 0), -ENOMEM */
void scorelog_close(struct scorelog *log);                      /* takes NULL */

void scorelog_append(struct scorelog *log, const struct score_record *score);

/* Copies up to max records from number `from` on (from the oldest kept, if that is later) into ret, in order. *range: the
 * numbers that are kept. Returns how many were copied: 0 where `from` is at or beyond range->next. */
size_t scorelog_read(struct scorelog *log, uint64_t from, struct score_record *ret, size_t max, struct record_range *range);

#endif
