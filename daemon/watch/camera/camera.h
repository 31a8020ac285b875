/* One camera: the thread that decodes it, the ring between that thread and the workers, and what is known of it.
 *
 * The decoder thread opens the source, fills the ring at the stream's own pace and, whatever happens, opens it again, for
 * ever, after a jittered back-off from half a second to half a minute. The back-off starts over once a stream has flowed
 * for half a minute, so that a camera that comes and goes slows down. A file plays by its timestamps against the clock, from
 * its first picture on; pictures that are late are not waited for. At its end it begins again (`loop`), or the thread ends.
 *
 * States
 *   starting   before the first picture, or the first failure
 *   warming    pictures flow, but since the sequence began fewer than a window holds
 *   watching   windows come due
 *   lost       the source could not be opened, failed, stalled or ended
 *   stopped    a file has ended, and its last window is scored
 *
 * Lost and restored are events, always in turns: camera.lost at the first failure, camera.restored when a whole window of
 * pictures has come in one unbroken sequence. A stream that fails again before that is no new loss, nor are failures to
 * reconnect. A loss closes the camera's open alert.
 *
 * Order of life: camera_open, scheduler_open over camera_client()s, camera_start, camera_stop, camera_join, scheduler_join, camera_end,
 * scheduler_close, camera_close. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_CAMERA_H
#define MEMAED_DAEMON_WATCH_CAMERA_CAMERA_H

#include "core/error.h"
#include "core/network/plan.h"
#include "core/score/alert.h"
#include "core/score/calibration.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/scheduler.h"
#include "io/config/config.h"
#include "web/view.h"

struct camera;

struct camera_options {
    uint32_t id;                            /* of view_camera */
    const struct config_camera *config;     /* borrowed until close, as are the pointers below, but for rule */
    const struct calibration *calibration;      /* copied; NULL: the score is the reference */
    const struct plan *plan;
    double fps;                             /* analysed; 0: every frame */
    const struct alert_rule *rule;          /* NULL: scores only */
    int readers;                            /* workers of the scheduler */
    struct alertlog *alerts;
    struct events *events;
    struct heartbeats *heartbeats;          /* the thread's beat is added here */
    int changed_fd;                         /* an eventfd that is told when a state changes; -1: none */
};

int camera_open(struct camera **ret, const struct camera_options *options, struct error *err);  /* 0, -EINVAL, -ENOMEM */
struct scheduler_client camera_client(struct camera *camera);

/* Starts the thread; the camera is client `index` of the scheduler. 0 or -errno. */
int camera_start(struct camera *camera, struct scheduler *scheduler, size_t index);
/* Tells the thread to end; returns at once. A source that is being read is interrupted. */
void camera_stop(struct camera *camera);
/* false: the thread still runs at deadline_us (CLOCK_MONOTONIC), stuck in the source. It goes on using the camera, its
 * ring and the scheduler: nothing of that may be freed. */
bool camera_join(struct camera *camera, int64_t deadline_us);
/* The last words: what is due is given up, an open alert closes, the counts are logged. No thread and no worker is at it
 * any more. */
void camera_end(struct camera *camera);
void camera_close(struct camera *camera);       /* takes NULL */

const char *camera_name(const struct camera *camera);

/* Any thread; takes leaf locks for a copy. windows_due = windows_scored + windows_skipped + windows_pending, always. */
void camera_view(struct camera *camera, struct view_camera *ret);
/* As scorelog_read(). */
size_t camera_scores(struct camera *camera, uint64_t from, struct score_record *ret, size_t max, struct record_range *range);

#endif
