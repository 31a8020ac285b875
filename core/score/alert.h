/* The alert rule. An alert opens when k of the last n windows score at or above a threshold. It closes when n windows in a
 * row score below a lower threshold. After it closes, no alert opens during the cooldown. Windows count during the cooldown
 * too: an event that lasts until its end opens an alert at its next window at or above the threshold. Suppressed windows do
 * not prolong the cooldown.
 *
 * A score that is not a number counts neither as at or above the threshold nor as below the lower one. Pure state machine,
 * driven by the times of the footage. One thread (or lock) per camera. */
#ifndef MEMAED_CORE_SCORE_ALERT_H
#define MEMAED_CORE_SCORE_ALERT_H

#include <stdbool.h>
#include <stdint.h>

enum { ALERT_MAX_N = 64 };
enum { ALERT_DEFAULT_K = 3, ALERT_DEFAULT_N = 5, ALERT_DEFAULT_COOLDOWN_S = 60 };

struct alert_rule {
    float threshold, close_threshold;   /* close_threshold <= threshold */
    int k, n;                           /* 1 <= k <= n <= ALERT_MAX_N */
    int64_t cooldown_us;                /* >= 0 */
};

struct alert_window {
    float score;
    int64_t time_us;
    uint64_t number;                    /* of windows since alert_init(), from 0 */
};

struct alert_state {
    struct alert_rule rule;
    uint64_t above;                     /* bit i < n: the window i before the newest was at or above the threshold */
    struct alert_window recent[ALERT_MAX_N];    /* the last windows; recent[last] is the newest */
    int last;
    uint64_t windows;                   /* since alert_init() */
    int seen;                           /* windows since the last gap, at most n */
    int below;                          /* windows in a row below close_threshold, at most n */
    bool open;
    bool ever_closed;
    int64_t closed_us;                  /* of the last closed alert; never before its opened_us, also where the clock was set back */
    /* The open alert, or the last one. It begins with the first window at or above the threshold among the n that opened it;
     * windows of the cooldown before it do not count. The peak is its highest score. */
    int64_t opened_us, peak_us;
    float peak;
    uint64_t opened_number, peak_number;        /* of the window at opened_us, and of the one with the peak */
};

enum alert_event { ALERT_NOTHING, ALERT_OPENED, ALERT_PEAK /* the peak of the open alert rose */, ALERT_CLOSED };

void alert_init(struct alert_state *state, const struct alert_rule *rule);

/* Takes the score of one window at time_us. Scores come in the order of their windows. A clock may be set back to before the
 * last close: the cooldown then restarts at time_us instead of lasting until the clock has caught up. */
enum alert_event alert_score(struct alert_state *state, float score, int64_t time_us);

/* The sequence broke (camera lost, stream ended): earlier windows no longer count towards k of n, and an open alert closes.
 * ALERT_CLOSED if one was open, else ALERT_NOTHING. */
enum alert_event alert_break(struct alert_state *state, int64_t time_us);

#endif
