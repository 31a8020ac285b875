/* The motion of a window, without any learning: the opponent that a score has to beat. Pictures of 128x128, x = p / 127.5 - 1;
 * D = the mean over eight frames of (x_t - x_t-1)^2; D is averaged over cells of 8x8 pixels at steps of 4 (31x31 cells); the
 * score is the mean of the 16 largest. In whole numbers up to the last division, so that it is the same everywhere. Pure
 * functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_MOTION_H
#define MEMAED_CORE_EVALUATION_MOTION_H

#include <stdint.h>

enum {
    MOTION_SIDE = 128,
    MOTION_FRAMES = 9,          /* pictures that a score is made from: eight differences */
    MOTION_BEFORE = 5,          /* of them, those before the frame that it is attributed to, a window's centre */
};

/* frames: MOTION_FRAMES pictures [128, 128] in order, borrowed. */
double motion_score(const uint8_t *const frames[MOTION_FRAMES]);

#endif
