/* Finds one window of footage and keeps its frames: the window of a frame, of a time, or with the highest score. Windows begin at
 * every frame; one that touches a corrupt frame or spans a gap does not count. Main's thread. */
#ifndef MEMAED_DAEMON_EXPLAIN_SEARCH_H
#define MEMAED_DAEMON_EXPLAIN_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/score/calibration.h"
#include "io/capture/capture.h"

enum search_by { SEARCH_PEAK, SEARCH_FRAME, SEARCH_TIME };

struct search {
    enum search_by by;
    uint64_t frame;             /* SEARCH_FRAME: the window with this centre */
    int64_t pts_us;             /* SEARCH_TIME: the last window whose centre was taken then or before */
};

struct found_window {
    uint64_t frame;             /* its centre, as `memaed score` counts */
    int64_t pts_us;             /* of the centre */
    uint8_t *pixels;            /* [length, height * width], owned */
    const uint8_t **frames;     /* [length] into pixels, owned */
};

/* Reads the capture, which is open at the plan's size. calibration may be NULL; workspace is one of the plan. 0: the caller
 * closes *ret; -ENOENT: there is no such window; an error of the capture; -ENOMEM. err names the cause; *ret is untouched on
 * failure. */
int search_window(struct found_window *ret, struct capture *capture, const struct search *search, const struct plan *plan,
                  const struct calibration *calibration, void *workspace, struct error *err);
/* Takes zeroes. */
void found_window_close(struct found_window *window);

#endif
