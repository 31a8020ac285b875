#include "io/video/timing/timing.h"

#include <math.h>

static const double gap_us = 500e3, gap_intervals = 4;
/* After a step of more than short_intervals, a picture may arrive up to early_us before its time stamp allows: jitter of the
 * network and of the clock. */
static const double early_us = 200e3, short_intervals = 2;
/* The promptest arrival is forgotten at this rate, because the stream's clock may be slower than ours. */
static const double forget_rate = 0.01;
static const double fast = 3, slow = 1. / 3;    /* a clock's rate by arrivals, from which its unit is wrong */
static const double long_fast = 1.5, long_slow = 1 / 1.5;       /* the same over a long window */

void timing_init(struct timing *timing)
{
    *timing = (struct timing){.source = SOURCE_TIME_STREAM, .arrival_us = TIMING_NONE};
}

double timing_limit_us(double interval_us)
{
    return fmax(gap_us, gap_intervals * interval_us);
}

/* a - b; unsigned inside, because hostile time stamps may be further apart than an int64_t holds. */
static double minus(int64_t a, int64_t b)
{
    return a >= b ? (double)((uint64_t)a - (uint64_t)b) : -(double)((uint64_t)b - (uint64_t)a);
}

/* The step from the last picture to one with this time stamp, by that clock. */
static double step_by(const struct timing_clock *clock, int64_t stamp_us)
{
    return minus(stamp_us, clock->stamp_us) - clock->ahead_us;
}

static void set_clock(struct timing *timing, int64_t stamp_us)
{
    timing->clock = (struct timing_clock){.stamp_us = stamp_us};
    timing->has_clock = true;
    timing->n_rival = 0;
    timing->held_us = 0;
}

/* A step back that is small and does not last is jitter: the picture comes just after the one before. */
static bool hold(struct timing *timing, double step_us, double elapsed_us, double limit_us)
{
    if (-step_us >= limit_us || timing->held_us + elapsed_us > limit_us)
        return false;
    timing->held_us += elapsed_us;
    timing->clock.ahead_us++;
    return true;
}

/* ---- a file --------------------------------------------------------------------------------------------------------- */

static struct timing_step file_step(struct timing *timing, int64_t stamp_us, double interval_us)
{
    const struct timing_step by_rate = {.us = interval_us};
    bool has_step = stamp_us != TIMING_NONE && timing->has_clock;
    double step_us = has_step ? step_by(&timing->clock, stamp_us) : interval_us;
    if (timing->source == SOURCE_TIME_RATE) {
        bool advances = has_step && step_us > 0 && step_us <= timing_limit_us(interval_us);
        timing->still = advances ? timing->still + 1 : 0;
        if (stamp_us != TIMING_NONE)
            set_clock(timing, stamp_us);
        if (timing->still >= TIMING_STILL) {
            timing->source = SOURCE_TIME_STREAM;
            timing->still = 0;
        }
        return by_rate;
    }
    timing->still = has_step && step_us != 0 ? 0 : timing->still + 1;
    if (timing->still >= TIMING_STILL) {
        timing->source = SOURCE_TIME_RATE;
        timing->still = 0;
        return (struct timing_step){.us = interval_us, .clock_broke = has_step};
    }
    if (stamp_us == TIMING_NONE) {
        timing->clock.ahead_us += interval_us;
        return by_rate;
    }
    if (has_step && step_us < 0 && hold(timing, step_us, interval_us, timing_limit_us(interval_us)))
        return (struct timing_step){.us = 1};
    set_clock(timing, stamp_us);
    return (struct timing_step){.us = step_us};
}

/* ---- a live source -------------------------------------------------------------------------------------------------- */

/* Returns true if the step is as it should be. */
static bool is_sane(const struct timing *timing, double step_us, double elapsed_us, double interval_us)
{
    double early = timing->skipped_us + step_us - timing->late_us - elapsed_us;
    return step_us > 0 && (step_us <= short_intervals * interval_us || early <= early_us);
}

/* The step to a picture whose time stamp is wrong. */
static double bridge(struct timing *timing, int64_t stamp_us, double elapsed_us, double interval_us)
{
    double step_us = elapsed_us >= 0.25 * interval_us ? elapsed_us : interval_us;
    timing->bridged++;
    if (stamp_us == TIMING_NONE) {
        timing->rival.ahead_us += step_us;
    } else if (timing->n_rival > 0 && step_by(&timing->rival, stamp_us) > 0 &&
               step_by(&timing->rival, stamp_us) <= timing_limit_us(interval_us)) {
        step_us = step_by(&timing->rival, stamp_us);
        timing->rival = (struct timing_clock){.stamp_us = stamp_us};
        timing->n_rival++;
    } else {
        timing->rival = (struct timing_clock){.stamp_us = stamp_us};
        timing->n_rival = 1;
    }
    timing->clock.ahead_us += step_us;
    if (timing->n_rival >= TIMING_CONFIRM)
        set_clock(timing, stamp_us);
    return step_us;
}

