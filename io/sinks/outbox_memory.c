#include "io/sinks/outbox_memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/base/lock.h"

/* One body, which entries of several endpoints share. */
struct shared {
    unsigned holders;
    struct webhook_message *message;
};

struct item {
    struct item *next;
    struct shared *shared;
    uint64_t seq;
    int64_t queued_us, due_us, died_us;
    unsigned attempts;
    char *reason;                       /* owned; of a dead letter; NULL: none, or memory was short */
};

struct list {
    struct item *first, *last;
    size_t n;
};

struct queue {
    struct queue *next;
    char key[OUTBOX_KEY_SIZE];
    struct list waiting, dead;          /* oldest first */
    bool given;                         /* next() gave the oldest */
    struct outbox_state state;
};

struct outbox_memory {
    struct lock lock;                   /* rank LOCK_WAIT, a leaf; guards all below */
    struct queue *queues;
    uint64_t seq;                       /* of the latest message */
    size_t max;
};

/* ---- lists, under the lock ------------------------------------------------------------------------------------------ */

static void free_item(struct item *item)
{
    if (--item->shared->holders == 0) {
        free(item->shared->message);
        free(item->shared);
    }
    free(item->reason);
    free(item);
}

static void append(struct list *list, struct item *item)
{
    item->next = NULL;
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
    list->n++;
}

static struct item *cut_first(struct list *list)
{
    struct item *item = list->first;
    list->first = item->next;
    if (!list->first)
        list->last = NULL;
    list->n--;
    return item;
}

static void clear(struct list *list)
{
    while (list->first)
        free_item(cut_first(list));
}

static struct queue *find(struct outbox_memory *memory, const char *key)
{
    struct queue *queue = memory->queues;
    while (queue && strcmp(queue->key, key) != 0)
        queue = queue->next;
    return queue;
}

/* The oldest entry, if it has that number. */
static struct item *oldest(const struct queue *queue, uint64_t seq)
{
    return queue && queue->waiting.first && queue->waiting.first->seq == seq ? queue->waiting.first : NULL;
}

static void free_queue(struct queue *queue)
{
    clear(&queue->waiting);
    clear(&queue->dead);
    free(queue);
}

/* ---- the functions of struct outbox --------------------------------------------------------------------------------- */

static bool is_among(const char *const *keys, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int set_endpoints(void *context, const char *const *keys, size_t n)
{
    struct outbox_memory *memory = context;
    int r = 0;
    lock_take(&memory->lock);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (find(memory, keys[i]))
            continue;
        struct queue *queue = calloc(1, sizeof *queue);
        if (!queue) {
            r = -ENOMEM;
            break;
        }
        snprintf(queue->key, sizeof queue->key, "%s", keys[i]);
        queue->next = memory->queues;
        memory->queues = queue;
    }
    for (struct queue **at = &memory->queues; r == 0 && *at;) {
        struct queue *queue = *at;
        if (is_among(keys, n, queue->key)) {
            at = &queue->next;
            continue;
        }
        *at = queue->next;
        free_queue(queue);
    }
    lock_give(&memory->lock);
    return r;
}

static int get_state(void *context, const char *key, struct outbox_state *ret)
{
    struct outbox_memory *memory = context;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue)
        *ret = queue->state;
    lock_give(&memory->lock);
    return queue ? 0 : -ENOENT;
}

static int disable(void *context, const char *key, int64_t time_us, const char *reason, const char *mark)
{
    struct outbox_memory *memory = context;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue) {
        queue->state.disabled_us = time_us;
        snprintf(queue->state.reason, sizeof queue->state.reason, "%s", reason);
        snprintf(queue->state.mark, sizeof queue->state.mark, "%s", mark);
    }
    lock_give(&memory->lock);
    return queue ? 0 : -ENOENT;
}

static int enable(void *context, const char *key)
{
    struct outbox_memory *memory = context;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue)
        queue->state = (struct outbox_state){0};
    lock_give(&memory->lock);
    return queue ? 0 : -ENOENT;
}

static int next(void *context, const char *key, struct outbox_entry *ret)
{
    struct outbox_memory *memory = context;
    int r = -ENOENT;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue) {
        const struct item *item = queue->waiting.first;
        char *body = item ? strdup(item->shared->message->body) : NULL;
        r = body ? 1 : item ? -ENOMEM : 0;
        if (r == 1) {
            const struct webhook_message *message = item->shared->message;
            queue->given = true;
            *ret = (struct outbox_entry){.seq = item->seq, .time_us = message->time_us, .queued_us = item->queued_us,
                                         .attempts = item->attempts, .due_us = item->due_us, .size = message->size, .body = body};
            memcpy(ret->id, message->id, sizeof ret->id);
        }
    }
    lock_give(&memory->lock);
    return r;
}

static int delivered(void *context, const char *key, uint64_t seq, int64_t time_us)
{
    struct outbox_memory *memory = context;
    (void)time_us;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    struct item *item = oldest(queue, seq);
    if (item) {
        free_item(cut_first(&queue->waiting));
        queue->given = false;
    }
    lock_give(&memory->lock);
    return item ? 0 : -ENOENT;
}

static int failed(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t due_us, const char *cause)
{
    struct outbox_memory *memory = context;
    (void)cause;
    lock_take(&memory->lock);
    struct item *item = oldest(find(memory, key), seq);
    if (item) {
        item->attempts = attempts;
        item->due_us = due_us;
    }
    lock_give(&memory->lock);
    return item ? 0 : -ENOENT;
}

