/* What happened, told twice: a line in the log, and a webhook event. Any thread; never waits for the network. webhooks
 * may be NULL: none configured. */
#ifndef MEMAED_DAEMON_WATCH_EVENTS_H
#define MEMAED_DAEMON_WATCH_EVENTS_H

#include "io/sinks/webhook.h"
#include "web/view.h"

/* closed_us of the alert says which: opened or closed. */
void event_alert(struct webhooks *webhooks, const struct view_alert *alert);

/* event: CONFIG_CAMERA_LOST or CONFIG_CAMERA_RESTORED. */
void event_camera(struct webhooks *webhooks, enum config_event event, const char *camera, const char *reason);

/* holds_no_more: the calibration ceased to hold; else it holds again. To the log alone. */
void event_drift(const char *camera, bool holds_no_more, double distance);

/* frozen: the camera's pictures began to repeat, and have for so many seconds; else they differ again, or
 * their sequence has ended. To the log alone. */
void event_frozen(const char *camera, bool frozen, double seconds);

#endif
