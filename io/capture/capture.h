/* A source of gray pictures (io/video/source.h) that is read by a process of its own, with least rights (io/capture/sandbox.h).
 * FFmpeg parses and decodes a camera's bytes only there. The functions and their results are those of source_open() and so on.
 * Pictures are written in place, into memory that both processes share.
 *
 * Each answer of the process is checked as if an attacker had written it. A process that dies, hangs, breaks the protocol, or
 * takes more memory or processor time than it may, is an error of the source. err has the cause; the caller opens the source
 * anew.
 *
 * Packets of the video stream go to a ring (io/video/packets/packet_ring.h) where options.packets is given, on the caller's
 * thread, within the calls below. So do packets of the audio, with options.source.audio, which needs a ring. Without a ring
 * nothing is copied.
 *
 * Without a host the source is read in this process. Only then, and only without a ring, is options.source.tap used.
 *
 * One thread owns a capture; any thread may set options.source.stop. Never logs; FFmpeg's lines go where source_set_log()
 * says. */
#ifndef MEMAED_IO_CAPTURE_CAPTURE_H
#define MEMAED_IO_CAPTURE_CAPTURE_H

#include "core/error.h"
#include "io/capture/host.h"
#include "io/capture/memory.h"
#include "io/picture/moment.h"
#include "io/video/packets/packet_ring.h"
#include "io/video/source.h"

struct capture;

enum { CAPTURE_MEMORY_MIB = 512 };

struct capture_options {
    struct source_options source;
    struct packet_ring *packets;        /* keeps packets; NULL: nobody does. Borrowed until close; the caller's thread writes */
    struct capture_host *host;          /* forks the process; NULL: the source is read in this one. Borrowed until close */
    /* The rest is for a process of its own. */
    const struct capture_memory *memory;        /* where capture_read() has its pictures written, if source has their size;
                                         * borrowed until close. NULL: memory of its own, from which each picture is copied */
    const char *name;                   /* of the camera, for the process's own name; NULL: none */
    int memory_mib;                     /* most memory beyond what the process shares with its host; 0: CAPTURE_MEMORY_MIB */
    bool files_stall;                   /* the stall time-out is for files, too */
};

/* As source_open(), and -EPROTO, -EIO or -ETIMEDOUT of a process that breaks the protocol, dies or hangs. */
int capture_open(struct capture **ret, const char *url, const struct capture_options *options, struct error *err);
/* As source_close(). A process that has not ended after half a second is killed. */
void capture_close(struct capture *capture);

int capture_peek(struct capture *capture, int *width, int *height, struct error *err);
int capture_resize(struct capture *capture, int width, int height, struct error *err);
/* pixels lie in options.memory where that was given; NULL with source.packets_only. */
int capture_read(struct capture *capture, uint8_t *pixels, struct source_frame *frame, struct error *err);
void capture_stats(const struct capture *capture, struct source_stats *ret);

/* Runs moment_read() in a process of its own, and waits for it. The daemon itself only copies the picture. host NULL: this
 * process reads. memory_mib: as in struct capture_options. options.limit_ms bounds the wait. Errors are those of moment_read()
 * and capture_open(). Any thread. */
int capture_moment(struct moment *ret, const char *url, int64_t pts_us, const struct moment_options *options,
                   struct capture_host *host, int memory_mib, struct error *err);
/* The same for a file that is open, such as a memfd, so the process needs no right to open it. The file is short and begins with
 * a key frame, so it is read from its start (moment_options.from_start). fd is borrowed. */
int capture_moment_of(struct moment *ret, int fd, int64_t pts_us, const struct moment_options *options, struct capture_host *host,
                      int memory_mib, struct error *err);

#endif
