/* The workers, and the choice of whose window is next. Every camera is a client with a ring of due windows. A worker that
 * is free claims the oldest window of the camera chosen, runs it on a workspace of its own, and passes the result on;
 * several windows of one camera may be under way at once, but their results are passed on in order.
 *
 * Choice: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with one unit a window. Each camera has a virtual
 * time, one more for each window claimed; the least is served. A camera that had nothing due is lifted to the time of
 * the one served last, so that nobody saves up. Equal times go by the window that has waited longest. Hence under
 * overload every camera gets the same number of windows, and what one doesn't use is shared by the rest.
 *
 * A camera whose oldest window under way is slow holds up its own results; once 2 * workers of its windows wait behind
 * that one, it is not chosen until results move on. */
#ifndef MEMAED_DAEMON_WATCH_SCHEDULER_H
#define MEMAED_DAEMON_WATCH_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/score/boxes.h"
#include "daemon/watch/heartbeat.h"
#include "io/video/frame_ring.h"

struct scheduler;

/* What is left of a window when its frames are released. */
struct scheduler_result {
    uint64_t window;
    bool gap_before;                /* the sequence broke between the result before and this one */
    uint64_t frame;                 /* number, stream time and UTC of the centre frame: first + length / 2 */
    int64_t pts_us, time_us;
    int64_t due_us;                 /* CLOCK_MONOTONIC when its last frame was published */
    bool is_static;                 /* not computed: reference, score and boxes are those of the last one that was */
    float reference, score;
    struct boxes boxes;
};

struct scheduler_client {
    struct frame_ring *ring;              /* with readers >= the scheduler's workers */
    int length;                     /* frames of its windows */
    void *arg;
    /* Fills in is_static (false), reference, score and boxes (n is 0), all else being set. Any worker, several at once.
     * workspace: the worker's. */
    void (*run)(void *arg, const struct frame_ring_window *window, void *workspace, struct scheduler_result *ret);
    /* Takes a result. In the order of the client's windows, one call at a time; no lock is held. */
    void (*commit)(void *arg, const struct scheduler_result *result);
};

struct scheduler_options {
    int workers;                    /* >= 1 */
    size_t workspace_size;          /* bytes of each worker's workspace, aligned to 64 bytes; 0: NULL */
    const struct scheduler_client *clients;      /* [n_clients], copied */
    size_t n_clients;
    struct heartbeats *heartbeats;  /* the workers' beats are added here; may be NULL */
};

struct scheduler_stats {
    uint64_t windows;               /* computed */
    double seconds;                 /* that they took, summed over workers */
};

/* Makes the scheduler without starting it. 0, -EINVAL, -ENOMEM. *ret is the caller's. */
int scheduler_open(struct scheduler **ret, const struct scheduler_options *options);
/* Starts the workers: 0 or -errno (the scheduler is stopped then). */
int scheduler_start(struct scheduler *scheduler);

/* Client i has a window due that it had not before: to be called after frame_ring_publish() returned 1. Any thread. */
void scheduler_due(struct scheduler *scheduler, size_t i);

/* Tells the workers to end after the window at hand; returns at once. */
void scheduler_stop(struct scheduler *scheduler);
/* Waits for them until deadline_us (CLOCK_MONOTONIC). Returns how many still run: these go on using the scheduler, its
 * clients and their rings, so nothing of that may be freed while the process lives. */
int scheduler_join(struct scheduler *scheduler, int64_t deadline_us);
void scheduler_close(struct scheduler *scheduler);         /* takes NULL; all workers have ended */

void scheduler_stats(struct scheduler *scheduler, struct scheduler_stats *ret);     /* any thread; takes no lock */

#endif
