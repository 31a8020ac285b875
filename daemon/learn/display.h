/* The progress of a training on standard error: a bar twice a second on a terminal, else a log event every ten seconds. One
 * thread. */
#ifndef MEMAED_DAEMON_LEARN_DISPLAY_H
#define MEMAED_DAEMON_LEARN_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/learn/learner.h"

struct display {
    bool terminal;
    int64_t shown_us, last_us;  /* when the last line was shown; since when `steps` are counted */
    double mse, entropy;        /* sums since the last line */
    long steps, windows_shown;
};

void display_begin(struct display *display);
/* For learner_run(): counts a step, and shows a line if one is due. */
void display_show(void *display, const struct learner_progress *progress);
void display_end(struct display *display);      /* ends the line of the bar */

#endif
