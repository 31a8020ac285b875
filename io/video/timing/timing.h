/* Decides when a picture was taken: by the stream's time stamps where they are sane, by its time of arrival where they are
 * not. Gives the step from each picture to the next. Pure arithmetic on values: no allocation, no clock. One thread at a time.
 *
 * A live source's picture has an arrival. Its time stamp is sane if it is after that of the picture before, by at most two
 * typical intervals. So is a longer step forwards if the picture arrived no earlier than its time stamp allows. Where pictures
 * were lost, time has passed at the arrival, too. Else the time stamp is wrong, and the step is bridged:
 *   - A step back of less than timing_limit_us(), which lasts for less than that, is jitter: the picture comes 1 us after the one
 *     before.
 *   - Otherwise the step is the time between the two arrivals; one typical interval, where a network delivered them in a burst.
 *     Once TIMING_CONFIRM pictures in a row agree on another offset of the clock, the clock has been set, and goes on from there.
 * Windows of at least TIMING_WINDOW_US and TIMING_WINDOW pictures judge the clock as a whole. A window is bad if more than half
 * of its steps were bridged: the clock stands still, or leaps. It is also bad if the clock ran three times too fast or too
 * slow: its unit is wrong. It is also bad if the clock differed from the arrivals by a factor of 1.5 in each of the last
 * TIMING_LONG_BAD long windows. A long window has TIMING_LONG_US, in which the bursts of a network average out. After
 * TIMING_BAD bad windows in a row arrivals take over. After TIMING_GOOD good ones the time stamps do again.
 *
 * The arrival is the time at which the packet was read that made the decoder give the picture. It has no decoding time in it,
 * and comes in presentation order. Over 400 steps at 25 a second it is as even as the time at which the decoder gave the picture.
 * The median error is 4.0 ms for both at 96x64, 7.7 and 7.5 ms at 1920x1080, on a busy machine.
 *
 * A picture of a file, or of a download over HTTP, which the reader paces, has no arrival. Its time stamps are taken as they are,
 * but for jitter, as above. A picture without a time stamp comes one typical interval after the one before. After TIMING_STILL
 * pictures in a row whose time stamps are missing or stand still, all come so. */
#ifndef MEMAED_IO_VIDEO_TIMING_TIMING_H
#define MEMAED_IO_VIDEO_TIMING_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "io/video/source.h"

#define TIMING_NONE INT64_MIN           /* no time stamp (AV_NOPTS_VALUE); no arrival */
#define TIMING_WINDOW_US INT64_C(1000000)
#define TIMING_LONG_US INT64_C(10000000)
enum { TIMING_CONFIRM = 3, TIMING_STILL = 8, TIMING_WINDOW = 8, TIMING_BAD = 3, TIMING_GOOD = 20, TIMING_LONG_BAD = 2 };

/* A clock of the stream: a picture with time stamp stamp_us was ahead_us earlier than the last picture. */
struct timing_clock {
    int64_t stamp_us;
    double ahead_us;
};

struct timing {
    enum source_time source;
    bool started, has_clock;
    struct timing_clock clock;
    struct timing_clock rival;          /* another clock, which the last n_rival pictures agree on */
    int n_rival;
    double held_us;                     /* for how long all steps have been back and were taken for jitter */
    int still;                          /* of a file: pictures in a row without a time stamp, or with the same; in
                                         * SOURCE_TIME_RATE: pictures in a row whose time stamps advance */
    int64_t arrival_us;                 /* of the last picture */
    double late_us;                     /* how much later it arrived, after its time, than the promptest recent one */
    double skipped_us;                  /* steps to pictures that were skipped since */
    /* The present window of a live source. */
    int n, bridged;
    double span_us;                     /* between arrivals */
    double clock_span_us, sane_span_us; /* of the steps that were not bridged: by the clock, by arrivals */
    int verdicts;                       /* windows in a row that speak against the present source */
    /* The present long window: the same two sums over its windows that did not leap. */
    double long_clock_us, long_sane_us;
    int long_bad;                       /* long windows in a row whose clock was too fast or too slow */
};

struct timing_step {
    double us;                  /* from the picture before. Of a live source > 0; of a file 0 (the same time stamp) or below 0
                                 * (a break), too */
    bool clock_broke;           /* the steps before were wrong: another source has taken over from a clock of a wrong unit */
};

void timing_init(struct timing *timing);

/* The step to the stream's next picture, in presentation order. stamp_us: its time stamp, or TIMING_NONE. arrival_us: when
 * its data came (CLOCK_MONOTONIC, or any clock that never goes back); TIMING_NONE: a file's. interval_us: the stream's typical
 * interval, > 0. The first picture's step is 0. */
struct timing_step timing_next(struct timing *timing, int64_t stamp_us, int64_t arrival_us, double interval_us);

/* The next picture was skipped, undecoded. Returns the step to it; 0: its time stamp does not advance, and it is ignored. */
double timing_skip(struct timing *timing, int64_t stamp_us, double interval_us);

/* The step to a later picture that has not been decoded. false, and *step_us untouched: its time stamp does not tell. */
bool timing_foresee(const struct timing *timing, int64_t stamp_us, double interval_us, double *step_us);

/* The longest step that is no gap: 0.5 s, or four intervals where that is longer. */
double timing_limit_us(double interval_us);

#endif
