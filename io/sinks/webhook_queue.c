#include "io/sinks/webhook_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "core/utc.h"
#include "io/base/clock.h"

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
        message->holders = 1;
        message->posted_us = monotonic_us();
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

void webhook_message_release(struct webhook_message *message)
{
    if (--message->holders == 0)
        free(message);
}

int webhook_queue_init(struct webhook_queue *queue, size_t max)
{
    *queue = (struct webhook_queue){.ring = calloc(max, sizeof *queue->ring), .max = max};
    return queue->ring ? 0 : -ENOMEM;
}

void webhook_queue_clear(struct webhook_queue *queue)
{
    while (queue->n > 0)
        webhook_queue_remove_oldest(queue);
    free(queue->ring);
    *queue = (struct webhook_queue){0};
}

bool webhook_queue_append(struct webhook_queue *queue, struct webhook_message *message, bool keep_oldest)
{
    bool full = queue->n == queue->max;
    if (full) {
        if (keep_oldest) {
            /* The oldest takes the place of the second, which is dropped in its stead. */
            struct webhook_message **oldest = &queue->ring[queue->first];
            struct webhook_message **second = &queue->ring[(queue->first + 1) % queue->max];
            struct webhook_message *kept = *oldest;
            *oldest = *second;
            *second = kept;
        }
        webhook_queue_remove_oldest(queue);
    }
    queue->ring[(queue->first + queue->n) % queue->max] = message;
    queue->n++;
    message->holders++;
    return full;
}

struct webhook_message *webhook_queue_oldest(const struct webhook_queue *queue)
{
    return queue->n ? queue->ring[queue->first] : NULL;
}

void webhook_queue_remove_oldest(struct webhook_queue *queue)
{
    webhook_message_release(queue->ring[queue->first]);
    queue->first = (queue->first + 1) % queue->max;
    queue->n--;
}
