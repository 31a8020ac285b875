#include "io/video/pacing.h"

#include <math.h>

static const double gap_us = 500e3, gap_intervals = 4, whole_ratio = 0.98, grid_gain = 0.1;
enum { slower_after = 3 };      /* gaps in a row */
static const int64_t unknown_interval_us = 40000;       /* of a step back, while no interval is known: 25 a second */

void pacing_init(struct pacing *pacing, double fps, double nominal_fps)
{
    *pacing = (struct pacing){
        .period_us = fps > 0 ? 1e6 / fps : 0,
        .nominal_us = nominal_fps > 0 ? 1e6 / nominal_fps : 0,
    };
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

void pacing_break(struct pacing *pacing)
{
    pacing->broken = pacing->started;
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

/* Returns true if the step is a gap. */
static bool judge_step(struct pacing *pacing, double step_us)
{
    double typical = pacing_interval_us(pacing);
    if (step_us < 0 || step_us > (double)PACING_MAX_STEP_US)
        return true;
    if (typical > 0 && step_us > fmax(gap_us, gap_intervals * typical)) {
        pacing->suspect_us += step_us;
        if (++pacing->n_suspect < slower_after)
            return true;
        double slower = pacing->suspect_us / pacing->n_suspect;
        pacing->n = pacing->next = 0;
        pacing->sum_us = 0;
        pacing->nominal_us = 0;         /* it is wrong */
        learn_interval(pacing, slower);
        pacing->suspect_us = pacing->n_suspect = 0;
        return step_us > gap_intervals * slower;
    }
    pacing->suspect_us = pacing->n_suspect = 0;
    if (step_us > 0)
        learn_interval(pacing, step_us);
    return false;
}

static void restart_grid(struct pacing *pacing, int64_t timestamp_us)
{
    pacing->grid_us = (double)timestamp_us;
    pacing->point = 0;
}

static bool pick(struct pacing *pacing, int64_t timestamp_us, bool advanced)
{
    if (pacing->period_us <= 0)
        return true;
    double typical = pacing_interval_us(pacing);
    int weight = pacing->n > PACING_PRIOR ? pacing->n : PACING_PRIOR;
    if (typical >= (whole_ratio - 1. / weight) * pacing->period_us) {
        restart_grid(pacing, timestamp_us);
        return advanced;                /* two pictures of one timestamp: the second is not picked */
    }
    double points = ((double)timestamp_us - pacing->grid_us) / pacing->period_us;
    int64_t point = (int64_t)floor(points + 0.5 * typical / pacing->period_us);
    if (point <= pacing->point)
        return false;
    pacing->point = point;
    double off_us = (points - (double)point) * pacing->period_us;
    if (fabs(off_us) <= 0.5 * typical)
        pacing->grid_us += grid_gain * off_us;
    return true;
}

/* Moves on to the picture with this timestamp. Returns the step to it. */
static double advance(struct pacing *pacing, int64_t timestamp_us)
{
    /* Unsigned, because hostile timestamps may be further apart than an int64_t holds. */
    uint64_t distance = timestamp_us >= pacing->last_us ? (uint64_t)timestamp_us - (uint64_t)pacing->last_us
                                                        : (uint64_t)pacing->last_us - (uint64_t)timestamp_us;
    double step_us = timestamp_us >= pacing->last_us ? (double)distance : -(double)distance;
    double typical = pacing_interval_us(pacing);
    if (judge_step(pacing, step_us))
        pacing->broken = true;
    pacing->last_us = timestamp_us;

    int64_t out_step;
    if (step_us < 0 || distance > (uint64_t)PACING_MAX_STEP_US)
        out_step = typical >= 1 ? (int64_t)typical : unknown_interval_us;
    else
        out_step = (int64_t)distance;
    pacing->out_us += out_step > 0 ? out_step : 1;
    return step_us;
}

bool pacing_next(struct pacing *pacing, int64_t timestamp_us, int64_t *out_us, bool *gap)
{
    if (!pacing->started) {
        pacing->started = true;
        pacing->last_us = timestamp_us;
        restart_grid(pacing, timestamp_us);
        *out_us = 0;
        *gap = false;
        return true;
    }

    double step_us = advance(pacing, timestamp_us);
    *out_us = pacing->out_us;
    bool picked = pacing->broken || pick(pacing, timestamp_us, step_us > 0);
    if (picked) {
        if (pacing->broken)
            restart_grid(pacing, timestamp_us);
        *gap = pacing->broken;
        pacing->broken = false;
    }
    return picked;
}

void pacing_skip(struct pacing *pacing, int64_t timestamp_us)
{
    if (pacing->started && timestamp_us > pacing->last_us)
        advance(pacing, timestamp_us);
}

bool pacing_wants(const struct pacing *pacing, int64_t timestamp_us)
{
    /* In intervals of the source: how far before and after a grid point a picture may be picked. It is half an interval,
     * plus a margin for jitter. */
    const double before = 0.6, after = 0.75, slow = 1.25;
    double typical = pacing_interval_us(pacing);
    if (!pacing->started || pacing->broken || pacing->n < PACING_PRIOR || slow * typical >= pacing->period_us)
        return true;
    double off_us = fmod((double)timestamp_us - pacing->grid_us, pacing->period_us);
    if (off_us < 0)
        off_us += pacing->period_us;
    return off_us <= after * typical || pacing->period_us - off_us <= before * typical;
}
