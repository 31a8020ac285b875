/* A camera is armed while its alerts are sent. Its schedule decides that, until somebody gives another order. Detection, scores
 * and health go on in every state. Pure; any thread. */
#ifndef MEMAED_CORE_ALERTING_ARMING_H
#define MEMAED_CORE_ALERTING_ARMING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/alerting/schedule.h"
#include "core/record.h"

/* The states, and the orders that lead to them. A disarmed camera that is snoozed, too, is disarmed. */
enum arming {
    ARMING_ARMED,
    ARMING_DISARMED,            /* somebody has disarmed it, until it is armed or for some time */
    ARMING_SNOOZED,             /* somebody has snoozed it for some time */
    ARMING_OFF_SCHEDULE,        /* its schedule has no span now */
    ARMING_STATES
};
const char *arming_name(enum arming arming);            /* "armed", "disarmed", "snoozed", "off_schedule" */

/* The orders that people give. */
enum arming_action {
    ARMING_ARM,                 /* ends the other two orders; the schedule goes on */
    ARMING_DISARM,              /* for some time, or until the camera is armed */
    ARMING_SNOOZE               /* for some time */
};

struct arming_order {
    int64_t since_us;           /* UTC; 0: not ordered */
    int64_t until_us;           /* UTC; INT64_MAX: until the camera is armed */
    char by[RECORD_NAME_SIZE];  /* who; "": not said */
};

/* The latest order of each kind for one camera. */
struct arming_orders {
    struct arming_order disarm, snooze;
};

/* Returns the state at the moment now_us (UTC). Writes to *until_us the first moment at which it may be another; INT64_MAX: it
 * stays. */
enum arming arming_at(const struct arming_orders *orders, const struct schedule *schedule, const struct schedule_place *place,
                      int64_t now_us, int64_t *until_us);

#endif
