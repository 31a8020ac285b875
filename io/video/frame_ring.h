/* The frames of one camera between its decoder thread and the workers, and the windows that are due over them.
 *
 * Memory: a fixed pool of pictures, of which the ring keeps the needed ones in order. Windows are read in place: claiming a
 * window takes references to its frames, releasing it gives them back. No picture is copied. The mutex is held for pointer
 * work only, never while pixels are written or read.
 *
 * Windows: frames are numbered from 0 as they are analysed; no number is used twice. Window i covers frames i*stride …
 * i*stride+length-1, as in `memaed score`. It becomes due when its last frame is published, provided that the sequence did
 * not break between its first and its last frame.
 *
 * Overload: a frame is kept while a due window, or the next window to become due, needs it. When length + backlog frames are
 * kept and another one arrives, the oldest due window is skipped, and the frames that only it needed are dropped. Both are
 * counted. At any time windows due = claimed + skipped + pending.
 *
 * Threads: one decoder thread; any number of workers, which hold at most `readers` windows at once. */
#ifndef MEMAED_IO_VIDEO_FRAME_RING_H
#define MEMAED_IO_VIDEO_FRAME_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_RING_MAX_LENGTH = 64 };    /* frames of a window */

struct frame_ring;

struct frame_ring_frame {
    uint8_t *pixels;            /* [frame_size], aligned to 64 bytes */
    uint64_t number;            /* set by frame_ring_publish(); the fields below are the decoder thread's to set */
    int64_t pts_us;             /* time in the stream */
    int64_t same_since_us;      /* pts_us of the first of the equal frames in a row that this frame ends */
    int64_t time_us;            /* UTC, microseconds since the epoch, when the frame was decoded */
    int64_t arrival_us;         /* CLOCK_MONOTONIC when its packet came */
    int64_t due_us;             /* CLOCK_MONOTONIC when it arrived, of a live source, else when its time has come: waiting and
                                 * latency count from here */
};

struct frame_ring_window {
    uint64_t index;             /* i of window i */
    uint64_t ticket;            /* how many windows were claimed before this one */
    struct frame_ring_frame *frames[FRAME_RING_MAX_LENGTH];     /* [length], held until frame_ring_release() */
    bool gap_before;            /* the sequence broke between the window claimed before and this one */
};

struct frame_ring_options {
    size_t frame_size;          /* bytes */
    int length, stride;         /* frames; 1 <= length <= FRAME_RING_MAX_LENGTH, 1 <= stride */
    int backlog;                /* frames kept beyond a window's length before the oldest due window is skipped */
    int readers;                /* the most windows that are held at once */
    uint8_t *memory;            /* [frame_ring_bytes()] for the pictures, aligned to 64 bytes; borrowed until close. NULL: the
                                 * ring's own */
};

struct frame_ring_stats {
    uint64_t frames, frames_dropped, windows_due, windows_claimed, windows_skipped, windows_pending;
};

/* Bytes of the pictures of a ring with these options. */
size_t frame_ring_bytes(const struct frame_ring_options *options);
int frame_ring_open(struct frame_ring **ret, const struct frame_ring_options *options);         /* 0, -EINVAL, -ENOMEM */
void frame_ring_close(struct frame_ring *ring);         /* takes NULL; no window may be held */

/* For the decoder thread. */

/* A frame to fill, which belongs to the decoder thread until it is published. Never fails and never waits. There is one such
 * frame at a time: until it is published, further calls give the same one. */
struct frame_ring_frame *frame_ring_frame(struct frame_ring *ring);
/* Publishes that frame, whose times the caller has set. Returns how many windows became due (0 or 1). */
int frame_ring_publish(struct frame_ring *ring);
/* The sequence breaks here: no window spans this point. Due windows stay due. */
void frame_ring_break(struct frame_ring *ring);

/* For the workers. */

/* Claims the oldest due window. false: there is none, and *ret is untouched. */
bool frame_ring_claim(struct frame_ring *ring, struct frame_ring_window *ret);
void frame_ring_release(struct frame_ring *ring, struct frame_ring_window *window);
/* due_us of the last frame of the oldest due window; INT64_MAX: no window is due. The scheduler chooses among cameras by it.
 * Any thread; takes no lock. */
int64_t frame_ring_waiting_since(struct frame_ring *ring);
/* Skips all due windows, and counts them. */
void frame_ring_skip_pending(struct frame_ring *ring);

/* The counters as they were at one moment. Any thread; takes no lock. */
void frame_ring_stats(struct frame_ring *ring, struct frame_ring_stats *ret);

#endif
