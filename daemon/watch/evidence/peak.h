/* Keeps the frames of the window with the highest score of an alert's present cause. So the alert can be explained after the ring
 * has dropped these frames. All memory is allocated when it opens.
 *
 * Only windows that count towards an alert are offered. A pause of more than 3 s plus smooth_us between them
 * begins another cause. Any thread; a lock is held for a copy of a window, about a tenth of a millisecond. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_PEAK_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_PEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

struct peak;

struct peak_window {
    int64_t time_us;            /* UTC of the centre frame */
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when the packet of the centre frame came */
    float level;                /* what the alert rule takes */
    struct boxes boxes;
};

/* length: frames of a window, of frame_size bytes each. smooth_us: of the alert rule. 0 or -ENOMEM. */
int peak_open(struct peak **ret, int length, size_t frame_size, int64_t smooth_us);
void peak_close(struct peak *peak);             /* takes NULL */
size_t peak_bytes(const struct peak *peak);     /* of all frames */

/* Copies the window, frames [length], unless a higher one of the same cause is there. */
void peak_offer(struct peak *peak, const struct peak_window *window, const uint8_t *const *frames);
/* Copies the highest window into *ret, and its frames, one after the other, into pixels [peak_bytes()]. It may be earlier than
 * since_us (UTC, when the alert opened) by such a pause: a single high window opens no alert, but has the same cause. false,
 * and both untouched: there was none, or it is earlier. */
bool peak_read(struct peak *peak, int64_t since_us, struct peak_window *ret, uint8_t *pixels);

#endif
