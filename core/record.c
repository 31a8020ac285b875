#include "core/record.h"

#include <string.h>

static const char *const names[ALERT_KINDS] = {[ALERT_ANOMALY] = "anomaly", [ALERT_STILL] = "still"};

const char *alert_kind_name(enum alert_kind kind)
{
    return names[kind];
}

bool alert_kind_find(enum alert_kind *ret, const char *name)
{
    for (int i = 0; i < ALERT_KINDS; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum alert_kind)i;
            return true;
        }
    return false;
}

const char *alert_state_name(const struct alert_record *alert)
{
    return alert->closed_us == 0 ? "open" : alert->interrupted ? "interrupted" : "closed";
}

static const char *const suppressed_names[SUPPRESSED_REASONS] = {
    [SUPPRESSED_NOT] = "",              [SUPPRESSED_COOLDOWN] = "cooldown", [SUPPRESSED_RATE] = "rate",
    [SUPPRESSED_DISARMED] = "disarmed", [SUPPRESSED_SNOOZED] = "snoozed",   [SUPPRESSED_SCHEDULE] = "schedule",
    [SUPPRESSED_HEALTH] = "health",
};

const char *alert_suppressed_name(enum alert_suppressed suppressed)
{
    return suppressed_names[suppressed];
}

bool alert_suppressed_find(enum alert_suppressed *ret, const char *name)
{
    for (int i = 0; i < SUPPRESSED_REASONS; i++)
        if (strcmp(suppressed_names[i], name) == 0) {
            *ret = (enum alert_suppressed)i;
            return true;
        }
    return false;
}
