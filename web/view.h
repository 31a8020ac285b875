/* What the web sees of the daemon: snapshots, through a few functions that copy and return at once. The web knows
 * nothing of threads, rings or models, and takes no lock of the pipeline. All are called from the web's thread. */
#ifndef MEMAED_WEB_VIEW_H
#define MEMAED_WEB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/precision.h"
#include "core/score/boxes.h"

enum view_camera_state { VIEW_STARTING, VIEW_WARMING, VIEW_WATCHING, VIEW_LOST, VIEW_STOPPED };

/* Upper bounds of what latencies are counted by. */
enum { VIEW_LATENCIES = 15 };
static const short view_latency_ms[VIEW_LATENCIES] = {5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000};

struct view_camera {
    char name[65];
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

struct view_score {
    uint64_t window, frame;             /* frame: the window's centre, first + 8 */
    int64_t time_us;                    /* UTC of the centre frame */
    int64_t pts_us;                     /* of the centre frame */
    bool is_static;                     /* not computed: the last computed one's reference, score and boxes */
    float reference, score;
    float p_value;                      /* how often normal footage scores as much or more; NAN: no calibration tells */
    struct boxes boxes;                 /* where; none below the level that alerts close at, or where the model can't tell */
};

struct view_alert {
    uint64_t id;                        /* from 1 */
    char camera[65];
    int64_t opened_us, closed_us;       /* UTC; closed 0: still open */
    double peak_score;
    int64_t peak_us;
    struct boxes boxes;                 /* of the window of the peak */
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

/* Logs (scores of a camera, alerts) are bounded and numbered without gaps from 0; entries [oldest, next) are kept. */
struct view_range {
    uint64_t oldest, next;
};

struct view {
    void *context;
    uint64_t store;                     /* names this run's logs, random; part of every cursor */
    size_t (*n_cameras)(void *context);
    void (*camera)(void *context, size_t i, struct view_camera *ret);
    void (*process)(void *context, struct view_process *ret);
    /* Copies up to max entries from number `from` on (from range->oldest, where that is later) into ret, and gives the
     * range kept; returns how many: 0 where `from` is at or beyond range->next. */
    size_t (*scores)(void *context, size_t camera, uint64_t from, struct view_score *ret, size_t max,
                     struct view_range *range);
    /* Alerts in the order of opening; an entry changes while its alert is open. */
    size_t (*alerts)(void *context, uint64_t from, struct view_alert *ret, size_t max, struct view_range *range);
};

#endif
