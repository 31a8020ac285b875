/* A source of gray pictures: whatever FFmpeg opens (RTSP, HTTP, files, image sequence patterns), or a folder of image
 * files as one sequence in name order. Decodes, picks frames at the analysis rate by their timestamps, turns them to
 * gray at the model's size (full-range luma, bilinear; gray full-range input of that size passes bit for bit).
 *
 * One thread owns a source; source_interrupt() may be called from any. Never logs; FFmpeg's own lines go to the handler
 * that the program installs with source_set_log(). */
#ifndef MEMAED_IO_SOURCE_H
#define MEMAED_IO_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct source;

struct source_options {
    int width, height;          /* of the pictures that come out */
    double fps;                 /* analysis rate; 0: every frame */
    bool udp;                   /* RTSP over UDP, else TCP */
    int stall_timeout_ms;       /* no packet for so long is -ETIMEDOUT; also bounds opening; 0: for ever */
    const atomic_bool *stop;    /* becomes true: calls return -EINTR soon; may be NULL */
    int decoder_threads;        /* 0: FFmpeg's choice */
};

/* A picture that was chosen for analysis. */
struct source_frame {
    int64_t pts_us;             /* from the start of the stream (the first picture is 0) */
    bool gap;                   /* the sequence broke before this picture (jump of timestamps, corrupt or lost frames) */
    bool corrupt;               /* the decoder flagged it: to be counted, never learned or scored */
};

struct source_stats {
    double fps_in;              /* frames a second that the stream gives, measured over the last seconds by pts; 0: unknown */
    uint64_t frames_decoded, frames_corrupt;
    int width, height;          /* of the stream */
    char codec[32];
};

/* 0; -ENOENT, -EINVAL (not a video), -ETIMEDOUT, -ECONNREFUSED, -EACCES, -EINTR, -EIO …; err holds the cause with
 * credentials in the URL redacted (io/redact.h). *ret is the caller's. */
int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err);
void source_close(struct source *source);       /* takes NULL */

/* The next picture at the analysis rate into pixels [height * width]. 1: a picture; 0: the stream has ended; negative:
 * -ETIMEDOUT (stalled), -EINTR (stop), -EIO … with the cause in err. Where the resolution changes midway the pictures go
 * on at the model's size, with gap set. Timestamps that jump back or far forward set gap; the clock of pts_us goes on
 * monotonic. */
int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err);

/* What is known of the stream so far; for the owner's thread. */
void source_stats(const struct source *source, struct source_stats *ret);

/* A live source (rtsp, rtmp, udp …) paces itself; a file, an HTTP download or a folder is paced by who plays it. */
bool source_is_live(const char *url);

/* FFmpeg's log lines, redacted, without line ends, to handler(priority as in syslog(3), text); NULL: dropped.
 * Called from any thread. Process-wide; call once, early. */
void source_set_log(void (*handler)(int priority, const char *text));

#endif
