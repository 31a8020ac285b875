/* Pictures of FFmpeg as YUV 4:2:0 of one size, in limited range, as a viewer shows them: turned, with square pixels. The matrix
 * of their colours stays. One thread owns a converter. */
#ifndef MEMAED_IO_REENCODE_PLANES_H
#define MEMAED_IO_REENCODE_PLANES_H

#include <libavutil/frame.h>

#include "core/error.h"
#include "io/video/display.h"

struct planes;

/* The size for pictures such as this one: at most `longest` pixels, and both sides even. */
void planes_size(const struct display *display, const AVFrame *picture, int longest, int *width, int *height);

/* All pictures become width x height, whatever their size is: both even, at least 2. 0 or -ENOMEM. */
int planes_open(struct planes **ret, int width, int height);
void planes_close(struct planes *planes);               /* takes NULL */

/* The picture, which stays planes' own, and may be changed until the next call. NULL: swscale does not read the format, or memory
 * is short; err holds the cause, and *r -EINVAL or -ENOMEM. */
AVFrame *planes_convert(struct planes *planes, const AVFrame *picture, const struct display *display, int *r, struct error *err);

#endif
