/* The state of one camera as the web and the supervisor see it: written by the decoder's thread, read by any. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_STATUS_H
#define MEMAED_DAEMON_WATCH_CAMERA_STATUS_H

#include "io/base/lock.h"
#include "web/view.h"

struct camera_status {
    int changed_fd;             /* an eventfd that is written at each change of state; -1: none */
    struct lock lock;           /* a leaf; guards: */
    enum view_camera_state state;
    char reason[512];           /* why lost or stopped; redacted */
    char warning[256];          /* what is wrong with the pictures, shown as the reason while there is no other */
    double fps_in;
    enum view_time time;
    uint64_t frames_corrupt, reconnects, breaks[VIEW_BREAKS];
    bool frozen, slow;
    bool health_learning;
    struct view_health health[HEALTH_KINDS];
};

void camera_status_init(struct camera_status *status, int changed_fd);
void camera_status_destroy(struct camera_status *status);

/* reason is redacted already, and copied. */
void camera_status_set(struct camera_status *status, enum view_camera_state state, const char *reason);
/* warning is copied; "": the pictures are as learned. */
void camera_status_warn(struct camera_status *status, const char *warning);
void camera_status_set_frozen(struct camera_status *status, bool frozen);
void camera_status_set_slow(struct camera_status *status, bool slow);
void camera_status_set_health(struct camera_status *status, const struct view_health health[static HEALTH_KINDS], bool learning);
void camera_status_set_stream(struct camera_status *status, double fps_in, enum view_time time, uint64_t frames_corrupt);
void camera_status_count_reconnect(struct camera_status *status);
void camera_status_count_break(struct camera_status *status, enum view_break cause);

/* Sets state, reason, fps_in, time, frames_corrupt, reconnects, breaks, frozen, slow, health_learning and health of ret; no
 * other field. Any thread. */
void camera_status_view(struct camera_status *status, struct view_camera *ret);

#endif
