/* Measures the marks of decoding that went wrong and that no decoder flagged. One thread at a time for each struct blocks.
 *
 * Blocks: a macroblock that was predicted from a wrong picture does not fit its neighbours. So brightness jumps along the
 * coding's grid of 16 pixels. In a sound picture, it jumps as often beside that grid as on it.
 *
 * Bands: rows that were lost repeat the row above them, or are of one colour. So from one picture to the next, brightness ceases
 * to change from row to row, over the whole width. Nothing that moves in a scene does that: a door or a bus leaves places beside
 * it as they were. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H
#define MEMAED_IO_VIDEO_DAMAGE_BLOCKS_H

#include <libavutil/frame.h>

enum { BLOCKS_WIDTH = 320, BLOCKS_HEIGHT = 176,         /* of the least picture whose blocks are measured: it has enough of them */
       BANDS_WIDTH = 64, BANDS_HEIGHT = 48 };           /* of the least one whose bands are */
enum { BLOCKS_BANDS = 512, BLOCKS_PARTS = 8 };

struct blocks {                 /* zeroes: no picture was measured */
    int width, height;          /* of the last picture; 0: there was none */
    /* The activity of each band of the last picture, in parts from left to right. Activity is the mean difference between a row
     * and the row above, in 1/256 levels. */
    uint16_t activity[BLOCKS_BANDS][BLOCKS_PARTS];
};

/* The larger of two shares of the picture, in 1/100 %:
 * - of macroblock edges along which brightness jumps, less the same share of edges in the middle of macroblocks, from a sample of
 *   at most 24 x 40 macroblocks;
 * - of bands of 8 rows (4 below BLOCKS_HEIGHT, more beyond 4096 rows) that were active, and whose activity fell to less than a
 *   quarter since the picture before, in each of their parts.
 * -1, not measured: the picture is too small, or its luma is no plane of bytes. */
int blocks_measure(struct blocks *blocks, const AVFrame *frame);

#endif
