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
#ifndef MEMAED_IO_RING_H
#define MEMAED_IO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_MAX_LENGTH = 64 };          /* frames in a window */

struct ring;

struct ring_frame {
    uint8_t *pixels;            /* [frame_size], aligned to 64 bytes */
    uint64_t number;            /* set by ring_publish */
    int64_t pts_us;             /* of the stream */
    int64_t same_since_us;      /* pts_us of the first of the frames like it, one after the other; the user's */
    int64_t time_us;            /* UTC, microseconds since the epoch, when it was decoded */
    int64_t due_us;             /* CLOCK_MONOTONIC when published: what waiting and latency count from */
};

struct ring_window {
    uint64_t index;                                     /* window i */
    uint64_t ticket;            /* how many windows were claimed before this one */
    struct ring_frame *frames[RING_MAX_LENGTH];         /* held until ring_release */
    bool gap_before;            /* the sequence broke between the window claimed before and this one */
};

struct ring_options {
    size_t frame_size;          /* bytes */
    int length, stride;         /* frames; 1 <= length <= RING_MAX_LENGTH, 1 <= stride */
    int backlog;                /* frames kept beyond a window's own length before the oldest gives way */
    int readers;                /* windows held at once at most */
};

struct ring_stats {
    uint64_t frames, frames_dropped, windows_due, windows_claimed, windows_skipped, windows_pending;
};

int ring_open(struct ring **ret, const struct ring_options *options);   /* 0, -EINVAL, -ENOMEM */
void ring_close(struct ring *ring);                                     /* takes NULL; no window may be held */

/* The decoder's side. ring_frame() never fails and never waits: a picture to fill, the decoder's until it is published
 * (one at a time; calling again gives the same). */
struct ring_frame *ring_frame(struct ring *ring);
/* Publishes it, with its times set by the caller, and returns how many windows became due (0 or 1). */
int ring_publish(struct ring *ring);
/* The sequence breaks here: no window spans this point. Due windows stay due. */
void ring_break(struct ring *ring);

/* The workers' side. */
bool ring_claim(struct ring *ring, struct ring_window *ret);            /* the oldest due window; false: none */
void ring_release(struct ring *ring, struct ring_window *window);
/* due_us of the oldest due window's last frame, or INT64_MAX: what the choice among cameras goes by. No lock. */
int64_t ring_waiting_since(struct ring *ring);
/* Gives up all due windows (counted as skipped). */
void ring_skip_pending(struct ring *ring);

/* The counters as they stood together at one moment. Any thread; takes no lock. */
void ring_stats(struct ring *ring, struct ring_stats *ret);

#endif
