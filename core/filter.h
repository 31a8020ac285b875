/* Filters of alerts and events: which of them a client or a sink receives. Plain data; a member that is 0 or empty restricts
 * nothing, except `suppressed`. io/database/alert_rows.h reads the alerts that a filter takes. */
#ifndef MEMAED_CORE_FILTER_H
#define MEMAED_CORE_FILTER_H

#include <stdbool.h>

#include "core/event.h"
#include "core/record.h"

enum alert_filter_state { ALERT_ANY, ALERT_IS_OPEN, ALERT_IS_CLOSED, ALERT_IS_INTERRUPTED };
enum alert_filter_suppressed { ALERT_TOLD, ALERT_TOLD_OR_NOT, ALERT_NOT_TOLD };
enum filter_flag { FILTER_ANY, FILTER_NO, FILTER_YES };

/* An alert passes if it meets every member. */
struct alert_filter {
    char camera[RECORD_NAME_SIZE];
    enum alert_filter_state state;
    bool has_kind, has_from, has_to;
    enum alert_kind kind;
    int64_t from_us, to_us;             /* UTC; the alert was open at some time from from_us on, and before to_us */
    enum alert_filter_suppressed suppressed;    /* 0: only alerts that are told */
    enum filter_flag acknowledged, marked;
};

/* A filter of alerts, for a sink or a client; other events pass. An alert that is a test passes, too. The zones and the peak of
 * an alert only grow, so whoever is told of an opening is told of the closing, too. */
struct alert_limits {
    char zones[ZONES_MOST][ZONE_NAME_SIZE];     /* [n_zones]; the alert has touched one of them */
    size_t n_zones;
    bool has_min_score;
    double min_score;                   /* of the alert's peak so far */
};

/* The filter of a sink in the configuration. */
struct sink_filter {
    unsigned types;                     /* event_bit() of each */
    char **cameras;                     /* [n_cameras]; the event's camera is one of them. An event without one passes */
    size_t n_cameras;
    struct alert_limits alerts;
};

/* The filter of a client that follows events. */
enum { EVENT_FILTER_CAMERAS_MAX = 16 };

struct event_filter {
    char cameras[EVENT_FILTER_CAMERAS_MAX][RECORD_NAME_SIZE];   /* [n_cameras]; the event's camera is one of them. An event
                                                                 * without one does not pass */
    size_t n_cameras;
    unsigned types;                     /* event_bit() of each; 0: all */
    struct alert_limits alerts;
};

/* Returns true if the event passes. An event without an alert passes struct alert_limits. Any thread. */
bool sink_filter_takes(const struct sink_filter *filter, const struct event *event);
bool event_filter_takes(const struct event_filter *filter, const struct event *event);
/* Returns true if the limits restrict anything. */
bool alert_limits_any(const struct alert_limits *limits);

#endif
