#include "daemon/watch/camera/results.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/drift.h"
#include "daemon/watch/camera/alerting.h"
#include "daemon/watch/camera/scorelog.h"
#include "daemon/watch/events.h"
#include "io/base/clock.h"
#include "io/base/lock.h"

enum { RATE_SECONDS = 5, RATE_SLOTS = 8 };

/* The number of windows that were committed in each of the last seconds. */
struct rate {
    int64_t since_us;                   /* CLOCK_MONOTONIC of the first window; 0: none yet */
    int64_t second[RATE_SLOTS];
    int count[RATE_SLOTS];
};

struct results {
    char camera[RECORD_NAME_SIZE];
    int frames_per_window;
    struct frame_ring *ring;
    struct alertlog *alerts;
    struct events *events;
    const struct zones *zones;
    struct scorelog *scores;
    double threshold;
    bool has_tail;
    struct tail tail;
    int voices;                         /* those whose drift is measured */
    float deciles[SCORE_VOICES][DRIFT_DECILES];

    struct lock lock;                   /* guards: */
    struct alerting anomaly, still;
    struct still_result still_now;      /* the last tick */
    struct drift drift, voice_drift[SCORE_VOICES];
    struct voices voice_distance;       /* of these, after the last window */
    double distance;                    /* of the drift monitor, after the last window; NAN: no calibration tells */
    bool drifted;                       /* drift.began was posted, and no drift.ended since */
    uint64_t committed;                 /* windows, since the start */
    int64_t last_us;                    /* UTC of the window committed last */
    bool ended;                         /* by results_end() */
    bool break_wanted;                  /* the camera was lost while windows from before were due */
    int64_t break_us;                   /* UTC of that loss */
    uint64_t break_frame;               /* number of the first frame after it */

    struct lock view_lock;              /* guards what results_view() copies: */
    uint64_t alerts_told, alerts_suppressed[SUPPRESSED_REASONS];
    uint64_t scored, static_ones, slow_ones;    /* = committed; how many of them were not computed, and how many were slow */
    float last_score;
    double drift_shown;
    struct voices voice_drift_shown;
    double latency_ms;
    uint64_t latencies[VIEW_LATENCIES + 1];
    double latency_seconds;
    bool alert_open;
    struct rate rate;
};

static void open_drift(struct results *results, const struct results_options *options)
{
    const struct calibration *calibration = options->calibration;
    results->drift_shown = results->distance = (double)NAN;
    for (int v = 0; v < VOICES; v++)
        results->voice_drift_shown.score[v] = results->voice_distance.score[v] = NAN;
    if (calibration && calibration->has_tail) {
        results->has_tail = true;
        results->tail = calibration->tail;
        drift_init(&results->drift, options->windows_a_day);
    }
    if (calibration && calibration->has_deciles) {
        results->voices = score_voices(&calibration->score);
        memcpy(results->deciles, calibration->deciles, sizeof results->deciles);
        for (int v = 0; v < results->voices; v++)
            drift_init(&results->voice_drift[v], options->windows_a_day);
    }
}

static void open_alerting(struct results *results, const struct results_options *options)
{
    struct alerting_options alerting = {.kind = ALERT_ANOMALY, .rule = *options->rule, .policy = *options->policy,
                                        .hold = options->hold, .mark = options->mark, .lasting_us = options->lasting_us,
                                        .camera = results->camera, .model = options->model, .scores = results->scores,
                                        .zones = options->zones, .alerts = options->alerts, .events = options->events,
                                        .arming = options->arming};
    alerting_init(&results->anomaly, &alerting);
    alerting.kind = ALERT_STILL;
    alerting.rule.k = alerting.rule.n = 1;
    alerting.rule.smooth_us = 0;                /* a tick is the median of a slow picture as it is */
    alerting.scores = NULL;
    alerting_init(&results->still, &alerting);
}

int results_open(struct results **ret, const struct results_options *options)
{
    struct results *results = calloc(1, sizeof *results);
    if (!results)
        return -ENOMEM;
    int r = scorelog_open(&results->scores, options->scores_kept);
    if (r < 0) {
        free(results);
        return r;
    }
    snprintf(results->camera, sizeof results->camera, "%s", options->camera);
    results->frames_per_window = options->frames_per_window;
    results->ring = options->ring;
    results->alerts = options->alerts;
    results->events = options->events;
    results->zones = options->zones;
    assert(!options->rule || options->scores_kept >= ALERT_MAX_N);
    results->threshold = options->rule ? (double)options->rule->threshold : (double)NAN;
    open_drift(results, options);
    if (options->rule)
        open_alerting(results, options);
    results->still_now.level = NAN;
    lock_init(&results->lock, LOCK_RESULTS);
    lock_init(&results->view_lock, LOCK_VIEW);
    *ret = results;
    return 0;
}

