/* JPEG by FFmpeg's encoder: full range, BT.601, 4:2:0, as every viewer reads it. Any thread. */
#ifndef MEMAED_IO_PICTURE_JPEG_H
#define MEMAED_IO_PICTURE_JPEG_H

#include "core/error.h"
#include "core/picture/picture.h"

enum { JPEG_QUALITY = 85 };

struct jpeg {
    uint8_t *data;
    size_t size;                /* bytes */
};

/* Encodes the picture, which is borrowed. quality: 1 (small) to 100 (exact). 0; -EINVAL (no picture, or a quality out of
 * range); -ENOMEM; -EIO: FFmpeg failed, or has no encoder. On failure err names the cause and *ret is untouched. On success the
 * caller closes it. */
int jpeg_encode(struct jpeg *ret, const struct picture *picture, int quality, struct error *err);
/* Takes zeroes. */
void jpeg_close(struct jpeg *jpeg);

/* Encodes the picture into a file that appears under its name complete, or not at all (io/base/new_file.h). Its owner alone may
 * read it, unless it replaces a file that others may read. 0; an error of jpeg_encode(), or -errno of the file; err names path
 * and cause. */
int jpeg_write(const char *path, const struct picture *picture, int quality, struct error *err);

#endif
