/* What a static scene is at a camera, from footage held out whose windows were scored: each cell's noise in each light, how
 * far off the scores of windows were that could have done without the network, and how long pictures repeat.
 *
 * A cell's noise is what three quarters of the windows exceed as their farthest frame's difference from the mean of their
 * frames, so that what moves there half of the time doesn't count. The limit is eight times that and a floor, 32 gray levels² or
 * less: the decisions that the daemon would have taken (core/score/static_scene.h) are taken, and held against the scores, with
 * lower floors as long as they are too far off; where that does not help nothing is static in that light. Scores in two lights
 * stand on different footings, so that windows whose contrast lies near the boundary stand for none: as near as those were that
 * the footage had stand for windows in the other light, and half as near again. The bound is one and a half times the largest
 * difference that is left. Figures in docs/score.md. */
#ifndef MEMAED_DAEMON_LEARN_STATIC_LIMITS_H
#define MEMAED_DAEMON_LEARN_STATIC_LIMITS_H

#include "daemon/learn/windows.h"

/* Sets has_static and still of ret, which has its score, from windows measured by it, those in 8 bits aside; not where it has
 * none of cells. 0, -ENOMEM, -EINTR, or what reading the footage returns. */
int static_limits_fit(struct calibration *ret, const struct windows *windows, const struct windows_options *options,
                      const struct arch *arch, struct error *err);

#endif