void results_close(struct results *results)
{
    if (!results)
        return;
    lock_destroy(&results->view_lock);
    lock_destroy(&results->lock);
    scorelog_close(results->scores);
    free(results);
}

static void rate_add(struct rate *rate, int64_t now_us)
{
    int64_t second = now_us / 1000000;
    int slot = (int)(second % RATE_SLOTS);
    if (rate->second[slot] != second) {
        rate->second[slot] = second;
        rate->count[slot] = 0;
    }
    rate->count[slot]++;
    if (rate->since_us == 0)
        rate->since_us = now_us;
}

/* Windows a second over the last RATE_SECONDS whole seconds, or over as many as have passed since the first window. */
static double rate_of(const struct rate *rate, int64_t now_us)
{
    int64_t second = now_us / 1000000, whole = second - rate->since_us / 1000000 - 1;
    int64_t seconds = rate->since_us == 0 ? 0 : whole < RATE_SECONDS ? whole : RATE_SECONDS;
    int count = 0;
    for (int64_t s = second - seconds; s < second; s++)
        if (rate->second[s % RATE_SLOTS] == s)
            count += rate->count[s % RATE_SLOTS];
    return seconds > 0 ? (double)count / (double)seconds : 0;
}

/* Copies what the web shows of the alerts. */
static void show_alerts_locked(struct results *results)
{
    const struct alerting *anomaly = &results->anomaly, *still = &results->still;
    lock_take(&results->view_lock);
    results->alerts_told = anomaly->told + still->told;
    for (int s = 0; s < SUPPRESSED_REASONS; s++)
        results->alerts_suppressed[s] = anomaly->suppressed[s] + still->suppressed[s];
    results->alert_open = alerting_is_open(anomaly) || alerting_is_open(still);
    lock_give(&results->view_lock);
}

static void post_drift_locked(struct results *results)
{
    char reason[160];
    enum voice most = voices_loudest(&results->voice_distance);
    if (!results->drifted)
        snprintf(reason, sizeof reason, "the last day's scores follow the model's calibration again");
    else if (most == VOICES)
        snprintf(reason, sizeof reason,
                 "the last day's scores no longer follow the model's calibration: thresholds may not hold");
    else
        snprintf(reason, sizeof reason, "the last day's scores no longer follow the model's calibration, most of all those of "
                 "the voice %s: thresholds may not hold", voice_name(most));
    events_post(results->events, &(struct event){.type = results->drifted ? EVENT_DRIFT_BEGAN : EVENT_DRIFT_ENDED,
                                                 .camera = results->camera, .quantity = results->distance, .reason = reason});
}

/* Adds a window's p-value and its voices to the drift monitors. Posts an event when the drift begins or ends. */
static double take_p_value_locked(struct results *results, float score, const struct voices *voices)
{
    for (int v = 0; v < results->voices; v++) {
        drift_add_among(&results->voice_drift[v], results->deciles[v], voices->score[v]);
        results->voice_distance.score[v] = (float)drift_distance(&results->voice_drift[v]);
    }
    if (!results->has_tail)
        return (double)NAN;
    double p = tail_p_value(&results->tail, (double)score);
    drift_add(&results->drift, p);
    double distance = results->distance = drift_distance(&results->drift);
    if (results->drifted ? distance < DRIFT_LIMIT / 2 : distance >= DRIFT_LIMIT) {
        results->drifted = !results->drifted;
        post_drift_locked(results);
    }
    return p;
}

static void count_latency_locked(struct results *results, double ms)
{
    int i = 0;
    while (i < VIEW_LATENCIES && ms > view_latency_ms[i])
        i++;
    results->latencies[i]++;
    results->latency_seconds += ms / 1e3;
    results->latency_ms = ms;
}

/* Every window that came due has been committed or skipped. */
static bool is_settled_locked(const struct results *results)
{
    struct frame_ring_stats stats;
    frame_ring_stats(results->ring, &stats);
    return stats.windows_pending == 0 && stats.windows_claimed == results->committed;
}

