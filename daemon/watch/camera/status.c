#include "daemon/watch/camera/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void camera_status_init(struct camera_status *status, int changed_fd)
{
    *status = (struct camera_status){.changed_fd = changed_fd};
    lock_init(&status->lock, LOCK_VIEW);
}

void camera_status_destroy(struct camera_status *status)
{
    lock_destroy(&status->lock);
}

void camera_status_set(struct camera_status *status, enum view_camera_state state, const char *reason)
{
    lock_take(&status->lock);
    bool changed = status->state != state;
    status->state = state;
    snprintf(status->reason, sizeof status->reason, "%s", reason);
    if (state == VIEW_LOST || state == VIEW_STOPPED) {
        status->fps_in = 0;
        status->time = VIEW_TIME_UNKNOWN;
    }
    lock_give(&status->lock);
    if (changed && status->changed_fd >= 0) {
        ssize_t r = write(status->changed_fd, &(uint64_t){1}, sizeof(uint64_t));
        (void)r;        /* fails only where nobody has read 2^64 changes */
    }
}

void camera_status_warn(struct camera_status *status, const char *warning)
{
    lock_take(&status->lock);
    snprintf(status->warning, sizeof status->warning, "%s", warning);
    lock_give(&status->lock);
}

void camera_status_set_frozen(struct camera_status *status, bool frozen)
{
    lock_take(&status->lock);
    status->frozen = frozen;
    lock_give(&status->lock);
}

void camera_status_set_slow(struct camera_status *status, bool slow)
{
    lock_take(&status->lock);
    status->slow = slow;
    lock_give(&status->lock);
}

void camera_status_set_health(struct camera_status *status, const struct view_health health[static HEALTH_KINDS], bool learning)
{
    lock_take(&status->lock);
    memcpy(status->health, health, sizeof status->health);
    status->health_learning = learning;
    lock_give(&status->lock);
}

void camera_status_set_stream(struct camera_status *status, double fps_in, enum view_time time, uint64_t frames_corrupt)
{
    lock_take(&status->lock);
    status->fps_in = fps_in;
    status->time = time;
    status->frames_corrupt = frames_corrupt;
    lock_give(&status->lock);
}

void camera_status_count_reconnect(struct camera_status *status)
{
    lock_take(&status->lock);
    status->reconnects++;
    lock_give(&status->lock);
}

void camera_status_count_break(struct camera_status *status, enum view_break cause)
{
    lock_take(&status->lock);
    status->breaks[cause]++;
    lock_give(&status->lock);
}

void camera_status_view(struct camera_status *status, struct view_camera *ret)
{
    lock_take(&status->lock);
    ret->state = status->state;
    memcpy(ret->reason, *status->reason ? status->reason : status->warning, sizeof ret->reason);
    ret->fps_in = status->fps_in;
    ret->time = status->time;
    ret->frames_corrupt = status->frames_corrupt;
    ret->reconnects = status->reconnects;
    ret->frozen = status->frozen;
    ret->slow = status->slow;
    memcpy(ret->health, status->health, sizeof ret->health);
    ret->health_learning = status->health_learning;
    memcpy(ret->breaks, status->breaks, sizeof ret->breaks);
    lock_give(&status->lock);
}
