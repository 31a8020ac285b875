#include "core/record.h"

const char *alert_kind_name(enum alert_kind kind)
{
    static const char *const names[] = {[ALERT_ANOMALY] = "anomaly", [ALERT_STILL] = "still"};
    return names[kind];
}

const char *alert_state_name(const struct alert_record *alert)
{
    return alert->closed_us == 0 ? "open" : alert->interrupted ? "interrupted" : "closed";
}
