/* Fits the limits within which a camera's scene is static (core/score/static_scene.h), from scored windows of footage held
 * out.
 *
 * Noise: a window gives for each cell the largest mean squared difference between a frame and the mean of its frames. A
 * cell's noise is the lower quartile of these over the windows in one light. So motion that fills the cell half of the time
 * does not count as noise.
 *
 * Limit: eight times the noise plus a floor. The fit decides on every window as the daemon would, and compares the score
 * that a static window would be given with its own. If they differ by more than 4, the next lower of five floors is tried,
 * from 32 to 2 gray levels². If even the lowest does not help, nothing is static in that light.
 *
 * Light margin: scores in the two lights are not comparable. So a window whose contrast is near the boundary of the lights
 * does not give its score to others. The margin is 0.05 at least. While a window of the footage would still give its score
 * to one in the other light, the margin grows: to 1.5 times the largest such distance, and by half at least.
 *
 * Bound: 1.5 times the largest difference of scores that remains, and 0.25 at least. Frozen: three times the longest
 * repetition of one picture, and 10 s at least. Figures in docs/score.md. */
#ifndef MEMAED_DAEMON_LEARN_STATIC_LIMITS_H
#define MEMAED_DAEMON_LEARN_STATIC_LIMITS_H

#include "daemon/learn/windows.h"

/* Sets has_static and still of *ret, whose score is already fitted. windows were measured by that score, in fp32.
 * has_static becomes false if the network is too small for a score, or has too many cells. Returns 0, -ENOMEM, -EINTR or
 * the fault of reading the footage. */
int static_limits_fit(struct calibration *ret, const struct windows *windows, const struct windows_options *options,
                      const struct arch *arch, struct error *err);

#endif
