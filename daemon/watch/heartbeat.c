#include "daemon/watch/heartbeat.h"

#include <stdio.h>
#include <string.h>

void heartbeats_init(struct heartbeats *set)
{
    lock_init(&set->lock, LOCK_VIEW);
    set->first = NULL;
}

void heartbeats_destroy(struct heartbeats *set)
{
    lock_destroy(&set->lock);
}

void heartbeat_add(struct heartbeats *set, struct heartbeat *beat, const char *name)
{
    snprintf(beat->name, sizeof beat->name, "%s", name);
    atomic_init(&beat->deadline_us, INT64_MAX);
    lock_take(&set->lock);
    beat->next = set->first;
    set->first = beat;
    lock_give(&set->lock);
}

void heartbeat_remove(struct heartbeats *set, struct heartbeat *beat)
{
    lock_take(&set->lock);
    struct heartbeat **at = &set->first;
    while (*at && *at != beat)
        at = &(*at)->next;
    if (*at)
        *at = beat->next;
    lock_give(&set->lock);
}

void heartbeat_until(struct heartbeat *beat, int64_t deadline_us)
{
    atomic_store_explicit(&beat->deadline_us, deadline_us, memory_order_relaxed);
}

void heartbeat_idle(struct heartbeat *beat)
{
    heartbeat_until(beat, INT64_MAX);
}

bool heartbeats_stuck(struct heartbeats *set, int64_t now_us, char name[HEARTBEAT_NAME_SIZE])
{
    const struct heartbeat *stuck = NULL;
    int64_t earliest = now_us;
    lock_take(&set->lock);
    for (const struct heartbeat *beat = set->first; beat; beat = beat->next) {
        int64_t deadline = atomic_load_explicit(&beat->deadline_us, memory_order_relaxed);
        if (deadline < earliest) {
            earliest = deadline;
            stuck = beat;
        }
    }
    if (stuck)
        memcpy(name, stuck->name, HEARTBEAT_NAME_SIZE);
    lock_give(&set->lock);
    return stuck != NULL;
}
