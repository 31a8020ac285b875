/* Tells from a URL what kind of source it names. Any thread. */
#ifndef MEMAED_IO_VIDEO_SOURCE_URL_H
#define MEMAED_IO_VIDEO_SOURCE_URL_H

#include <stdbool.h>
#include <stddef.h>

enum source_kind {
    SOURCE_FILE,                /* a path, or file:PATH */
    SOURCE_REMOTE,              /* http, https, ftp, sftp: a download, or live (io/video/input/answer.h) */
    SOURCE_LIVE,                /* paces itself */
    SOURCE_UNKNOWN,             /* another scheme, which is refused */
};

enum source_kind source_kind(const char *url);

/* The path of a SOURCE_FILE: url without a leading "file:". */
const char *source_path(const char *url);

/* Returns true if the path is the pattern of an image sequence ("frame-%03d.jpg"). */
bool source_is_pattern(const char *path);

/* The codec (enum AVCodecID) of an image file, by the extension of its name; AV_CODEC_ID_NONE (0): no image that memaed
 * decodes. */
int source_image_codec(const char *name);

/* FFmpeg's protocol_whitelist for a URL. Input from the network cannot open files of this machine. A file cannot open the
 * network, except a session description (*.sdp), which may open RTP. */
const char *source_protocols(const char *url);

/* The URL with user and password in it, percent-encoded, as FFmpeg takes it; a copy of the URL without a user. They pass
 * source_check_sign_in(). The caller wipes it and frees it. NULL: memory is short. */
char *source_signed_in(const char *url, const char *user, const char *password);

/* Returns true if the URL names a user. */
bool source_names_user(const char *url);

/* "tls://HOST:PORT" of a URL of rtsps. The caller's. NULL: memory is short. */
char *source_tls_address(const char *url);

/* Returns true if a source at url may be sent on to another address. signs_in: a password goes along; then the host stays the
 * same, and TLS stays TLS. Only a source on this machine's loopback may be sent on to the loopback, in whatever spelling of its
 * address. A path alone ("/x") stays at its host. Hosts are read as FFmpeg reads them: "rtsp:HOST/x" has one. A file may lead to
 * anything. */
bool source_may_redirect(const char *url, const char *to, bool signs_in);

#endif
