/* The process that writes a clip (io/capture/clip_writer.h). It keeps only the right to write to one descriptor, takes packets
 * out of shared memory, and muxes them (io/video/packets/clip_file.h). */
#ifndef MEMAED_IO_CAPTURE_CLIP_CHILD_H
#define MEMAED_IO_CAPTURE_CLIP_CHILD_H

#include <stdint.h>

#include "core/zones/burning.h"
#include "io/video/packets/codec_string.h"

/* A message of the daemon, over the socket of the process. CLIP_MEMORY is the first; only CLIP_MASKS may come before it. */
enum clip_request {
    CLIP_MASKS = 4,             /* a struct clip_masks: packets are decoded, and encoded with masks burned in, while no message
                                 * comes (io/reencode/reencode.h). CLIP_DRAIN then only asks for the figures, and CLIP_END drops
                                 * the packets that wait */
    CLIP_MEMORY = 1,            /* a descriptor comes along: the shared memory (io/capture/packet_queue.h) */
    CLIP_DRAIN,                 /* write the packets that lie in the memory */
    CLIP_END,                   /* write them, and end the file; the process ends after its answer */
};

struct clip_masks {
    uint32_t request;           /* CLIP_MASKS */
    int32_t longest;            /* pixels of the longer side at most */
    struct privacy privacy;
};

/* The answer to each. */
struct clip_reply {
    int32_t result;             /* 0 or -errno */
    int64_t bytes, duration_us;
    uint64_t packets, repaired, audio_packets, audio_lost;
    char codecs[CODEC_STRING_SIZE];     /* of the file's streams; "": not known */
    char text[256];             /* the error's */
};

/* Limits of the process. One with masks decodes and encodes, so it may take more memory, at a lower priority. */
enum { CLIP_MEMORY_MIB = 64, CLIP_MASKED_MEMORY_MIB = 1024, CLIP_MASKED_NICE = 10 };
/* The largest size of a clip. */
#define CLIP_FILE_BYTES ((size_t)4 << 30)

/* Serves until the file has ended or the other end of the socket closes. Takes over fd, that of the file. Returns the exit
 * status. */
int clip_child_serve(int socket, int fd);

#endif
