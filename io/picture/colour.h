/* Turns FFmpeg's pictures to colour pictures as a viewer shows them: turned, with square pixels, at the stream's size or smaller.
 * Colours are those that the picture says: its matrix and range. A picture that says no matrix has BT.709 from 720 rows on,
 * else BT.601. One that says no range is limited if it is YUV, full if it is gray or RGB. One thread at a time. */
#ifndef MEMAED_IO_PICTURE_COLOUR_H
#define MEMAED_IO_PICTURE_COLOUR_H

#include <libavutil/frame.h>

#include "core/error.h"
#include "core/picture/picture.h"
#include "io/video/display.h"

/* The matrix of the picture's colours, as swscale numbers it, and FFmpeg its colour spaces. */
int colour_matrix(const AVFrame *frame);

/* Opens *ret with the picture. frame is borrowed. longest: of the longer side, 1 to PICTURE_MAX_SIDE. 0; -EINVAL (swscale does
 * not read the format), -ENOMEM, with the cause in err; *ret is untouched then. */
int colour_convert(struct picture *ret, const AVFrame *frame, const struct display *display, int longest, struct error *err);

#endif
