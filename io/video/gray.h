/* FFmpeg's pictures turned to gray at one size: full-range luma (BT.601 for RGB), scaled bilinear, as
 * `ffmpeg -vf scale=W:H:flags=bilinear,format=gray` does it. The range is the picture's own; a YUV picture that doesn't
 * say is limited-range, a gray one full-range. Full-range gray of the size asked for is copied bit for bit.
 * One thread at a time. */
#ifndef MEMAED_IO_VIDEO_GRAY_H
#define MEMAED_IO_VIDEO_GRAY_H

#include <libavutil/frame.h>
#include <stdint.h>

#include "core/error.h"

struct gray;

int gray_open(struct gray **ret, int width, int height);        /* 0, -EINVAL (not positive, or over 8192), -ENOMEM */
void gray_close(struct gray *gray);                             /* takes NULL */

/* frame, borrowed, into pixels [height * width], fully written. Allocates only where size, format or range of the pictures
 * change. 0, -EINVAL (a format that swscale doesn't read), -ENOMEM. */
int gray_convert(struct gray *gray, const AVFrame *frame, uint8_t *pixels, struct error *err);

#endif
