/* A histogram of the delays of events. A delay lasts from the event (for an alert, from the moment in the picture) until a sink
 * has acknowledged it. Plain data; the caller guards it. */
#ifndef MEMAED_CORE_DELAYS_H
#define MEMAED_CORE_DELAYS_H

#include <stdint.h>

enum { DELAYS_BOUNDS = 15 };
extern const double delays_bound_s[DELAYS_BOUNDS];      /* upper bounds of the classes, in seconds */

struct delays {
    uint64_t n[DELAYS_BOUNDS + 1];      /* events: above bound i - 1, up to bound i; the last: above all */
    double sum_s;
};

/* Counts an event; times are UTC. A negative delay, which clocks that differ can give, counts as 0. */
void delays_add(struct delays *delays, int64_t happened_us, int64_t acknowledged_us);

#endif
