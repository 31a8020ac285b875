/* The life of one camera. A thread of its own decodes the source (camera/stream.h); workers run the network over the
 * windows that come due (camera/windows.h).
 *
 * The thread plays the source and, whatever happens, opens it again, for ever, after a jittered back-off from half a
 * second to half a minute. The back-off starts over once a stream has lasted half a minute. So a camera that comes
 * and goes sooner is tried less and less often. At the end of a file it begins again (`loop`), or the thread ends.
 *
 * States
 *   starting   before the first picture, or the first failure
 *   warming    pictures flow, but fewer than a window holds since the sequence began
 *   watching   windows come due
 *   lost       the source could not be opened, failed, stalled or ended
 *   stopped    a file has ended, and its last window is scored
 *
 * camera.lost and camera.restored always take turns: camera.lost at the first failure, camera.restored when a whole
 * window of pictures has come in one unbroken sequence. A stream that fails again before that is no new loss, nor is a
 * failure to reconnect. A loss closes the camera's open alert.
 *
 * Order of life: camera_open, camera_start, camera_go, camera_stop, camera_join, camera_leave, camera_end, camera_close.
 * One thread does all of it (the fleet's); camera_view() and camera_scores() are for any. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_CAMERA_H
#define MEMAED_DAEMON_WATCH_CAMERA_CAMERA_H

#include "core/error.h"
#include "core/network/plan.h"
#include "core/score/alert.h"
#include "core/score/calibration.h"
#include "core/still/still.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/evidence.h"
#include "daemon/watch/health/baselines.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/scheduler.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "web/view.h"

struct camera;

struct camera_options {
    uint32_t id;                            /* for view_camera.id */
    struct config *owner;                   /* the configuration that config is part of; the camera takes a reference */
    const struct config_camera *config;
    const struct calibration *calibration;  /* copied; NULL: the score is the reference */
    const struct still_memory *still;       /* copied; NULL: what stands still is not watched */
    const struct plan *plan;                /* borrowed until close */
    double fps;                             /* frames analysed a second; 0: every frame */
    const struct alert_rule *rule;          /* copied; NULL: scores only */
    const float *zone_shifts;               /* read during the call: zone_alerts_shifts(); NULL: none */
    int readers;                            /* workers of the scheduler */
    /* Borrowed until close: */
    struct capture_host *host;              /* forks the process that reads the camera; NULL: the camera's thread reads it */
    struct scheduler *scheduler;
    struct alertlog *alerts;
    struct events *events;
    struct arming_desk *arming;
    struct evidence *evidence;              /* keeps evidence of the camera's alerts; NULL: nobody does */
    struct baselines *baselines;            /* keeps what the diagnosis learns; NULL: nobody does */
    struct heartbeats *heartbeats;          /* the thread's beat joins it */
    int changed_fd;                         /* an eventfd that is written when a state changes; -1: none */
};

/* 0, -EINVAL or -ENOMEM with the cause in err. The scheduler knows the camera from here on. */
int camera_open(struct camera **ret, const struct camera_options *options, struct error *err);

/* Starts the thread, which waits for camera_go(). 0 or -errno. */
int camera_start(struct camera *camera);
void camera_go(struct camera *camera);
/* Tells the thread to end; returns at once. A source that is being read is interrupted. May be called before camera_go(). */
void camera_stop(struct camera *camera);
/* false: the thread still runs at deadline_us (CLOCK_MONOTONIC), stuck in the source, and goes on using the camera. */
bool camera_join(struct camera *camera, int64_t deadline_us);
/* After camera_join() returned true: the scheduler forgets the camera. false: a window still runs at deadline_us. Not needed
 * where all workers have ended. */
bool camera_leave(struct camera *camera, int64_t deadline_us);
/* Pending windows are skipped, an open alert closes, the counts are logged. A thread or worker that is stuck may go on, but
 * reaches no alert and no event any more. A second call does nothing. */
void camera_end(struct camera *camera);
void camera_close(struct camera *camera);       /* takes NULL; the thread has ended, and no worker runs a window of it */

uint32_t camera_id(const struct camera *camera);
const char *camera_name(const struct camera *camera);
const struct config_camera *camera_config(const struct camera *camera);
const struct plan *camera_plan(const struct camera *camera);

/* Any thread; takes leaf locks for a copy. windows_due = windows_scored + windows_skipped + windows_pending, always. */
void camera_view(struct camera *camera, struct view_camera *ret);
/* As diagnosis_relearn(). Any thread. */
bool camera_relearn(struct camera *camera);
/* Reads the log of scores, as scorelog_read(). */
size_t camera_scores(struct camera *camera, uint64_t from, struct score_record *ret, size_t max, struct record_range *range);

#endif
