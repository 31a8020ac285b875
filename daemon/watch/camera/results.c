#include "daemon/watch/camera/results.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/score/drift.h"
#include "daemon/watch/camera/scorelog.h"
#include "daemon/watch/events.h"
#include "io/base/clock.h"
#include "io/base/lock.h"

enum { RATE_SECONDS = 5, RATE_SLOTS = 8 };

/* How many windows were committed in each of the last seconds. */
struct rate {
    int64_t since_us;                   /* CLOCK_MONOTONIC of the first window; 0: none yet */
    int64_t second[RATE_SLOTS];
    int count[RATE_SLOTS];
};

/* The alerts of one kind. */
struct alerting {
    struct alert_state state;
    struct alert_record record;         /* the open alert, or the last one */
    bool told;                          /* normal.changed went out for the open alert */
};

struct results {
    char camera[RECORD_NAME_SIZE];
    const char *model;
    int64_t lasting_us;
    int frames_per_window;
    struct frame_ring *ring;
    struct alertlog *alerts;
    struct events *events;
    struct scorelog *scores;
    bool has_rule;
    double threshold;
    bool has_tail;
    struct tail tail;
    int voices;                         /* whose drift is measured */
    float deciles[SCORE_VOICES][DRIFT_DECILES];

    struct lock lock;                   /* guards: */
    struct alerting anomaly, still;
    struct still_result still_now;      /* the last tick */
    struct drift drift, voice_drift[SCORE_VOICES];
    struct voices voice_distance;       /* of these, after the last window */
    double distance;                    /* of the drift monitor, after the last window; NAN: no calibration tells */
    bool drifted;                       /* drift.began went out, and no drift.ended since */
    uint64_t committed;                 /* windows, since the start */
    int64_t last_us, last_pts_us;       /* UTC and time stamp of the window committed last */
    int64_t still_pts_us;               /* time stamp of the last tick of VOICE_STILL */
    bool ended;                         /* by results_end() */
    bool break_wanted;                  /* the camera was lost while windows from before were due */
    int64_t break_us;                   /* UTC of that loss */
    uint64_t break_frame;               /* number of the first frame after it */

