/* The motion baseline: a score without learning that the daemon's score has to beat. Pictures are 128x128 and enter as
 * x = p / 127.5 - 1. D is the mean of (x_t - x_t-1)² over eight frames, averaged over cells of 8x8 pixels at steps of 4
 * (31x31 cells). The score is the mean of the 16 largest cells. The arithmetic is in integers up to the last division, so
 * the score is the same on every machine. Pure functions, any thread. */
#ifndef MEMAED_CORE_EVALUATION_MOTION_H
#define MEMAED_CORE_EVALUATION_MOTION_H

#include <stdint.h>

enum {
    MOTION_SIDE = 128,
    MOTION_FRAMES = 9,          /* pictures per score: eight differences */
    MOTION_BEFORE = 5,          /* pictures before the one that the score belongs to, the window's centre */
};

/* frames: MOTION_FRAMES pictures [128, 128] in order, borrowed. */
double motion_score(const uint8_t *const frames[MOTION_FRAMES]);

#endif
