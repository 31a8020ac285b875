/* The web's view of the daemon: a few functions that copy a snapshot, or read the database, and return at once. The web knows
 * nothing of threads, rings or models, and takes no lock of the pipeline. The web's thread calls all of them. Counts begin with
 * the process, or with the camera where it was added or replaced later. */
#ifndef MEMAED_WEB_VIEW_H
#define MEMAED_WEB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alerting/arming.h"
#include "core/delays.h"
#include "core/event.h"
#include "core/filter.h"
#include "core/health/kind.h"
#include "core/precision.h"
#include "core/record.h"

enum view_camera_state { VIEW_STARTING, VIEW_WARMING, VIEW_WATCHING, VIEW_LOST, VIEW_STOPPED };

/* The sources of the time at which a camera's pictures were taken. */
enum view_time {
    VIEW_TIME_UNKNOWN,          /* no picture yet, or lost */
    VIEW_TIME_STREAM,           /* the stream's time stamps */
    VIEW_TIME_ARRIVAL,          /* their arrivals, because the time stamps are wrong */
    VIEW_TIME_RATE,             /* a rate, because a file has no time stamps */
};
static const char *const view_time_names[] = {"", "stream", "arrival", "rate"};

/* The reasons for a break in a camera's sequence of frames. */
enum view_break {
    VIEW_BREAK_CORRUPT,         /* a frame was corrupt */
    VIEW_BREAK_GAP,             /* no frame for more than 0.5 s and four intervals */
    VIEW_BREAK_CLOCK,           /* time stamps went back, or had a wrong unit, and could not be bridged */
    VIEW_BREAK_PACKETS,         /* the decoder refused packets, or an image could not be read */
    VIEW_BREAK_SIZE,            /* the stream's size changed */
    VIEW_BREAK_LOST,            /* the stream was lost */
    VIEW_BREAK_LOOP,            /* a file began again */
    VIEW_BREAKS                 /* how many there are */
};
static const char *const view_break_names[VIEW_BREAKS] = {"corrupt", "gap", "clock", "packets", "size", "lost", "loop"};

/* Upper bounds of the classes in which latencies are counted. */
enum { VIEW_LATENCIES = 15 };
static const short view_latency_ms[VIEW_LATENCIES] = {5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000};

/* One kind of fault of a camera's picture (docs/health.md). */
struct view_health {
    bool on;                            /* the kind is diagnosed; else the rest is 0 */
    bool known;                         /* false: there is nothing to measure yet; quantity, baseline and opens_at are 0 */
    bool open;                          /* the fault holds */
    double quantity, baseline, opens_at;
    int64_t since_us;                   /* UTC; when an open fault began */
};

struct view_camera {
    uint32_t id;                        /* of this camera alone while the process runs; a replaced camera has a new one */
    char name[RECORD_NAME_SIZE];
    enum view_camera_state state;
    bool is_tls, tls_verified;          /* the source is reached by TLS; its certificate is verified */
    bool isolated;                      /* read by a process of its own; else by a thread of the daemon */
    char reason[512];                   /* why it is lost or has stopped, redacted; else empty */
    double fps_in;                      /* frames a second that the stream gives, over its last frames; 0: unknown */
    enum view_time time;
    double fps_analysed;                /* frames a second, over the last seconds */
    uint64_t frames;                    /* picked for analysis */
    uint64_t frames_corrupt;            /* flagged by the decoder */
    uint64_t frames_dropped;            /* of those picked: dropped before they were scored, because analysis lagged */
    uint64_t breaks[VIEW_BREAKS];       /* of the sequence of frames, by cause */
    uint64_t windows_due;               /* = scored + skipped + pending */
    uint64_t windows_scored, windows_skipped, windows_pending;
    uint64_t windows_static;            /* of those scored: without the network */
    uint64_t windows_slow;              /* of those scored: their frames came too slowly, so they count towards no alert */
    uint64_t alerts;                    /* told */
    uint64_t alerts_suppressed[SUPPRESSED_REASONS];     /* not told as they opened, by the first reason */
    uint64_t reconnects;                /* how often the source was opened again */
    double latency_ms;                  /* of the last window: from the arrival of its last frame to its score published */
    uint64_t latencies[VIEW_LATENCIES + 1];     /* windows by latency: above bound i - 1, up to bound i; the last: above all */
    double latency_seconds;             /* sum over all windows scored */
    bool has_score;                     /* false: last_score and latency_ms have no meaning yet */
    float last_score;
    double drift;                       /* distance of core/score/drift.h, 0 to 1; NAN: not measured (yet) */
    struct voices drift_by_voice;       /* the same distance of each voice by itself; VOICE_STILL is not measured */
    bool alert_open;                    /* one that was told */
    enum arming arming;                 /* whether its alerts are sent */
    int64_t arming_until_us;            /* UTC, when that state ends by itself; INT64_MAX: it does not */
    struct arming_order order;          /* of a camera that is disarmed or snoozed; else zeroes */
    bool slow;                          /* the stream gives less than nine tenths of the rate that is to be analysed */
    bool frozen;                        /* pictures flow, but repeat for too long (static_limits.frozen_s) */
    bool health_learning;               /* the diagnosis takes all pictures as faultless and learns from them; no fault opens */
    struct view_health health[HEALTH_KINDS];
    double threshold;                   /* of the score; NAN: the camera makes no alerts */
    bool provisional;                   /* the calibration is from too little footage (core/score/tail.h) */
    char model[256];                    /* the file's name, without its folder */
    enum precision precision;           /* the network's */
};