    struct lock view_lock;              /* guards what results_view() copies: */
    uint64_t alerts_opened;
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
    results->model = options->model;
    results->lasting_us = options->lasting_us;
    results->frames_per_window = options->frames_per_window;
    results->ring = options->ring;
    results->alerts = options->alerts;
    results->events = options->events;
    assert(!options->rule || options->scores_kept >= ALERT_MAX_N);
    results->has_rule = options->rule != NULL;
    results->threshold = options->rule ? (double)options->rule->threshold : (double)NAN;
    open_drift(results, options);
    if (options->rule) {
        struct alert_rule still = *options->rule;
        still.k = still.n = 1;
        alert_init(&results->anomaly.state, options->rule);
        alert_init(&results->still.state, &still);
    }
    results->anomaly.record.kind = ALERT_ANOMALY;
    results->still.record.kind = ALERT_STILL;
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

/* Reads the record of the window with that number of the rule. The rule and the log see the same windows, so a window has the
 * same number in both. false: it has been overwritten; the log keeps far more windows than the rule looks back. */
static bool read_window_locked(const struct results *results, uint64_t number, struct score_record *ret)
{
    struct record_range range;
    return scorelog_read(results->scores, number, ret, 1, &range) == 1;
}

static void show_peak_locked(struct results *results, struct alerting *alerting)
{
    struct alert_record *alert = &alerting->record;
    alert->peak_score = (double)alerting->state.peak;
    alert->peak_us = alerting->state.peak_us;
    if (alert->kind == ALERT_STILL) {           /* a single tick opens the alert, so the peak is the last one */
        alert->peak_pts_us = results->still_pts_us;
        for (int v = 0; v < VOICES; v++)
            alert->voices.score[v] = v == VOICE_STILL ? results->still_now.level : NAN;
        alert->boxes = results->still_now.boxes;
        return;
    }
    struct score_record peak;
    if (read_window_locked(results, alerting->state.peak_number, &peak)) {
        alert->peak_pts_us = peak.pts_us;
        alert->voices = peak.voices;
        alert->voices.score[VOICE_STILL] = NAN;
        alert->boxes = peak.boxes;
    }
}

/* pts_us: of the picture that the event follows. */
static void take_event_locked(struct results *results, struct alerting *alerting, enum alert_event event, int64_t pts_us)
{
    struct alert_record *alert = &alerting->record;
    struct score_record first;
    switch (event) {
    case ALERT_NOTHING:
        return;
    case ALERT_OPENED:
        *alert = (struct alert_record){.kind = alert->kind, .opened_us = alerting->state.opened_us};
        snprintf(alert->camera, sizeof alert->camera, "%s", results->camera);
        alert->opened_pts_us = pts_us;          /* of a still alert: the tick that opens it is its first */
        if (alert->kind == ALERT_ANOMALY && read_window_locked(results, alerting->state.opened_number, &first))
            alert->opened_pts_us = first.pts_us;
        alerting->told = false;
        show_peak_locked(results, alerting);
        alertlog_append(results->alerts, alert);
        lock_take(&results->view_lock);
        results->alerts_opened++;
        lock_give(&results->view_lock);
        break;
    case ALERT_PEAK:
        show_peak_locked(results, alerting);
        alertlog_update(results->alerts, alert);
        return;
    case ALERT_CLOSED:
        alert->closed_us = alerting->state.closed_us;
        alert->closed_pts_us = pts_us;
        alertlog_append_closed(results->alerts, alert);
        break;
    }
    bool closed = alert->closed_us != 0;
    events_post(results->events, &(struct event){.type = closed ? EVENT_ALERT_CLOSED : EVENT_ALERT_OPENED,
                                                 .camera = results->camera,
                                                 .alert = alert});
}

/* Posts an event once if the alert has been open for long at time_us. */
static void tell_lasting_locked(struct results *results, struct alerting *alerting, int64_t time_us)
{
    const struct alert_state *state = &alerting->state;
    if (!state->open || alerting->told || time_us - state->opened_us < results->lasting_us)
        return;
    alerting->told = true;
    double hours = (double)(time_us - state->opened_us) / 3600e6;
    char reason[1024];
    snprintf(reason, sizeof reason, "alert %llu (%s) has been open for %.3g hours; if what it shows is normal now, run memaed "
             "calibrate --model %s --input FOOTAGE --output %s", (unsigned long long)alerting->record.id,
             alert_kind_name(alerting->record.kind), hours, results->model, results->model);
    events_post(results->events, &(struct event){.type = EVENT_NORMAL_CHANGED, .camera = results->camera,
                                                 .quantity = hours, .reason = reason});
}

static bool is_open_locked(const struct results *results)
{
    return results->anomaly.state.open || results->still.state.open;
}

static void show_open_locked(struct results *results)
{
    lock_take(&results->view_lock);
    results->alert_open = is_open_locked(results);
    lock_give(&results->view_lock);
}

/* A break closes the alert of the scores. An alert of what stands still stays open, because the thing stays. */
static void break_locked(struct results *results, int64_t time_us)
{
    if (results->has_rule)
        take_event_locked(results, &results->anomaly, alert_break(&results->anomaly.state, time_us), results->last_pts_us);
}

static void post_drift_locked(struct results *results)
{
    char reason[160];
    enum voice most = voices_loudest(&results->voice_distance);
    if (!results->drifted)
        snprintf(reason, sizeof reason, "the last day's scores follow the model's calibration again");
    else if (most == VOICES)
        snprintf(reason, sizeof reason, "the last day's scores no longer follow the model's calibration: thresholds may not hold");
    else
        snprintf(reason, sizeof reason, "the last day's scores no longer follow the model's calibration, most of all those of the "
                 "voice %s: thresholds may not hold", voice_name(most));
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
    if (result->gap_before)
        break_locked(results, after_loss ? results->break_us : results->last_us);
    if (after_loss)
        results->break_wanted = false;
    scorelog_append(results->scores, &score);
    alertlog_score(results->alerts, results->camera, &score);
    if (results->has_rule)
        take_event_locked(results, &results->anomaly,
                          alert_score(&results->anomaly.state, result->is_slow ? -INFINITY : result->score, result->time_us),
                          result->pts_us);
    tell_lasting_locked(results, &results->anomaly, result->time_us);
    results->last_us = result->time_us;
    results->last_pts_us = result->pts_us;
    results->committed++;
    if (results->break_wanted && is_settled_locked(results)) {
        results->break_wanted = false;
        break_locked(results, results->break_us);
    }

    int64_t now_us = monotonic_us();
    lock_take(&results->view_lock);
    results->scored = results->committed;
    results->static_ones += result->is_static;
    results->slow_ones += result->is_slow;
    results->last_score = result->score;
    results->drift_shown = results->distance;
    results->voice_drift_shown = results->voice_distance;
    count_latency_locked(results, (double)(now_us - result->due_us) / 1e3);
    results->alert_open = is_open_locked(results);
    rate_add(&results->rate, now_us);
    lock_give(&results->view_lock);
    lock_give(&results->lock);
}

void results_still(struct results *results, const struct still_result *still, int64_t time_us, int64_t pts_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        results->still_now = *still;
        results->still_pts_us = pts_us;
        if (results->has_rule)
            take_event_locked(results, &results->still, alert_score(&results->still.state, still->level, time_us), pts_us);
        tell_lasting_locked(results, &results->still, time_us);
        show_open_locked(results);
    }
    lock_give(&results->lock);
}

static void end_still_locked(struct results *results, int64_t time_us)
{
    results->still_now = (struct still_result){.level = NAN};
    if (results->has_rule)
        take_event_locked(results, &results->still, alert_break(&results->still.state, time_us), results->still_pts_us);
}

void results_still_end(struct results *results, int64_t time_us)
{
    lock_take(&results->lock);
    if (!results->ended) {
        end_still_locked(results, time_us);
        show_open_locked(results);
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
        break_locked(results, time_us);
        show_open_locked(results);
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
        break_locked(results, results->break_wanted ? results->break_us : time_us);
        end_still_locked(results, time_us);
    }
    results->ended = true;
    show_open_locked(results);
    lock_give(&results->lock);
}

void results_view(struct results *results, struct view_camera *ret)
{
    int64_t now_us = monotonic_us();
    lock_take(&results->view_lock);
    ret->windows_scored = results->scored;
    ret->windows_static = results->static_ones;
    ret->windows_slow = results->slow_ones;
    ret->alerts = results->alerts_opened;
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
