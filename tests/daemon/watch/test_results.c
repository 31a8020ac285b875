/* daemon/watch/camera/results makes alerts of results in order; a break of the sequence closes them. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/watch/camera/results.h"
#include "io/base/clock.h"
#include "tests/daemon/watch/alerts_kept.h"
#include "tests/suite.h"

enum { LENGTH = 4, KEPT = 200 };
#define HOUR_US INT64_C(3600000000)

static struct frame_ring *ring;
static struct alertlog *alerts;
static struct events *events;
static struct results *results;
static const struct zones *zones;
static int64_t now;             /* time and number of the next frame */

static void open_results_by(const struct alert_rule *rule)
{
    ck_assert_int_eq(frame_ring_open(&ring, &(struct frame_ring_options){.frame_size = 8, .length = LENGTH, .stride = 1,
                                                                         .backlog = 64, .readers = 8}), 0);
    kept_open(&alerts, &events);
    ck_assert_int_eq(results_open(&results, &(struct results_options){.camera = "gate", .model = "gate.safetensors",
                                                                      .rule = rule, .policy = &(struct policy_rule){0},
                                                                      .lasting_us = HOUR_US, .frames_per_window = 1,
                                                                      .scores_kept = KEPT, .ring = ring, .alerts = alerts,
                                                                      .zones = zones, .events = events}), 0);
}

static void open_results(bool alerting)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 1, .n = 1};
    open_results_by(alerting ? &rule : NULL);
}

static void close_results(void)
{
    results_close(results);
    alertlog_close(alerts);
    events_free(events);
    frame_ring_close(ring);
}

static void publish(int n)
{
    for (int i = 0; i < n; i++) {
        frame_ring_frame(ring)->time_us = now++;
        frame_ring_publish(ring);
    }
}

/* Claims the next window and makes a result of it. Its box begins at a tenth of its score. */
static struct scheduler_result claim(float score)
{
    struct frame_ring_window window;
    ck_assert(frame_ring_claim(ring, &window));
    struct scheduler_result result = {.window = window.index, .gap_before = window.gap_before,
                                      .frame = window.frames[LENGTH / 2]->number, .time_us = window.frames[LENGTH / 2]->time_us,
                                      .reference = score, .score = score, .level = score, .zone = -1, .voices = {{score}},
                                      .boxes = {score >= 0.5f,
                                                {{.x = score / 10, .width = 0.25f, .height = 0.25f, .score = score}}}};
    frame_ring_release(ring, &window);
    return result;
}

static void commit_next(float score)
{
    struct scheduler_result result = claim(score);
    results_commit(results, &result);
}

static void commit_next_slow(float score)
{
    struct scheduler_result result = claim(score);
    result.is_slow = true;
    results_commit(results, &result);
}

