#include "daemon/watch/evidence/retention_policy.h"

#define MIB INT64_C(1048576)
#define DAY_US INT64_C(86400000000)
/* Deleting begins by a margin before free_least is reached, because clips that open write their pre-roll at once. The margin is a
 * quarter of free_least, but this much at least, and free_least itself at most. */
#define MARGIN (64 * MIB)
/* The disk counts as recovered once it has not been short for this long, and free_goal is free. */
#define RECOVERY_US INT64_C(30000000)

const char *retention_reason_name(enum retention_reason reason)
{
    static const char *const names[RETENTION_REASONS] = {"age", "size", "space"};
    return names[reason];
}

struct retention_limits retention_limits(const struct config_retention *config, int64_t disk_bytes)
{
    int64_t usual = 1024 * MIB < disk_bytes / 10 ? 1024 * MIB : disk_bytes / 10;
    int64_t least = config->has_free_mib ? config->free_mib * MIB : usual;
    int64_t part = least / 4 > MARGIN ? least / 4 : MARGIN, margin = least < part ? least : part;
    return (struct retention_limits){.keep_us = config->keep_days * DAY_US,
                                     .max_bytes = (int64_t)(config->max_gib * 1024 * (double)MIB),
                                     .free_least = least,
                                     .free_low = least + margin,
                                     .free_goal = least + margin + margin / 2};
}

size_t retention_choose(struct retention_alert *alerts, size_t n, const struct retention_limits *limits, int64_t now_us,
                        int64_t free_bytes)
{
    int64_t bytes = 0;
    bool is_short = free_bytes < limits->free_low;
    size_t chosen = 0;
    for (size_t i = 0; i < n; i++)
        bytes += alerts[i].bytes;
    for (size_t i = 0; i < n; i++) {
        struct retention_alert *alert = &alerts[i];
        alert->reason = RETENTION_STAYS;
        if (alert->held || alert->busy)
            continue;
        if (limits->keep_us > 0 && (int64_t)alert->id * 1000 < now_us - limits->keep_us)
            alert->reason = RETENTION_AGE;
        else if (limits->max_bytes > 0 && bytes > limits->max_bytes)
            alert->reason = RETENTION_SIZE;
        else if (is_short && free_bytes < limits->free_goal)
            alert->reason = RETENTION_SPACE;
        else
            continue;
        bytes -= alert->bytes;
        free_bytes += alert->bytes;
        chosen++;
    }
    return chosen;
}

bool retention_alarm_step(struct retention_alarm *alarm, const struct retention_limits *limits, int64_t now_us,
                          int64_t free_bytes, bool is_short)
{
    const struct retention_alarm before = *alarm;
    if (alarm->paused ? free_bytes >= limits->free_low : free_bytes < limits->free_least)
        alarm->paused = !alarm->paused;
    if (is_short || alarm->paused) {
        alarm->full = true;
        alarm->short_us = now_us;
    } else if (alarm->full && now_us - alarm->short_us >= RECOVERY_US && free_bytes >= limits->free_goal) {
        alarm->full = false;
    }
    return alarm->full != before.full || alarm->paused != before.paused;
}
