/* The decoder's side of one camera. It opens the source and fills the ring of frames at the stream's own pace. It reports when
 * the camera is lost, restored, frozen, slow or at its end, and the faults of its pictures (daemon/watch/camera/diagnosis.h).
 *
 * A file plays by its time stamps against the clock, from its first picture on; a late picture is not waited for. A live
 * source paces itself. The camera's own thread calls; camera_stream_stop() may be called from any. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_STREAM_H
#define MEMAED_DAEMON_WATCH_CAMERA_STREAM_H

#include "core/error.h"
#include "core/still/still.h"
#include "daemon/watch/camera/keeping.h"
#include "daemon/watch/camera/status.h"
#include "daemon/watch/camera/windows.h"
#include "daemon/watch/events.h"
#include "daemon/watch/health/baselines.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/scheduler.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "io/video/packets/packet_ring.h"

struct camera_stream;

struct camera_stream_options {
    const struct config_camera *config;     /* borrowed until close, as is all below */
    double fps;                             /* frames analysed a second; 0: every frame */
    struct camera_windows *windows;
    struct capture_host *host;              /* forks the process that reads the source; NULL: this thread reads it */
    int memory_mib;                         /* most memory of the process */
    struct packet_ring *packets;            /* keeps the packets; NULL: nobody does */
    struct camera_keeping *keeping;         /* another stream that is kept for clips, whose loss is shown; NULL: none */
    const struct still_memory *still;       /* copied; NULL: what stands still is not watched */
    const float *zone_shifts;               /* of still_watch_open(); read during the opening; NULL: none */
    float still_threshold;                  /* the level that opens an alert; INFINITY: none does */
    struct camera_status *status;
    struct events *events;
    struct alertlog *alerts;                /* gives ids; as in struct diagnosis_options */
    struct baselines *baselines;            /* as in struct diagnosis_options */
    struct heartbeat *beat;
};

int camera_stream_open(struct camera_stream **ret, const struct camera_stream_options *options);    /* 0, -EINVAL, -ENOMEM */
void camera_stream_close(struct camera_stream *stream);         /* takes NULL; its thread has ended */

/* Sets the scheduler to which windows that come due are reported. Call it before the thread starts. */
void camera_stream_set_scheduler(struct camera_stream *stream, struct scheduler *scheduler, struct scheduled *client);

/* Tells the thread to end: every call below returns soon. Returns at once. Any thread may call it. */
void camera_stream_stop(struct camera_stream *stream);
bool camera_stream_stopped(const struct camera_stream *stream);
/* Waits until until_us (CLOCK_MONOTONIC). false: the thread is to end. */
bool camera_stream_wait_until(struct camera_stream *stream, int64_t until_us);

/* Plays the source once. 0: it ended; -errno with the cause in err. *pictures: how many it gave. */
int camera_stream_play(struct camera_stream *stream, uint64_t *pictures, struct error *err);
/* A file has ended after that many pictures and is to be played again: waits until its last picture has stood as long as the
 * others. Warns if the file has too few pictures for a window. */
void camera_stream_begin_again(struct camera_stream *stream, uint64_t pictures);

/* The camera is lost: the sequence ends, and camera.lost is posted, unless it was since the last camera.restored. If it was,
 * a cause that differs from the last one is logged. */
void camera_stream_lose(struct camera_stream *stream, const char *cause);
/* A file has ended for good, after that many pictures. */
void camera_stream_end(struct camera_stream *stream, uint64_t pictures);

/* The camera is not watched any more: faults of its picture close. */
void camera_stream_finish(struct camera_stream *stream);

/* As diagnosis_relearn(). Any thread. */
bool camera_stream_relearn(struct camera_stream *stream);

bool camera_stream_is_live(const struct camera_stream *stream);
/* A file of this machine, whose end is no loss. */
bool camera_stream_is_file(const struct camera_stream *stream);

#endif