static int by_id(const void *a, const void *b)
{
    const struct alert_record *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Alert i of n, in the order in which they opened. */
static struct alert_record alert_at(size_t i, size_t n)
{
    struct alert_record out[KEPT_MAX];
    ck_assert_uint_eq(kept_read(out), n);
    qsort(out, n, sizeof *out, by_id);
    ck_assert_str_eq(out[i].camera, "gate");
    return out[i];
}

/* Checks that the alert's box is that of its peak. */
static void check_where(struct alert_record alert)
{
    ck_assert_int_eq(alert.boxes.n, 1);
    ck_assert_float_eq((float)alert.peak_score, alert.boxes.box[0].score);
    ck_assert_float_eq_tol(alert.boxes.box[0].x, (float)alert.peak_score / 10, 1e-6f);
    ck_assert_float_eq(alert.boxes.box[0].width, 0.25f);
}

static void check_view(uint64_t scored, float last, bool open)
{
    struct view_camera view = {0};
    results_view(results, &view);
    ck_assert_uint_eq(view.windows_scored, scored);
    ck_assert_float_eq(view.last_score, last);
    ck_assert_int_eq(view.alert_open, open);
}

START_TEST(alerts_open_peak_and_close)
{
    open_results(true);
    publish(LENGTH + 4);
    commit_next(0.2f);
    check_view(1, 0.2f, false);
    commit_next(1.5f);
    check_view(2, 1.5f, true);
    ck_assert_int_eq(alert_at(0, 1).opened_us, 3);              /* the centre of window 1 */
    ck_assert_int_eq(alert_at(0, 1).closed_us, 0);
    commit_next(2.5f);
    ck_assert_double_eq(alert_at(0, 1).peak_score, 2.5);
    ck_assert_int_eq(alert_at(0, 1).peak_us, 4);
    check_where(alert_at(0, 1));
    commit_next(0.7f);
    check_view(4, 0.7f, true);
    commit_next(0.1f);
    check_view(5, 0.1f, false);
    ck_assert_int_eq(alert_at(0, 1).closed_us, 6);
    check_where(alert_at(0, 1));
    struct view_camera view = {0};
    results_view(results, &view);
    ck_assert_uint_eq(view.alerts, 1);
    struct score_record scores[KEPT];
    struct record_range range;
    ck_assert_uint_eq(results_scores(results, 0, scores, KEPT, &range), 5);
    ck_assert_uint_eq(scores[4].window, 4);
    ck_assert_float_eq(scores[2].score, 2.5f);
    ck_assert_int_eq(scores[0].boxes.n, 0);
    ck_assert_int_eq(scores[3].boxes.n, 1);
    ck_assert_float_eq(scores[3].boxes.box[0].score, 0.7f);
    close_results();
}
END_TEST

/* Three of five windows open the alert. The window with the highest score is not the last of them. */
START_TEST(an_alert_opens_with_the_place_of_its_peak)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 3, .n = 5};
    open_results_by(&rule);
    publish(LENGTH + 7);
    for (int i = 0; i < 3; i++)
        commit_next(0.2f);
    commit_next(3);
    commit_next(4);
    commit_next(0.1f);
    commit_next(2);
    struct alert_record alert = alert_at(0, 1);
    ck_assert_double_eq(alert.peak_score, 4);
    check_where(alert);
    commit_next(5);
    alert = alert_at(0, 1);
    ck_assert_double_eq(alert.peak_score, 5);
    check_where(alert);
    close_results();
}
END_TEST

/* Scores lie far beyond the tail for more than a day. Then they follow the tail again. */
START_TEST(p_values_and_drift)
{
    enum { DAY = 40 };
    static struct calibration calibration = {
        .has_tail = true, .has_deciles = true,
        .tail = {.window = {.level = 1, .share = 0.05, .scale = 0.1}, .run = {0, 1, 1, 0}}};
    for (int i = 0; i < TAIL_QUANTILES; i++)
        calibration.tail.quantiles[i] = i / (double)(TAIL_QUANTILES - 1);
    for (int i = 0; i < DRIFT_DECILES; i++)
        calibration.deciles[VOICE_SPEED][i] = (float)(i + 1) / DRIFT_BINS;      /* the deciles of `change` are all 0 */
    ck_assert_int_eq(frame_ring_open(&ring, &(struct frame_ring_options){.frame_size = 8, .length = LENGTH, .stride = 1,
                                                                         .backlog = 64, .readers = 8}), 0);
    kept_open(&alerts, &events);
    ck_assert_int_eq(results_open(&results, &(struct results_options){.camera = "gate", .calibration = &calibration,
                                                                      .windows_a_day = DAY, .frames_per_window = 1,
                                                                      .scores_kept = KEPT, .ring = ring, .alerts = alerts,
                                                                      .events = events}), 0);
    struct view_camera view = {0};
    struct score_record score;
    struct record_range range;
    publish(LENGTH - 1);
    for (int i = 0; i < 2 * DAY; i++) {
        publish(1);
        commit_next(2);
        results_view(results, &view);
        ck_assert(isnan(view.drift) == (i < DAY - 1));
        ck_assert(view.provisional);            /* a tail of no hours */
    }
    ck_assert_double_gt(view.drift, 0.8);
    const double drift = view.drift;
    for (int i = 0; i < DAY; i++) {     /* slow windows have no p-value, and the drift does not see them */
        publish(1);
        commit_next_slow(0.5f);
    }
    results_view(results, &view);
    ck_assert_double_eq(view.drift, drift);
    ck_assert_uint_eq(results_scores(results, 2 * DAY, &score, 1, &range), 1);
    ck_assert(score.is_slow && isnan(score.p_value));
    ck_assert_float_eq(score.score, 0.5f);
    ck_assert_float_eq_tol(view.drift_by_voice.score[VOICE_SPEED], 0.9f, 1e-5f);
    ck_assert_float_eq_tol(view.drift_by_voice.score[VOICE_CHANGE], 0, 1e-5f);
    ck_assert(isnan(view.drift_by_voice.score[VOICE_PACE]) && isnan(view.drift_by_voice.score[VOICE_STILL]));
    publish(1);
    commit_next(0.5f);
    ck_assert_uint_eq(results_scores(results, 3 * DAY, &score, 1, &range), 1);
    ck_assert(!score.is_slow);
    ck_assert_float_eq_tol(score.p_value, 1 - 0.5f * 0.95f, 1e-6f);
    for (int i = 0; i < 6 * DAY; i++) {
        publish(1);
        commit_next((float)((i * 7 % DAY + 0.5) / DAY ));
    }
    results_view(results, &view);
    ck_assert_double_lt(view.drift, 0.15);
    ck_assert_float_lt(view.drift_by_voice.score[VOICE_SPEED], 0.15f);
    close_results();

    open_results(false);        /* without a calibration there is no p-value and no drift */
    publish(LENGTH);
    commit_next(1);
    results_view(results, &view);
    ck_assert_uint_eq(results_scores(results, 0, &score, 1, &range), 1);
    ck_assert(isnan(view.drift) && isnan(view.drift_by_voice.score[VOICE_SPEED]) && isnan(score.p_value) && !view.provisional);
    close_results();
}
END_TEST