enum { VIEW_SNAPSHOTS = 10 };
static const float view_snapshot_s[VIEW_SNAPSHOTS] = {0.2F, 0.5F, 0.8F, 1, 1.25F, 1.5F, 2, 2.5F, 3, 5};

struct view_process {
    int64_t started_us;                 /* UTC since 1970 */
    bool healthy;                       /* every thread makes progress, as the watchdog sees it */
    char unhealthy[256];                /* else: which thread does not, a sentence */
    size_t rss_bytes;                   /* resident memory */
    int workers;                        /* threads that run the network */
    uint64_t cubes;                     /* windows that went through the network */
    double cube_seconds;                /* of computing them, summed over the workers */
    uint64_t snapshots[VIEW_SNAPSHOTS + 1];     /* of alerts, by the time from the opening to the file on disk: above bound
                                         * i - 1, up to bound i; the last: above all */
    double snapshot_seconds;            /* summed over all of them */
    uint64_t snapshots_gray;            /* of them, those that are not in colour */
    uint64_t snapshots_failed;          /* alerts that have no snapshot, though their camera makes them */
};

/* The sums over all endpoints of webhooks that have the same name. */
struct view_webhook {
    char name[300];                     /* the configuration's, else scheme://host:port; holds no secret */
    uint64_t delivered, dropped, queued;        /* events */
    uint64_t failed;                    /* attempts */
    uint64_t dead;                      /* events that became dead letters */
    uint64_t dead_letters;              /* kept at present */
    unsigned disabled;                  /* endpoints */
    struct delays delays;               /* of the events delivered */
};

/* One endpoint of webhooks at present. Times are UTC; 0: never, or none. */
struct view_endpoint {
    char id[RECORD_NAME_SIZE];          /* as the routes take it */
    char name[300];                     /* as above */
    uint64_t delivered, queued, dead_letters;
    int64_t oldest_us;                  /* since when the oldest event waits */
    unsigned attempts;                  /* failed ones of that event */
    int64_t next_us;                    /* when its next attempt is due; 0: at once, or none waits */
    int64_t failed_us;                  /* of the last failed attempt */
    char cause[320];                    /* of that failure; redacted */
    int64_t newest_us;                  /* when the latest of the delivered events happened */
    int64_t disabled_us;                /* since when the endpoint is disabled */
    char disabled_reason[320];
    unsigned events;                    /* event_bit() of each type that it takes */
};

struct view_dead_letter {
    char id[64];                        /* webhook-id */
    int64_t time_us, died_us;           /* UTC */
    unsigned attempts;
    char reason[320];
    char *body;                         /* JSON, by malloc(), the caller's */
};

enum view_webhook_action { VIEW_WEBHOOK_ENABLE, VIEW_WEBHOOK_RETRY };

enum { VIEW_ENDPOINTS_MAX = 64 };
struct view_test_alert {
    struct alert_record alert;          /* closed */
    char endpoints[VIEW_ENDPOINTS_MAX][RECORD_NAME_SIZE];   /* [n]: ids of those that take its events */
    size_t n;
};

/* A request for a list of alerts. */
struct view_alerts_wanted {
    uint64_t from;                      /* an entry (struct alert_record) */
    bool latest;                        /* from does not count: the latest `limit` alerts */
    struct alert_filter filter;
    size_t limit;
};

struct view_alerts {
    uint64_t store;                     /* names the database in cursors; it outlives the process */
    struct record_range range;          /* entries from which reading can go on */
    size_t n;
    uint64_t next;                      /* the entry at which the next list begins */
};

/* A request for the scores of a camera with from_us <= time < to_us. */
struct view_history_wanted {
    const char *camera;
    int64_t from_us, to_us;             /* UTC */
    bool by_minute;                     /* else each window */
    size_t limit;
};

