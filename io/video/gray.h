/* Turns FFmpeg's pictures to gray at one size, turned as a viewer shows them. Gray is full-range luma (BT.601 for RGB), scaled
 * bilinearly, as `ffmpeg -vf scale=W:H:flags=bilinear,format=gray` does. The range is what the picture says. A picture that
 * says nothing is limited-range if it is YUV and full-range if it is gray. Full-range gray of the output's size is copied bit
 * for bit. One thread at a time. */
#ifndef MEMAED_IO_VIDEO_GRAY_H
#define MEMAED_IO_VIDEO_GRAY_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "io/video/display.h"

struct gray;

int gray_open(struct gray **ret, int width, int height);        /* 0, -EINVAL (not positive, or over 8192), -ENOMEM */
void gray_close(struct gray *gray);                             /* takes NULL */

/* Writes all of pixels [height * width], turned; frame is borrowed. Allocates only when the size, format or range of the frames
 * changes. 0; -EINVAL (swscale does not read the format), -ENOMEM, with the cause in err. */
int gray_convert(struct gray *gray, const AVFrame *frame, struct turn turn, uint8_t *pixels, struct error *err);

/* The picture's pixel format and range for swscale: the yuvj formats are the yuv formats in full range, about which it would warn
 * each time. */
int gray_format(const AVFrame *frame, bool *full);

#endif