START_TEST(a_loss_closes_at_once_where_nothing_is_due)
{
    open_results(true);
    publish(LENGTH);
    commit_next(3);
    check_view(1, 3, true);
    frame_ring_break(ring);
    results_break(results, 777);
    check_view(1, 3, false);
    ck_assert_int_eq(alert_at(0, 1).closed_us, 777);
    close_results();
}
END_TEST

START_TEST(a_loss_waits_for_windows_under_way)
{
    open_results(true);
    publish(LENGTH + 2);
    commit_next(3);
    struct scheduler_result under_way = claim(4);                    /* two windows are claimed, the third is pending */
    frame_ring_break(ring);
    results_break(results, 777);
    check_view(1, 3, true);
    results_commit(results, &under_way);
    check_view(2, 4, true);
    commit_next(5);
    check_view(3, 5, false);
    ck_assert_int_eq(alert_at(0, 1).closed_us, 777);
    ck_assert_double_eq(alert_at(0, 1).peak_score, 5);
    close_results();
}
END_TEST

START_TEST(a_gap_closes_before_the_next_counts)
{
    open_results(true);
    publish(LENGTH);
    frame_ring_break(ring);
    publish(LENGTH + 1);
    commit_next(3);
    commit_next(4);                                             /* no alert spans a gap, so this is another one */
    check_view(2, 4, true);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 2);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 0);
    commit_next(5);
    results_end(results, 999);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 999);
    check_view(3, 5, false);
    close_results();
}
END_TEST

/* With merging, an alert goes on after a gap, but not after a loss. */
START_TEST(merging_spans_gaps_and_no_loss)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 1, .n = 1, .merge_us = 100};
    open_results_by(&rule);
    publish(LENGTH);
    frame_ring_break(ring);
    publish(LENGTH + 1);
    commit_next(3);
    commit_next(4);
    ck_assert_int_eq(alert_at(0, 1).closed_us, 0);
    ck_assert_double_eq(alert_at(0, 1).peak_score, 4);
    check_where(alert_at(0, 1));
    commit_next(0);                                             /* the cause ends at 7 */
    check_view(3, 0, true);
    frame_ring_break(ring);
    results_break(results, 777);
    check_view(3, 0, false);
    ck_assert_int_eq(alert_at(0, 1).closed_us, 7);
    publish(LENGTH);
    commit_next(3);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 0);
    results_end(results, 999);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 999);
    close_results();
}
END_TEST

