/* All cameras of the daemon, and the workers that they share. Cameras come, go and are replaced by name while the others
 * run.
 *
 * A camera has an id that no other camera of this process ever has. A camera that is replaced by one of the same name is
 * another camera. Unchanged cameras keep their thread, their ring, their scores and their id.
 *
 * One thread, main's, opens and changes the fleet. fleet_view…(), fleet_scores(), fleet_relearn() and fleet_stats()
 * are for any thread. */
#ifndef MEMAED_DAEMON_WATCH_FLEET_H
#define MEMAED_DAEMON_WATCH_FLEET_H

#include "core/error.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/check.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/evidence.h"
#include "daemon/watch/health/baselines.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/plans.h"
#include "daemon/watch/scheduler.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "web/view.h"

struct fleet;

struct fleet_options {
    int workers;                        /* >= 1 */
    int patience_ms;                    /* how long fleet_apply() waits for cameras that leave; 0: a second */
    /* Borrowed until close: */
    struct alertlog *alerts;
    struct events *events;
    struct arming_desk *arming;         /* NULL: all cameras are always armed */
    struct evidence *evidence;          /* NULL: no evidence of alerts is kept */
    struct baselines *baselines;        /* keeps what diagnoses learn; NULL: nobody does */
    struct heartbeats *heartbeats;
    struct capture_host *host;          /* forks a process for each camera; NULL: cameras are read by their threads */
    int changed_fd;                     /* an eventfd that is written when a camera's state changes; -1: none */
    bool (*stop)(void);                 /* asked between the cameras that fleet_apply() opens; true ends it. NULL: nothing does */
};

/* The models of a configuration, loaded and checked, and which bytes each file was. */
struct fleet_models {
    struct check_models models;
    struct model_identity *identities;  /* [models.n_files] */
};

/* As check_models(), and notes which bytes each file was. A file that changes while it is read counts as changed at the next
 * load. */
int fleet_models_load(struct fleet_models *ret, const struct config *config, const struct check_report *report);
void fleet_models_clear(struct fleet_models *models);   /* after fleet_models_load(), or zeroes */

struct fleet_changes {
    size_t added, removed, changed, unchanged;
};

/* Opens a fleet without cameras. 0 or -errno with the cause in err. */
int fleet_open(struct fleet **ret, const struct fleet_options *options, struct error *err);
/* Starts the workers, and then the cameras that fleet_apply() has opened. 0 or -errno with the cause in err. */
int fleet_start(struct fleet *fleet, struct error *err);
/* Starts the cameras that fleet_apply() has opened since. */
void fleet_go(struct fleet *fleet);

/* Makes the cameras those of config, in its order; models are config's. A camera is unchanged where its keys
 * (config_camera_equal()) and its model's identity are. Either all new cameras can be opened, or nothing changes.
 *
 * Cameras that leave are told to end, and waited for. If one takes longer than the patience (in name resolution, or in a slow
 * window), fleet_reap() frees it later. New cameras wait for fleet_go(). 0; -ECANCELED after stop(), and nothing has changed; or
 * another -errno with the cause in err. */
int fleet_apply(struct fleet *fleet, struct config *config, const struct fleet_models *models, struct fleet_changes *ret,
                struct error *err);

/* Frees cameras that left and have ended since. Call it now and then. */
void fleet_reap(struct fleet *fleet);

/* Ends all: cameras and workers are told at once; decoders are waited for until decoders_us, workers until workers_us (both
 * CLOCK_MONOTONIC). Then every camera has ended for the outside: open alerts are closed, no event follows. false: a decoder or
 * a worker is stuck, and goes on using the fleet. May be called again, to wait longer. */
bool fleet_stop(struct fleet *fleet, int64_t decoders_us, int64_t workers_us);
void fleet_close(struct fleet *fleet);          /* takes NULL; after fleet_stop() returned true, or without cameras */

/* These four are the functions of the same names in web/view.h. */
int fleet_view_cameras(struct fleet *fleet, struct view_camera **ret, size_t *n);
bool fleet_view_camera(struct fleet *fleet, const char *name, struct view_camera *ret);
bool fleet_scores(struct fleet *fleet, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                  struct record_range *range, size_t *n);
int fleet_relearn(struct fleet *fleet, const char *name);

/* Counts the cameras in each state. Main's thread. */
void fleet_count(struct fleet *fleet, size_t ret[VIEW_STOPPED + 1]);
void fleet_stats(struct fleet *fleet, struct scheduler_stats *ret);

#endif
