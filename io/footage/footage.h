/* Footage for learning: the analysed gray frames of a list of inputs, decoded once. Frames are kept in memory, and those beyond
 * max_bytes in a compressed file (io/footage/picture_file.h), so that windows can be drawn from all of them.
 *
 * Frames are numbered from 0, in the order in which they came. Corrupt frames are left out. A window spans neither a
 * corrupt frame, nor a gap, nor two inputs.
 *
 * One thread adds. While none adds, any number of threads read at once. */
#ifndef MEMAED_IO_FOOTAGE_FOOTAGE_H
#define MEMAED_IO_FOOTAGE_FOOTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/zones/zones.h"
#include "io/capture/capture.h"

struct footage;

struct footage_options {
    int width, height;          /* of the frames; both 0: the size of the file that is continued, or else by `fit` */
    void (*fit)(void *arg, int *width, int *height);    /* turns the first picture's size into the frames' size */
    void *arg;
    double fps;                 /* frames analysed a second; 0: every frame */
    double slow_rate;           /* an input with fewer than this share of them is slow */
    size_t max_bytes;           /* of pixels in memory */
    const char *path;           /* of the file for the frames beyond max_bytes; NULL: none. It loses its name once open. */
    bool keep;                  /* a recording: the file holds all frames, keeps its name, and is continued if it exists. It is
                                 * synced twice a minute while frames come, and when its source ends. */
    size_t max_disk_bytes;      /* of the file */
    void (*skipped)(const char *reason);        /* called for a file of a folder that is of no use; NULL: it is a failure */
    bool (*fits)(void *arg, int width, int height);     /* true: an input's aspect is right. NULL: the first one's is */
    void (*warned)(const char *reason);         /* called for an input of a wrong aspect or another rate; may be NULL */
    const struct zones *zones;  /* the masks that are hidden in every frame (core/zones/hiding.h); NULL: none; must outlive the
                                 * footage */
    struct capture_host *host;  /* forks a process for each source (io/capture/capture.h); NULL: the calling thread reads it */
    int memory_mib;             /* most memory of such a process; 0: the default */
    const atomic_bool *stop;    /* becomes true: footage_add() and footage_record() return -EINTR; may be NULL */
};

struct footage_range {
    size_t begin, end;          /* frames begin … end - 1 */
};

/* A part of footage. The footage is cut into rounds of equal length, and the part is the share `from` … `to` of each round.
 * With rounds of about an hour every part sees every hour of the day. Frames of two parts are near in time only where the
 * parts meet. */
struct footage_part {
    struct footage_range all;   /* what is cut into rounds */
    size_t rounds;              /* 1 or more */
    double from, to;            /* 0 <= from <= to <= 1 */
};
struct footage_range footage_part_range(const struct footage_part *part, size_t round);
/* About how many frames the part has. */
static inline double footage_part_frames(const struct footage_part *part)
{
    return (double)(part->all.end - part->all.begin) * (part->to - part->from);
}

/* options is copied; its path, arg and stop must outlive the footage. 0; -EINVAL (a size below 1; masks that cover every pixel;
 * with keep, another file), -ENOMEM, -errno of the file, with the cause in err; *ret is untouched then. */
int footage_open(struct footage **ret, const struct footage_options *options, struct error *err);
void footage_close(struct footage *footage);            /* takes NULL */

/* Decodes one input to its end and appends its frames. The input is what FFmpeg opens, a folder of image files (one
 * sequence), or a folder of videos (all of them, in name order). Files of a folder that are damaged, empty or no videos are
 * skipped (footage_options.skipped). Returns 0; -ENODATA: a folder of which nothing is of use; -EINVAL (also for a live
 * stream); -EFBIG: the footage would exceed max_bytes and max_disk_bytes; another -errno. err names input and cause. Frames
 * before a fault stay. */
int footage_add(struct footage *footage, const char *input, struct error *err);

struct footage_stream {
    struct source_options source;       /* sign-in, transport and stall time-out; size, rate and stop are the footage's */
    double seconds;             /* of footage to reach in all, by timestamps */
    void (*shown)(void *arg, double seconds);   /* called after each frame, with the seconds reached; may be NULL */
    void *arg;
};
/* Plays a camera's source once and appends its frames. 1: stream->seconds are reached. 0: the source ended (*failed is 0) or
 * failed (*failed is the -errno of source_open() or source_read(), err has the cause), and may be tried again. -EINTR: stopped.
 * Another -errno: a frame could not be kept. failed may be NULL. */
int footage_record(struct footage *footage, const char *url, const struct footage_stream *stream, int *failed, struct error *err);
double footage_seconds(const struct footage *footage);  /* of unbroken sequences */
/* Removes all frames of a recording. 0; -errno: they are still there. */
int footage_clear(struct footage *footage, struct error *err);
/* Opening leaves damaged frames out of a recording. Returns about how many; *bytes is their size in the file. The sequence
 * breaks there. */
size_t footage_lost(const struct footage *footage, uint64_t *bytes);

/* The size of the frames; 0 and 0 until a picture has decided it. */
void footage_size(const struct footage *footage, int *width, int *height);
size_t footage_frames(const struct footage *footage);
const struct zones *footage_zones(const struct footage *footage);       /* footage_options.zones */
/* Reads frames first … first + n - 1, which exist, into pixels [n, height, width], the caller's. 0, or a negative errno
 * with the cause in err. Any thread, several at once. Reading a frame may decode it: read footage in sequence in longer
 * pieces than one window, or each frame is decoded once per window. */
int footage_read(struct footage *footage, size_t first, size_t n, uint8_t *pixels, struct error *err);
/* Returns true if frames first … first + length - 1 exist and the sequence does not break between them; false for length
 * < 1. */
bool footage_window_ok(const struct footage *footage, size_t first, int length);
/* The number of rounds of an hour or longer that the range holds; 1 at least, also where the rate is unknown. */
size_t footage_rounds(const struct footage *footage, struct footage_range range);
/* The origin of a frame: the name of its input (source_name(); the footage owns it), and *at_s, its seconds in that input. A
 * recording (keep) knows no inputs: the name is empty, and *at_s is the seconds recorded before. */
const char *footage_place(const struct footage *footage, size_t frame, double *at_s);
/* A hash of all pixels and breaks, in order. Different footage has different identities. */
uint64_t footage_identity(const struct footage *footage);
size_t footage_clips(const struct footage *footage);    /* inputs; each file of a folder of videos counts */
size_t footage_corrupt(const struct footage *footage);  /* frames left out */
size_t footage_skipped(const struct footage *footage);  /* files of folders; the pictures beside films count as one */
/* Frames analysed a second: options.fps, where an input has that many; else by timestamps, from the mean of the middle half of
 * the intervals. 0: unknown, since no two frames are in sequence. */
double footage_fps(const struct footage *footage);

/* Checks that windows of `length` frames can be learned from the range. 0; -ENOMEM; an error of footage_read(); -EINVAL with the
 * reason in err: the range holds no window, more than half of its frames are of one tone, or no frame differs from the one
 * before. */
int footage_check(struct footage *footage, struct footage_range range, int length, struct error *err);

#endif
