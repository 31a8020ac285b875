/* The delay before the next attempt of something that failed. It starts at half a second and doubles up to half a minute. Each
 * delay is drawn at random between 3/4 and 5/4 of that, 30 s at most. So cameras that were lost together are not all opened again
 * at the same moment. A backoff belongs to one thread. */
#ifndef MEMAED_DAEMON_BASE_BACKOFF_H
#define MEMAED_DAEMON_BASE_BACKOFF_H

#include <stdint.h>

#include "core/rng.h"

enum { BACKOFF_FIRST_US = 500 * 1000, BACKOFF_LAST_US = 30 * 1000 * 1000 };

struct backoff {
    int64_t next_us;            /* the next delay, before the random draw */
    struct rng rng;
};

void backoff_init(struct backoff *backoff, uint64_t seed);
int64_t backoff_next_us(struct backoff *backoff);
void backoff_reset(struct backoff *backoff);            /* after an attempt that lasted: start from the first delay */

#endif
