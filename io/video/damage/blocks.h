/* Measures blocks: the mark of decoding that went wrong and that no decoder flagged. A macroblock that was predicted from a wrong
 * picture does not fit its neighbours. So brightness jumps along the coding's grid of 16 pixels. In a sound picture, it jumps as
 * often beside that grid as on it. Any thread. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H
#define MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H

#include <libavutil/frame.h>

enum { BLOCKS_WIDTH = 320, BLOCKS_HEIGHT = 176 };        /* of the least picture that is measured */

/* The share of macroblock edges along which brightness jumps, less the same share of edges in the middle of macroblocks. From a
 * sample of at most 24 x 40 macroblocks. In 1/100 %; -1, not measured: the picture is too small, or its luma is no plane of
 * bytes. */
int blocks_measure(const AVFrame *frame);

#endif
