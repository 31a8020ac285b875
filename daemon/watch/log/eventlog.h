/* The last events, whole as text, for server-sent events. Bounded: a new event overwrites the oldest. An event's number is one
 * more than that of the event before it. The first is the milliseconds at which the log was opened (UTC since 1970), so that a
 * number of an earlier run is never taken for one of this run, unless the clock was set back. Any thread; each call takes a
 * leaf lock. */
#ifndef MEMAED_DAEMON_WATCH_LOG_EVENTLOG_H
#define MEMAED_DAEMON_WATCH_LOG_EVENTLOG_H

#include "core/event.h"
#include "core/filter.h"

struct eventlog;

int eventlog_open(struct eventlog **ret, size_t capacity);     /* in events. 0, -EINVAL (capacity 0) or another -errno */
void eventlog_close(struct eventlog *log);                     /* takes NULL; nobody uses it any more */

/* An eventfd that is readable after each new event; who waits reads it. Borrowed until close. */
int eventlog_fd(const struct eventlog *log);

/* Appends an event; a sink of events (daemon/watch/events.h), whose arg is a struct eventlog. 0 or -ENOMEM. */
int eventlog_take(void *log, const struct event *event);

/* As events() of web/view.h. */
int eventlog_read(struct eventlog *log, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  uint64_t *next, struct record_range *range);

#endif
