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
