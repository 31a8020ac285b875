/* Footage for learning: all analysed gray frames of a list of inputs, decoded once and kept in memory, and beyond
 * max_bytes compressed on disk (io/footage/picture_file.h), so that windows can be drawn over the whole of it. Corrupt frames are
 * left out; a window never spans one, nor a gap, nor two inputs.
 * Frames are numbered from 0 in the order in which they came. One thread fills it; then any number read at once. */
#ifndef MEMAED_IO_FOOTAGE_FOOTAGE_H
#define MEMAED_IO_FOOTAGE_FOOTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct footage;

struct footage_options {
    int width, height;          /* of the frames; both 0: those of a file that is gone on with, else by fit */
    void (*fit)(void *arg, int *width, int *height);    /* turns the size of the first picture of all into that of the frames */
    void *arg;
    double fps;                 /* frames analysed a second; 0: every frame */
    size_t max_bytes;           /* of pixels in memory */
    const char *path;           /* of the file for what exceeds them, which has no name once it is open; NULL: none */
    bool keep;                  /* the file holds all frames, stays, and is gone on with where it is there */
    size_t max_disk_bytes;
    const atomic_bool *stop;    /* becomes true: footage_add() returns -EINTR; may be NULL */
};

struct footage_range {
    size_t begin, end;          /* frames begin … end - 1 */
};

/* A part of footage that is cut into rounds: of each round what lies between two fractions of it. Rounds of about an hour
 * let every part see every hour of the day, and hold frames far apart from those of another part but for the seams. */
struct footage_part {
    struct footage_range all;
    size_t rounds;              /* 1 or more */
    double from, to;            /* 0 <= from <= to <= 1 */
};
struct footage_range footage_part_range(const struct footage_part *part, size_t round);

int footage_open(struct footage **ret, const struct footage_options *options, struct error *err);
void footage_close(struct footage *footage);            /* takes NULL */

/* Decodes one input to its end and appends it: what FFmpeg opens, a folder of image files as one sequence, or a folder of
 * videos, all of them in name order. 0 or a negative errno with input and cause in err (-EINVAL: a live stream, too);
 * -EFBIG where it would exceed max_bytes and max_disk_bytes. Frames before a fault stay. */
int footage_add(struct footage *footage, const char *input, struct error *err);

/* Plays a camera's source once and appends what it gives, until there are `seconds` of footage in all by its timestamps.
 * Calls shown (may be NULL) with those that there are after each frame. 1: there are; 0: it ended or failed, with the cause in
 * err, and may be tried again; a negative errno where it was told to stop (-EINTR) or what came can't be kept. */
struct footage_stream {
    bool udp;
    int stall_timeout_ms;
    double seconds;
    void (*shown)(void *arg, double seconds);
    void *arg;
};
int footage_record(struct footage *footage, const char *url, const struct footage_stream *stream, struct error *err);
double footage_seconds(const struct footage *footage);  /* of unbroken sequences */

/* Of the frames; 0 and 0 as long as no picture has come that decides it. */
void footage_size(const struct footage *footage, int *width, int *height);
size_t footage_frames(const struct footage *footage);
/* Frames first … first + n - 1, which are there, into pixels [n, height, width], the caller's. Any thread, several at
 * once. A pass over footage in sequence reads more than a window at a time, as a frame may cost its decoding each time it
 * is read. 0, or a negative errno with the cause in err. */
int footage_read(struct footage *footage, size_t first, size_t n, uint8_t *pixels, struct error *err);
/* Frames first … first + length - 1 are there and stand in one unbroken sequence. */
bool footage_window_ok(const struct footage *footage, size_t first, int length);
/* How many rounds of an hour or longer the range holds; 1 at least. */
size_t footage_rounds(const struct footage *footage, struct footage_range range);
/* Where a frame comes from: the name of its input (source_name(); the footage's own) and the seconds since that began; in a
 * recording (keep), which knows no inputs, an empty name and the seconds recorded before. */
const char *footage_place(const struct footage *footage, size_t frame, double *at_s);
/* Tells footage from other footage: of all pixels and breaks, in order. */
uint64_t footage_identity(const struct footage *footage);
size_t footage_clips(const struct footage *footage);    /* inputs, those of a folder counted each */
size_t footage_corrupt(const struct footage *footage);  /* frames left out */
/* Frames a second of what is kept, by timestamps: from the mean of the middle half of its intervals. 0: unknown (no two
 * frames in sequence). */
double footage_fps(const struct footage *footage);

/* Whether windows of `length` frames can be learned from the range: -EINVAL with the reason where it is too short (no
 * window), black or of one tone in more than half of its frames, or frozen (no two successive frames differ). What
 * footage_read() returns where that fails. */
int footage_check(struct footage *footage, struct footage_range range, int length, struct error *err);

#endif
