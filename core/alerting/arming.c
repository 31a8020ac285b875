#include "core/alerting/arming.h"

const char *arming_name(enum arming arming)
{
    static const char *const names[ARMING_STATES] = {
        [ARMING_ARMED] = "armed", [ARMING_DISARMED] = "disarmed", [ARMING_SNOOZED] = "snoozed",
        [ARMING_OFF_SCHEDULE] = "off_schedule",
    };
    return names[arming];
}

static bool lasts(const struct arming_order *order, int64_t now_us)
{
    return order->since_us != 0 && now_us < order->until_us;
}

static int64_t floor_seconds(int64_t us)
{
    return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000);
}

enum arming arming_at(const struct arming_orders *orders, const struct schedule *schedule, const struct schedule_place *place,
                      int64_t now_us, int64_t *until_us)
{
    if (lasts(&orders->disarm, now_us)) {
        *until_us = orders->disarm.until_us;
        return ARMING_DISARMED;
    }
    if (lasts(&orders->snooze, now_us)) {
        *until_us = orders->snooze.until_us;
        return ARMING_SNOOZED;
    }
    int64_t now_s = floor_seconds(now_us), next_s = schedule_next(schedule, place, now_s);
    *until_us = next_s == INT64_MAX ? INT64_MAX : next_s * 1000000;
    return schedule_holds(schedule, place, now_s) ? ARMING_ARMED : ARMING_OFF_SCHEDULE;
}
