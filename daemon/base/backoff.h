/* How long to wait before the next attempt: from half a second, doubling to half a minute, each time drawn anew from
 * three quarters to five quarters of that (30 s at most), so that cameras that fell together don't come back together.
 * One thread's own. */
#ifndef MEMAED_DAEMON_BASE_BACKOFF_H
#define MEMAED_DAEMON_BASE_BACKOFF_H

#include <stdint.h>

#include "core/rng.h"

enum { BACKOFF_FIRST_US = 500 * 1000, BACKOFF_LAST_US = 30 * 1000 * 1000 };

struct backoff {
    int64_t next_us;            /* before the draw */
    struct rng rng;
};

void backoff_init(struct backoff *backoff, uint64_t seed);
int64_t backoff_next_us(struct backoff *backoff);
void backoff_reset(struct backoff *backoff);            /* the attempt lasted: start from the first again */

#endif
