/* The two clocks of this program, in microseconds: monotonic, for durations and deadlines, and UTC since 1970, for people.
 * Any thread. */
#ifndef MEMAED_IO_BASE_CLOCK_H
#define MEMAED_IO_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }
static inline int64_t utc_us(void) { return clock_us(CLOCK_REALTIME); }

#endif
