#include "io/video/pacing.h"

#include <math.h>

static const double gap_intervals = 4, whole_ratio = 0.98, grid_gain = 0.1;
enum { slower_after = 3 };      /* gaps in a row */
static const double unknown_interval_us = 1e6 / SOURCE_DEFAULT_FPS;     /* while no interval is known */

void pacing_init(struct pacing *pacing, double fps, double nominal_fps)
{
    *pacing = (struct pacing){
        .period_us = fps > 0 ? 1e6 / fps : 0,
        .nominal_us = nominal_fps > 0 ? 1e6 / nominal_fps : 0,
    };
    timing_init(&pacing->timing);
}

double pacing_interval_us(const struct pacing *pacing)
{
    double prior = pacing->nominal_us > 0 && pacing->n < PACING_PRIOR ? PACING_PRIOR - pacing->n : 0;
    return pacing->n + prior > 0 ? (pacing->sum_us + prior * pacing->nominal_us) / (pacing->n + prior) : 0;
}

double pacing_fps(const struct pacing *pacing)
{
    return pacing->sum_us > 0 ? 1e6 * pacing->n / pacing->sum_us : 0;
}

enum source_time pacing_time(const struct pacing *pacing)
{
    return pacing->timing.source;
}

void pacing_break(struct pacing *pacing, enum source_break cause)
{
    if (pacing->started)
        pacing->broken = cause;
}

/* The typical interval, or a guess. */
static double interval_of(const struct pacing *pacing)
{
    double typical = pacing_interval_us(pacing);
    return typical >= 1 ? typical : unknown_interval_us;
}

static void forget_intervals(struct pacing *pacing)
{
    pacing->n = pacing->next = 0;
    pacing->sum_us = 0;
    pacing->nominal_us = 0;             /* it is wrong */
}

static void learn_interval(struct pacing *pacing, double us)
{
    if (pacing->n == PACING_HISTORY)
        pacing->sum_us -= pacing->interval_us[pacing->next];
    else
        pacing->n++;
    pacing->interval_us[pacing->next] = us;
    pacing->sum_us += us;
    pacing->next = (pacing->next + 1) % PACING_HISTORY;
}

/* Says whether the step breaks the sequence. */
static enum source_break judge_step(struct pacing *pacing, double step_us)
{
    double typical = pacing_interval_us(pacing);
    if (step_us < 0 || step_us > (double)PACING_MAX_STEP_US)
        return SOURCE_BREAK_CLOCK;
    if (typical > 0 && step_us > timing_limit_us(typical)) {
        pacing->suspect_us += step_us;
        if (++pacing->n_suspect < slower_after)
            return SOURCE_BREAK_GAP;
        double slower = pacing->suspect_us / pacing->n_suspect;
        forget_intervals(pacing);
        learn_interval(pacing, slower);
        pacing->suspect_us = pacing->n_suspect = 0;
        return step_us > gap_intervals * slower ? SOURCE_BREAK_GAP : SOURCE_UNBROKEN;
    }
    pacing->suspect_us = pacing->n_suspect = 0;
    if (step_us > 0)
        learn_interval(pacing, step_us);
    return SOURCE_UNBROKEN;
}

static void restart_grid(struct pacing *pacing)
{
    pacing->grid_us = (double)pacing->out_us;
    pacing->point = 0;
}

static bool pick(struct pacing *pacing, bool advanced)
{
    if (pacing->period_us <= 0)
        return true;
    double typical = pacing_interval_us(pacing);
    int weight = pacing->n > PACING_PRIOR ? pacing->n : PACING_PRIOR;
    if (typical >= (whole_ratio - 1. / weight) * pacing->period_us) {
        restart_grid(pacing);
        return advanced;                /* two pictures of one timestamp: the second is not picked */
    }
    double points = ((double)pacing->out_us - pacing->grid_us) / pacing->period_us;
    int64_t point = (int64_t)floor(points + 0.5 * typical / pacing->period_us);
    if (point <= pacing->point)
        return false;
    pacing->point = point;
    double off_us = (points - (double)point) * pacing->period_us;
    if (fabs(off_us) <= 0.5 * typical)
        pacing->grid_us += grid_gain * off_us;
    return true;
}

/* Moves on by a step of the source. */
static void advance(struct pacing *pacing, double step_us)
{
    double typical = interval_of(pacing);
    enum source_break cause = judge_step(pacing, step_us);
    if (cause != SOURCE_UNBROKEN)
        pacing->broken = cause;
    double out_step = step_us < 0 || step_us > (double)PACING_MAX_STEP_US ? typical : step_us;
    pacing->out_us += out_step >= 1 ? (int64_t)out_step : 1;
}

bool pacing_next(struct pacing *pacing, int64_t stamp_us, int64_t arrival_us, int64_t *out_us, enum source_break *cause)
{
    struct timing_step step = timing_next(&pacing->timing, stamp_us, arrival_us, interval_of(pacing));
    if (!pacing->started) {
        pacing->started = true;
        restart_grid(pacing);
        *out_us = 0;
        *cause = SOURCE_UNBROKEN;
        return true;
    }

    if (step.clock_broke) {
        forget_intervals(pacing);
        pacing->broken = SOURCE_BREAK_CLOCK;
    }
    advance(pacing, step.us);
    *out_us = pacing->out_us;
    bool picked = pacing->broken != SOURCE_UNBROKEN || pick(pacing, step.us > 0);
    if (picked) {
        if (pacing->broken != SOURCE_UNBROKEN)
            restart_grid(pacing);
        *cause = pacing->broken;
        pacing->broken = SOURCE_UNBROKEN;
    }
    return picked;
}

void pacing_skip(struct pacing *pacing, int64_t stamp_us)
{
    double step_us = pacing->started ? timing_skip(&pacing->timing, stamp_us, interval_of(pacing)) : 0;
    if (step_us > 0)
        advance(pacing, step_us);
}

bool pacing_wants(const struct pacing *pacing, int64_t stamp_us, int64_t arrival_us)
{
    /* A picture may be picked up to `before` intervals of the source before a grid point, and up to `after` behind it: half an
     * interval, plus a margin for jitter. */
    const double before = 0.6, after = 0.75, slow = 1.25;
    double typical = pacing_interval_us(pacing), step_us;
    if (!pacing->started || pacing->broken != SOURCE_UNBROKEN || pacing->n < PACING_PRIOR ||
        slow * typical >= pacing->period_us ||
        !timing_foresee(&pacing->timing, stamp_us, typical, &step_us))
        return true;
    int64_t decoded_us = pacing->timing.arrival_us;
    if (arrival_us != TIMING_NONE && decoded_us != TIMING_NONE &&
        (double)(arrival_us - decoded_us) > fmax(timing_limit_us(typical), 2 * pacing->period_us))
        return true;
    double off_us = fmod((double)pacing->out_us + step_us - pacing->grid_us, pacing->period_us);
    if (off_us < 0)
        off_us += pacing->period_us;
    return off_us <= after * typical || pacing->period_us - off_us <= before * typical;
}