/* A window, or a minute. */
struct view_history {
    int64_t time_us;                    /* UTC of the window's centre, or of the minute's beginning */
    uint64_t window;                    /* of a window: its number, scores and whether it was slow */
    float score, reference;             /* NAN: not known */
    bool slow;
    uint64_t n, n_slow;                 /* of a minute: its windows, and how many of them were slow */
    double minimum, mean, maximum;      /* of its scores; NAN: none is known */
    double p;                           /* the p-value, of a minute the least; NAN: not known */
};

struct view_store {
    size_t events_queued, scores_queued;        /* that wait to be written */
    uint64_t events_dropped, scores_dropped;
    uint64_t commits, failures;         /* transactions */
    double commit_seconds;              /* of those committed, summed */
    bool failing;                       /* the last one failed */
    int64_t bytes;                      /* of the database */
};

/* The room that evidence takes on the disk. */
struct view_room {
    int64_t bytes, files;
    int64_t free_bytes;                 /* of the disk that holds them */
    int64_t oldest_us;                  /* UTC: when the oldest alert of them opened; 0: there is none */
    uint64_t pruned_age, pruned_size, pruned_space;     /* alerts whose files were deleted, by the reason */
    bool paused;                        /* nothing is written, because the disk is full */
};

/* The outcome of a reload. Texts are borrowed for the call that hands them over. */
struct view_reload {
    int status;                         /* 0: applied; else -errno, and nothing changed */
    const char *detail;                 /* where status is not 0: what failed, a sentence; never NULL then */
    const char *const *faults;          /* [n_faults], each FILE:LINE:COLUMN: KEY: cause */
    size_t n_faults;                    /* > 0: the file is faulty, or cannot be read */
    size_t added, removed, changed, unchanged;  /* cameras */
    const char *const *needs_restart;   /* [n_needs_restart]: changed keys that only the next start applies */
    size_t n_needs_restart;
};

typedef void view_reload_done(void *arg, const struct view_reload *result);

typedef void view_labelled(void *arg, int status, const struct alert_labels *labels);

/* Files of an alert's evidence. */
enum view_evidence { VIEW_SNAPSHOT, VIEW_WHY, VIEW_CLIP, VIEW_COPY, VIEW_EVIDENCES /* how many there are */ };
static const char *const view_evidence_names[VIEW_EVIDENCES] = {"snapshot", "why", "clip", "copy"};

/* Pictures of a fault of a camera's picture. */
enum view_fault { VIEW_FAULT_BEFORE, VIEW_FAULT_OPENED, VIEW_FAULT_AFTER };
static const char *const view_fault_names[] = {"before", "fault", "after"};

/* The state of the copy of a clip in H.264. */
enum view_copy_state { VIEW_COPY_NONE, VIEW_COPY_WAITING, VIEW_COPY_RUNNING, VIEW_COPY_READY, VIEW_COPY_FAILED };
static const char *const view_copy_names[] = {"none", "waiting", "running", "ready", "failed"};

struct view_copy {
    enum view_copy_state state;
    char reason[512];                   /* why it failed; else "" */
};

/* A video, as the database describes it. */
struct view_video {
    /* The type of its container: "video/mp4"; static. NULL: the alert has no such video that is complete. */
    const char *type;
    /* "hevc"; what codecs= of a MIME type takes (RFC 6381), "" where the codec has no such name. */
    char codec[32], codecs[64];
    int64_t bytes;
};

struct view_file {
    int fd;                             /* open for reading; the caller's */
    const char *type;                   /* "video/mp4"; static */
    const char *extension;              /* "mp4"; static */
};

