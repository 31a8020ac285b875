/* daemon/watch/fleet: cameras come, go and are replaced by name while others run. Those that stay keep ids and scores. A change
 * that fails changes nothing. Nothing is posted for a camera that has ended, however slow its worker is. */
#include <cblas.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/network/model.h"
#include "daemon/watch/fleet.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/model/model_file.h"
#include "tests/daemon/watch/y4m.h"
#include "tests/daemon/watch/alerts_kept.h"
#include "tests/suite.h"

enum { WIDTH = 48, HEIGHT = 32, CLIP_FPS = 50 };

static char folder[64];
static struct heartbeats beats;
static struct alertlog *alerts;
static struct events *events;
static struct fleet *fleet;
static bool started;

static void picture(uint8_t *pixels, int f)
{
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = (uint8_t)(i * 7 + f * 13);
}

static void set_up(void)
{
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/memaed-test-fleet-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/clip.y4m", folder);
    write_y4m(path, WIDTH, HEIGHT, 50, CLIP_FPS, picture);
    snprintf(path, sizeof path, "cp tests/golden/tiny-cosine.safetensors %s/model.safetensors", folder);
    ck_assert_int_eq(system(path), 0);
    heartbeats_init(&beats);
    kept_open(&alerts, &events);
}

static void open_fleet(int patience_ms)
{
    struct error err = {""};
    ck_assert_msg(fleet_open(&fleet, &(struct fleet_options){.workers = 2, .patience_ms = patience_ms, .alerts = alerts,
                                                             .events = events, .heartbeats = &beats, .changed_fd = -1},
                             &err) == 0, "%s", err.text);
}

static void start_fleet(void)
{
    struct error err = {""};
    open_fleet(0);
    ck_assert_msg(fleet_start(fleet, &err) == 0, "%s", err.text);
    started = true;
}

