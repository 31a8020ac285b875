#include "core/record.h"

const char *alert_kind_name(enum alert_kind kind)
{
    static const char *const names[] = {[ALERT_ANOMALY] = "anomaly", [ALERT_STILL] = "still"};
    return names[kind];
}

const char *alert_suppressed_name(enum alert_suppressed suppressed)
{
    static const char *const names[] = {[SUPPRESSED_NOT] = "", [SUPPRESSED_COOLDOWN] = "cooldown", [SUPPRESSED_RATE] = "rate"};
    return names[suppressed];
}
