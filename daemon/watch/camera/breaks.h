/* Decides when breaks of a camera's sequence recur so often that they are logged. Pure state machine, driven by the times of the
 * breaks. One thread at a time. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_BREAKS_H
#define MEMAED_DAEMON_WATCH_CAMERA_BREAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "web/view.h"

enum { BREAKS_MANY = 3 };
#define BREAKS_WITHIN_US INT64_C(60000000)
#define BREAKS_QUIET_US INT64_C(600000000)

struct breaks {
    int64_t at_us[BREAKS_MANY]; /* of the last breaks, a ring; 0: none */
    int next;
    int64_t since_us;           /* of the first break that no report has counted; 0: none */
    int64_t told_us;            /* of the last report; 0: none */
    uint64_t count[VIEW_BREAKS];        /* since the last report */
};

struct breaks_report {
    uint64_t breaks;            /* in all, since the last report */
    double seconds;             /* from the first of them to now */
    char causes[160];           /* "gap 3, clock 1" */
};

/* Counts a break at now_us > 0, on a clock that never goes back. Returns true, with *ret written, if a report is due: after
 * BREAKS_MANY breaks within BREAKS_WITHIN_US, but not within BREAKS_QUIET_US of the last report. Breaks by a lost stream and by
 * the end of a file that is looped are reported elsewhere, and do not count. Start with {0}. */
bool breaks_note(struct breaks *breaks, enum view_break cause, int64_t now_us, struct breaks_report *ret);

#endif
