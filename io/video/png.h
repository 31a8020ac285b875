/* PNG pictures, written by FFmpeg's encoder. Any thread. */
#ifndef MEMAED_IO_VIDEO_PNG_H
#define MEMAED_IO_VIDEO_PNG_H

#include <stdint.h>

#include "core/error.h"

/* Writes pixels [height][width][channels], 1 channel (gray) or 3 (RGB), to path, in place of what is there. 0; -EINVAL
 * (another number of channels, a size below 1); -errno of the file; -ENOMEM; -EIO where FFmpeg fails or has no PNG. A file
 * that could not be written whole is removed. */
int png_write(const char *path, const uint8_t *pixels, int width, int height, int channels, struct error *err);

#endif
