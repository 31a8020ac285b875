/* A slow picture: the median, pixel by pixel, of half a minute. What moves through the picture is not in it; what stands
 * still for more than half of that time is. It is described in a way that light changes little.
 *
 * Every 2 s a frame is sampled. Every 8 s, at a tick, the median of the last 16 samples is described. The mean gradient of the
 * 5x5 pixels around each pixel is subtracted from its own gradient. Soft edges of light and shadow vanish, edges of things do
 * not. The rest is divided by its root mean square over 5x5 pixels, with a floor that stands for noise. This is contrast
 * normalisation, as in Dalal and Triggs (CVPR 2005), without orientation bins. A block of 4x4 pixels is described by the means
 * over its four 2x2 parts, in 8 bits. That gives SLOW_VALUES values, first the four across, then the four down.
 *
 * Pictures with more than SLOW_BLOCKS_MAX blocks are first reduced by a whole factor. No locks: one thread (or lock) for each
 * slow picture. Nothing is allocated after slow_picture_open(). The same frames give the same bits. */
#ifndef MEMAED_CORE_STILL_SLOW_PICTURE_H
#define MEMAED_CORE_STILL_SLOW_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLOW_SAMPLES = 16, SLOW_STEP = 4,    /* samples of a median; samples from tick to tick */
       SLOW_PERIOD_US = 2000000,            /* from sample to sample */
       SLOW_TICK_US = SLOW_STEP * SLOW_PERIOD_US,
       SLOW_LONGEST_US = 60000000,          /* time stamps that are further apart, or fall, are a gap */
       SLOW_BLOCK = 4,                      /* pixels of the reduced picture; a remainder to the right and below is left out */
       SLOW_VALUES = 8,
       SLOW_BLOCKS_MAX = 1024 };
#define SLOW_SCALE 64.0f                    /* a value of SLOW_SCALE stands for a normalised gradient of 1 */

struct slow_shape {
    int height, width;          /* of the frames, pixels */
    int reduced;                /* the factor by which they are reduced, >= 1 */
    int rows, columns;          /* of blocks */
};

/* The shape for frames [height, width]. False, *ret untouched, if they have fewer than 4 blocks across or down. */
bool slow_shape_of(struct slow_shape *ret, int height, int width);

struct slow_picture;

/* 0; -EINVAL if slow_shape_of() is false; or -ENOMEM. *ret is untouched on failure. */
int slow_picture_open(struct slow_picture **ret, int height, int width);
void slow_picture_close(struct slow_picture *slow);         /* takes NULL */

/* From now on the contrast leaves out cells of which more than half is covered. covered is [height, width] of the frames
 * (hiding_map()), 1 for a covered pixel, else 0; borrowed for the call. */
void slow_picture_leave_out(struct slow_picture *slow, const uint8_t *covered);

enum slow_event {
    SLOW_NOTHING,
    SLOW_TICK,                  /* the description is new */
    SLOW_BROKEN,                /* the samples before this frame were dropped */
};
/* Takes the next frame [height, width], borrowed for the call. gap: the sequence broke before it. */
enum slow_event slow_picture_add(struct slow_picture *slow, const uint8_t *frame, int64_t pts_us, bool gap);

/* Valid after SLOW_TICK, until the next slow_picture_add(): the description [rows, columns, SLOW_VALUES]; the logarithm of the
 * median squared gradient of cells of 8x8 pixels, which tells day from infrared night; that of the median gray level. */
const int8_t *slow_picture_blocks(const struct slow_picture *slow);
float slow_picture_contrast(const struct slow_picture *slow);
float slow_picture_brightness(const struct slow_picture *slow);

#endif
