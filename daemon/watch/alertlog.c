#include "daemon/watch/alertlog.h"

#include <errno.h>
#include <stdlib.h>

#include "io/base/lock.h"

struct alertlog {
    size_t capacity;
    struct lock lock;           /* guards all below */
    uint64_t next;
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

void alertlog_append(struct alertlog *log, struct alert_record *alert)
{
    lock_take(&log->lock);
    uint64_t number = log->next++;
    alert->id = number + 1;
    log->entries[number % log->capacity] = *alert;
    lock_give(&log->lock);
}

void alertlog_update(struct alertlog *log, const struct alert_record *alert)
{
    lock_take(&log->lock);
    uint64_t number = alert->id - 1;
    if (number >= oldest_locked(log) && number < log->next)
        log->entries[number % log->capacity] = *alert;
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
