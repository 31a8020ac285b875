/* Measures the mean colour of FFmpeg's pictures, from a sample of their pixels, as struct source_chroma has it. YUV is taken as
 * it is coded, RGB is turned to YUV (BT.601, full range), gray has no colour. Any thread. */
#ifndef MEMAED_IO_VIDEO_CHROMA_CHROMA_H
#define MEMAED_IO_VIDEO_CHROMA_CHROMA_H

#include <libavutil/frame.h>

#include "io/video/source.h"

/* Some formats are not measured (known is false): with a palette, of hardware, with Bayer patterns or floats, of fewer than 8 or
 * more than 16 bits. Nor are pictures wider than 8192 pixels. */
void chroma_measure(struct source_chroma *ret, const AVFrame *frame);

#endif
