/* Measures blocks: the mark of decoding that went wrong and that no decoder flagged. A macroblock that was predicted from a wrong
 * picture does not fit those beside it, so that the picture jumps along the grid of 16 pixels in which it was coded. What the
 * camera sees jumps as often beside that grid. Any thread. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H
#define MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H

#include <libavutil/frame.h>

enum { BLOCKS_WIDTH = 320, BLOCKS_HEIGHT = 176 };        /* of the least picture that is measured */

/* The share of the macroblocks' edges along which the picture jumps, beyond that of edges in the middle of macroblocks, from a
 * sample of at most 24 x 40. In 1/100 %; -1, not measured: the picture is too small, or its luma is no plane of bytes. */
int blocks_measure(const AVFrame *frame);

#endif
