/* Measures the mean colour of FFmpeg's pictures, from a sample of their pixels, as struct source_chroma has it. YUV is taken as
 * it is coded, RGB is turned to YUV (BT.601, full range), gray has no colour. Any thread. */
#ifndef MEMAED_IO_VIDEO_CHROMA_CHROMA_H
#define MEMAED_IO_VIDEO_CHROMA_CHROMA_H

#include <libavutil/frame.h>

#include "io/video/source.h"

/* Formats with a palette, of hardware, of more than 16 bits or beyond 8192 pixels a row are not known. */
void chroma_measure(struct source_chroma *ret, const AVFrame *frame);

#endif
