/* Reads the image files of a folder, in name order, as packets for a decoder. One thread owns a folder. */
#ifndef MEMAED_IO_VIDEO_SOURCE_FOLDER_H
#define MEMAED_IO_VIDEO_SOURCE_FOLDER_H

#include <libavcodec/packet.h>
#include <stddef.h>

#include "core/error.h"

struct folder;

/* Lists the folder's regular files, and links to such, whose extension names an image that FFmpeg decodes. They are in the
 * order of their names' bytes; hidden files are not listed. 0; -EINVAL: there is none; -errno: the folder cannot be read;
 * -ENOMEM. */
int folder_open(struct folder **ret, const char *path, struct error *err);
void folder_close(struct folder *folder);       /* takes NULL */

size_t folder_count(const struct folder *folder);
/* The codec of file i (enum AVCodecID), by its extension. */
int folder_codec(const struct folder *folder, size_t i);
/* Reads the bytes of file i into packet, which is blank; its pts is i. The caller unreferences it. 0; -EINVAL: the file is empty,
 * or no longer a regular file; -EFBIG: over 256 MiB; another -errno, with the cause in err: packet stays blank. */
int folder_read(const struct folder *folder, size_t i, AVPacket *packet, struct error *err);

#endif
