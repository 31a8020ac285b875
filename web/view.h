/* What the web sees of the daemon: snapshots, through a few functions that copy and return at once. The web knows
 * nothing of threads, rings or models, and takes no lock of the pipeline. All are called from the web's thread. */
#ifndef MEMAED_WEB_VIEW_H
#define MEMAED_WEB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/precision.h"
#include "core/record.h"

enum view_camera_state { VIEW_STARTING, VIEW_WARMING, VIEW_WATCHING, VIEW_LOST, VIEW_STOPPED };

/* Upper bounds of what latencies are counted by. */
enum { VIEW_LATENCIES = 15 };
static const short view_latency_ms[VIEW_LATENCIES] = {5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000};

struct view_camera {
    uint32_t id;                        /* of this camera alone for as long as the process runs; a replaced camera has a new one */
    char name[RECORD_NAME_SIZE];
    enum view_camera_state state;
    char reason[256];                   /* why lost, or stopped; redacted; else empty */
    double fps_in, fps_analysed;        /* frames a second, over the last seconds */
    uint64_t frames, frames_corrupt, frames_dropped;
    uint64_t windows_due, windows_scored, windows_skipped, windows_pending;
    uint64_t windows_static;            /* of those scored: not computed */
    uint64_t reconnects;
    double latency_ms;                  /* last window: from its last frame decoded to its score published */
    uint64_t latencies[VIEW_LATENCIES + 1];     /* of all windows: how many within each bound and above the one before */
    double latency_seconds;             /* their sum */
    bool has_score;
    float last_score;
    double drift;                       /* core/score/drift.h; NAN: not told (yet) */
    bool alert_open;
    bool frozen;                        /* pictures flow, but repeat for longer than they ever did in footage */
    double threshold;                   /* NAN: none, scores only */
    char model[256];                    /* the file's name */
    enum precision precision;           /* what it computes in */
};

struct view_process {
    int64_t started_us;                 /* UTC */
    bool healthy;                       /* what the watchdog thinks */
    char unhealthy[256];                /* which thread, if not */
    size_t rss_bytes;
    uint64_t webhooks_delivered, webhooks_failed, webhooks_dropped, webhooks_queued;
    int workers;
    uint64_t cubes;                     /* windows through the network */
    double cube_seconds;                /* seconds that they took, summed over workers */
};

/* What became of a reload. Texts are borrowed for the call that hands them over. */
struct view_reload {
    int status;                         /* 0: applied; -EINVAL: the file is faulty; another -errno: it failed. Not 0: nothing changed */
    const char *detail;                 /* where status is not 0: what failed, one sentence */
    const char *const *faults;          /* [n_faults], each FILE:LINE:COLUMN: KEY: cause */
    size_t n_faults;
    size_t added, removed, changed, unchanged;  /* cameras */
    const char *const *needs_restart;   /* [n_needs_restart]: keys that changed in the file but apply at the next start alone */
    size_t n_needs_restart;
};

typedef void view_reload_done(void *arg, const struct view_reload *result);

struct view {
    void *context;
    uint64_t store;                     /* names this run's logs, random; part of every cursor */
    /* All cameras at one moment, in the configuration's order: *ret has *n, and is the caller's to free(). 0 or -ENOMEM. */
    int (*cameras)(void *context, struct view_camera **ret, size_t *n);
    /* The camera of that name. false: there is none, and ret is untouched. */
    bool (*camera)(void *context, const char *name, struct view_camera *ret);
    void (*process)(void *context, struct view_process *ret);
    /* Copies up to max records of the camera with that id, from number `from` on (from range->oldest, where that is later), into
     * ret. Gives the range kept, and how many were copied in *n: 0 where `from` is at or beyond range->next. false: no camera
     * has that id any more. */
    bool (*scores)(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max, struct record_range *range,
                   size_t *n);
    /* Alerts in the order of opening, likewise; returns how many. A record changes while its alert is open. */
    size_t (*alerts)(void *context, uint64_t from, struct alert_record *ret, size_t max, struct record_range *range);
    /* Asks for the configuration to be read again; returns at once. done(arg, result) is called once, from another thread, when
     * that is over or the daemon ends (-ECANCELED). 0, or -EBUSY where too many wait: done is not called then. */
    int (*reload)(void *context, view_reload_done *done, void *arg);
};

#endif
