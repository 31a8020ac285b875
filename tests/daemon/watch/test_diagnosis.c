/* daemon/watch/camera/diagnosis on drawn pictures. Each fault is told once as it opens and once as it closes, with what was
 * measured, and the status shows it. Kinds that are off, and what other events tell, are not told. The end of a camera closes.
 * The baseline is kept over a restart, until the camera is to be learned anew. Events show the camera before the fault and now.
 * */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/health.h"
#include "daemon/base/log.h"
#include "daemon/watch/camera/diagnosis.h"
#include "daemon/watch/health/sights.h"
#include "io/base/clock.h"
#include "io/base/record_json.h"
#include "tests/core/health/scenery.h"
#include "tests/folder.h"
#include "tests/suite.h"

enum { FPS = 10, LEARN_S = 12, SEEN_MAX = 8 };
#define START_UTC INT64_C(1700000000000000)

static struct event_seen {
    enum event_type type;
    struct event_health health;
    int64_t time_us;
    char reason[256];
    json_t *json;
    int64_t before_us, now_us;  /* UTC of its sights; 0: there is none */
    int before, now;            /* their mean gray levels */
} seen[SEEN_MAX];
static int n_seen;
static struct camera_status status;

static int mean_of(const struct sight *sight)
{
    long sum = 0;
    ck_assert(sight->width == SCENERY_WIDTH && sight->height == SCENERY_HEIGHT);
    for (int i = 0; i < SCENERY_PIXELS; i++)
        sum += sight->pixels[i];
    return (int)(sum / SCENERY_PIXELS);
}

static int take(void *arg, const struct event *event)
{
    (void)arg;
    ck_assert_int_lt(n_seen, SEEN_MAX);
    ck_assert_str_eq(event->camera, "gate");
    ck_assert_ptr_nonnull(event->health);
    struct event_seen *s = &seen[n_seen++];
    *s = (struct event_seen){.type = event->type, .health = *event->health, .time_us = event->time_us, .json = event_json(event)};
    snprintf(s->reason, sizeof s->reason, "%s", event->reason);
    ck_assert_ptr_nonnull(s->json);
    enum health_kind kind;
    struct view_camera view;
    camera_status_view(&status, &view);
    ck_assert(health_kind_find(&kind, s->health.kind));
    /* The status shows it by then, but for the end of the watching and what is learned anew. */
    ck_assert(s->type == EVENT_HEALTH_CLOSED || view.health[kind].open);
    ck_assert(!strstr(s->reason, "has ended") || !view.health[kind].open);
    const struct sight *before = event->health->before, *now = event->health->now;
    s->before_us = before ? before->time_us : 0;
    s->before = before ? mean_of(before) : 0;
    s->now_us = now ? now->time_us : 0;
    s->now = now ? mean_of(now) : 0;
    return 0;
}

static struct scenery scenery;
static char name[] = "gate", address[] = "rtsp://camera.example/live";
static struct config_camera config;
static struct events *events;
static struct alertlog *alerts;
static struct diagnosis *diagnosis;
static uint8_t luma[SCENERY_PIXELS];
static int64_t now_us, same_since_us;
static struct heartbeats heartbeats;
static struct baselines *baselines;

static void forget(void)
{
    for (int i = 0; i < n_seen; i++)
        json_decref(seen[i].json);
    n_seen = 0;
}

static void open_diagnosis(bool has_slow, bool has_frozen)
{
    ck_assert_int_eq(diagnosis_open(&diagnosis, &(struct diagnosis_options){.config = &config, .height = SCENERY_HEIGHT,
                                                                            .width = SCENERY_WIDTH, .has_slow = has_slow,
                                                                            .has_frozen = has_frozen, .status = &status,
                                                                            .fps = FPS, .baselines = baselines,
                                                                            .events = events, .alerts = alerts}), 0);
    ck_assert_ptr_nonnull(diagnosis);
}