START_TEST(a_loss_is_forgotten_once_its_gap_is_seen)
{
    open_results(true);
    publish(LENGTH + 1);
    struct scheduler_result last = claim(3);
    frame_ring_break(ring);
    results_break(results, 777);                                /* the break waits: two windows are due */
    publish(LENGTH);                                            /* the camera is back before they are done */
    results_commit(results, &last);
    frame_ring_skip_pending(ring);                                    /* as in an overload */
    publish(1);
    commit_next(4);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 777);
    check_view(2, 4, true);                                     /* the alert after the gap stays */
    close_results();
}
END_TEST

/* The sequence breaks twice before the loss. The windows between are committed after it. Their gap is not taken for the loss. */
START_TEST(a_loss_outlasts_an_older_gap)
{
    struct scheduler_result windows[3];
    open_results(true);
    publish(LENGTH);
    windows[0] = claim(3);
    frame_ring_break(ring);                                     /* a corrupt picture */
    publish(LENGTH + 1);
    windows[1] = claim(4);
    windows[2] = claim(5);
    frame_ring_break(ring);
    results_break(results, 777);                                /* the break waits: three windows are due */
    results_break(results, 888);                                /* a failure to reconnect */
    for (int i = 0; i < 3; i++)
        results_commit(results, &windows[i]);
    check_view(3, 5, false);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 2);              /* the older gap closed it, at the last window before the gap */
    ck_assert_int_eq(alert_at(1, 2).closed_us, 777);
    close_results();
}
END_TEST

START_TEST(latencies_are_counted_by_bounds)
{
    static const int ms[] = {0, 4, 6, 12, 12, 9999};
    enum { N = sizeof ms / sizeof ms[0] };
    open_results(false);
    publish(LENGTH + N - 1);
    for (int i = 0; i < N; i++) {
        struct scheduler_result result = claim(1);
        result.due_us = monotonic_us() - 1000 * ms[i];
        results_commit(results, &result);
    }
    struct view_camera view = {0};
    results_view(results, &view);
    uint64_t n = 0;
    for (int i = 0; i <= VIEW_LATENCIES; i++)
        n += view.latencies[i];
    ck_assert_uint_eq(n, N);
    ck_assert_uint_eq(view.latencies[VIEW_LATENCIES], 1);
    ck_assert_uint_le(view.latencies[0], 2);        /* a busy machine adds to them */
    ck_assert_double_ge(view.latency_ms, 9999);
    ck_assert_double_ge(view.latency_seconds, (0 + 4 + 6 + 12 + 12 + 9999) / 1e3);
    close_results();
}
END_TEST

static void still_tick(float level, float x, int64_t time_us)
{
    struct still_result still = {.statistic = NAN, .level = level, .held = level >= 1,
                                 .boxes = {level >= 1, {{.x = x, .width = 0.5f, .score = level}}}};
    results_still(results, &still, time_us, time_us + 7000000);
}

/* A single tick opens an alert of kind still, beside an open alert of the scores. A loss of the camera and ticks without a level
 * leave it open. */
