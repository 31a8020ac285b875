#include "daemon/watch/camera/breaks.h"

#include <stdio.h>
#include <string.h>

static void report(struct breaks *breaks, int64_t now_us, struct breaks_report *ret)
{
    *ret = (struct breaks_report){.seconds = (double)(now_us - breaks->since_us) / 1e6};
    size_t n = 0;
    for (int i = 0; i < VIEW_BREAKS; i++) {
        ret->breaks += breaks->count[i];
        if (breaks->count[i] && n < sizeof ret->causes)
            n += (size_t)snprintf(ret->causes + n, sizeof ret->causes - n, "%s%s %llu", n ? ", " : "", view_break_names[i],
                                  (unsigned long long)breaks->count[i]);
    }
    memset(breaks->count, 0, sizeof breaks->count);
    breaks->since_us = 0;
    breaks->told_us = now_us;
}

bool breaks_note(struct breaks *breaks, enum view_break cause, int64_t now_us, struct breaks_report *ret)
{
    if (cause == VIEW_BREAK_LOST || cause == VIEW_BREAK_LOOP)
        return false;
    breaks->count[cause]++;
    if (!breaks->since_us)
        breaks->since_us = now_us;
    breaks->at_us[breaks->next] = now_us;
    breaks->next = (breaks->next + 1) % BREAKS_MANY;
    int64_t oldest_us = breaks->at_us[breaks->next];
    if (!oldest_us || now_us - oldest_us > BREAKS_WITHIN_US ||
        (breaks->told_us && now_us - breaks->told_us < BREAKS_QUIET_US))
        return false;
    report(breaks, now_us, ret);
    return true;
}
