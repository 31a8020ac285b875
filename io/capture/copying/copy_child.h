/* The process that copies a clip (io/capture/copying/copy_process.h). It keeps only the rights to read one file and to write to
 * another, copies (io/reencode/copy_file.h), and tells the outcome. */
#ifndef MEMAED_IO_CAPTURE_COPYING_COPY_CHILD_H
#define MEMAED_IO_CAPTURE_COPYING_COPY_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/zones/burning.h"
#include "io/capture/memory.h"
#include "io/video/packets/codec_string.h"

/* The order that the daemon sends after WIRE_COPY. */
struct copy_order {
    struct privacy privacy;
    int32_t longest;
    int64_t length_us;
};

/* The answer of the process, sent once. */
struct copy_reply {
    int32_t result;             /* 0 or -errno */
    uint32_t is_cut;
    int64_t bytes, duration_us;
    uint64_t audio_lost;
    char codecs[CODEC_STRING_SIZE];
    char text[256];             /* the error's */
};

enum { COPY_MEMORY_MIB = 1024, COPY_NICE = 19 };
/* The largest size of a copy. */
#define COPY_FILE_BYTES ((size_t)2 << 30)

/* Serves one order. Takes over both files. Returns the exit status. */
int copy_child_serve(int socket, const struct capture_memory *control, int from, int to);

#endif
