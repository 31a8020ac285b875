/* A source of gray pictures: whatever FFmpeg opens (RTSP, HTTP, RTMP, UDP, files, image sequence patterns), or a folder of
 * image files as one sequence in name order. Decodes, picks frames at the analysis rate by their timestamps
 * (io/video/pacing.h), leaving undecoded what it can (io/video/skip.h), turns them to gray at the model's size (io/video/gray.h).
 *
 * Images of a folder or a pattern have no times: they come at options.fps, or at 25 a second where that is 0; every one
 * is taken.
 *
 * What comes from the network never leads FFmpeg to files of this machine (a playlist with file:// is refused), and a file leads
 * to no network but by a session description (*.sdp). Files must be regular ones or folders.
 *
 * One thread owns a source; options.stop may be set from any. Never logs; FFmpeg's own lines go to the handler that the
 * program installs with source_set_log(). */
#ifndef MEMAED_IO_VIDEO_SOURCE_H
#define MEMAED_IO_VIDEO_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct source;

/* Pictures a second where a stream does not say how many it gives. */
enum { SOURCE_DEFAULT_FPS = 25 };

/* A source that stalls gives packets but no picture for at most so many stall time-outs before it is -ETIMEDOUT. */
enum { SOURCE_PICTURE_STALLS = 3 };

struct source_options {
    int width, height;          /* of the pictures that come out; 1 to 8192; both 0: source_resize() tells before the first */
    double fps;                 /* analysis rate; 0: every frame */
    bool udp;                   /* RTSP over UDP, else TCP */
    int stall_timeout_ms;       /* network: no packet of the video for so long is -ETIMEDOUT, nor a picture for three times
                                 * as long; also bounds opening; 0: for ever. Files never stall. */
    const atomic_bool *stop;    /* becomes true: calls return -EINTR within a fifth of a second (not out of the resolver of
                                 * names, which can't be interrupted); may be NULL; must outlive the source */
    int decoder_threads;        /* 0: FFmpeg's choice */
};

/* A picture that was chosen for analysis. */
struct source_frame {
    int64_t pts_us;             /* from the start of the stream (the first picture is 0); strictly rising */
    bool gap;                   /* the sequence broke before this picture (jump of timestamps, corrupt or lost frames, change
                                 * of size); a player sets its clock anew. Never set for the first. */
    bool corrupt;               /* the decoder flagged it, or it is predicted from one so flagged (until the next key frame,
                                 * for ten seconds at most): to be counted, never learned or scored */
};

struct source_stats {
    double fps_in;              /* frames a second that the stream gives, measured over its last frames by pts; 0: unknown */
    uint64_t frames_decoded, frames_corrupt;
    uint64_t packets_lost;      /* that gave no picture, as the decoder refused them */
    int width, height;          /* of the stream; 0: not known yet */
    char codec[32];
};

/* 0; -ENOENT, -EINVAL (not a video), -ETIMEDOUT, -ECONNREFUSED, -EACCES (a password too), -EINTR, -EIO …; err holds the
 * cause with credentials in the URL redacted (io/base/redact.h). *ret is the caller's. */
int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err);
/* Takes NULL. Says goodbye to a server within a third of a second, stop or not. */
void source_close(struct source *source);

/* Decodes the stream's next picture, which source_read() then begins with, and tells its size, as it came. Returns as
 * source_read(); width and height are written with 1 only. */
int source_peek(struct source *source, int *width, int *height, struct error *err);
/* Pictures come out at this size from now on. 0; -EINVAL (not 1 to 8192), -ENOMEM: the size stays. */
int source_resize(struct source *source, int width, int height, struct error *err);

/* The next picture at the analysis rate into pixels [height * width]. 1: a picture; 0: the stream has ended; negative:
 * -ETIMEDOUT (stalled), -EINTR (stop), -EINVAL (ended without a picture), -EIO … with the cause in err; pixels and frame are
 * written with 1 only. After 0 or an error there is nothing more to come. A file that is cut short ends where it is cut.
 * Where the resolution changes midway the pictures go on at the model's size, with gap set. */
int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err);

/* What is known of the stream so far; for the owner's thread. */
void source_stats(const struct source *source, struct source_stats *ret);

/* A live source (rtsp, rtmp, udp …) paces itself; a file, an HTTP download or a folder is paced by who plays it. (MJPEG over
 * HTTP has the times of its arrival as timestamps, so that playing it by them is as live.) */
bool source_is_live(const char *url);

/* The name to show for a clip: the file's base name without extension, the folder's name for a folder or a pattern, for
 * other URLs the last part of the path, or the host; never a password. Cut to size. */
void source_name(char *out, size_t size, const char *url);

/* FFmpeg's log lines, redacted, whole, without line ends, repeats counted, to handler(priority as in syslog(3), text);
 * NULL: dropped. Called from any thread. Process-wide; call once, early. */
void source_set_log(void (*handler)(int priority, const char *text));

#endif
