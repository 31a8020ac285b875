/* The rules by which evidence is deleted and a short disk is reported. The oldest alerts go first, each with all of its files:
 *   age     alerts that are older than keep_us
 *   size    while all evidence takes more than max_bytes
 *   space   while less than free_low is free on the disk, until free_goal is
 * Alerts that are held (marked, or open) and alerts with a file that is being written stay. Their bytes count.
 *
 * Pure: no clock, no file, no thread. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_RETENTION_POLICY_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_RETENTION_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/config/config.h"

enum retention_reason { RETENTION_AGE, RETENTION_SIZE, RETENTION_SPACE, RETENTION_REASONS, RETENTION_STAYS = RETENTION_REASONS };

const char *retention_reason_name(enum retention_reason reason);        /* "age", "size", "space" */

struct retention_limits {
    int64_t keep_us;            /* 0: for ever */
    int64_t max_bytes;          /* 0: no limit */
    int64_t free_least;         /* never less is to be free; 0: no limit */
    int64_t free_low, free_goal;
};

/* The limits on a disk of that size. */
struct retention_limits retention_limits(const struct config_retention *config, int64_t disk_bytes);

struct retention_alert {
    uint64_t id;                /* milliseconds since 1970 when it opened */
    int64_t bytes;
    uint32_t files;
    bool held, busy;
    enum retention_reason reason;       /* why it goes, or RETENTION_STAYS */
};

/* Sets the reason of each of n alerts, which are in the order of their ids. Returns how many go. */
size_t retention_choose(struct retention_alert *alerts, size_t n, const struct retention_limits *limits, int64_t now_us,
                        int64_t free_bytes);

/* The state of the disk as it was reported last. */
struct retention_alarm {
    bool full;                  /* the disk is short, or was a short time ago */
    bool paused;                /* no clip or copy is written, because nothing can be deleted */
    int64_t short_us;           /* when it was short last; monotonic */
};

/* Call it after each look at the disk. is_short: evidence was deleted for space, a write failed for want of it, or few inodes are
 * left. free_bytes: that are left. true: full or paused has changed. */
bool retention_alarm_step(struct retention_alarm *alarm, const struct retention_limits *limits, int64_t now_us,
                          int64_t free_bytes, bool is_short);

#endif
