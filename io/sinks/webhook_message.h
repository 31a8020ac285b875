/* A message of Standard Webhooks: an event as the body of a POST, with its id. Plain data; any thread. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_MESSAGE_H
#define MEMAED_IO_SINKS_WEBHOOK_MESSAGE_H

#include "io/sinks/outbox.h"

struct webhook_message {
    char id[EVENT_ID_SIZE];        /* "msg_" and 128 random bits */
    int64_t time_us;                /* UTC; when the event happened */
    size_t size;                    /* of body, in bytes */
    char body[];                    /* JSON, ended by 0 */
};

/* The body {"type": type, "timestamp": …, "data": data}; data_json is a whole JSON value as text. *ret is the caller's, to
 * free(). 0; -EINVAL if data_json is not JSON; -ENOMEM; -EIO without random numbers for the id. */
int webhook_message_make(struct webhook_message **ret, const char *type, int64_t time_us, const char *data_json);
/* The caller's, to free(). NULL: memory is short. */
struct webhook_message *webhook_message_copy(const struct webhook_message *message);

#endif
