#include "daemon/watch/heartbeat.h"

#include <stdio.h>

void heartbeat_add(struct heartbeats *set, struct heartbeat *beat, const char *name)
{
    snprintf(beat->name, sizeof beat->name, "%s", name);
    atomic_init(&beat->deadline_us, INT64_MAX);
    beat->next = set->first;
    set->first = beat;
}

void heartbeat_until(struct heartbeat *beat, int64_t deadline_us)
{
    atomic_store_explicit(&beat->deadline_us, deadline_us, memory_order_relaxed);
}

void heartbeat_idle(struct heartbeat *beat)
{
    heartbeat_until(beat, INT64_MAX);
}

const struct heartbeat *heartbeats_stuck(const struct heartbeats *set, int64_t now_us)
{
    const struct heartbeat *stuck = NULL;
    int64_t earliest = now_us;
    for (const struct heartbeat *beat = set->first; beat; beat = beat->next) {
        int64_t deadline = atomic_load_explicit(&beat->deadline_us, memory_order_relaxed);
        if (deadline < earliest) {
            earliest = deadline;
            stuck = beat;
        }
    }
    return stuck;
}
