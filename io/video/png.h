/* Writes PNG pictures by FFmpeg's encoder. Any thread. */
#ifndef MEMAED_IO_VIDEO_PNG_H
#define MEMAED_IO_VIDEO_PNG_H

#include <stdint.h>

#include "core/error.h"

/* Writes pixels [height][width][channels], 1 channel (gray) or 3 (RGB), to path. The file appears complete, or not at all, and
 * replaces only a regular file (io/base/new_file.h). 0; -EINVAL (another number of channels, or a size below 1); -errno of the
 * file; -ENOMEM; -EIO: FFmpeg failed or has no PNG encoder. err names path and cause. */
int png_write(const char *path, const uint8_t *pixels, int width, int height, int channels, struct error *err);

#endif
