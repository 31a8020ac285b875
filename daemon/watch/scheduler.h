/* The workers, and the choice of the window that is computed next. A client is a camera with a ring of due windows. A
 * free worker claims the oldest window of the client chosen, runs it on a workspace of its own, and passes the result on.
 * Several windows of one client may run at once, but their results are passed on in order. Clients come and go while the
 * workers run.
 *
 * Choice: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with a cost of one for each window. A client has
 * a virtual time, which grows by one with each claimed window; the client with the least is served. A client that had
 * nothing due is lifted to the time of the client served last, so idle time earns no credit. Equal times go to the window that
 * has waited longest. Under overload every client therefore gets the same number of windows, and the others share what
 * one does not use.
 *
 * A client whose oldest running window is slow holds up its own results. Once 2 * workers of its windows wait behind that
 * one, the client is not chosen until results move on. */
#ifndef MEMAED_DAEMON_WATCH_SCHEDULER_H
#define MEMAED_DAEMON_WATCH_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"
#include "daemon/watch/heartbeat.h"
#include "io/video/frame_ring.h"

struct scheduler;
struct scheduled;                   /* one client of a scheduler */

/* The result of a window, which outlives its frames. */
struct scheduler_result {
    uint64_t window;
    bool gap_before;                /* the sequence broke between the result before and this one */
    uint64_t frame;                 /* the centre frame, first + length / 2: its number, */
    int64_t pts_us, time_us;        /* its time stamp, and UTC */
    int64_t due_us;                 /* due_us of the window's last frame (io/video/frame_ring.h) */
    bool is_static;                 /* not computed: the results below are those of the last computed window */
    bool is_slow;                   /* its frames came too slowly for the calibration */
    int64_t computed_us;            /* how long the computation took; 0 where is_static */
    float reference, score;
    float level;                    /* what the alert rule takes: the score, or that of a zone with a budget of its own, raised */
    int zone;                       /* whose level it is: a number in the camera's zones; -1: none */
    struct voices voices;
    struct boxes boxes;
};

struct scheduler_client {
    struct frame_ring *ring;        /* with readers >= the scheduler's workers; borrowed until removed */
    int length;                     /* frames of a window */
    size_t workspace_size;          /* bytes that run() needs */
    void *arg;
    /* Runs a window. Writes reference, score, level, zone and voices; and is_static, is_slow, computed_us and boxes unless they
     * stay false, 0 and none. All else is set. Any worker, several at once. workspace: the worker's, aligned to 64 bytes; NULL
     * where no client needs one. */
    void (*run)(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret);
    /* Takes a result. Calls come in the order of the client's windows, one at a time, and no lock is held. */
    void (*commit)(void *arg, const struct scheduler_result *result);
};

struct scheduler_options {
    int workers;                    /* >= 1 */
    struct heartbeats *heartbeats;  /* the workers' beats join it; borrowed until close; may be NULL */
};

struct scheduler_stats {
    uint64_t windows;               /* computed */
    double seconds;                 /* of computation, summed over workers; waiting does not count */
};

/* Makes a scheduler without clients, whose workers do not run yet. 0, -EINVAL, -ENOMEM. *ret is the caller's. */
int scheduler_open(struct scheduler **ret, const struct scheduler_options *options);
/* Starts the workers. 0 or -errno; after an error the scheduler is stopped. */
int scheduler_start(struct scheduler *scheduler);

/* Adds a client, at any time; client is copied. Every worker gets a workspace that is large enough. 0 or -ENOMEM (nothing
 * has changed then). *ret belongs to the scheduler until scheduler_remove(). Not from a worker. */
int scheduler_add(struct scheduler *scheduler, const struct scheduler_client *client, struct scheduled **ret);

/* The client has a window due that it did not have before: call it after frame_ring_publish() returned 1. Any thread. */
void scheduler_due(struct scheduler *scheduler, struct scheduled *client);

/* No further window of the client is claimed. true: none of its windows runs any more, no callback of it will be called, and
 * the client is gone. false: a window still runs at deadline_us (CLOCK_MONOTONIC). The client stays, and may be removed by
 * another call. Nobody calls scheduler_due() for it any more. Not from a worker. */
bool scheduler_remove(struct scheduler *scheduler, struct scheduled *client, int64_t deadline_us);

/* Tells the workers to end after the window that they run; returns at once. */
void scheduler_stop(struct scheduler *scheduler);
/* Waits for the workers until deadline_us (CLOCK_MONOTONIC). Returns how many still run. These go on using the scheduler,
 * its clients and their rings: nothing of that may be freed while they do. */
int scheduler_join(struct scheduler *scheduler, int64_t deadline_us);
void scheduler_close(struct scheduler *scheduler);      /* takes NULL; all workers have ended. Clients left are forgotten. */

void scheduler_stats(struct scheduler *scheduler, struct scheduler_stats *ret);     /* any thread; takes no lock */

#endif
