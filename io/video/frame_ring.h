/* The frames of one camera between its decoder thread and the workers: a fixed pool of pictures, those that are still
 * needed in order, and the windows that are due over them. A window is read in place: claiming it takes references to its
 * frames, releasing it gives them back; no picture is copied. The mutex is held for pointer work only, never while pixels
 * are written or read.
 *
 * Frames are numbered as they are analysed, from 0, without reuse. Window i covers frames i*stride … i*stride+length-1,
 * as in `memaed score`; it becomes due when its last frame is published and all its frames stand in one unbroken
 * sequence. A frame is kept while a due window or the next one to become due needs it. Where length + backlog frames are
 * kept and another comes, the oldest due window gives way: it is skipped and counted, and the frames that leave with it
 * are counted as dropped. Always: due = claimed + skipped + pending.
 *
 * One decoder thread; any number of workers, `readers` windows held at once. */
#ifndef MEMAED_IO_VIDEO_FRAME_RING_H
#define MEMAED_IO_VIDEO_FRAME_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_RING_MAX_LENGTH = 64 };          /* frames in a window */

struct frame_ring;

struct frame_ring_frame {
    uint8_t *pixels;            /* [frame_size], aligned to 64 bytes */
    uint64_t number;            /* set by frame_ring_publish */
    int64_t pts_us;             /* of the stream */
    int64_t same_since_us;      /* pts_us of the first of the frames like it, one after the other; the user's */
    int64_t time_us;            /* UTC, microseconds since the epoch, when it was decoded */
    int64_t due_us;             /* CLOCK_MONOTONIC when published: what waiting and latency count from */
};

struct frame_ring_window {
    uint64_t index;                                     /* window i */
    uint64_t ticket;            /* how many windows were claimed before this one */
    struct frame_ring_frame *frames[FRAME_RING_MAX_LENGTH];         /* held until frame_ring_release */
    bool gap_before;            /* the sequence broke between the window claimed before and this one */
};

struct frame_ring_options {
    size_t frame_size;          /* bytes */
    int length, stride;         /* frames; 1 <= length <= FRAME_RING_MAX_LENGTH, 1 <= stride */
    int backlog;                /* frames kept beyond a window's own length before the oldest gives way */
    int readers;                /* windows held at once at most */
};

struct frame_ring_stats {
    uint64_t frames, frames_dropped, windows_due, windows_claimed, windows_skipped, windows_pending;
};

int frame_ring_open(struct frame_ring **ret, const struct frame_ring_options *options);   /* 0, -EINVAL, -ENOMEM */
void frame_ring_close(struct frame_ring *ring);                                     /* takes NULL; no window may be held */

/* The decoder's side. frame_ring_frame() never fails and never waits: a picture to fill, the decoder's until it is published
 * (one at a time; calling again gives the same). */
struct frame_ring_frame *frame_ring_frame(struct frame_ring *ring);
/* Publishes it, with its times set by the caller, and returns how many windows became due (0 or 1). */
int frame_ring_publish(struct frame_ring *ring);
/* The sequence breaks here: no window spans this point. Due windows stay due. */
void frame_ring_break(struct frame_ring *ring);

/* The workers' side. */
bool frame_ring_claim(struct frame_ring *ring, struct frame_ring_window *ret);            /* the oldest due window; false: none */
void frame_ring_release(struct frame_ring *ring, struct frame_ring_window *window);
/* due_us of the oldest due window's last frame, or INT64_MAX: what the choice among cameras goes by. No lock. */
int64_t frame_ring_waiting_since(struct frame_ring *ring);
/* Gives up all due windows (counted as skipped). */
void frame_ring_skip_pending(struct frame_ring *ring);

/* The counters as they stood together at one moment. Any thread; takes no lock. */
void frame_ring_stats(struct frame_ring *ring, struct frame_ring_stats *ret);

#endif
