#include "daemon/watch/log/eventlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/record_json.h"

struct entry {
    enum event_type type;
    char camera[RECORD_NAME_SIZE];
    char *body;                 /* NULL: none yet */
};

struct eventlog {
    int fd;
    size_t capacity;
    uint64_t first;             /* number of the first event ever */
    struct lock lock;           /* guards all below */
    uint64_t next;              /* event number n is in entries[n % capacity] */
    struct entry entries[];
};

int eventlog_open(struct eventlog **ret, size_t capacity)
{
    if (capacity == 0)
        return -EINVAL;
    if (capacity > (SIZE_MAX - sizeof(struct eventlog)) / sizeof(struct entry))
        return -ENOMEM;
    struct eventlog *log = calloc(1, sizeof *log + capacity * sizeof log->entries[0]);
    if (!log)
        return -ENOMEM;
    log->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (log->fd < 0) {
        int r = -errno;
        free(log);
        return r;
    }
    log->capacity = capacity;
    log->first = log->next = (uint64_t)(utc_us() / 1000);
    lock_init(&log->lock, LOCK_ALERTS);
    *ret = log;
    return 0;
}

void eventlog_close(struct eventlog *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->capacity; i++)
        free(log->entries[i].body);
    close(log->fd);
    lock_destroy(&log->lock);
    free(log);
}

int eventlog_fd(const struct eventlog *log)
{
    return log->fd;
}

int eventlog_take(void *arg, const struct event *event)
{
    struct eventlog *log = arg;
    struct entry entry = {.type = event->type, .body = record_json_dump(event_whole_json(event))};
    if (!entry.body)
        return -ENOMEM;
    snprintf(entry.camera, sizeof entry.camera, "%s", event->camera);
    lock_take(&log->lock);
    struct entry *at = &log->entries[log->next++ % log->capacity];
    char *oldest = at->body;
    *at = entry;
    lock_give(&log->lock);
    free(oldest);
    const uint64_t one = 1;
    while (write(log->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return 0;
}

int eventlog_read(struct eventlog *log, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  uint64_t *next, struct record_range *range)
{
    size_t n = 0;
    bool failed = false;
    lock_take(&log->lock);
    range->oldest = log->next - log->first > log->capacity ? log->next - log->capacity : log->first;
    range->next = log->next;
    uint64_t i = from > range->oldest ? from : range->oldest;
    for (; i < log->next && n < max && !failed; i++) {
        const struct entry *entry = &log->entries[i % log->capacity];
        if (!event_filter_takes(filter, entry->type, entry->camera))
            continue;
        ret[n] = (struct event_record){.seq = i, .type = entry->type, .body = strdup(entry->body)};
        failed = !ret[n].body;
        n += !failed;
    }
    lock_give(&log->lock);
    if (failed) {
        while (n > 0)
            free(ret[--n].body);
        return -ENOMEM;
    }
    *next = i;
    return (int)n;
}
