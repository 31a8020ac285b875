/* For the tests of webhooks: an outbox (io/sinks/outbox.h) in memory, and webhooks that deliver out of one. Entries are in the
 * order of their seq, as in the database. Any thread may make any call. Include it once in a test program. */
#ifndef MEMAED_TESTS_IO_SINKS_OUTBOX_MEMORY_H
#define MEMAED_TESTS_IO_SINKS_OUTBOX_MEMORY_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/record_json.h"
#include "io/sinks/webhook.h"

enum { MEMORY_ENTRIES = 512, MEMORY_QUEUES = 8, MEMORY_OPENED = 16 };

struct memory_entry {
    struct outbox_entry entry;          /* owns its body */
    bool dead;
    int64_t died_us;
    char reason[OUTBOX_CAUSE_SIZE];
};

struct memory_queue {
    char key[OUTBOX_KEY_SIZE];
    bool known;                         /* endpoints() named it last */
    struct outbox_state state;
    struct memory_entry entries[MEMORY_ENTRIES];
    size_t n;
};

/* Initialise it with PTHREAD_MUTEX_INITIALIZER and zeros. */
struct outbox_memory {
    pthread_mutex_t mutex;
    struct memory_queue queues[MEMORY_QUEUES];
    uint64_t seq;                       /* that of the latest entry */
};

static inline struct memory_queue *memory_lock(struct outbox_memory *memory, const char *key)
{
    pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < MEMORY_QUEUES; i++)
        if (memory->queues[i].known && strcmp(memory->queues[i].key, key) == 0)
            return &memory->queues[i];
    return NULL;
}

