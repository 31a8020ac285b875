/* The copy of a clip in H.264: reads a file of video, and writes another one (io/reencode/reencode.h).
 *
 * Demuxers and decoders read what a camera sent: io/capture/copying/copy_process.h runs this in a process with least rights.
 * Never logs. */
#ifndef MEMAED_IO_REENCODE_COPY_FILE_H
#define MEMAED_IO_REENCODE_COPY_FILE_H

#include <stdatomic.h>

#include "io/reencode/reencode.h"

struct copy_file_options {
    struct reencode_options reencode;
    int64_t length_us;          /* a longer clip is copied up to there */
    const atomic_bool *stop;    /* becomes true: -EINTR soon. NULL: never */
};

/* from: open for reading. to: empty, open for writing. Both stay the caller's. *is_cut: the clip is longer than the copy. 0;
 * -errno with the cause in err, and what was written of the file is of no use. ret and is_cut are written with 0 only. */
int copy_file(int from, int to, const struct copy_file_options *options, struct clip_file_stats *ret, bool *is_cut,
              struct error *err);

#endif
