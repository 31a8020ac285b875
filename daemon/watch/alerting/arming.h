/* The arming desk knows for each camera whether its alerts are sent now (core/alerting/arming.h). It goes by the schedule in
 * the configuration and the orders that people give by REST. Cameras are known by their names, so that orders hold over a
 * reload, and by arming_restore() over a restart.
 *
 * arming_tick() posts an event, camera.armed or camera.disarmed, for each change of a camera's state, whatever its cause. Any
 * thread, unless a function says otherwise; each call takes a leaf lock. */
#ifndef MEMAED_DAEMON_WATCH_ALERTING_ARMING_H
#define MEMAED_DAEMON_WATCH_ALERTING_ARMING_H

#include "core/alerting/arming.h"
#include "daemon/watch/events.h"
#include "io/config/config.h"

struct arming_desk;
struct arming_change;

struct arming_status {
    enum arming state;
    int64_t until_us;           /* UTC, when the state ends by itself; INT64_MAX: it does not */
    struct arming_order order;  /* of a camera that is disarmed or snoozed; else zeroes */
};

struct arming_options {
    struct events *events;      /* borrowed until close */
    /* Keeps the orders of a camera for the next start; never blocks. NULL: they are not kept. */
    void (*keep)(void *arg, const char *camera, const struct arming_orders *orders);
    void *arg;
};

int arming_open(struct arming_desk **ret, const struct arming_options *options);        /* 0 or -ENOMEM */
void arming_close(struct arming_desk *desk);            /* takes NULL */

/* The cameras and schedules of a configuration are taken in two steps, of which only the first can fail. Main's thread.
 *
 * arming_prepare(): 0; -ENOMEM, or -EINVAL where a time zone has vanished since the configuration was read, with the cause in
 * err. arming_adopt() replaces the cameras and schedules, and takes change. Orders stay, but those of a camera that leaves the
 * configuration end. arming_forget() frees a change that is not adopted; it takes NULL. */
int arming_prepare(struct arming_change **ret, const struct config *config, struct error *err);
void arming_adopt(struct arming_desk *desk, struct arming_change *change);
void arming_forget(struct arming_change *change);
/* Takes the orders that were kept of a camera, before the first tick. Orders of a camera that is not configured end. */
void arming_restore(struct arming_desk *desk, const char *camera, const struct arming_orders *orders);

/* Returns the state of a camera at the moment now_us (UTC). A camera that is not configured (any more) is armed. */
enum arming arming_state(struct arming_desk *desk, const char *camera, int64_t now_us);
/* Writes the state with its end and its order. false: no camera has that name. */
bool arming_status(struct arming_desk *desk, const char *camera, int64_t now_us, struct arming_status *ret);

/* Carries out an order. minutes: how long it lasts; 0: until the camera is armed (not for ARMING_SNOOZE; always for
 * ARMING_ARM). by: who gives it, copied; "": not said. 0; -ENOENT: no camera has that name; -EINVAL: minutes that the action
 * does not take. */
int arming_order(struct arming_desk *desk, const char *camera, enum arming_action action, int minutes, const char *by);

/* Posts an event for each camera whose state is another than at the last tick. Main's thread calls it once a second and after an
 * order. */
void arming_tick(struct arming_desk *desk);

#endif
