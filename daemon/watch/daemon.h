/* All parts of `memaed run`, for the files of daemon/watch that see more than one of them. Main's thread sets it up
 * before the threads start, and takes it apart after they ended. In between the pointers stay, except config, which a
 * reload changes and main's thread alone reads. */
#ifndef MEMAED_DAEMON_WATCH_DAEMON_H
#define MEMAED_DAEMON_WATCH_DAEMON_H

#include "daemon/watch/alertlog.h"
#include "daemon/watch/alerting/arming.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/copies.h"
#include "daemon/watch/evidence/evidence.h"
#include "daemon/watch/evidence/retention.h"
#include "daemon/watch/fleet.h"
#include "daemon/watch/health/baselines.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/sinks/sinks.h"
#include "daemon/watch/store/reader.h"
#include "daemon/watch/store/store.h"
#include "io/base/lock.h"
#include "io/config/config.h"
#include "web/server.h"
#include "web/view.h"

enum { RELOAD_REQUESTS_MAX = 16 };

struct reload_request {
    view_reload_done *done;
    void *arg;
};

struct daemon {
    struct config *config;              /* applied last; a reference */
    struct config *started_by;          /* applied first; a reference */
    struct heartbeats heartbeats;
    int state_fd;                       /* state_dir, locked; -1: not yet */
    struct store *store;
    struct reader *reader;              /* of the store, for the web */
    struct alertlog *alerts;
    struct events *events;
    struct arming_desk *arming;
    struct evidence *evidence;
    struct copies *copies;
    struct retention *retention;
    struct baselines *baselines;
    struct sinks *sinks;                /* opened before the store's thread starts */
    struct fleet *fleet;
    struct view view;
    struct web_server *web;
    int workers;
    int events_fd;                      /* an eventfd; wakes the web's thread when an event is committed. -1: not yet */
    int changed_fd;                     /* an eventfd; wakes main's thread on a change of state or a reload request */
    int64_t started_us;                 /* UTC */

    struct lock lock;                   /* a leaf; guards: */
    char stuck[HEARTBEAT_NAME_SIZE];    /* which thread; empty: all are well */
    struct reload_request requests[RELOAD_REQUESTS_MAX];
    size_t n_requests;
    bool closing;                       /* no further request is taken */
};

/* Fills in the functions by which the web sees the daemon. */
void daemon_view(struct daemon *daemon, struct view *ret);

/* Tells the store the endpoints of config, and how long rows are kept. config is borrowed until another one is told, or the store
 * has closed. */
void daemon_configure_store(struct daemon *daemon, const struct config *config);

#endif
