#include "core/score/alert.h"

#include <assert.h>
#include <string.h>

void alert_init(struct alert_state *state, const struct alert_rule *rule)
{
    assert(rule->k >= 1 && rule->k <= rule->n && rule->n <= ALERT_MAX_N);
    assert(rule->close_threshold <= rule->threshold && rule->cooldown_us >= 0);
    memset(state, 0, sizeof *state);
    state->rule = *rule;
}

static bool cooling(const struct alert_state *state, int64_t time_us)
{
    return state->ever_closed && time_us - state->closed_us < state->rule.cooldown_us;
}

static void close_alert(struct alert_state *state, int64_t time_us)
{
    state->open = false;
    state->ever_closed = true;
    state->closed_us = time_us > state->opened_us ? time_us : state->opened_us;
}

static void open_alert(struct alert_state *state)
{
    bool first = true;

    state->open = true;
    for (int i = state->seen - 1; i >= 0; i--) {        /* oldest first */
        const struct alert_window *window = &state->recent[(state->last - i + ALERT_MAX_N) % ALERT_MAX_N];

        if (!(state->above >> i & 1) || cooling(state, window->time_us))
            continue;
        if (first) {
            state->opened_us = window->time_us;
            state->opened_number = window->number;
        }
        if (first || window->score > state->peak) {
            state->peak = window->score;
            state->peak_us = window->time_us;
            state->peak_number = window->number;
        }
        first = false;
    }
}

enum alert_event alert_score(struct alert_state *state, float score, int64_t time_us)
{
    const struct alert_rule *rule = &state->rule;
    bool above = score >= rule->threshold;
    uint64_t mask = rule->n == 64 ? UINT64_MAX : (UINT64_C(1) << rule->n) - 1;

    state->last = (state->last + 1) % ALERT_MAX_N;
    state->recent[state->last] = (struct alert_window){score, time_us, state->windows++};
    state->above = (state->above << 1 | above) & mask;
    if (state->seen < rule->n)
        state->seen++;
    if (!(score < rule->close_threshold))
        state->below = 0;
    else if (state->below < rule->n)
        state->below++;
    if (state->ever_closed && time_us < state->closed_us)
        state->closed_us = time_us;

    if (state->open) {
        if (state->below == rule->n) {
            close_alert(state, time_us);
            return ALERT_CLOSED;
        }
        if (score > state->peak) {
            state->peak = score;
            state->peak_us = time_us;
            state->peak_number = state->recent[state->last].number;
            return ALERT_PEAK;
        }
        return ALERT_NOTHING;
    }
    if (above && __builtin_popcountll(state->above) >= rule->k && !cooling(state, time_us)) {
        open_alert(state);
        return ALERT_OPENED;
    }
    return ALERT_NOTHING;
}

enum alert_event alert_break(struct alert_state *state, int64_t time_us)
{
    state->above = 0;
    state->seen = 0;
    state->below = 0;
    if (!state->open)
        return ALERT_NOTHING;
    close_alert(state, time_us);
    return ALERT_CLOSED;
}
