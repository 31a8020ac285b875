#include "daemon/watch/alertlog.h"

#include <errno.h>
#include <stdlib.h>

#include "io/base/lock.h"

struct alertlog {
    size_t capacity;
    struct lock lock;           /* guards all below */
    uint64_t next, last_id;
    struct alert_record entries[];
};

int alertlog_open(struct alertlog **ret, size_t capacity)
{
    if (capacity == 0)
        return -EINVAL;
    if (capacity > (SIZE_MAX - sizeof(struct alertlog)) / sizeof(struct alert_record))
        return -ENOMEM;
    struct alertlog *log = calloc(1, sizeof *log + capacity * sizeof log->entries[0]);
    if (!log)
        return -ENOMEM;
    log->capacity = capacity;
    lock_init(&log->lock, LOCK_ALERTS);
    *ret = log;
    return 0;
}

void alertlog_close(struct alertlog *log)
{
    if (!log)
        return;
    lock_destroy(&log->lock);
    free(log);
}

static uint64_t oldest_locked(const struct alertlog *log)
{
    return log->next > log->capacity ? log->next - log->capacity : 0;
}

static struct alert_record *entry_locked(struct alertlog *log, uint64_t number)
{
    bool kept = number >= oldest_locked(log) && number < log->next;
    return kept ? &log->entries[number % log->capacity] : NULL;
}

static void append_locked(struct alertlog *log, struct alert_record *alert)
{
    alert->entry = log->next++;
    log->entries[alert->entry % log->capacity] = *alert;
}

void alertlog_append(struct alertlog *log, struct alert_record *alert)
{
    lock_take(&log->lock);
    uint64_t time_ms = alert->opened_us > 0 ? (uint64_t)alert->opened_us / 1000 : 0;
    log->last_id = alert->id = time_ms > log->last_id ? time_ms : log->last_id + 1;
    append_locked(log, alert);
    lock_give(&log->lock);
}

void alertlog_update(struct alertlog *log, const struct alert_record *alert)
{
    lock_take(&log->lock);
    struct alert_record *entry = entry_locked(log, alert->entry);
    if (entry)
        *entry = *alert;
    lock_give(&log->lock);
}

void alertlog_append_again(struct alertlog *log, struct alert_record *alert)
{
    lock_take(&log->lock);
    struct alert_record *before = entry_locked(log, alert->entry);
    if (before)
        before->superseded = true;
    append_locked(log, alert);
    lock_give(&log->lock);
}

size_t alertlog_read(struct alertlog *log, uint64_t from, struct alert_record *ret, size_t max, struct record_range *range)
{
    size_t n = 0;
    lock_take(&log->lock);
    *range = (struct record_range){.oldest = oldest_locked(log), .next = log->next};
    for (uint64_t i = from > range->oldest ? from : range->oldest; i < log->next && n < max; i++)
        ret[n++] = log->entries[i % log->capacity];
    lock_give(&log->lock);
    return n;
}
