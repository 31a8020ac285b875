#include "core/event.h"

#include <string.h>

static const char *const names[EVENT_TYPES] = {
    [EVENT_ALERT_OPENED] = "alert.opened",       [EVENT_ALERT_CLOSED] = "alert.closed",
    [EVENT_CAMERA_LOST] = "camera.lost",         [EVENT_CAMERA_RESTORED] = "camera.restored",
    [EVENT_CAMERA_FROZEN] = "camera.frozen",     [EVENT_CAMERA_UNFROZEN] = "camera.unfrozen",
    [EVENT_CAMERA_SLOW] = "camera.slow",         [EVENT_CAMERA_SLOW_ENDED] = "camera.slow_ended",
    [EVENT_CAMERA_ARMED] = "camera.armed",       [EVENT_CAMERA_DISARMED] = "camera.disarmed",
    [EVENT_HEALTH_OPENED] = "health.opened",     [EVENT_HEALTH_CLOSED] = "health.closed",
    [EVENT_DRIFT_BEGAN] = "drift.began",         [EVENT_DRIFT_ENDED] = "drift.ended",
    [EVENT_NORMAL_CHANGED] = "normal.changed",   [EVENT_WEBHOOK_DISABLED] = "webhook.disabled",
    [EVENT_STORAGE_FULL] = "storage.full",       [EVENT_STORAGE_RECOVERED] = "storage.recovered",
};

const char *event_type_name(enum event_type type)
{
    return names[type];
}

bool event_type_find(enum event_type *ret, const char *name)
{
    for (int i = 0; i < EVENT_TYPES; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum event_type)i;
            return true;
        }
    return false;
}
