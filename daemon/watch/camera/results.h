/* One camera's scores, in the order of its windows. They go to the log of scores, to the alerts
 * (daemon/watch/camera/alerting.h), and into the figures that the web shows.
 *
 * A slow window is scored, but the calibration does not apply to its score. It has no p-value and does not feed the drift
 * monitor. For the alert rule it counts as below every threshold: it opens no alert, and n such windows in a row close one.
 *
 * A break of the sequence clears the alert rule's memory, and ends a cause that lasts (alert_gap()). Where the camera is lost,
 * an open alert closes. It closes as soon as the windows that were due before have been scored, or at the first result after
 * them. An alert of what stands still has a state machine of its own, and a break does not close it, because the thing stays. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_RESULTS_H
#define MEMAED_DAEMON_WATCH_CAMERA_RESULTS_H

#include "core/alerting/policy.h"
#include "core/score/alert.h"
#include "core/score/calibration.h"
#include "core/still/still.h"
#include "core/zones/zones.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"
#include "daemon/watch/scheduler.h"
#include "io/video/frame_ring.h"
#include "web/view.h"

struct results;

struct results_options {
    const char *camera;                 /* copied */
    const char *model;                  /* its path; borrowed until close */
    const struct alert_rule *rule;      /* copied; NULL: scores only */
    const struct policy_rule *policy;   /* copied, for each kind of alerts; not NULL if there is a rule */
    unsigned hold, mark;                /* kinds of faults of the picture, as struct alerting_options has them */
    int64_t lasting_us;                 /* an alert that is open for longer is told as EVENT_NORMAL_CHANGED */
    const struct calibration *calibration;      /* its tail and deciles are copied; NULL, or without them: no p-values, no
                                                 * drift */
    double windows_a_day;               /* > 0 where there is a tail */
    int frames_per_window;              /* new frames that a window analyses: the lesser of stride and length */
    size_t scores_kept;                 /* ALERT_MAX_N or more, where there is a rule */
    /* Borrowed until close. */
    const struct zones *zones;          /* alerts name those that they touch; NULL: none */
    struct frame_ring *ring;
    struct alertlog *alerts;
    struct events *events;
    struct arming_desk *arming;         /* NULL: always armed */
};

int results_open(struct results **ret, const struct results_options *options);      /* 0, -EINVAL, -ENOMEM */
void results_close(struct results *results);            /* takes NULL */

/* Takes the next result; one call at a time (as the scheduler commits). Allocates for events alone. */
void results_commit(struct results *results, const struct scheduler_result *result);

/* Takes a tick of what stands still (still_watch_add()), at time_us (UTC). The decoder's thread. */
void results_still(struct results *results, const struct still_result *still, int64_t time_us, int64_t pts_us);

/* No more ticks will come: an open alert of what stands still closes. */
void results_still_end(struct results *results, int64_t time_us);

/* The faults of the picture that hold from now on, and the light, as of alerting_faults(). The decoder's thread. */
void results_set_faults(struct results *results, unsigned faults, bool light_alone, int64_t time_us);

/* The camera was lost at time_us (UTC), after frame_ring_break(). The decoder's thread. */
void results_break(struct results *results, int64_t time_us);
/* The camera ends: an open alert closes at once. Whatever comes later, from a worker or a decoder that is stuck, is dropped:
 * alerts and events are not touched any more. */
void results_end(struct results *results, int64_t time_us);

/* Sets windows_scored, windows_static, windows_slow, alerts, alerts_suppressed, has_score, last_score, drift, drift_by_voice,
 * latency_ms, latencies, latency_seconds, alert_open, threshold, provisional and fps_analysed; no other field. Any thread; takes
 * a leaf lock for a copy. */
void results_view(struct results *results, struct view_camera *ret);
/* Reads the log of scores, as scorelog_read(). */
size_t results_scores(struct results *results, uint64_t from, struct score_record *ret, size_t max,
                      struct record_range *range);

#endif
