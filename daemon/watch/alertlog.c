#include "daemon/watch/alertlog.h"

#include <errno.h>
#include <stdlib.h>

#include "io/base/lock.h"

struct alertlog {
    struct alertlog_sink sink;
    struct lock lock;           /* guards: */
    uint64_t last_id;
};

int alertlog_open(struct alertlog **ret, uint64_t last_id, const struct alertlog_sink *sink)
{
    struct alertlog *log = calloc(1, sizeof *log);
    if (!log)
        return -ENOMEM;
    log->sink = *sink;
    log->last_id = last_id;
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

uint64_t alertlog_new_id(struct alertlog *log, int64_t opened_us)
{
    uint64_t time_ms = opened_us > 0 ? (uint64_t)opened_us / 1000 : 0;
    lock_take(&log->lock);
    uint64_t id = log->last_id = time_ms > log->last_id ? time_ms : log->last_id + 1;
    lock_give(&log->lock);
    return id;
}

void alertlog_append(struct alertlog *log, struct alert_record *alert)
{
    alert->id = alertlog_new_id(log, alert->opened_us);
}

void alertlog_update(struct alertlog *log, const struct alert_record *alert)
{
    if (log->sink.peak)
        log->sink.peak(log->sink.arg, alert);
}

void alertlog_append_untold(struct alertlog *log, const struct alert_record *alert)
{
    if (log->sink.untold)
        log->sink.untold(log->sink.arg, alert);
}

void alertlog_score(struct alertlog *log, const char *camera, const struct score_record *score)
{
    if (log->sink.score)
        log->sink.score(log->sink.arg, camera, score);
}
