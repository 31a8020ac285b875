/* For the tests of pacing and timing: random time stamps, whose seed is printed, and the pacing of a file by them. */
#ifndef MEMAED_TESTS_IO_VIDEO_JITTERING_H
#define MEMAED_TESTS_IO_VIDEO_JITTERING_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/video/pacing.h"
#include "tests/suite.h"

static unsigned long seed;

static void set_seed(void)
{
    srandom((unsigned)seed);
}

/* Returns a case of that name. Each test of it begins with the seed in the environment variable SEED, or else of the clock. */
static inline TCase *seeded_case(const char *name)
{
    seed = getenv("SEED") ? strtoul(getenv("SEED"), NULL, 10) : (unsigned long)time(NULL);
    printf("SEED=%lu\n", seed);
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, set_seed, NULL);
    return tc;
}

/* Returns a random number from -1 to 1. */
static inline double uniform(void)
{
    return (double)random() / RAND_MAX * 2 - 1;
}

/* Calls pacing_next() as for a file. *gap, too, is written only if the picture is picked. */
static inline bool next(struct pacing *pacing, int64_t stamp_us, int64_t *out_us, bool *gap)
{
    enum source_break cause;
    bool picked = pacing_next(pacing, stamp_us, TIMING_NONE, out_us, &cause);
    if (picked)
        *gap = cause != SOURCE_UNBROKEN;
    return picked;
}

#endif
