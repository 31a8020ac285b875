#include "core/record.h"

const char *alert_kind_name(enum alert_kind kind)
{
    static const char *const names[] = {[ALERT_ANOMALY] = "anomaly", [ALERT_STILL] = "still"};
    return names[kind];
}
