/* Events that wait for an endpoint, oldest first, in a ring of fixed size. One message may wait in several queues; it counts
 * its holders and is freed with the last one. No locks: the caller serialises all calls on queues that share messages. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_QUEUE_H
#define MEMAED_IO_SINKS_WEBHOOK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_ID_SIZE = sizeof "msg_" + 32 };

struct webhook_message {
    unsigned holders;
    char id[WEBHOOK_ID_SIZE];       /* "msg_" and 128 random bits; the same in all queues and attempts */
    int64_t posted_us;              /* monotonic */
    size_t size;                    /* of body, in bytes */
    char body[];                    /* JSON, ended by 0 */
};

/* The body {"type": type, "timestamp": …, "data": data}; time_us is UTC, data_json a whole JSON value as text. *ret has one
 * holder, the caller. 0; -EINVAL if data_json is not JSON; -ENOMEM; -EIO without random numbers. */
int webhook_message_make(struct webhook_message **ret, const char *type, int64_t time_us, const char *data_json);
void webhook_message_release(struct webhook_message *message);

struct webhook_queue {
    struct webhook_message **ring;  /* [max]; the oldest at first */
    size_t max, first, n;
};

/* max >= 2. 0 or -ENOMEM. */
int webhook_queue_init(struct webhook_queue *queue, size_t max);
/* Releases every message. Takes a queue of zeros, too. */
void webhook_queue_clear(struct webhook_queue *queue);

/* Appends message and becomes a holder. true: the queue was full, and the oldest message was dropped for this one; with
 * keep_oldest (it is being sent and may have arrived) the second oldest. */
bool webhook_queue_append(struct webhook_queue *queue, struct webhook_message *message, bool keep_oldest);
struct webhook_message *webhook_queue_oldest(const struct webhook_queue *queue);    /* NULL: empty */
void webhook_queue_remove_oldest(struct webhook_queue *queue);                      /* n > 0 */

#endif
