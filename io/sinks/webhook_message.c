#include "io/sinks/webhook_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "core/utc.h"

int webhook_message_make(struct webhook_message **ret, const char *type, int64_t time_us, const char *data_json)
{
    json_error_t where;
    json_t *data = json_loads(data_json, JSON_DECODE_ANY, &where);
    if (!data)
        return json_error_code(&where) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
    char timestamp[UTC_SIZE];
    utc_format(timestamp, time_us);
    json_t *root = json_pack("{s:s, s:s, s:o}", "type", type, "timestamp", timestamp, "data", data);
    char *body = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (!body)
        return -ENOMEM;

    size_t size = strlen(body);
    struct webhook_message *message = malloc(sizeof *message + size + 1);
    unsigned char random[16];
    int r = message ? 0 : -ENOMEM;
    if (message && getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        r = -EIO;
    if (r == 0) {
        message->time_us = time_us;
        message->size = size;
        memcpy(message->body, body, size + 1);
        memcpy(message->id, "msg_", 4);
        for (size_t i = 0; i < sizeof random; i++)
            snprintf(message->id + 4 + 2 * i, 3, "%02x", random[i]);
        *ret = message;
    } else {
        free(message);
    }
    free(body);
    return r;
}

struct webhook_message *webhook_message_copy(const struct webhook_message *message)
{
    size_t size = sizeof *message + message->size + 1;
    struct webhook_message *copy = malloc(size);
    if (copy)
        memcpy(copy, message, size);
    return copy;
}
