/* The workers' side of one camera: the ring of frames that the decoder fills, the network that runs over its windows, and where
 * its results go. Opened and closed by the camera; run by the scheduler's workers. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_WINDOWS_H
#define MEMAED_DAEMON_WATCH_CAMERA_WINDOWS_H

#include "core/score/alert.h"
#include "core/score/calibration.h"
#include "daemon/watch/camera/results.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/peak.h"
#include "daemon/watch/scheduler.h"
#include "io/capture/memory.h"
#include "io/config/config.h"

struct camera_windows;

struct camera_windows_options {
    const struct config_camera *config;         /* borrowed until close */
    const struct calibration *calibration;      /* copied; NULL: the score is the reference */
    const struct plan *plan;                    /* borrowed until close */
    double fps;                                 /* frames analysed a second; 0: every frame */
    const struct alert_rule *rule;              /* copied; NULL: scores only */
    const float *zone_shifts;                   /* read during the call: of config->zones; NULL: none has a budget of its own */
    int readers;                                /* workers of the scheduler */
    bool keeps_peak;                            /* camera_windows_peak() is wanted */
    bool shared;                                /* the pictures lie in memory that another process can write */
    struct alertlog *alerts;                    /* borrowed until close */
    struct events *events;                      /* borrowed until close */
    struct arming_desk *arming;                 /* the same; NULL: always armed */
};

/* 0, -EINVAL or -ENOMEM. */
int camera_windows_open(struct camera_windows **ret, const struct camera_windows_options *options);
void camera_windows_close(struct camera_windows *windows);      /* takes NULL; no worker runs a window of it */

/* The client that a scheduler takes; its arg is windows. */
struct scheduler_client camera_windows_client(struct camera_windows *windows);

struct frame_ring *camera_windows_ring(struct camera_windows *windows);
/* The memory of the ring's pictures; NULL: it is not shared. */
const struct capture_memory *camera_windows_memory(const struct camera_windows *windows);
struct results *camera_windows_results(struct camera_windows *windows);
/* The frames of the window with the highest score; NULL: nobody wanted them, or there is no rule. */
struct peak *camera_windows_peak(struct camera_windows *windows);
const struct calibration *camera_windows_calibration(const struct camera_windows *windows);     /* NULL: none */
const struct regions *camera_windows_regions(const struct camera_windows *windows);             /* NULL: all cells count alike */
const struct arch *camera_windows_arch(const struct camera_windows *windows);
enum precision camera_windows_precision(const struct camera_windows *windows);

/* Returns true if the frame has been the same for longer than the model's frozen_s. Any thread. */
bool camera_windows_is_frozen(const struct camera_windows *windows, const struct frame_ring_frame *frame);

#endif
