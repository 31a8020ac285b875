/* The messages between the daemon and the process of one source. Both are the same program, so numbers cross as they are in
 * memory. A message is one packet of a socket that keeps packets apart (SOCK_SEQPACKET).
 *
 * The daemon sends a request, beginning with WIRE_PACKETS, WIRE_FILE, WIRE_OPEN or WIRE_MOMENT, and the process answers each with
 * one WIRE_RESULT, after any number of WIRE_LOG. An attacker may have taken over the process, so wire_decode_reply() refuses
 * every value that is out of range. The reader (io/capture/capture.c) checks which reply follows which request.
 *
 * Packets need no message: they lie in shared memory of their own (io/capture/packet_queue.h), which WIRE_PACKETS hands over
 * before WIRE_OPEN.
 *
 * Pure; any thread. */
#ifndef MEMAED_IO_CAPTURE_WIRE_H
#define MEMAED_IO_CAPTURE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "io/video/source.h"

enum {
    WIRE_MAX_REQUEST = 65536,   /* bytes of a request */
    WIRE_MAX_TEXT = 1024,       /* bytes of a text in a reply, with its end */
};

enum wire_type {
    WIRE_OPEN = 1,              /* source_open() */
    WIRE_PEEK,                  /* source_peek() */
    WIRE_RESIZE,                /* source_resize() */
    WIRE_MEMORY,                /* a descriptor comes along (SCM_RIGHTS): shared memory for pictures, in place of the former */
    WIRE_PACKETS,               /* a descriptor comes along: shared memory for packets, before WIRE_OPEN */
    WIRE_CLIP,                  /* in place of all others: the process writes a clip (io/capture/clip_child.h) to the descriptor
                                 * that comes along */
    WIRE_READ,                  /* source_read(), to an offset of the shared memory */
    WIRE_CLOSE,                 /* source_close(); there is no reply, the process ends */
    WIRE_RESULT,                /* of the request */
    WIRE_LOG,                   /* a line of FFmpeg's log */
    WIRE_MOMENT,                /* moment_read(), in place of WIRE_OPEN; a descriptor comes along: memory for the picture. The
                                 * process ends after its answer */
    WIRE_FILE,                  /* a descriptor comes along: the file that WIRE_MOMENT reads, whatever its url is, or WIRE_COPY */
    WIRE_COPY,                  /* in place of all others but WIRE_FILE: the process copies that file
                                 * (io/capture/copying/copy_child.h) to the descriptor that comes along */
};

/* A request. Texts are borrowed: from the caller of wire_encode_request(), or from the bytes that wire_decode_request() read. */
struct wire_request {
    enum wire_type type;
    /* WIRE_OPEN, WIRE_MOMENT */
    const char *url, *name;     /* name: of the camera, for the process's own name */
    struct source_options options;      /* all but stop and tap */
    int memory_mib;             /* address space that the process may add */
    /* WIRE_RESIZE */
    int width, height;
    /* WIRE_MOMENT */
    int64_t pts_us;             /* as of moment_read() */
    int longest;
    /* WIRE_MEMORY, WIRE_PACKETS, WIRE_MOMENT */
    size_t memory_size;         /* its bytes */
    /* WIRE_READ */
    size_t offset;              /* of the picture in the shared memory */
};

struct wire_reply {
    enum wire_type type;        /* WIRE_RESULT or WIRE_LOG */
    int result;                 /* what the call returned: -4095 to 1 */
    int priority;               /* of WIRE_LOG, as in syslog(3) */
    int width, height;          /* of WIRE_PEEK and WIRE_MOMENT with result 1: 1 to 65535 */
    struct source_frame frame;  /* of WIRE_READ with result 1, and of WIRE_MOMENT, which sets pts_us and corrupt; pts_us 0 to
                                 * 2^62, arrival_us 0 or more */
    struct source_stats stats;  /* of WIRE_RESULT; its codecs are printable */
    char text[WIRE_MAX_TEXT];   /* the error's, or the line; printable */
};

/* Writes the request into data [WIRE_MAX_REQUEST]. The number of bytes; -E2BIG: its texts are too long. */
int wire_encode_request(uint8_t *data, const struct wire_request *request);
/* 0, or -EPROTO: the bytes are no request. data must outlive ret's texts. */
int wire_decode_request(struct wire_request *ret, const uint8_t *data, size_t size);

/* Sends the reply to fd. 0 or -errno. */
int wire_send_reply(int fd, const struct wire_reply *reply);
/* The bytes of the largest reply. */
size_t wire_reply_size(void);
/* 0; -EPROTO with the cause in err: the bytes are no reply. */
int wire_decode_reply(struct wire_reply *ret, const void *data, size_t size, struct error *err);

#endif
