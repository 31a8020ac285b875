/* All that `memaed run` holds together, for the parts of daemon/ that see more than one of them. Set up by main's thread
 * before the threads start, and taken apart by it after they ended; in between the pointers stand still. */
#ifndef MEMAED_DAEMON_WATCH_DAEMON_H
#define MEMAED_DAEMON_WATCH_DAEMON_H

#include "core/network/plan.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/camera/camera.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/scheduler.h"
#include "io/base/lock.h"
#include "io/config/config.h"
#include "io/sinks/webhook.h"
#include "web/server.h"
#include "web/view.h"

struct daemon {
    struct config *config;
    struct plan **plans;                /* [n_plans], one a distinct model and precision; NULL where no camera wants it */
    size_t n_plans;
    struct alertlog *alerts;
    struct webhooks *webhooks;          /* NULL: none configured */
    struct events *events;
    struct camera **cameras;            /* [n_cameras] */
    size_t n_cameras;
    int workers;
    struct scheduler *scheduler;
    struct heartbeats heartbeats;
    struct view view;
    struct web_server *web;
    int64_t started_us;                 /* UTC */

    struct lock health_lock;            /* guards: */
    char stuck[80];                     /* which thread; empty: all are well */
};

/* What the web sees of the daemon. */
void daemon_view(struct daemon *daemon, struct view *ret);

#endif