START_TEST(what_stands_still_has_alerts_of_its_own)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 3, .n = 5};
    open_results_by(&rule);
    publish(LENGTH + 2);
    still_tick(NAN, 0, 1);
    commit_next(2);
    still_tick(0.9f, 0, 2);
    commit_next(2);
    check_view(2, 2, false);
    still_tick(1.5f, 0.1f, 100);
    check_view(2, 2, true);
    struct alert_record still = alert_at(0, 1);
    ck_assert_int_eq(still.kind, ALERT_STILL);
    ck_assert_int_eq(still.opened_us, 100);
    ck_assert_double_eq(still.peak_score, 1.5);
    ck_assert_int_eq(still.opened_pts_us, 7000100);
    ck_assert_int_eq(still.peak_pts_us, 7000100);
    ck_assert_float_eq(still.voices.score[VOICE_STILL], 1.5f);
    ck_assert(isnan(still.voices.score[VOICE_SPEED]));
    ck_assert_float_eq(still.boxes.box[0].x, 0.1f);

    commit_next(3);
    struct alert_record anomaly = alert_at(1, 2);
    ck_assert_int_eq(anomaly.kind, ALERT_ANOMALY);
    ck_assert_double_eq(anomaly.peak_score, 3);
    ck_assert(isnan(anomaly.voices.score[VOICE_STILL]));
    ck_assert_float_eq_tol(anomaly.boxes.box[0].x, 0.3f, 1e-6f);
    struct score_record scores[KEPT];
    struct record_range range;
    ck_assert_uint_eq(results_scores(results, 0, scores, KEPT, &range), 3);
    ck_assert(isnan(scores[0].voices.score[VOICE_STILL]));
    ck_assert_float_eq(scores[2].voices.score[VOICE_STILL], 1.5f);

    frame_ring_break(ring);
    results_break(results, 150);
    ck_assert_int_eq(alert_at(1, 2).closed_us, 150);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 0);
    still_tick(NAN, 0, 160);
    still_tick(2.5f, 0.2f, 170);
    ck_assert_double_eq(alert_at(0, 2).peak_score, 2.5);
    ck_assert_float_eq(alert_at(0, 2).boxes.box[0].x, 0.2f);
    still_tick(0.7f, 0, 180);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 0);
    check_view(3, 3, true);
    still_tick(0.2f, 0, 190);
    ck_assert_int_eq(alert_at(0, 2).closed_us, 190);
    ck_assert_double_eq(alert_at(0, 2).peak_score, 2.5);
    ck_assert_float_eq(alert_at(0, 2).boxes.box[0].x, 0.2f);
    check_view(3, 3, false);

    still_tick(1, 0.3f, 200);
    results_still_end(results, 205);
    ck_assert_int_eq(alert_at(2, 3).closed_us, 205);
    check_view(3, 3, false);
    still_tick(1, 0.3f, 206);
    results_end(results, 210);
    ck_assert_int_eq(alert_at(3, 4).closed_us, 210);
    still_tick(5, 0, 220);
    ck_assert_int_eq(alert_at(3, 4).closed_us, 210);
    close_results();
}
END_TEST

static int take_changed(void *arg, const struct event *event)
{
    if (event->type != EVENT_NORMAL_CHANGED)
        return 0;
    ++*(int *)arg;
    ck_assert_double_eq(event->quantity, 1.5);
    ck_assert_str_eq(event->reason, "alert 1 (still) has been open for 1.5 hours; if what it shows is normal now, run memaed "
                                    "calibrate --model gate.safetensors --input FOOTAGE --output gate.safetensors");
    return 0;
}

START_TEST(an_alert_that_lasts_is_told_once)
{
    int told = 0;
    open_results(true);
    ck_assert_int_eq(events_add(events, (struct event_sink){.take = take_changed, .arg = &told}), 0);
    still_tick(2, 0, 10);
    still_tick(2, 0, HOUR_US + 9);
    ck_assert_int_eq(told, 0);
    still_tick(NAN, 0, 10 + HOUR_US * 3 / 2);
    ck_assert_int_eq(told, 1);
    still_tick(2, 0, 5 * HOUR_US);
    still_tick(0, 0, 6 * HOUR_US);
    still_tick(2, 0, 7 * HOUR_US);
    still_tick(0, 0, 9 * HOUR_US);      /* the alert closes */
    ck_assert_int_eq(told, 1);
    close_results();
}
END_TEST

/* Slow windows open no alert, count towards none, and close one after n in a row. */
START_TEST(slow_windows_make_no_alert)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 2, .n = 3};
    open_results_by(&rule);
    publish(LENGTH - 1);
    publish(9);
    for (int i = 0; i < 3; i++)
        commit_next_slow(9);
    check_view(3, 9, false);
    commit_next(2);
    commit_next_slow(9);
    check_view(5, 9, false);    /* of the last three windows one counts, and it is high */
    commit_next(2);
    check_view(6, 2, true);
    ck_assert_double_eq(alert_at(0, 1).peak_score, 2);
    commit_next_slow(9);
    commit_next_slow(9);
    check_view(8, 9, true);
    commit_next_slow(9);
    check_view(9, 9, false);
    ck_assert_double_eq(alert_at(0, 1).peak_score, 2);
    struct view_camera view = {0};
    results_view(results, &view);
    ck_assert_uint_eq(view.windows_slow, 7);
    ck_assert_uint_eq(view.alerts, 1);
    close_results();
}
END_TEST

