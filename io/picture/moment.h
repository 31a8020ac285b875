/* The colour picture of a source at a moment, as a viewer shows it: turned, with square pixels. It serves for snapshots out of
 * clips, and for any file, folder or pattern of images that io/video/source.h reads.
 *
 * A file with time stamps is read from its beginning, several times, but decoded only from the key frame before the moment on.
 * Others are decoded from their beginning. One picture is converted, the last one.
 *
 * FFmpeg parses the file here, and whoever wrote it may be hostile. So capture_moment() (io/capture/capture.h) runs moment_read()
 * in a process of its own with least rights. It opens nothing but the source, needs no thread but the caller's, and holds two
 * decoded pictures and the result.
 *
 * One thread for each call; any thread may set source.stop. Never logs. */
#ifndef MEMAED_IO_PICTURE_MOMENT_H
#define MEMAED_IO_PICTURE_MOMENT_H

#include "core/error.h"
#include "core/picture/picture.h"
#include "io/video/source.h"

struct moment_options {
    struct source_options source;       /* of a source with images alone, fps says when they were taken. width, height, tap and
                                         * decoder_threads are not used */
    int longest;                /* pixels of the longer side at most, 1 to PICTURE_MAX_SIDE: a larger picture shrinks */
    bool from_start;            /* nothing is skipped: the source is short, and begins with a key frame */
    int limit_ms;               /* -ETIMEDOUT after this time, checked between packets; 0: no limit */
};

struct moment {
    struct picture picture;
    int64_t pts_us;             /* its time since the source's first picture, as struct source_frame has it */
    bool corrupt;               /* it is damaged, or predicted from a picture that is */
};

/* Opens *ret with the last picture that was taken at pts_us or before (since the source's first picture), or with the first one.
 * Returns 0; an error of source_open(); -ETIMEDOUT; -EINTR; -ENOMEM; -EINVAL (no picture). err names the cause; *ret is untouched
 * then, else the caller closes ret->picture. */
int moment_read(struct moment *ret, const char *url, int64_t pts_us, const struct moment_options *options, struct error *err);

#endif