struct view {
    void *context;                      /* first argument of each function */
    uint64_t store;                     /* random; names this run's scores in cursors */
    char *const *host_names;            /* [n_host_names]: names under which clients reach the server (http.names); borrowed */
    size_t n_host_names;
    /* All cameras at one moment, in the order of the configuration. *ret is [*n]; the caller frees it. 0 or -ENOMEM. */
    int (*cameras)(void *context, struct view_camera **ret, size_t *n);
    /* The camera of that name. false: there is none, and *ret is untouched. */
    bool (*camera)(void *context, const char *name, struct view_camera *ret);
    void (*process)(void *context, struct view_process *ret);
    /* All endpoints of webhooks since the start, each name once. *ret is [*n]; the caller frees it. 0 or -ENOMEM. */
    int (*webhooks)(void *context, struct view_webhook **ret, size_t *n);
    /* The endpoints of the present configuration, in its order; the caller frees them as above. */
    int (*endpoints)(void *context, struct view_endpoint **ret, size_t *n);
    /* The oldest dead letters of an endpoint, up to max, oldest first. *ret is [*n]; the caller frees it, and each body. 0;
     * -ENOENT: no endpoint has that id; -ENOMEM or another error. */
    int (*dead_letters)(void *context, const char *id, size_t max, struct view_dead_letter **ret, size_t *n);
    /* Asks for an endpoint to be enabled, or for its dead letters to be queued again, and returns at once. 0; -ENOENT: no
     * endpoint has that id. */
    int (*act_on_webhook)(void *context, const char *id, enum view_webhook_action action);
    /* Opens and closes an alert of that camera that is marked as a test. 0; -ENOENT: no camera has that name; -ENOMEM. */
    int (*test_alert)(void *context, const char *camera, struct view_test_alert *ret);
    /* Copies up to max score records of the camera with that id into ret [max]. They begin at number `from`, or at range->oldest
     * if that is later. *range is what is kept; *n is how many were copied, 0 where `from` is at or beyond range->next.
     * false: no camera has that id any more. */
    bool (*scores)(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                   struct record_range *range, size_t *n);
    /* Reads alerts into ret [wanted->limit], and their labels into labels [wanted->limit] (NULL: not wanted), in the order in
     * which they opened, or closed if they have. 0; -errno where the database cannot be read. It waits for no writer, at most
     * 200 ms for a lock that another program holds. */
    int (*alerts)(void *context, const struct view_alerts_wanted *wanted, struct alert_record *ret,
                  struct alert_labels *labels, struct view_alerts *found);
    /* The alert of that id, and its labels. 0; -ENOENT: there is none (any more); -errno. */
    int (*alert)(void *context, uint64_t id, struct alert_record *ret, struct alert_labels *labels);
    /* Reads scores that are kept over restarts into ret [wanted->limit], oldest first; *n of them. 0 or -errno. */
    int (*history)(void *context, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n);
    void (*storage)(void *context, struct view_store *ret);
    void (*room)(void *context, struct view_room *ret);
    /* Carries out an order about a camera's alerts: arms it, disarms it or snoozes it. minutes: how long it lasts; 0: until it
     * is armed. by: who gives the order; "": unknown. 0; -ENOENT: no camera has that name; -EINVAL: the order takes other
     * minutes. */
    int (*arm)(void *context, const char *camera, enum arming_action action, int minutes, const char *by);
    /* Has a camera's diagnosis learn anew what it is like without a fault. 0; -ENOENT: no camera has that name; -ENOTSUP: it is
     * not diagnosed. */
    int (*relearn)(void *context, const char *camera);
    /* Reads up to max committed events that the filter takes into ret [max], in their order; *n of them. It begins at number
     * `from`, or at range->oldest if that is later. The caller frees their bodies. *next is where to go on: below range->next,
     * it stopped early. *range is what can be read. 0 or -errno. It waits for no writer. */
    int (*events)(void *context, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  size_t *n, uint64_t *next, struct record_range *range);
    int events_fd;                      /* an eventfd, readable after each new event that events() reads. The web reads it;
                                         * borrowed */
    /* Opens a file of an alert's evidence. 0; -ENOENT: there is none; or another -errno. *ret is untouched then. */
    int (*evidence)(void *context, const struct alert_record *alert, enum view_evidence which, struct view_file *ret);
    /* Opens a picture of a fault of the camera with that name, which may have left the configuration. Returns as evidence(). */
    int (*fault)(void *context, const char *camera, uint64_t id, enum view_fault which, struct view_file *ret);
    /* The files that evidence() would open, as bits: 1u << which. */
    unsigned (*evidence_kept)(void *context, const struct alert_record *alert);
    /* Writes the state of the alert's copy (VIEW_COPY). With `asks`, it also has one made, unless there is one or it is being
     * made. 0 or -errno. With `asks` also -ENOENT: there is no clip; -EBUSY: the clip is still being written; -EAGAIN: too many
     * copies wait; -ENOSPC: the disk is full; -ENOSYS: there is no encoder. */
    int (*copy)(void *context, const struct alert_record *alert, bool asks, struct view_copy *ret);
    /* Reads the videos of an alert's evidence into ret [VIEW_EVIDENCES], by enum view_evidence. 0; -errno where the database
     * cannot be read (ret untouched). */
    int (*videos)(void *context, uint64_t alert, struct view_video *ret);
    /* Asks for a change of an alert's labels, and returns at once. 0: another thread will call done(arg, status, labels) once,
     * maybe before this returns, maybe after the web has closed. status 0: the change is committed, and labels are the alert's
     * now. -ENOENT: there is no such alert. -ECANCELED: the change cannot be written. If this returns -ENOMEM, done is not
     * called. */
    int (*label)(void *context, const struct alert_order *order, view_labelled *done, void *arg);
    /* Asks for a reload of the configuration, and returns at once. 0: another thread will call done(arg, result) once, when the
     * reload is over, maybe before this returns. When the daemon ends, it is called with -ECANCELED, maybe after the web has
     * closed. Several requests may share one result. -EBUSY: too many wait, or the daemon ends; done is not called. */
    int (*reload)(void *context, view_reload_done *done, void *arg);
};

#endif
