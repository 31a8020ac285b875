/* The diagnosis of one camera's pictures while it is watched. Pictures of the ring of frames go to core/health as they are: gray,
 * at the model's size, with masks. What opens and closes becomes events, the status of the camera has the rest, and alerts are
 * told of the faults that hold.
 *
 * Nothing is said twice. A fault of the kind slow has no event where a rate is to be analysed: camera.slow tells that. A fault of
 * the kind frozen has none where each picture is the same as the one before and the model was calibrated for static scenes:
 * camera.frozen tells that.
 *
 * The baseline says what the camera is like without a fault. It is kept over restarts (daemon/watch/health/baselines.h): as soon
 * as it is learned, after each ten minutes of pictures that were learned, and at the end. The first picture goes on with it.
 *
 * An event has the camera before the fault and now (daemon/watch/health/sights.h), where evidence.snapshots is on.
 *
 * The camera's own thread calls, but for diagnosis_relearn(). Nothing is allocated but for events, for sights and for what is
 * kept. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_DIAGNOSIS_H
#define MEMAED_DAEMON_WATCH_CAMERA_DIAGNOSIS_H

#include "daemon/watch/alertlog.h"
#include "daemon/watch/camera/results.h"
#include "daemon/watch/camera/status.h"
#include "daemon/watch/events.h"
#include "daemon/watch/health/baselines.h"
#include "io/config/config.h"
#include "io/video/packets/packet_ring.h"
#include "io/video/source.h"

struct diagnosis;

struct diagnosis_options {
    const struct config_camera *config;     /* borrowed until close, as is all below */
    int height, width;                      /* of the pictures */
    double fps;                             /* analysed a second; 0: every picture */
    bool has_slow, has_frozen;              /* camera.slow and camera.frozen can be told */
    struct camera_status *status;
    struct results *results;                /* is told which faults hold; NULL: nobody is */
    struct events *events;
    struct alertlog *alerts;                /* gives faults their ids */
    struct packet_ring *packets;            /* of the stream; NULL: a fault is shown beside gray pictures alone */
    struct baselines *baselines;            /* NULL: nothing is kept over a restart */
};

/* *ret becomes NULL where nothing is to be diagnosed: the configuration says so, or pictures are too small or too large, which is
 * logged. 0, or -ENOMEM (*ret untouched). */
int diagnosis_open(struct diagnosis **ret, const struct diagnosis_options *options);
void diagnosis_close(struct diagnosis *diagnosis);      /* takes NULL */

/* The times of pictures begin anew with the next one. Takes NULL, as do the functions below. */
void diagnosis_break(struct diagnosis *diagnosis);
/* Takes the next picture. pixels [height, width]; of one that is flagged as corrupt they may be NULL, if it may show what masks
 * cover. time_us: UTC; same_since_us: since when, by time stamps, the picture has been the same. */
void diagnosis_add(struct diagnosis *diagnosis, const uint8_t *pixels, const struct source_frame *picture, int64_t time_us,
                   int64_t same_since_us);
/* No more pictures come: open faults close. */
void diagnosis_end(struct diagnosis *diagnosis);

/* Deletes the kept baseline now. The camera is learned anew from its next picture on, and open faults close then. Any thread.
 * false: diagnosis is NULL, and nothing is diagnosed. */
bool diagnosis_relearn(struct diagnosis *diagnosis);

#endif