static void set_up(void)
{
    log_open(LOG_DEBUG);
    scenery_init(&scenery, 5);
    now_us = same_since_us = 0;
    config = (struct config_camera){.name = name, .source = address, .health = {.enabled = true, .learn_s = LEARN_S}};
    camera_status_init(&status, -1);
    ck_assert_int_eq(alertlog_open(&alerts, 0, &(struct alertlog_sink){0}), 0);
    ck_assert_int_eq(events_open(&events), 0);
    ck_assert_int_eq(events_add(events, (struct event_sink){take, NULL}), 0);
}

static void close_baselines(void)
{
    ck_assert(baselines_end(baselines, monotonic_us() + 30000000));
    baselines_close(baselines);
    baselines = NULL;
}

static void tear_down(void)
{
    diagnosis_close(diagnosis);
    diagnosis = NULL;
    events_free(events);
    alertlog_close(alerts);
    camera_status_destroy(&status);
    forget();
}

/* Shows the view for so long. again: the same picture over and over; step: one picture in so many. */
static void play(double seconds, const struct scenery_view *view, bool again, int step)
{
    for (int i = 0; i < (int)(seconds * FPS + 0.5); i++, now_us += 1000000 / FPS) {
        if (i % step > 0)
            continue;
        if (!again) {
            scenery_draw(&scenery, view, luma);
            same_since_us = now_us;
        }
        const struct source_frame picture = {.pts_us = now_us, .arrival_us = now_us,
                                             .chroma = {true, 20 * 256, 133 * 256, 125 * 256}};
        diagnosis_add(diagnosis, luma, &picture, START_UTC + now_us, same_since_us);
    }
}

static const struct scenery_view sound;
#define SEEN(...) (&(struct scenery_view){__VA_ARGS__})

static struct view_health shown(enum health_kind kind)
{
    struct view_camera view;
    camera_status_view(&status, &view);
    return view.health[kind];
}