static double live_step(struct timing *timing, int64_t stamp_us, double elapsed_us, double interval_us)
{
    bool has_step = stamp_us != TIMING_NONE && timing->has_clock;
    double step_us = has_step ? step_by(&timing->clock, stamp_us) : 0;
    if (has_step && is_sane(timing, step_us, elapsed_us, interval_us)) {
        timing->clock_span_us += minus(stamp_us, timing->clock.stamp_us);
        timing->sane_span_us += elapsed_us;
        set_clock(timing, stamp_us);
        return step_us;
    }
    if (has_step && step_us <= 0 && hold(timing, step_us, elapsed_us, timing_limit_us(interval_us))) {
        timing->sane_span_us += elapsed_us;
        return 1;
    }
    if (stamp_us != TIMING_NONE && !timing->has_clock) {
        set_clock(timing, stamp_us);
        return elapsed_us >= 0.25 * interval_us ? elapsed_us : interval_us;
    }
    return bridge(timing, stamp_us, elapsed_us, interval_us);
}

/* Adds the window to the long one, which it judges once that is full. */
static void add_to_long_window(struct timing *timing)
{
    timing->long_clock_us += timing->clock_span_us;
    timing->long_sane_us += timing->sane_span_us;
    if (timing->long_sane_us < (double)TIMING_LONG_US)
        return;
    double rate = timing->long_clock_us / timing->long_sane_us;
    timing->long_bad = rate > long_slow && rate < long_fast ? 0 : timing->long_bad + 1;
    timing->long_clock_us = timing->long_sane_us = 0;
}

/* Judges the window that is full. Returns true if another source takes over from a clock of a wrong unit. */
static bool judge_window(struct timing *timing)
{
    double rate = timing->clock_span_us / timing->sane_span_us;
    bool leaps = 2 * timing->bridged > timing->n;
    if (!leaps)
        add_to_long_window(timing);
    bool wrong_unit = !leaps && (!(rate > slow && rate < fast) || timing->long_bad >= TIMING_LONG_BAD);
    bool by_stream = timing->source == SOURCE_TIME_STREAM;
    timing->verdicts = (leaps || wrong_unit) == by_stream ? timing->verdicts + 1 : 0;
    timing->n = timing->bridged = 0;
    timing->span_us = timing->clock_span_us = timing->sane_span_us = 0;
    if (timing->verdicts < (by_stream ? TIMING_BAD : TIMING_GOOD))
        return false;
    timing->source = by_stream ? SOURCE_TIME_ARRIVAL : SOURCE_TIME_STREAM;
    timing->verdicts = 0;
    return wrong_unit;
}

static struct timing_step next_live(struct timing *timing, int64_t stamp_us, int64_t arrival_us, double interval_us)
{
    double elapsed_us = fmax(minus(arrival_us, timing->arrival_us), 0);
    /* The time stamps are followed while arrivals count, too, to see whether they have become sane. */
    double step_us = live_step(timing, stamp_us, elapsed_us, interval_us);
    timing->late_us = fmax(timing->late_us + (1 - forget_rate) * elapsed_us - timing->skipped_us - step_us, 0);
    timing->skipped_us = 0;
    timing->arrival_us = arrival_us;
    timing->n++;
    timing->span_us += elapsed_us;
    struct timing_step step = {.us = timing->source == SOURCE_TIME_ARRIVAL ? fmax(elapsed_us, 1) : step_us};
    if (timing->n >= TIMING_WINDOW && timing->span_us >= (double)TIMING_WINDOW_US)
        step.clock_broke = judge_window(timing);
    return step;
}

struct timing_step timing_next(struct timing *timing, int64_t stamp_us, int64_t arrival_us, double interval_us)
{
    if (!timing->started) {
        timing->started = true;
        timing->arrival_us = arrival_us;
        if (stamp_us != TIMING_NONE)
            set_clock(timing, stamp_us);
        return (struct timing_step){0};
    }
    if (arrival_us == TIMING_NONE || timing->arrival_us == TIMING_NONE)
        return file_step(timing, stamp_us, interval_us);
    return next_live(timing, stamp_us, arrival_us, interval_us);
}

double timing_skip(struct timing *timing, int64_t stamp_us, double interval_us)
{
    double step_us;
    if (!timing_foresee(timing, stamp_us, interval_us, &step_us) || step_us <= 0)
        return 0;
    if (timing->arrival_us != TIMING_NONE)
        timing->clock_span_us += minus(stamp_us, timing->clock.stamp_us);
    set_clock(timing, stamp_us);
    timing->skipped_us += step_us;
    return step_us;
}

bool timing_foresee(const struct timing *timing, int64_t stamp_us, double interval_us, double *step_us)
{
    if (!timing->has_clock || timing->source != SOURCE_TIME_STREAM || stamp_us == TIMING_NONE)
        return false;
    double us = step_by(&timing->clock, stamp_us);
    if (timing->arrival_us != TIMING_NONE && !(us > 0 && us <= timing_limit_us(interval_us)))
        return false;
    *step_us = us;
    return true;
}
