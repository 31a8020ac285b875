/* The alerts of one camera and kind. Scores go to the alert rule (core/score/alert.h). The camera's arming
 * (daemon/watch/alerting/arming.h), faults of its picture and the policy (core/alerting/policy.h) decide which alerts are
 * told. All go to the log of alerts. An alert is told by two events: one when nothing suppresses it, as it opens or later, and
 * one as it closes. Only events allocate memory. One thread or lock. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_ALERTING_H
#define MEMAED_DAEMON_WATCH_CAMERA_ALERTING_H

#include "core/alerting/light_hold.h"
#include "core/alerting/policy.h"
#include "core/score/alert.h"
#include "core/zones/zones.h"
#include "daemon/watch/alerting/arming.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/camera/scorelog.h"
#include "daemon/watch/events.h"

struct alerting_options {
    enum alert_kind kind;
    struct alert_rule rule;
    struct policy_rule policy;
    int64_t lasting_us;                 /* a told alert that is open for longer is reported as EVENT_NORMAL_CHANGED */
    /* Borrowed for as long as alerts are taken. */
    const char *camera, *model;         /* a name, and a path */
    const struct zones *zones;          /* of the camera; NULL: none */
    unsigned hold, mark;                /* kinds of faults of the picture, as sets of health_bit(). A fault of `hold`
                                         * suppresses alerts. Faults of both are noted in the record of an open alert */
    struct scorelog *scores;            /* the records of all windows, by the numbers that they have here; NULL: there are
                                         * none, and the rule is 1 of 1 */
    struct alertlog *alerts;
    struct events *events;
    struct arming_desk *arming;         /* NULL: the camera is always armed */
};

/* Private, but for what is marked public. */
struct alerting {
    struct alerting_options options;
    bool alerts;                        /* public: set by alerting_init(). In a zeroed struct it is false, and nothing is taken */
    struct alert_state state;
    struct policy policy;
    struct light_hold light;            /* of anomalies */
    struct alert_record record;         /* the open alert, or the last one, or the cause that lasts */
    bool told_lasting;                  /* normal.changed was posted for the open alert */
    unsigned faults;                    /* that hold now */
    bool light_ends, light_alone;       /* the light has changed, as of lit_us, but for windows up to that */
    int64_t lit_us;
    unsigned touched;                   /* bit z is set for each zone that the open alert's boxes have touched */
    int64_t end_pts_us;                 /* time stamp of the last cause's last window */
    uint64_t told;                      /* public: alerts */
    uint64_t suppressed[SUPPRESSED_REASONS];    /* public: alerts that were not told as they opened, by the first reason */
};

/* A window, or a tick of what stands still. */
struct alerting_window {
    float score;
    int64_t time_us, pts_us;
    int zone;                           /* the zone whose own budget the score goes by; -1: it goes by the camera's */
    struct voices voices;
    struct boxes boxes;
};

void alerting_init(struct alerting *alerting, const struct alerting_options *options);

/* Takes the next window; where there is a log of scores, after it was appended there. */
void alerting_take(struct alerting *alerting, const struct alerting_window *window);
/* The kinds of faults of the camera's picture that hold from the picture at time_us on, as bits; with them HEALTH_LIGHT, while
 * the light changes. Windows may be scored later: a change of light applies to those up to its last picture. light_alone: nothing
 * has come into the picture (health_light_is_alone()). */
void alerting_faults(struct alerting *alerting, unsigned faults, bool light_alone, int64_t time_us);
/* The sequence broke and goes on; the sequence ends (alert_gap(), alert_break()). */
void alerting_gap(struct alerting *alerting, int64_t time_us);
void alerting_break(struct alerting *alerting, int64_t time_us);

/* Returns true if an alert is open that was told. */
bool alerting_is_open(const struct alerting *alerting);

#endif
