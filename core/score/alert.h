/* The alert rule. A cause begins when k of the last n windows score at or above a threshold. It ends when n windows in a row
 * score below a lower threshold. An alert opens once a cause has lasted for min_duration_us, at a window that is not below the
 * lower threshold. It closes merge_us after its cause has ended. A cause that begins before that belongs to the open alert,
 * however short it is. closed_us is the end of the last cause, so an alert lasts as long as its causes.
 *
 * The closing is delayed, instead of an alert being opened again, because receivers then see every alert open once and close
 * once.
 *
 * With smooth_us, the thresholds are compared with a mean of past scores, in which a score that is older by smooth_us weighs
 * 1/e as much. Peaks are always scores.
 *
 * A score that is not a number counts neither as at or above the threshold nor as below the lower one. A score that is not
 * finite does not enter the mean. Pure state machine, driven by the times of the footage. One thread (or lock) per camera. */
#ifndef MEMAED_CORE_SCORE_ALERT_H
#define MEMAED_CORE_SCORE_ALERT_H

#include <stdbool.h>
#include <stdint.h>

enum { ALERT_MAX_N = 64 };
enum { ALERT_DEFAULT_K = 3, ALERT_DEFAULT_N = 5, ALERT_DEFAULT_MERGE_S = 30 };

struct alert_rule {
    float threshold, close_threshold;   /* close_threshold <= threshold */
    int k, n;                           /* 1 <= k <= n <= ALERT_MAX_N */
    int64_t smooth_us;                  /* 0: each score by itself */
    int64_t min_duration_us;            /* 0: an alert opens as its cause begins */
    int64_t merge_us;                   /* 0: an alert closes as its cause ends */
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
    bool has_mean;                      /* of scores since the last gap, at mean_us */
    double mean;
    int64_t mean_us;
    bool open;                          /* an alert */
    bool lasts;                         /* a cause. open alone: the alert waits for a cause to merge. lasts alone: the cause is
                                         * too short for an alert yet */
    int64_t ended_us;                   /* the last cause; never before opened_us */
    int64_t waits_us;                   /* since when the open alert waits: ended_us, or earlier where the clock was set back */
    int64_t closed_us;                  /* the last closed alert: the end of its last cause */
    /* The open alert, or else the cause that lasts, or else the last one of both. It begins with the first window at or above the
     * threshold among the n that began its first cause. The peak is its highest score. */
    int64_t opened_us, peak_us;
    float peak;
    uint64_t opened_number, peak_number;        /* of the window at opened_us, and of the one with the peak */
};

enum alert_event { ALERT_NOTHING, ALERT_OPENED, ALERT_PEAK /* the peak of the open alert rose */, ALERT_CLOSED };

/* The rule that applies where the configuration sets none. */
struct alert_rule alert_rule_default(double threshold, double close_threshold);

void alert_init(struct alert_state *state, const struct alert_rule *rule);

/* Takes the present time. Returns ALERT_CLOSED if the open alert has waited long enough for another cause, else ALERT_NOTHING.
 * Call it before each alert_score(), with the same time. A clock may be set back to before the end of the cause. The alert then
 * waits from time_us on, instead of until the clock has caught up. */
enum alert_event alert_wait(struct alert_state *state, int64_t time_us);

/* Takes the score of one window at time_us. Scores come in the order of their windows. */
enum alert_event alert_score(struct alert_state *state, float score, int64_t time_us);

/* The sequence broke, and goes on. Earlier windows no longer count towards k of n or the mean; a cause that lasts ends at
 * time_us. ALERT_CLOSED if its alert waits for no other, else ALERT_NOTHING. */
enum alert_event alert_gap(struct alert_state *state, int64_t time_us);

/* The sequence ends, or the camera is lost: as alert_gap(), and an alert that waits closes at once. */
enum alert_event alert_break(struct alert_state *state, int64_t time_us);

#endif
