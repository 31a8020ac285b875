/* The image files of a folder, in name order, as packets for a decoder. One thread owns a folder. */
#ifndef MEMAED_IO_VIDEO_SOURCE_FOLDER_H
#define MEMAED_IO_VIDEO_SOURCE_FOLDER_H

#include <libavcodec/packet.h>
#include <stddef.h>

#include "core/error.h"

struct folder;

/* Lists the regular files (links to them too) in path whose extension names an image that FFmpeg decodes, in the order of their
 * names' bytes; hidden files are left out. 0; -EINVAL where there is none; -errno where the folder can't be read. */
int folder_open(struct folder **ret, const char *path, struct error *err);
void folder_close(struct folder *folder);       /* takes NULL */

size_t folder_count(const struct folder *folder);
/* The codec of file i, by its extension. */
int folder_codec(const struct folder *folder, size_t i);
/* The bytes of file i as a packet, with pts i, into a blank packet, the caller's to unref. 0 or -errno (-EINVAL: empty,
 * -EFBIG: over 256 MiB). */
int folder_read(const struct folder *folder, size_t i, AVPacket *packet, struct error *err);

#endif
