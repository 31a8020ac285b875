/* Filters of alerts and events: what a client or a sink wants to see of them. Plain data; a member that is 0 or empty restricts
 * nothing, but for `suppressed`. io/database/alert_rows.h reads the alerts that a filter takes. */
#ifndef MEMAED_CORE_FILTER_H
#define MEMAED_CORE_FILTER_H

#include <stdbool.h>

#include "core/event.h"
#include "core/record.h"

enum alert_filter_state { ALERT_ANY, ALERT_IS_OPEN, ALERT_IS_CLOSED, ALERT_IS_INTERRUPTED };
enum alert_filter_suppressed { ALERT_TOLD, ALERT_TOLD_OR_NOT, ALERT_NOT_TOLD };
enum filter_flag { FILTER_ANY, FILTER_NO, FILTER_YES };

/* An alert passes if all of it holds. */
struct alert_filter {
    char camera[RECORD_NAME_SIZE];
    enum alert_filter_state state;
    bool has_kind, has_from, has_to;
    enum alert_kind kind;
    int64_t from_us, to_us;             /* UTC; the alert was open at some time from from_us on, and before to_us */
    enum alert_filter_suppressed suppressed;    /* 0: only alerts that are told */
    enum filter_flag acknowledged, marked;
};

enum { EVENT_FILTER_CAMERAS_MAX = 16 };

struct event_filter {
    char cameras[EVENT_FILTER_CAMERAS_MAX][RECORD_NAME_SIZE];   /* [n_cameras]; the event's is one of them */
    size_t n_cameras;
    unsigned types;                     /* event_bit() of each */
};

/* Any thread. */
bool event_filter_takes(const struct event_filter *filter, enum event_type type, const char *camera);

#endif
