/* Draws the scores of labelled clips over time as a picture. gnuplot draws it; it runs without a shell and without its
 * start-up files. The picture has one panel with all clips one after the other. Abnormal stretches are shaded, the score is
 * a line, the threshold a dashed line. Long footage is drawn as about 4,000 points, each the highest score of its part. Main's
 * thread. */
#ifndef MEMAED_DAEMON_MEASURE_TIMELINE_H
#define MEMAED_DAEMON_MEASURE_TIMELINE_H

#include "daemon/measure/labelled.h"

/* Checks that the picture can be drawn; call it before the scores are computed. Returns 0; -EINVAL unless path ends in .svg
 * or .png; -ENOENT if gnuplot is not installed; or the errno of path's folder. err names the cause. */
int timeline_check(const char *path, struct error *err);

/* Writes the picture, or leaves the file at path as it is. threshold may be NULL. Returns 0, or a negative errno with the
 * cause in err. gnuplot's own messages go to standard error. */
int timeline_plot(const char *path, const struct labelled_clip *clips, size_t n, const float *threshold, struct error *err);

#endif
