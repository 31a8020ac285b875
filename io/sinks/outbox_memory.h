/* An outbox (io/sinks/outbox.h) in memory: all of it is lost with the process. Each endpoint has a bounded queue, and as many dead
 * letters at most. A full queue drops its oldest entry; the entry that next() gave stays, so the second oldest goes instead. Any
 * thread may make any call; each takes a leaf lock. */
#ifndef MEMAED_IO_SINKS_OUTBOX_MEMORY_H
#define MEMAED_IO_SINKS_OUTBOX_MEMORY_H

#include "io/sinks/outbox.h"
#include "io/sinks/webhook_message.h"

struct outbox_memory;

/* max: entries of a queue, at least 2. 0; -EINVAL; -ENOMEM. */
int outbox_memory_open(struct outbox_memory **ret, size_t max);
void outbox_memory_close(struct outbox_memory *memory);         /* takes NULL */

/* The functions of memory, which they borrow. */
struct outbox outbox_memory(struct outbox_memory *memory);

/* Appends message to the queues of keys [n] at time_us (UTC), all under the same number. Keys that the outbox does not have are
 * passed over. The message is copied. dropped [n]: how many entries each queue dropped for it. 0 or -ENOMEM: some queues lack
 * the message. */
int outbox_memory_append(struct outbox_memory *memory, const struct webhook_message *message, int64_t time_us,
                         const char *const *keys, size_t n, unsigned *dropped);

#endif
