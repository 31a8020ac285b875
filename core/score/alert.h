/* When scores become an alert: k of the last n windows at or above a threshold open one, n windows in a row below a
 * lower threshold close it; after it closes, none opens for the cooldown. Windows go on being counted during the
 * cooldown, so that what still lasts when it ends opens an alert at its next window above; nothing that is suppressed
 * prolongs the cooldown. Pure state machine, driven by the times of the footage; one thread (or lock) a camera.
 *
 * A score that is not a number is neither at or above, nor below. */
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
    uint64_t above;                     /* bit i: the i-th last window was at or above the threshold; no bit beyond n */
    struct alert_window recent[ALERT_MAX_N];    /* the last windows; recent[last] is the newest */
    int last;
    uint64_t windows;                   /* since alert_init() */
    int seen;                           /* windows since the last gap, at most n */
    int below;                          /* windows in a row below close_threshold, at most n */
    bool open;
    bool ever_closed;
    int64_t closed_us;                  /* of the last closed alert */
    /* Of the open alert, or of the last one: when the first of the windows that opened it came, and the highest score
     * since. Windows of the cooldown before it are not among them. */
    int64_t opened_us, peak_us;
    float peak;
    uint64_t peak_number;               /* of the window with that score */
};

enum alert_event { ALERT_NOTHING, ALERT_OPENED, ALERT_PEAK /* the peak of the open alert rose */, ALERT_CLOSED };

void alert_init(struct alert_state *state, const struct alert_rule *rule);

/* Takes the score of one window at time_us. Scores come in the order of their windows; where a clock was set back to
 * before the last close, the cooldown starts anew rather than last until the clock has caught up. */
enum alert_event alert_score(struct alert_state *state, float score, int64_t time_us);

/* The sequence broke (camera lost, stream ended): windows so far no longer count towards k of n. An open alert closes:
 * ALERT_CLOSED, else ALERT_NOTHING. */
enum alert_event alert_break(struct alert_state *state, int64_t time_us);

#endif
