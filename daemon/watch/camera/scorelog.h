/* The last scores of one camera, numbered without gaps from 0. Bounded: the oldest gives way. One thread at a time
 * appends; any thread reads, without a lock, and never holds the writer up. Resident from the start. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_SCORELOG_H
#define MEMAED_DAEMON_WATCH_CAMERA_SCORELOG_H

#include "core/record.h"

struct scorelog;

int scorelog_open(struct scorelog **ret, size_t capacity);      /* 0, -EINVAL (capacity 0), -ENOMEM */
void scorelog_close(struct scorelog *log);                      /* takes NULL */

void scorelog_append(struct scorelog *log, const struct score_record *score);

/* Copies up to max entries from number `from` on (from the oldest kept, where that is later) into ret, in order; range
 * is what is kept. Returns how many; 0 where `from` is at or beyond range->next. */
size_t scorelog_read(struct scorelog *log, uint64_t from, struct score_record *ret, size_t max, struct record_range *range);

#endif