static void tear_down(void)
{
    char command[128];
    fleet_close(fleet);
    fleet = NULL;
    events_free(events);
    alertlog_close(alerts);
    ck_assert_ptr_null(beats.first);
    heartbeats_destroy(&beats);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void stop_fleet(void)
{
    ck_assert(fleet_stop(fleet, INT64_MAX, INT64_MAX));
    tear_down();
}

static void print_line(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* Applies a configuration with these lines below `cameras:`; returns what fleet_apply() does. */
static int apply(const char *lines, struct fleet_changes *changes)
{
    char text[8192], path[128];
    struct config *config;
    struct fleet_models models;
    struct error err = {""};
    snprintf(text, sizeof text, "cameras:\n%s", lines);
    snprintf(path, sizeof path, "%s/memaed.yml", folder);
    ck_assert_int_eq(config_load_memory(&config, text, strlen(text), path, print_line, NULL), 0);
    ck_assert_int_eq(fleet_models_load(&models, config, &(struct check_report){.fault = print_line}), 0);
    *changes = (struct fleet_changes){0};
    int r = fleet_apply(fleet, config, &models, changes, &err);
    fleet_models_clear(&models);
    config_unref(config);               /* cameras hold references of their own */
    if (started)
        fleet_go(fleet);
    return r;
}

#define CAMERA(name, more) "  " name ": {source: clip.y4m, model: model.safetensors, loop: true" more "}\n"

static void expect(const struct fleet_changes *c, size_t added, size_t removed, size_t changed, size_t unchanged)
{
    ck_assert_uint_eq(c->added, added);
    ck_assert_uint_eq(c->removed, removed);
    ck_assert_uint_eq(c->changed, changed);
    ck_assert_uint_eq(c->unchanged, unchanged);
}

static struct view_camera look(const char *name)
{
    struct view_camera view;
    ck_assert_msg(fleet_view_camera(fleet, name, &view), "%s", name);
    ck_assert_uint_eq(view.windows_due, view.windows_scored + view.windows_skipped + view.windows_pending);
    return view;
}

static void wait_scores(const char *name, uint64_t n)
{
    while (look(name).windows_scored < n)
        usleep(1000);
}

static void expect_names(const char *expected)
{
    struct view_camera *list;
    size_t n;
    char names[256] = "";
    ck_assert_int_eq(fleet_view_cameras(fleet, &list, &n), 0);
    for (size_t i = 0; i < n; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", list[i].name);
    free(list);
    ck_assert_str_eq(names, expected);
}

START_TEST(cameras_come_go_and_change)
{
    struct fleet_changes changes;
    start_fleet();
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", "") CAMERA("c", ""), &changes), 0);
    expect(&changes, 3, 0, 0, 0);
    expect_names("a b c");
    wait_scores("a", 5);
    wait_scores("b", 5);
    struct view_camera a = look("a"), b = look("b"), c = look("c");
    ck_assert(a.id != b.id && b.id != c.id && a.id != c.id);

    ck_assert_int_eq(apply(CAMERA("d", "") CAMERA("b", ", stride: 3") CAMERA("a", ""), &changes), 0);
    expect(&changes, 1, 1, 1, 1);
    expect_names("d b a");
    ck_assert_uint_eq(look("a").id, a.id);
    ck_assert_uint_ge(look("a").windows_scored, 5);
    ck_assert_uint_gt(look("b").id, c.id);              /* b is another camera of that name now */
    ck_assert_uint_gt(look("d").id, c.id);
    struct score_record scores[4];
    struct record_range range;
    size_t n;
    ck_assert(fleet_scores(fleet, a.id, 0, scores, 4, &range, &n));
    ck_assert_uint_eq(n, 4);
    for (uint64_t i = 0; i < n; i++)
        ck_assert_uint_eq(scores[i].window, i);
    ck_assert(!fleet_scores(fleet, b.id, 0, scores, 4, &range, &n));
    ck_assert(!fleet_scores(fleet, c.id, 0, scores, 4, &range, &n));
    ck_assert(!fleet_view_camera(fleet, "c", &c));
    wait_scores("b", 3);
    wait_scores("d", 3);
    stop_fleet();
}
END_TEST

START_TEST(a_model_written_anew_changes_its_cameras)
{
    struct fleet_changes changes;
    char command[256];
    start_fleet();
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", ""), &changes), 0);
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", ""), &changes), 0);
    expect(&changes, 0, 0, 0, 2);
    snprintf(command, sizeof command, "cp tests/golden/tiny-dot.safetensors %s/new && mv %s/new %s/model.safetensors", folder,
             folder, folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", ""), &changes), 0);
    expect(&changes, 0, 0, 2, 0);
    wait_scores("a", 1);
    stop_fleet();
}
END_TEST

START_TEST(cameras_wait_for_the_start)
{
    struct fleet_changes changes;
    struct error err = {""};
    open_fleet(0);
    ck_assert_int_eq(apply(CAMERA("a", ""), &changes), 0);
    usleep(50000);
    ck_assert_uint_eq(look("a").frames, 0);
    ck_assert_int_eq(look("a").state, VIEW_STARTING);
    ck_assert_int_eq(fleet_start(fleet, &err), 0);
    wait_scores("a", 1);
    stop_fleet();
}
END_TEST

START_TEST(cameras_that_never_ran_end)
{
    struct fleet_changes changes;
    open_fleet(0);
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", ""), &changes), 0);
    ck_assert_int_eq(apply(CAMERA("b", ""), &changes), 0);
    expect(&changes, 0, 1, 0, 1);
    stop_fleet();
}
END_TEST

START_TEST(no_cameras_at_all)
{
    struct fleet_changes changes;
    start_fleet();
    ck_assert_int_eq(apply(CAMERA("a", ""), &changes), 0);
    struct config none = {.n_cameras = 0};
    struct fleet_models models = {0};
    struct error err = {""};
    ck_assert_int_eq(fleet_apply(fleet, &none, &models, &changes, &err), 0);
    expect(&changes, 0, 1, 0, 0);
    expect_names("");
    stop_fleet();
}
END_TEST

/* The second camera asks for a precision that its model cannot give, which shows only when the plan is opened. The first camera,
 * which was opened, is closed again, and the fleet is as before. */
START_TEST(a_change_that_fails_changes_nothing)
{
    struct fleet_changes changes;
    start_fleet();
    ck_assert_int_eq(apply(CAMERA("a", "") CAMERA("b", ""), &changes), 0);
    uint32_t a = look("a").id, b = look("b").id;
    char text[1024], path[128];
    struct config *config;
    struct fleet_models models;
    struct error err = {""};
    snprintf(text, sizeof text, "cameras:\n%s", CAMERA("new", "") CAMERA("b", ", stride: 2"));
    snprintf(path, sizeof path, "%s/memaed.yml", folder);
    ck_assert_int_eq(config_load_memory(&config, text, strlen(text), path, print_line, NULL), 0);
    ck_assert_int_eq(fleet_models_load(&models, config, &(struct check_report){.fault = print_line}), 0);
    config->cameras[1].precision = PRECISION_INT8;
    ck_assert_int_eq(fleet_apply(fleet, config, &models, &changes, &err), -EINVAL);
    ck_assert_str_ne(err.text, "");
    fleet_models_clear(&models);
    config_unref(config);
    expect_names("a b");
    ck_assert_uint_eq(look("a").id, a);
    ck_assert_uint_eq(look("b").id, b);
    uint64_t scored = look("b").windows_scored;
    wait_scores("b", scored + 3);
    stop_fleet();
}
END_TEST

/* ---- under load ----------------------------------------------------------------------------------------------------- */

static atomic_bool enough;

/* Reads meanwhile what the web reads: the list of cameras, cameras by name, scores by id. */
static void *look_on(void *arg)
{
    (void)arg;
    while (!atomic_load(&enough)) {
        struct view_camera *list, one;
        struct score_record scores[16];
        struct record_range range;
        size_t n, got;
        if (fleet_view_cameras(fleet, &list, &n) < 0)
            abort();
        for (size_t i = 0; i < n; i++) {
            if (list[i].windows_due != list[i].windows_scored + list[i].windows_skipped + list[i].windows_pending)
                abort();
            fleet_scores(fleet, list[i].id, 0, scores, 16, &range, &got);
        }
        fleet_view_camera(fleet, "x", &one);
        free(list);
    }
    return NULL;
}

START_TEST(many_changes_under_load)
{
    struct fleet_changes changes;
    pthread_t watcher;
    start_fleet();
    ck_assert_int_eq(apply(CAMERA("stays", ""), &changes), 0);
    uint32_t id = look("stays").id;
    atomic_store(&enough, false);
    pthread_create(&watcher, NULL, look_on, NULL);
    for (int i = 0; i < 60; i++) {
        char lines[1024] = CAMERA("stays", "");
        for (int k = 0; k < 7; k++)
            if (i % (k + 2))
                snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
                         "  c%d: {source: clip.y4m, model: model.safetensors, loop: true, stride: %d}\n", k, 1 + i / (k + 2) % 3);
        if (i % 5 == 4)
            snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
                     "  x: {source: 'rtsp://127.0.0.1:9/x', model: model.safetensors}\n");
        ck_assert_int_eq(apply(lines, &changes), 0);
        ck_assert_uint_eq(changes.unchanged >= 1, 1);
        fleet_reap(fleet);
    }
    atomic_store(&enough, true);
    pthread_join(watcher, NULL);
    ck_assert_uint_eq(look("stays").id, id);
    wait_scores("stays", 20);
    stop_fleet();
}
END_TEST

/* ---- a slow worker -------------------------------------------------------------------------------------------------- */

/* The memory of a sink, which is freed once the events are closed, as webhooks are. */
struct sink {
    atomic_int taken;
};

static int take(void *arg, const struct event *event)
{
    (void)event;
    atomic_fetch_add(&((struct sink *)arg)->taken, 1);
    return 0;
}

/* A model that takes some tenths of a second a window with the kernels of plain C. Every window alerts. */
static void write_slow_model(void)
{
    char path[128];
    struct model *model;
    struct error err = {""};
    struct arch arch = *arch_profile("compact");
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 1);
    snprintf(path, sizeof path, "%s/slow.safetensors", folder);
    ck_assert_msg(model_file_save(path, model, NULL, NULL, NULL, &err) == 0, "%s", err.text);
    model_close(model);
}

static struct scheduler_stats stats(void)
{
    struct scheduler_stats ret;
    fleet_stats(fleet, &ret);
    return ret;
}

static const char slow_camera[] = "  slow: {source: clip.y4m, model: slow.safetensors, stride: 1, loop: true, "
                                  "alert: {threshold: 1e-6, close_threshold: 1e-7, k: 1, n: 1, cooldown_s: 0}}\n";

/* Waits until a worker has just begun a window. */
static void wait_for_a_window_at_work(void)
{
    uint64_t before = stats().windows;
    while (stats().windows == before)
        usleep(500);
    struct view_camera view = look("slow");
    ck_assert_uint_gt(view.windows_pending, 0);
}

/* The daemon shuts down while a worker computes a window for longer than anything waits. */
START_TEST(a_slow_worker_reaches_nothing_after_the_end)
{
    struct fleet_changes changes;
    struct sink *sink = calloc(1, sizeof *sink);
    ck_assert_int_eq(events_add(events, (struct event_sink){.take = take, .arg = sink}), 0);
    write_slow_model();
    start_fleet();
    ck_assert_int_eq(apply(slow_camera, &changes), 0);
    while (atomic_load(&sink->taken) == 0)
        usleep(500);
    wait_for_a_window_at_work();
    ck_assert(!fleet_stop(fleet, monotonic_us() + 1000000, monotonic_us()));
    uint64_t computed = stats().windows;
    int taken = atomic_load(&sink->taken);
    ck_assert_int_ge(taken, 2);                         /* every alert has been opened, and closed by the end */
    struct alert_record seen[KEPT_MAX];
    size_t n = kept_read(seen);
    uint64_t entries = kept.next_entry, scores = kept.scores;
    for (size_t i = 0; i < n; i++)
        ck_assert_int_ne(seen[i].closed_us, 0);
    events_close(events);
    ck_assert_int_eq(atomic_load(&sink->taken), taken);
    free(sink);                                         /* from here on the address sanitizer reports any use */
    ck_assert(fleet_stop(fleet, INT64_MAX, INT64_MAX)); /* the worker has finished its window, and passed it on */
    ck_assert_uint_gt(stats().windows, computed);
    ck_assert_uint_eq(kept.next_entry, entries);
    ck_assert_uint_eq(kept.scores, scores);
    tear_down();
}
END_TEST

/* A camera that is removed while a worker computes its window ends later, by itself. */
START_TEST(a_camera_at_work_ends_later)
{
    struct fleet_changes changes;
    struct error err = {""};
    write_slow_model();
    open_fleet(1);
    ck_assert_int_eq(fleet_start(fleet, &err), 0);
    started = true;
    ck_assert_int_eq(apply(slow_camera, &changes), 0);
    wait_for_a_window_at_work();
    ck_assert_int_eq(apply(CAMERA("quick", ""), &changes), 0);
    expect(&changes, 1, 1, 0, 0);
    expect_names("quick");
    char name[HEARTBEAT_NAME_SIZE];
    for (int i = 0; i < 20000; i++) {
        bool there = false;
        fleet_reap(fleet);
        lock_take(&beats.lock);
        for (const struct heartbeat *beat = beats.first; beat; beat = beat->next)
            there |= strcmp(beat->name, "camera slow") == 0;
        lock_give(&beats.lock);
        if (!there)
            break;
        ck_assert_int_lt(i, 19999);
        usleep(1000);
    }
    ck_assert(!heartbeats_stuck(&beats, monotonic_us(), name));
    wait_scores("quick", 3);
    stop_fleet();
}
END_TEST

int main(void)
{
    openblas_set_num_threads(1);        /* as in the program; the thread sanitizer does not know OpenBLAS's threads */
    TCase *tcase = tcase_create("fleet");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, cameras_come_go_and_change);
    tcase_add_test(tcase, a_model_written_anew_changes_its_cameras);
    tcase_add_test(tcase, cameras_wait_for_the_start);
    tcase_add_test(tcase, cameras_that_never_ran_end);
    tcase_add_test(tcase, no_cameras_at_all);
    tcase_add_test(tcase, a_change_that_fails_changes_nothing);
    tcase_add_test(tcase, many_changes_under_load);
    tcase_add_test(tcase, a_slow_worker_reaches_nothing_after_the_end);
    tcase_add_test(tcase, a_camera_at_work_ends_later);
    Suite *suite = suite_create("fleet");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
