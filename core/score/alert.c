#include "core/score/alert.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct alert_rule alert_rule_default(double threshold, double close_threshold)
{
    return (struct alert_rule){.threshold = (float)threshold, .close_threshold = (float)fmin(close_threshold, threshold),
                               .k = ALERT_DEFAULT_K, .n = ALERT_DEFAULT_N,
                               .merge_us = ALERT_DEFAULT_MERGE_S * INT64_C(1000000)};
}

void alert_init(struct alert_state *state, const struct alert_rule *rule)
{
    assert(rule->k >= 1 && rule->k <= rule->n && rule->n <= ALERT_MAX_N);
    assert(rule->close_threshold <= rule->threshold);
    assert(rule->smooth_us >= 0 && rule->min_duration_us >= 0 && rule->merge_us >= 0);
    memset(state, 0, sizeof *state);
    state->rule = *rule;
}

/* Returns the level that is compared with the thresholds: the score, or the mean of past scores. */
static float level_of(struct alert_state *state, float score, int64_t time_us)
{
    if (state->rule.smooth_us == 0 || !isfinite(score))
        return score;
    double passed = state->has_mean ? fmax(0, (double)(time_us - state->mean_us)) : INFINITY;
    state->mean += ((double)score - state->mean) * -expm1(-passed / (double)state->rule.smooth_us);
    state->mean_us = time_us;
    state->has_mean = true;
    return (float)state->mean;
}

static enum alert_event close_alert(struct alert_state *state)
{
    state->open = false;
    state->closed_us = state->ended_us;
    return ALERT_CLOSED;
}

static enum alert_event end_cause(struct alert_state *state, int64_t time_us)
{
    state->lasts = false;
    state->waits_us = time_us;
    state->ended_us = time_us > state->opened_us ? time_us : state->opened_us;
    return state->open && state->rule.merge_us == 0 ? close_alert(state) : ALERT_NOTHING;
}

static bool raise_peak(struct alert_state *state, const struct alert_window *window)
{
    if (!(window->score > state->peak))
        return false;
    state->peak = window->score;
    state->peak_us = window->time_us;
    state->peak_number = window->number;
    return true;
}

/* A cause begins, of a new alert or of the open one. Returns true if the peak rose. */
static bool begin_cause(struct alert_state *state)
{
    bool first = !state->open, rose = false;
    state->lasts = true;
    for (int i = state->seen - 1; i >= 0; i--) {        /* oldest first */
        const struct alert_window *window = &state->recent[(state->last - i + ALERT_MAX_N) % ALERT_MAX_N];
        if (!(state->above >> i & 1))
            continue;
        if (first) {
            state->opened_us = window->time_us;
            state->opened_number = window->number;
            state->peak = -INFINITY;
        }
        first = false;
        rose |= raise_peak(state, window);
    }
    return rose;
}

enum alert_event alert_wait(struct alert_state *state, int64_t time_us)
{
    if (!state->open || state->lasts)
        return ALERT_NOTHING;
    if (time_us < state->waits_us)
        state->waits_us = time_us;
    return time_us - state->waits_us >= state->rule.merge_us ? close_alert(state) : ALERT_NOTHING;
}

enum alert_event alert_score(struct alert_state *state, float score, int64_t time_us)
{
    const struct alert_rule *rule = &state->rule;
    float level = level_of(state, score, time_us);
    bool above = level >= rule->threshold, rose;
    uint64_t mask = rule->n == 64 ? UINT64_MAX : (UINT64_C(1) << rule->n) - 1;

    state->last = (state->last + 1) % ALERT_MAX_N;
    state->recent[state->last] = (struct alert_window){score, time_us, state->windows++};
    state->above = (state->above << 1 | above) & mask;
    if (state->seen < rule->n)
        state->seen++;
    if (!(level < rule->close_threshold))
        state->below = 0;
    else if (state->below < rule->n)
        state->below++;

    if (state->lasts) {
        if (state->below == rule->n)
            return end_cause(state, time_us);
        rose = raise_peak(state, &state->recent[state->last]);
    } else if (above && __builtin_popcountll(state->above) >= rule->k) {
        rose = begin_cause(state);
    } else {
        return ALERT_NOTHING;
    }
    if (state->open)
        return rose ? ALERT_PEAK : ALERT_NOTHING;
    if (time_us < state->opened_us)             /* the clock was set back */
        state->opened_us = time_us;
    state->open = level >= rule->close_threshold && time_us - state->opened_us >= rule->min_duration_us;
    return state->open ? ALERT_OPENED : ALERT_NOTHING;
}

enum alert_event alert_gap(struct alert_state *state, int64_t time_us)
{
    state->above = 0;
    state->seen = 0;
    state->below = 0;
    state->has_mean = false;
    return state->lasts ? end_cause(state, time_us) : ALERT_NOTHING;
}

enum alert_event alert_break(struct alert_state *state, int64_t time_us)
{
    enum alert_event event = alert_gap(state, time_us);
    return state->open ? close_alert(state) : event;
}