START_TEST(a_fault_is_told_and_shown)
{
    open_diagnosis(true, true);
    ck_assert(shown(HEALTH_BLACK).on && !shown(HEALTH_BLACK).known);
    play(LEARN_S + 5, &sound, false, 1);
    ck_assert_int_eq(n_seen, 0);
    ck_assert(shown(HEALTH_BLACK).known && !shown(HEALTH_BLACK).open && shown(HEALTH_BLACK).since_us == 0);
    int64_t began_us = START_UTC + now_us;
    play(8, SEEN(.gain = 0.05), false, 1);
    ck_assert_int_eq(n_seen, 1);
    const struct event_health *black = &seen[0].health;
    ck_assert_int_eq(seen[0].type, EVENT_HEALTH_OPENED);
    ck_assert(seen[0].time_us > began_us && seen[0].time_us <= began_us + 6000000);
    ck_assert(black->since_us >= began_us - 1000000 && black->since_us <= began_us + 1000000);
    ck_assert_str_eq(black->kind, "black");
    ck_assert_str_eq(black->unit, "levels");
    ck_assert(black->quantity < black->opens_at && black->opens_at < black->closes_at && black->closes_at < black->baseline);
    ck_assert_int_eq(black->n_details, 0);
    ck_assert_ptr_nonnull(strstr(seen[0].reason, "the picture is black: 95th percentile of the gray levels is "));
    struct view_health view = shown(HEALTH_BLACK);
    ck_assert(view.open && view.known && view.quantity < view.opens_at && view.since_us == black->since_us);
    int64_t ended_us = START_UTC + now_us;
    play(8, &sound, false, 1);
    ck_assert_int_eq(n_seen, 2);
    ck_assert_int_eq(seen[1].type, EVENT_HEALTH_CLOSED);
    ck_assert(seen[1].time_us > ended_us && seen[1].time_us <= ended_us + 6000000);
    ck_assert(seen[1].health.since_us == seen[0].health.since_us && seen[1].health.quantity < seen[1].health.opens_at);
    ck_assert_ptr_nonnull(strstr(seen[1].reason, "black has ended after 8 s; at the worst, "));
    ck_assert(!shown(HEALTH_BLACK).open);
    ck_assert_uint_eq(seen[0].health.id, (uint64_t)seen[0].time_us / 1000);
    ck_assert_uint_eq(seen[1].health.id, seen[0].health.id);
    ck_assert_int_eq(json_integer_value(json_object_get(seen[1].json, "id")), (json_int_t)seen[0].health.id);
    ck_assert(!seen[0].before_us && !seen[0].now_us && !seen[1].now_us);        /* snapshots are off */
    static const char *const keys[] = {"id", "camera", "kind", "quantity", "unit", "baseline", "opens_at", "closes_at", "since",
                                       "reason"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ck_assert_msg(json_object_get(seen[0].json, keys[i]) != NULL, "%s", keys[i]);
    ck_assert_uint_eq(json_object_size(seen[0].json), sizeof keys / sizeof *keys);
}
END_TEST

/* The picture of before is sound although the fault is found seconds after it began, and although another held before. */
START_TEST(events_show_before_and_now)
{
    config.evidence.snapshots = true;
    config.health.off = health_bit(HEALTH_NOISE);
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    const int64_t began_us = START_UTC + now_us;
    play(17, SEEN(.gain = 0.05), false, 1);
    const int64_t ended_us = START_UTC + now_us;
    play(6, &sound, false, 1);
    ck_assert_int_eq(n_seen, 2);
    const struct event_seen *opened = &seen[0], *closed = &seen[1];
    ck_assert(opened->before_us >= START_UTC && opened->before_us <= began_us - 3000000);
    ck_assert(opened->before > 60 && opened->now < 20 && opened->now_us == opened->time_us);
    ck_assert(closed->now > 60 && closed->now_us == closed->time_us && closed->before_us == 0);
    play(20, SEEN(.gain = 0.05), false, 1);             /* before the camera has been sound for long */
    ck_assert(n_seen == 3 && seen[2].before > 60 && seen[2].health.id > opened->health.id);
    play(20, &sound, false, 1);
    const int64_t again_us = START_UTC + now_us;
    play(8, SEEN(.gain = 0.05), false, 1);
    ck_assert_int_eq(n_seen, 5);
    ck_assert(seen[4].before_us > ended_us + 20000000 && seen[4].before_us <= again_us - 3000000 && seen[4].before > 60);
    diagnosis_end(diagnosis);
    ck_assert(n_seen == 6 && seen[5].now_us == 0);      /* it is not known what the camera is like without the fault */
}
END_TEST

/* A picture that is corrupt, and may show what masks cover, is in no event. */
START_TEST(corrupt_pictures_are_not_shown)
{
    config.evidence.snapshots = true;
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    for (int i = 0; i < 6 * FPS; i++, now_us += 1000000 / FPS)
        diagnosis_add(diagnosis, NULL, &(struct source_frame){.pts_us = now_us, .arrival_us = now_us, .corrupt = true},
                      START_UTC + now_us, now_us);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_str_eq(seen[0].health.kind, "corrupt");
    ck_assert(seen[0].before_us && seen[0].before > 60 && !seen[0].now_us);
    play(12, &sound, false, 1);
    ck_assert(n_seen == 2 && seen[1].type == EVENT_HEALTH_CLOSED && seen[1].now > 60);
}
END_TEST

START_TEST(where_a_scene_lies)
{
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    play(9, SEEN(.right = 0.03, .down = -0.01), false, 1);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_str_eq(seen[0].health.kind, "moved");
    ck_assert_double_eq_tol(json_number_value(json_object_get(seen[0].json, "right")), 3, 0.3);
    ck_assert_double_eq_tol(json_number_value(json_object_get(seen[0].json, "down")), -1, 0.3);
    ck_assert(json_is_number(json_object_get(seen[0].json, "rotation")) && json_is_number(json_object_get(seen[0].json, "zoom")));
    diagnosis_end(diagnosis);
    ck_assert_int_eq(n_seen, 2);
    ck_assert_int_eq(seen[1].type, EVENT_HEALTH_CLOSED);
    ck_assert_ptr_nonnull(strstr(seen[1].reason, "moved is not watched any more after "));
    ck_assert(!shown(HEALTH_MOVED).open && shown(HEALTH_MOVED).on && !shown(HEALTH_MOVED).known);
    diagnosis_end(diagnosis);
    ck_assert_int_eq(n_seen, 2);
}
END_TEST

START_TEST(other_events_tell_a_freeze_and_a_rate)
{
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    play(12, &sound, true, 1);
    ck_assert(shown(HEALTH_FROZEN).open);
    play(6, &sound, false, 1);
    ck_assert(!shown(HEALTH_FROZEN).open);
    play(12, &sound, false, 3);
    ck_assert(shown(HEALTH_SLOW).open);
    ck_assert_int_eq(n_seen, 0);
    tear_down();
    set_up();
    open_diagnosis(false, false);
    play(LEARN_S + 5, &sound, false, 1);
    play(12, &sound, true, 1);
    play(6, &sound, false, 1);
    play(12, &sound, false, 3);
    ck_assert_int_eq(n_seen, 3);
    ck_assert_str_eq(seen[0].health.kind, "frozen");
    ck_assert_str_eq(seen[2].health.kind, "slow");
}
END_TEST

START_TEST(kinds_that_are_off)
{
    config.health.off = health_bit(HEALTH_BLACK);
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    play(8, SEEN(.gain = 0.05), false, 1);
    ck_assert_int_eq(n_seen, 0);
    ck_assert(!shown(HEALTH_BLACK).on && !shown(HEALTH_BLACK).open && !shown(HEALTH_BLACK).known && shown(HEALTH_BLUR).on);
}
END_TEST

/* The clock of a file that begins anew goes on; a hole is no freeze. */
/* A change of light is shown with the first picture, so that it comes before the score of that, and has no event. */
START_TEST(light_is_shown)
{
    const struct scenery_view lamp = {.gain = 1.3};
    open_diagnosis(false, false);
    play(LEARN_S + 8, &sound, false, 1);
    ck_assert(shown(HEALTH_LIGHT).on && !shown(HEALTH_LIGHT).open);
    const int64_t turned_us = START_UTC + now_us;
    play(0.35, &lamp, false, 1);
    ck_assert(shown(HEALTH_LIGHT).open);
    ck_assert_int_eq(shown(HEALTH_LIGHT).since_us, turned_us);
    play(15, &lamp, false, 1);
    ck_assert(!shown(HEALTH_LIGHT).open);
    play(0.1, &sound, false, 1);
    ck_assert(shown(HEALTH_LIGHT).open);
    diagnosis_end(diagnosis);
    ck_assert(!shown(HEALTH_LIGHT).open);
    ck_assert_int_eq(n_seen, 0);
    diagnosis_close(diagnosis);
    now_us = 0;
    config.health.off = health_bit(HEALTH_LIGHT);
    open_diagnosis(false, false);
    play(LEARN_S + 8, &sound, false, 1);
    play(1, &lamp, false, 1);
    ck_assert(!shown(HEALTH_LIGHT).on && !shown(HEALTH_LIGHT).open);
}
END_TEST

START_TEST(times_that_begin_anew)
{
    open_diagnosis(true, true);
    play(LEARN_S + 5, &sound, false, 1);
    now_us = same_since_us = 0;
    diagnosis_break(diagnosis);
    play(3, &sound, false, 1);
    now_us += 60000000;
    play(5, &sound, false, 1);
    ck_assert_int_eq(n_seen, 0);
    play(8, SEEN(.gain = 0.05), false, 1);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_str_eq(seen[0].health.kind, "black");
}
END_TEST

/* The camera ends, memaed ends and starts, and the camera is opened again, with this size and rate. */
static void restart(void)
{
    diagnosis_end(diagnosis);
    diagnosis_close(diagnosis);
    if (baselines)
        close_baselines();
    struct config_camera cameras[] = {config};
    const struct config all = {.cameras = cameras, .n_cameras = 1};
    must(baselines_open(&baselines, &(struct baselines_options){.state_dir = folder, .config = &all, .heartbeats = &heartbeats},
                        &err));
    now_us = same_since_us = 0;
    forget();
    open_diagnosis(true, true);
}

static bool is_learning(void)
{
    struct view_camera view;
    camera_status_view(&status, &view);
    return view.health_learning;
}

START_TEST(a_fault_outlasts_a_restart)
{
    make_folder();
    heartbeats_init(&heartbeats);
    restart();
    play(LEARN_S - 4, &sound, false, 1);
    ck_assert(is_learning());
    restart();                          /* too early: nothing was kept */
    play(LEARN_S - 4, &sound, false, 1);
    ck_assert(is_learning());
    play(9, &sound, false, 1);
    ck_assert(!is_learning());
    play(8, SEEN(.covered = 0.4), false, 1);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_str_eq(seen[0].health.kind, "covered");
    restart();
    play(2, SEEN(.covered = 0.4), false, 1);
    ck_assert(!is_learning());
    play(8, SEEN(.covered = 0.4), false, 1);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_str_eq(seen[0].health.kind, "covered");
    play(8, &sound, false, 1);
    ck_assert_int_eq(n_seen, 2);
    /* An order to learn anew closes faults, and holds over a restart, also where no picture came since. */
    play(8, SEEN(.covered = 0.4), false, 1);
    ck_assert_int_eq(n_seen, 3);
    ck_assert(diagnosis_relearn(diagnosis));
    play(1, SEEN(.covered = 0.4), false, 1);
    ck_assert(is_learning() && !shown(HEALTH_COVERED).open);
    ck_assert_int_eq(n_seen, 4);
    ck_assert_ptr_nonnull(strstr(seen[3].reason, "covered is learned anew after "));
    play(LEARN_S + 8, SEEN(.covered = 0.4), false, 1);
    ck_assert(!is_learning() && n_seen == 4);
    ck_assert(diagnosis_relearn(diagnosis));
    restart();
    play(2, &sound, false, 1);
    ck_assert(is_learning());
    /* Other pictures, and a file that is damaged. */
    play(LEARN_S + 5, &sound, false, 1);
    static char other[] = "rtsp://other.example/live";
    config.source = other;
    restart();
    play(2, &sound, false, 1);
    ck_assert(is_learning());
    play(LEARN_S + 5, &sound, false, 1);
    restart();
    play(2, &sound, false, 1);
    ck_assert(!is_learning());
    diagnosis_end(diagnosis);
    close_baselines();
    shell("printf x | dd of=health/gate.baseline bs=1 seek=5000 conv=notrunc 2>dd.log");
    restart();
    play(2, &sound, false, 1);
    ck_assert(is_learning());
    ck_assert(!diagnosis_relearn(NULL));
    close_baselines();
    heartbeats_destroy(&heartbeats);
    delete_folder();
}
END_TEST

START_TEST(nothing_to_diagnose)
{
    struct diagnosis_options options = {.config = &config, .height = HEALTH_MIN_SIDE - 1, .width = 64, .status = &status,
                                        .events = events};
    diagnosis = (void *)-1;
    ck_assert_int_eq(diagnosis_open(&diagnosis, &options), 0);
    ck_assert_ptr_null(diagnosis);
    options.height = 64;
    config.health.enabled = false;
    ck_assert_int_eq(diagnosis_open(&diagnosis, &options), 0);
    ck_assert_ptr_null(diagnosis);
    config.health = (struct config_health){.enabled = true, .off = HEALTH_ALL, .learn_s = LEARN_S};
    ck_assert_int_eq(diagnosis_open(&diagnosis, &options), 0);
    ck_assert_ptr_null(diagnosis);
    ck_assert(!shown(HEALTH_BLACK).on);
    diagnosis_break(NULL);
    diagnosis_end(NULL);
    diagnosis_add(NULL, luma, &(struct source_frame){0}, 0, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diagnosis");
    TCase *tcase = tcase_create("diagnosis");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_fault_is_told_and_shown);
    tcase_add_test(tcase, events_show_before_and_now);
    tcase_add_test(tcase, corrupt_pictures_are_not_shown);
    tcase_add_test(tcase, where_a_scene_lies);
    tcase_add_test(tcase, other_events_tell_a_freeze_and_a_rate);
    tcase_add_test(tcase, kinds_that_are_off);
    tcase_add_test(tcase, light_is_shown);
    tcase_add_test(tcase, times_that_begin_anew);
    tcase_add_test(tcase, a_fault_outlasts_a_restart);
    tcase_add_test(tcase, nothing_to_diagnose);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