static int dead(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t time_us, const char *reason)
{
    struct outbox_memory *memory = context;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    struct item *item = oldest(queue, seq);
    if (item) {
        cut_first(&queue->waiting);
        queue->given = false;
        item->attempts = attempts;
        item->died_us = time_us;
        item->reason = strdup(reason);
        if (queue->dead.n == memory->max)
            free_item(cut_first(&queue->dead));
        append(&queue->dead, item);
    }
    lock_give(&memory->lock);
    return item ? 0 : -ENOENT;
}

static int retry_dead(void *context, const char *key, int64_t time_us)
{
    struct outbox_memory *memory = context;
    int n = -ENOENT;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue) {
        struct list waiting = queue->waiting, *all = &queue->waiting;
        n = (int)queue->dead.n;
        *all = (struct list){0};
        queue->given = false;
        while (queue->dead.first) {
            struct item *item = cut_first(&queue->dead);
            item->attempts = 0;
            item->due_us = 0;
            item->queued_us = time_us;
            free(item->reason);
            item->reason = NULL;
            append(all, item);
        }
        while (waiting.first)
            append(all, cut_first(&waiting));
    }
    lock_give(&memory->lock);
    return n;
}

static int counts(void *context, const char *key, struct outbox_counts *ret)
{
    struct outbox_memory *memory = context;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue)
        *ret = (struct outbox_counts){.queued = queue->waiting.n, .dead = queue->dead.n,
                                      .oldest_us = queue->waiting.first ? queue->waiting.first->queued_us : 0};
    lock_give(&memory->lock);
    return queue ? 0 : -ENOENT;
}

static int list_dead(void *context, const char *key, struct outbox_dead **ret, size_t max)
{
    struct outbox_memory *memory = context;
    int r = -ENOENT;
    lock_take(&memory->lock);
    struct queue *queue = find(memory, key);
    if (queue) {
        size_t wanted = queue->dead.n < max ? queue->dead.n : max, n = 0;
        struct outbox_dead *list = calloc(wanted + 1, sizeof *list);
        for (const struct item *item = queue->dead.first; list && n < wanted; item = item->next) {
            const struct webhook_message *message = item->shared->message;
            struct outbox_dead *entry = &list[n];
            *entry = (struct outbox_dead){.seq = item->seq, .time_us = message->time_us, .died_us = item->died_us,
                                          .attempts = item->attempts, .body = strdup(message->body)};
            memcpy(entry->id, message->id, sizeof entry->id);
            snprintf(entry->reason, sizeof entry->reason, "%s", item->reason ? item->reason : "");
            if (!entry->body)
                break;
            n++;
        }
        r = list && n == wanted ? (int)n : -ENOMEM;
        if (r >= 0)
            *ret = list;
        else
            outbox_dead_free(list, n);
    }
    lock_give(&memory->lock);
    return r;
}

struct outbox outbox_memory(struct outbox_memory *memory)
{
    return (struct outbox){.context = memory, .endpoints = set_endpoints, .state = get_state, .disable = disable, .enable = enable,
                           .next = next, .delivered = delivered, .failed = failed, .dead = dead, .retry_dead = retry_dead,
                           .counts = counts, .list_dead = list_dead};
}

/* ---- filling and life ----------------------------------------------------------------------------------------------- */

/* Drops the oldest entry, or the second oldest if the oldest may be on its way. */
static void drop_one(struct queue *queue)
{
    struct item *first = cut_first(&queue->waiting);
    if (!queue->given) {
        free_item(first);
        return;
    }
    free_item(cut_first(&queue->waiting));
    struct list rest = queue->waiting;
    queue->waiting = (struct list){0};
    append(&queue->waiting, first);
    if (rest.first) {
        first->next = rest.first;
        queue->waiting.last = rest.last;
        queue->waiting.n += rest.n;
    }
}

int outbox_memory_append(struct outbox_memory *memory, const struct webhook_message *message, int64_t time_us,
                         const char *const *keys, size_t n, unsigned *dropped)
{
    struct shared *shared = calloc(1, sizeof *shared);
    struct webhook_message *copy = webhook_message_copy(message);
    int r = shared && copy ? 0 : -ENOMEM;
    memset(dropped, 0, n * sizeof *dropped);
    if (r < 0) {
        free(shared);
        free(copy);
        return r;
    }
    *shared = (struct shared){.holders = 1, .message = copy};
    lock_take(&memory->lock);
    memory->seq++;
    for (size_t i = 0; i < n; i++) {
        struct queue *queue = find(memory, keys[i]);
        if (!queue)
            continue;
        struct item *item = calloc(1, sizeof *item);
        if (!item) {
            r = -ENOMEM;
            continue;
        }
        if (queue->waiting.n >= memory->max) {
            drop_one(queue);
            dropped[i]++;
        }
        *item = (struct item){.shared = shared, .seq = memory->seq, .queued_us = time_us};
        shared->holders++;
        append(&queue->waiting, item);
    }
    if (--shared->holders == 0) {
        free(copy);
        free(shared);
    }
    lock_give(&memory->lock);
    return r;
}

int outbox_memory_open(struct outbox_memory **ret, size_t max)
{
    if (max < 2)
        return -EINVAL;
    struct outbox_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return -ENOMEM;
    memory->max = max;
    lock_init(&memory->lock, LOCK_WAIT);
    *ret = memory;
    return 0;
}

void outbox_memory_close(struct outbox_memory *memory)
{
    if (!memory)
        return;
    while (memory->queues) {
        struct queue *queue = memory->queues;
        memory->queues = queue->next;
        free_queue(queue);
    }
    lock_destroy(&memory->lock);
    free(memory);
}