void results_commit(struct results *results, const struct scheduler_result *result)
{
    struct score_record score = {.window = result->window, .frame = result->frame, .time_us = result->time_us,
                               .pts_us = result->pts_us, .is_static = result->is_static, .is_slow = result->is_slow,
                               .reference = result->reference, .score = result->score, .p_value = NAN,
                               .voices = result->voices, .boxes = result->boxes};
    lock_take(&results->lock);
    if (results->ended) {
        lock_give(&results->lock);
        return;
    }
    score.voices.score[VOICE_STILL] = results->still_now.level;
    if (!result->is_slow)
        score.p_value = (float)take_p_value_locked(results, result->score, &result->voices);
    /* The gap before a window may be older than a loss that waits: the loss goes on waiting then. */
    bool after_loss = results->break_wanted && result->frame >= results->break_frame;
    if (after_loss) {
        results->break_wanted = false;
        alerting_break(&results->anomaly, results->break_us);
    } else if (result->gap_before) {
        alerting_gap(&results->anomaly, results->last_us);
    }
    scorelog_append(results->scores, &score);
    alertlog_score(results->alerts, results->camera, &score);
    alerting_take(&results->anomaly, &(struct alerting_window){.score = result->is_slow ? -INFINITY : result->level,
                                                               .time_us = result->time_us, .pts_us = result->pts_us,
                                                               .zone = result->zone,
                                                               .voices = result->voices, .boxes = result->boxes});
    results->last_us = result->time_us;
    results->committed++;
    if (results->break_wanted && is_settled_locked(results)) {
        results->break_wanted = false;
        alerting_break(&results->anomaly, results->break_us);
    }
    show_alerts_locked(results);

    int64_t now_us = monotonic_us();
    lock_take(&results->view_lock);
    results->scored = results->committed;
    results->static_ones += result->is_static;
    results->slow_ones += result->is_slow;
    results->last_score = result->score;
    results->drift_shown = results->distance;
    results->voice_drift_shown = results->voice_distance;
    count_latency_locked(results, (double)(now_us - result->due_us) / 1e3);
    rate_add(&results->rate, now_us);
    lock_give(&results->view_lock);
    lock_give(&results->lock);
}

void results_still(struct results *results, const struct still_result *still, int64_t time_us, int64_t pts_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        results->still_now = *still;
        struct alerting_window tick = {.score = still->level, .time_us = time_us, .pts_us = pts_us, .zone = still->zone,
                                       .boxes = still->boxes};
        tick.voices.score[VOICE_STILL] = still->level;
        alerting_take(&results->still, &tick);
        show_alerts_locked(results);
    }
    lock_give(&results->lock);
}

static void end_still_locked(struct results *results, int64_t time_us)
{
    results->still_now = (struct still_result){.level = NAN};
    alerting_break(&results->still, time_us);
}

void results_still_end(struct results *results, int64_t time_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        end_still_locked(results, time_us);
        show_alerts_locked(results);
    }
    lock_give(&results->lock);
}

void results_set_faults(struct results *results, unsigned faults, bool light_alone, int64_t time_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        alerting_faults(&results->anomaly, faults, light_alone, time_us);
        alerting_faults(&results->still, faults, light_alone, time_us);
    }
    lock_give(&results->lock);
}

void results_break(struct results *results, int64_t time_us)
{
    lock_take(&results->lock);
    if (results->ended) {
        lock_give(&results->lock);
        return;
    }
    struct frame_ring_stats stats;
    frame_ring_stats(results->ring, &stats);
    if (is_settled_locked(results)) {
        results->break_wanted = false;
        alerting_break(&results->anomaly, time_us);
        show_alerts_locked(results);
    } else if (!results->break_wanted || results->break_frame != stats.frames) {
        results->break_wanted = true;           /* another failure to reconnect is no further loss */
        results->break_us = time_us;
        results->break_frame = stats.frames;
    }
    lock_give(&results->lock);
}

void results_end(struct results *results, int64_t time_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        alerting_break(&results->anomaly, results->break_wanted ? results->break_us : time_us);
        end_still_locked(results, time_us);
    }
    results->ended = true;
    show_alerts_locked(results);
    lock_give(&results->lock);
}

void results_view(struct results *results, struct view_camera *ret)
{
    int64_t now_us = monotonic_us();
    lock_take(&results->view_lock);
    ret->windows_scored = results->scored;
    ret->windows_static = results->static_ones;
    ret->windows_slow = results->slow_ones;
    ret->alerts = results->alerts_told;
    memcpy(ret->alerts_suppressed, results->alerts_suppressed, sizeof ret->alerts_suppressed);
    ret->has_score = results->scored > 0;
    ret->last_score = results->last_score;
    ret->drift = results->drift_shown;
    ret->drift_by_voice = results->voice_drift_shown;
    ret->latency_ms = results->latency_ms;
    memcpy(ret->latencies, results->latencies, sizeof ret->latencies);
    ret->latency_seconds = results->latency_seconds;
    ret->alert_open = results->alert_open;
    ret->fps_analysed = rate_of(&results->rate, now_us) * results->frames_per_window;
    lock_give(&results->view_lock);
    ret->threshold = results->threshold;
    ret->provisional = results->has_tail && tail_is_provisional(&results->tail);
}

size_t results_scores(struct results *results, uint64_t from, struct score_record *ret, size_t max,
                      struct record_range *range)
{
    return scorelog_read(results->scores, from, ret, max, range);
}