static inline int memory_unlock(struct outbox_memory *memory, int r)
{
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

static inline struct memory_entry *memory_oldest(struct memory_queue *queue)
{
    for (size_t i = 0; queue && i < queue->n; i++)
        if (!queue->entries[i].dead)
            return &queue->entries[i];
    return NULL;
}

static inline void memory_clear(struct memory_queue *queue)
{
    for (size_t i = 0; i < queue->n; i++)
        free(queue->entries[i].entry.body);
    memset(queue, 0, sizeof *queue);
}

/* ---- the functions of struct outbox --------------------------------------------------------------------------------- */

static inline int memory_endpoints(void *context, const char *const *keys, size_t n)
{
    struct outbox_memory *memory = context;
    for (size_t i = 0; i < n; i++) {
        if (memory_lock(memory, keys[i])) {
            memory_unlock(memory, 0);
            continue;
        }
        struct memory_queue *queue = memory->queues;
        while (queue->known)
            ck_assert(++queue < memory->queues + MEMORY_QUEUES);
        snprintf(queue->key, sizeof queue->key, "%s", keys[i]);
        queue->known = true;
        memory_unlock(memory, 0);
    }
    pthread_mutex_lock(&memory->mutex);
    for (struct memory_queue *queue = memory->queues; queue < memory->queues + MEMORY_QUEUES; queue++) {
        bool is_among = false;
        for (size_t i = 0; i < n; i++)
            is_among = is_among || strcmp(keys[i], queue->key) == 0;
        if (!is_among)
            memory_clear(queue);
    }
    return memory_unlock(memory, 0);
}

static inline int memory_state(void *context, const char *key, struct outbox_state *ret)
{
    const struct memory_queue *queue = memory_lock(context, key);
    if (queue)
        *ret = queue->state;
    return memory_unlock(context, queue ? 0 : -ENOENT);
}

static inline int memory_disable(void *context, const char *key, int64_t time_us, const char *reason, const char *mark)
{
    struct memory_queue *queue = memory_lock(context, key);
    if (queue) {
        queue->state.disabled_us = time_us;
        snprintf(queue->state.reason, sizeof queue->state.reason, "%s", reason);
        snprintf(queue->state.mark, sizeof queue->state.mark, "%s", mark);
    }
    return memory_unlock(context, queue ? 0 : -ENOENT);
}

static inline int memory_enable(void *context, const char *key)
{
    struct memory_queue *queue = memory_lock(context, key);
    if (queue)
        queue->state = (struct outbox_state){0};
    return memory_unlock(context, queue ? 0 : -ENOENT);
}

static inline int memory_next(void *context, const char *key, struct outbox_entry *ret)
{
    struct memory_queue *queue = memory_lock(context, key);
    const struct memory_entry *oldest = memory_oldest(queue);
    if (oldest) {
        *ret = oldest->entry;
        ret->body = strdup(oldest->entry.body);
    }
    return memory_unlock(context, queue ? oldest != NULL : -ENOENT);
}

static inline int memory_delivered(void *context, const char *key, uint64_t seq, int64_t time_us)
{
    (void)time_us;
    struct memory_queue *queue = memory_lock(context, key);
    struct memory_entry *oldest = memory_oldest(queue);
    if (!oldest || oldest->entry.seq != seq)
        return memory_unlock(context, -ENOENT);
    free(oldest->entry.body);
    memmove(oldest, oldest + 1, (size_t)(queue->entries + --queue->n - oldest) * sizeof *oldest);
    return memory_unlock(context, 0);
}

static inline int memory_failed(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t due_us,
                                const char *cause)
{
    (void)cause;
    struct memory_entry *oldest = memory_oldest(memory_lock(context, key));
    if (!oldest || oldest->entry.seq != seq)
        return memory_unlock(context, -ENOENT);
    oldest->entry.attempts = attempts;
    oldest->entry.due_us = due_us;
    return memory_unlock(context, 0);
}

static inline int memory_dead(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t time_us,
                              const char *reason)
{
    struct memory_entry *oldest = memory_oldest(memory_lock(context, key));
    if (!oldest || oldest->entry.seq != seq)
        return memory_unlock(context, -ENOENT);
    oldest->dead = true;
    oldest->died_us = time_us;
    oldest->entry.attempts = attempts;
    snprintf(oldest->reason, sizeof oldest->reason, "%s", reason);
    return memory_unlock(context, 0);
}

static inline int memory_retry_dead(void *context, const char *key, int64_t time_us)
{
    int n = 0;
    struct memory_queue *queue = memory_lock(context, key);
    for (size_t i = 0; queue && i < queue->n; i++) {
        struct memory_entry *entry = &queue->entries[i];
        if (!entry->dead)
            continue;
        entry->dead = false;
        entry->entry.attempts = 0;
        entry->entry.due_us = 0;
        entry->entry.queued_us = time_us;
        n++;
    }
    return memory_unlock(context, queue ? n : -ENOENT);
}

static inline int memory_counts(void *context, const char *key, struct outbox_counts *ret)
{
    struct memory_queue *queue = memory_lock(context, key);
    const struct memory_entry *oldest = memory_oldest(queue);
    if (queue)
        *ret = (struct outbox_counts){.oldest_us = oldest ? oldest->entry.queued_us : 0};
    for (size_t i = 0; queue && i < queue->n; i++)
        *(queue->entries[i].dead ? &ret->dead : &ret->queued) += 1;
    return memory_unlock(context, queue ? 0 : -ENOENT);
}

static inline int memory_list_dead(void *context, const char *key, struct outbox_dead **ret, size_t max)
{
    size_t n = 0;
    struct memory_queue *queue = memory_lock(context, key);
    if (!queue)
        return memory_unlock(context, -ENOENT);
    *ret = calloc(queue->n + 1, sizeof **ret);
    for (size_t i = 0; i < queue->n && n < max; i++) {
        const struct memory_entry *entry = &queue->entries[i];
        if (!entry->dead)
            continue;
        struct outbox_dead *dead = &(*ret)[n++];
        *dead = (struct outbox_dead){.seq = entry->entry.seq, .time_us = entry->entry.time_us, .died_us = entry->died_us,
                                     .attempts = entry->entry.attempts, .body = strdup(entry->entry.body)};
        memcpy(dead->id, entry->entry.id, sizeof dead->id);
        memcpy(dead->reason, entry->reason, sizeof dead->reason);
    }
    return memory_unlock(context, (int)n);
}

/* Returns the functions of an outbox over memory, which they borrow. */
static inline struct outbox outbox_memory(struct outbox_memory *memory)
{
    return (struct outbox){.context = memory, .endpoints = memory_endpoints, .state = memory_state, .disable = memory_disable,
                           .enable = memory_enable, .next = memory_next, .delivered = memory_delivered, .failed = memory_failed,
                           .dead = memory_dead, .retry_dead = memory_retry_dead, .counts = memory_counts,
                           .list_dead = memory_list_dead};
}

/* Appends the event to the queues of keys [n] at queued_us (UTC), under one number and id. data is a JSON value as text. Keys
 * that the outbox does not know are skipped. */
static inline void outbox_memory_append(struct outbox_memory *memory, const struct event *event, int64_t queued_us,
                                        const char *data, const char *const *keys, size_t n)
{
    char id[EVENT_ID_SIZE];
    char *body = event_body(event_type_name(event->type), event->time_us, json_loads(data, JSON_DECODE_ANY, NULL));
    ck_assert_msg(body != NULL, "no JSON: %s", data);
    ck_assert_int_eq(event_new_id(id), 0);
    pthread_mutex_lock(&memory->mutex);
    uint64_t seq = ++memory->seq;
    pthread_mutex_unlock(&memory->mutex);
    for (size_t i = 0; i < n; i++) {
        struct memory_queue *queue = memory_lock(memory, keys[i]);
        if (queue) {
            ck_assert_uint_lt(queue->n, MEMORY_ENTRIES);
            struct memory_entry *last = &queue->entries[queue->n++];
            *last = (struct memory_entry){.entry = {.seq = seq, .time_us = event->time_us, .queued_us = queued_us,
                                                    .size = strlen(body), .body = strdup(body)}};
            memcpy(last->entry.id, id, sizeof id);
        }
        memory_unlock(memory, 0);
    }
    free(body);
}

/* ---- webhooks over an outbox in memory ------------------------------------------------------------------------------ */

static struct {
    struct webhooks *webhooks;
    struct webhook_options options;
    struct outbox_memory memory;
} memory_opened[MEMORY_OPENED];
static size_t n_memory_opened;

/* As webhooks_open(), with an outbox in memory that these webhooks own. */
static inline int memory_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n,
                              const struct webhook_options *options, webhook_log *log, void *log_arg, struct error *err)
{
    ck_assert_uint_lt(n_memory_opened, MEMORY_OPENED);
    size_t i = n_memory_opened++;
    pthread_mutex_init(&memory_opened[i].memory.mutex, NULL);
    const struct outbox outbox = outbox_memory(&memory_opened[i].memory);
    memory_opened[i].options = *options;
    memory_opened[i].options.outbox = &outbox;
    int r = webhooks_open(ret, hooks, n, &memory_opened[i].options, log, log_arg, err);
    memory_opened[i].webhooks = r == 0 ? *ret : NULL;
    return r;
}

/* Queues the event for every endpoint that takes it, as the store does. webhooks: opened by memory_open(). Any thread. */
static inline void memory_post(struct webhooks *webhooks, const struct event *event, const char *data)
{
    struct webhook_state *states;
    const char *keys[MEMORY_QUEUES];
    size_t n, wanted = 0, i = n_memory_opened - 1;
    while (memory_opened[i].webhooks != webhooks)       /* the latest, because an address may be used again */
        ck_assert_uint_gt(i--, 0);
    ck_assert_int_eq(webhooks_list(webhooks, event->camera, &states, &n), 0);
    ck_assert_uint_le(n, MEMORY_QUEUES);
    for (size_t k = 0; k < n; k++)
        if (states[k].events & event_bit(event->type) && !(event->webhook && strcmp(event->webhook, states[k].key) == 0))
            keys[wanted++] = states[k].key;
    const struct webhook_options *options = &memory_opened[i].options;
    outbox_memory_append(&memory_opened[i].memory, event, options->clock_us(options->clock_arg), data, keys, wanted);
    free(states);
    webhooks_wake(webhooks);
}

#endif
