/* What can be told of a source from its URL. Any thread. */
#ifndef MEMAED_IO_VIDEO_SOURCE_URL_H
#define MEMAED_IO_VIDEO_SOURCE_URL_H

#include <stdbool.h>
#include <stddef.h>

enum source_kind {
    SOURCE_FILE,                /* a path, or file:PATH */
    SOURCE_REMOTE,              /* http, https, ftp, sftp: read as fast as it is asked for */
    SOURCE_LIVE,                /* paces itself */
    SOURCE_UNKNOWN,             /* a scheme that isn't taken */
};

enum source_kind source_kind(const char *url);

/* The path of a SOURCE_FILE: url without a leading "file:". */
const char *source_path(const char *url);

/* Whether the path is a pattern of an image sequence ("frame-%03d.jpg"). */
bool source_is_pattern(const char *path);

/* The codec by which FFmpeg decodes an image file of this name, by its extension; AV_CODEC_ID_NONE (0): no image. */
int source_image_codec(const char *name);

/* FFmpeg's protocol_whitelist for a URL: what comes from the network never leads to files of this machine, and a file
 * to no network (but a session description, *.sdp, to RTP). */
const char *source_protocols(const char *url);

#endif