START_TEST(without_a_rule_there_are_scores_alone)
{
    open_results(false);
    publish(LENGTH);
    commit_next(100);
    still_tick(100, 0, 4);
    results_end(results, 5);
    struct view_camera view = {0};
    results_view(results, &view);
    ck_assert(isnan(view.threshold));
    ck_assert(!view.alert_open);
    struct alert_record out[KEPT_MAX];
    ck_assert_uint_eq(kept_read(out), 0);
    ck_assert_uint_eq(kept.scores, 1);
    close_results();
}
END_TEST

/* An alert names the zones that its boxes touch from its first window on, in the order of the zones. The rule compares the level,
 * not the score. The zone of the window that opens the alert is named, too. */
START_TEST(alerts_name_zones)
{
    static const struct alert_rule rule = {.threshold = 1, .close_threshold = 0.5f, .k = 2, .n = 2};
    static const struct zones three = {.n = 3, .zone = {{.name = "right", .area = {3, {{0.8f, 0}, {1, 0}, {1, 1}}}},
                                                        {.name = "middle", .area = {3, {{0.5f, 0}, {0.6f, 0}, {0.6f, 1}}}},
                                                        {.name = "left", .area = {3, {{0, 0}, {0.2f, 0}, {0, 1}}}}}};
    static const float at[] = {0, 0.3f, 0.55f, 0.9f, 0.3f};
    zones = &three;
    open_results_by(&rule);
    publish(LENGTH + 9);
    for (int i = 0; i < 5; i++) {
        struct scheduler_result result = claim(0.7f);
        result.level = 1.5f;
        result.zone = i == 1 ? 1 : 2;
        result.boxes = (struct boxes){1, {{.x = at[i], .y = 0.1f, .width = 0.04f, .height = 0.1f, .score = 1.5f}}};
        results_commit(results, &result);
        if (i == 0)
            continue;
        struct alert_record alert = alert_at(0, 1);
        ck_assert_str_eq(alert.opened_by, "middle");
        ck_assert_double_eq(alert.peak_score, 1.5);
        ck_assert_int_eq(alert.zones.n, i < 3 ? i : 3);
        ck_assert_str_eq(alert.zones.name[alert.zones.n - 1], "left");
    }
    ck_assert_str_eq(alert_at(0, 1).zones.name[0], "right");
    ck_assert_str_eq(alert_at(0, 1).zones.name[1], "middle");
    commit_next(0);
    commit_next(0);
    commit_next(2);
    commit_next(2);
    ck_assert_str_eq(alert_at(1, 2).opened_by, "");         /* no zone of the alert before is left */
    ck_assert_int_eq(alert_at(1, 2).zones.n, 0);
    zones = NULL;
    close_results();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("results");
    tcase_add_test(tcase, alerts_open_peak_and_close);
    tcase_add_test(tcase, an_alert_opens_with_the_place_of_its_peak);
    tcase_add_test(tcase, p_values_and_drift);
    tcase_add_test(tcase, a_loss_closes_at_once_where_nothing_is_due);
    tcase_add_test(tcase, a_loss_waits_for_windows_under_way);
    tcase_add_test(tcase, a_gap_closes_before_the_next_counts);
    tcase_add_test(tcase, merging_spans_gaps_and_no_loss);
    tcase_add_test(tcase, a_loss_is_forgotten_once_its_gap_is_seen);
    tcase_add_test(tcase, a_loss_outlasts_an_older_gap);
    tcase_add_test(tcase, latencies_are_counted_by_bounds);
    tcase_add_test(tcase, what_stands_still_has_alerts_of_its_own);
    tcase_add_test(tcase, an_alert_that_lasts_is_told_once);
    tcase_add_test(tcase, slow_windows_make_no_alert);
    tcase_add_test(tcase, without_a_rule_there_are_scores_alone);
    tcase_add_test(tcase, alerts_name_zones);
    Suite *suite = suite_create("results");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
