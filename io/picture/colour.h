/* Turns FFmpeg's pictures to colour pictures as a viewer shows them: turned, with square pixels, at the stream's size or smaller.
 * The picture names the matrix and the range of its colours. Without a matrix, BT.709 is taken from 720 rows on, else BT.601.
 * Without a range, YUV has the limited one, gray and RGB the full one. One thread at a time. */
#ifndef MEMAED_IO_PICTURE_COLOUR_H
#define MEMAED_IO_PICTURE_COLOUR_H

#include <libavutil/frame.h>

#include "core/error.h"
#include "core/picture/picture.h"
#include "io/video/display.h"

/* The matrix of the picture's colours, by its number in swscale, which is that of FFmpeg's colour spaces. */
int colour_matrix(const AVFrame *frame);

/* Opens *ret with the picture. frame is borrowed. longest: of the longer side, 1 to PICTURE_MAX_SIDE. 0; -EINVAL (swscale does
 * not read the format), -ENOMEM, with the cause in err; *ret is untouched then. */
int colour_convert(struct picture *ret, const AVFrame *frame, const struct display *display, int longest, struct error *err);

#endif
