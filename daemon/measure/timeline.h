/* The scores of labelled clips over time as a picture, drawn by gnuplot, which is run as a program of its own, without a
 * shell and without its start-up files. One panel: clip after clip, abnormal stretches shaded, the score a line, the
 * threshold a dashed one. Of long footage each of 4,000 parts shows its highest score. Main's thread. */
#ifndef MEMAED_DAEMON_MEASURE_TIMELINE_H
#define MEMAED_DAEMON_MEASURE_TIMELINE_H

#include "daemon/measure/labelled.h"

/* Whether it can be drawn, before work is spent on the scores: -EINVAL where path ends neither in .svg nor in .png,
 * -ENOENT where there is no gnuplot, or the errno of path's folder. */
int timeline_check(const char *path, struct error *err);

/* Writes the picture, whole or not at all. threshold may be NULL. 0, or a negative errno with the cause in err. gnuplot's own
 * words go to standard error. */
int timeline_plot(const char *path, const struct labelled_clip *clips, size_t n, const float *threshold, struct error *err);

#endif
