/* Copies a clip in H.264 (io/reencode/copy_file.h), in a process of its own with least rights and the lowest priority, and waits
 * for it. What the process tells is checked as if an attacker had written it. An attacker could write anything to the copy of his
 * camera's clip, and nothing else. Any thread. Never logs. */
#ifndef MEMAED_IO_CAPTURE_COPYING_COPY_PROCESS_H
#define MEMAED_IO_CAPTURE_COPYING_COPY_PROCESS_H

#include <stdatomic.h>

#include "core/error.h"
#include "core/zones/burning.h"
#include "io/capture/host.h"
#include "io/video/packets/codec_string.h"

struct capture_copy_options {
    const struct privacy *privacy;      /* burned in */
    int longest;                /* pixels of the longer side at most */
    int64_t length_us;          /* a longer clip is copied up to there */
    int64_t limit_us;           /* the process is killed after this time: -ETIMEDOUT */
    const atomic_bool *stops[2];        /* one becomes true: -EINTR soon. NULL: none. Without a host, the first alone counts */
};

struct capture_copy {
    int64_t bytes, duration_us;
    uint64_t audio_lost;        /* packets of audio that the copy lacks */
    bool is_cut;                /* the clip is longer */
    char codecs[CODEC_STRING_SIZE];
};

/* 0; -ENOSYS with the cause in err: this FFmpeg has no encoder, so no copy can be made. */
int capture_can_encode(struct error *err);

/* from: open for reading. to: empty, open for writing. Both stay the caller's. host NULL: this process copies, on the caller's
 * thread. 0; -errno with the cause in err: what was written is of no use, and *ret is untouched. */
int capture_copy(struct capture_copy *ret, int from, int to, const struct capture_copy_options *options,
                 struct capture_host *host, struct error *err);

#endif
