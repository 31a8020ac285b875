/* daemon/watch/camera with a scheduler: cameras play generated files through a tiny model. The scores are those of the
 * plan. Files loop, end, appear late, or are no video. Counts add up whenever they are read. A camera stops in any state. */
#include <check.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/watch/camera/camera.h"
#include "io/base/clock.h"
#include "io/model/model_file.h"
#include "tests/daemon/watch/y4m.h"
#include "tests/daemon/watch/alerts_kept.h"
#include "tests/suite.h"

enum { WIDTH = 48, HEIGHT = 32, SIZE = WIDTH * HEIGHT, LENGTH = 16, MAX_CAMERAS = 4, MAX_SCORES = 1024 };

static char folder[64];
static struct plan *plan;
static const struct calibration *calibration;       /* of all cameras, or NULL */
static struct alertlog *alerts;
static struct events *events;
static struct heartbeats beats;
static struct config_camera configs[MAX_CAMERAS];
static struct camera *cameras[MAX_CAMERAS];
static size_t n_cameras;
static struct scheduler *scheduler;
static int changed_fd;

static char *path_of(const char *name)
{
    char *path = malloc(128);
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

/* A disc moves over noise. Frame f is the same in every clip. */
static void picture(uint8_t *pixels, int f)
{
    for (int i = 0; i < SIZE; i++) {
        int dx = i % WIDTH - f % WIDTH, dy = i / WIDTH - 16;
        pixels[i] = (uint8_t)(dx * dx + dy * dy < 40 ? 220 : 60 + (i * 7 + f * 13) % 31);
    }
}

/* One picture with other noise in each frame. Something moves in frame 100. Frames 151 to 349 are identical. */
static void static_picture(uint8_t *pixels, int f)
{
    picture(pixels, 0);
    for (int i = 0; i < SIZE && !(150 < f && f < 350); i++)
        pixels[i] = (uint8_t)(pixels[i] - 1 + (i * 31 + f * 17 + i * f) % 3);
    if (f == 100)
        pixels[SIZE / 2] = pixels[SIZE / 2 + 1] = 255;
}

static void write_clip(const char *path, int n, int fps)
{
    write_y4m(path, WIDTH, HEIGHT, n, fps, picture);
}

static void set_up(void)
{
    struct error err = {.text = ""};
    heartbeats_init(&beats);
    n_cameras = 0;
    snprintf(folder, sizeof folder, "/tmp/memaed-test-camera-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    struct model_file file;
    ck_assert_msg(model_file_load(&file, "tests/golden/tiny-cosine.safetensors", &err) == 0, "%s", err.text);
    ck_assert_int_eq(plan_open(&plan, file.model, score_scratch(&file.model->arch), &err), 0);
    ck_assert_int_eq(plan_arch(plan)->frames, LENGTH);
    ck_assert_int_eq(plan_arch(plan)->width, WIDTH);
    ck_assert_int_eq(plan_arch(plan)->height, HEIGHT);
    model_file_clear(&file);
    kept_open(&alerts, &events);
    changed_fd = eventfd(0, EFD_NONBLOCK);
}

static struct config_camera *add_camera(const char *name, char *source)
{
    struct config_camera *config = &configs[n_cameras++];
    *config = (struct config_camera){.name = strdup(name), .source = source, .model = strdup("/x/tiny.safetensors"),
                                     .stride = 1, .stall_timeout_s = 2, .backlog = 64};
    return config;
}

static void start(int workers, const struct alert_rule *rule)
{
    struct error err = {.text = ""};
    ck_assert_int_eq(scheduler_open(&scheduler, &(struct scheduler_options){.workers = workers, .heartbeats = &beats}), 0);
    for (size_t i = 0; i < n_cameras; i++)
        ck_assert_msg(camera_open(&cameras[i], &(struct camera_options){.id = (uint32_t)i, .config = &configs[i], .plan = plan,
                                                                        .rule = rule, .calibration = calibration,
                                                                        .readers = workers, .scheduler = scheduler,
                                                                        .alerts = alerts, .events = events,
                                                                        .heartbeats = &beats, .changed_fd = changed_fd},
                                  &err) == 0, "%s", err.text);
    ck_assert_int_eq(scheduler_start(scheduler), 0);
    for (size_t i = 0; i < n_cameras; i++) {
        ck_assert_int_eq(camera_start(cameras[i]), 0);
        camera_go(cameras[i]);
    }
}

static bool any_stuck(int64_t now_us)
{
    char name[HEARTBEAT_NAME_SIZE];
    return heartbeats_stuck(&beats, now_us, name);
}

static struct view_camera look(size_t i)
{
    struct view_camera view;
    camera_view(cameras[i], &view);
    ck_assert_uint_eq(view.windows_due, view.windows_scored + view.windows_skipped + view.windows_pending);
    ck_assert_uint_le(view.windows_pending, view.windows_due);
    ck_assert(!any_stuck(monotonic_us()));
    return view;
}

static struct view_camera wait_state(size_t i, enum view_camera_state state)
{
    for (;;) {
        struct view_camera view = look(i);
        if (view.state == state)
            return view;
        usleep(1000);           /* the condition is polled */
    }
}

static void stop(void)
{
    for (size_t i = 0; i < n_cameras; i++)
        camera_stop(cameras[i]);
    scheduler_stop(scheduler);
    for (size_t i = 0; i < n_cameras; i++)
        ck_assert(camera_join(cameras[i], INT64_MAX));
    ck_assert_int_eq(scheduler_join(scheduler, INT64_MAX), 0);
    for (size_t i = 0; i < n_cameras; i++) {
        camera_end(cameras[i]);
        struct view_camera view = look(i);
        ck_assert_uint_eq(view.windows_pending, 0);
        ck_assert(!view.alert_open);
    }
    ck_assert(!any_stuck(INT64_MAX));
    for (size_t i = 0; i < n_cameras; i++) {
        camera_close(cameras[i]);
        unlink(configs[i].source);
        free(configs[i].name);
        free(configs[i].source);
        free(configs[i].model);
    }
    scheduler_close(scheduler);
    ck_assert_ptr_null(beats.first);
    heartbeats_destroy(&beats);
    alertlog_close(alerts);
    events_free(events);
    plan_close(plan);
    close(changed_fd);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(files_are_scored_whole_and_stop)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        char name[24];
        snprintf(name, sizeof name, "c%d.y4m", i);
        char *path = path_of(name);
        write_clip(path, 40 + 10 * i, 100);
        add_camera(name, path)->stride = 1 + i;
    }
    start(2, NULL);
    static float expected[64];
    void *workspace = plan_workspace_new(plan);
    uint8_t (*pixels)[SIZE] = malloc(64 * SIZE);
    for (int f = 0; f < 64; f++)
        picture(pixels[f], f);
    for (int w = 0; w + LENGTH <= 64; w++) {
        const uint8_t *frames[LENGTH];
        for (int k = 0; k < LENGTH; k++)
            frames[k] = pixels[w + k];
        struct plan_result result;
        plan_run(plan, frames, workspace, &result);
        expected[w] = result.reference;
    }
    free(pixels);
    free(workspace);
    for (size_t i = 0; i < 3; i++) {
        struct view_camera view = wait_state(i, VIEW_STOPPED);
        uint64_t frames = 40 + 10 * i, stride = 1 + i;
        ck_assert_uint_eq(view.frames, frames);
        ck_assert_uint_eq(view.windows_due, (frames - LENGTH) / stride + 1);
        ck_assert_uint_eq(view.windows_scored, view.windows_due);
        ck_assert_uint_eq(view.reconnects, 0);
        ck_assert_str_eq(view.model, "tiny.safetensors");
        struct score_record scores[MAX_SCORES];
        struct record_range range;
        ck_assert_uint_eq(camera_scores(cameras[i], 0, scores, MAX_SCORES, &range), view.windows_due);
        for (uint64_t w = 0; w < range.next; w++) {
            ck_assert_uint_eq(scores[w].window, w);
            ck_assert_uint_eq(scores[w].frame, w * stride + LENGTH / 2);
            ck_assert_int_eq(scores[w].pts_us, (int64_t)scores[w].frame * 10000);
            if (w * stride + LENGTH <= 64)
                ck_assert_float_eq(scores[w].reference, expected[w * stride]);      /* the same bits as without a frame cache */
        }
        ck_assert_float_eq(view.last_score, scores[range.next - 1].score);
    }
    uint64_t changes;
    ck_assert_int_eq(read(changed_fd, &changes, sizeof changes), sizeof changes);
    ck_assert_uint_ge(changes, 3 * 3);          /* each camera: warming, watching, stopped */
    stop();
}
END_TEST

START_TEST(a_loop_begins_again_and_no_window_spans_the_seam)
{
    static const struct alert_rule rule = {.threshold = 0, .close_threshold = 0, .k = 1, .n = 1};
    set_up();
    char *path = path_of("loop.y4m");
    write_clip(path, 20, 200);
    struct config_camera *config = add_camera("loop", path);
    config->loop = true;
    config->backlog = 4096;                     /* no window is skipped, however slow this machine */
    start(2, &rule);                            /* every window alerts: each round opens one alert, each seam closes it */
    struct score_record scores[MAX_SCORES];
    struct record_range range;
    uint64_t n;
    while ((n = camera_scores(cameras[0], 0, scores, MAX_SCORES, &range)) < 23)
        usleep(1000);
    for (uint64_t i = 0; i < n; i++)            /* 20 frames: five windows a round */
        ck_assert_uint_eq(scores[i].window, i / 5 * 20 + i % 5);
    struct alert_record seen[KEPT_MAX];
    size_t opened = kept_read(seen);
    ck_assert_uint_ge(opened, 5);
    for (size_t i = 0; i + 1 < opened; i++)
        ck_assert_int_gt(seen[i].closed_us, 0);
    ck_assert_uint_eq(look(0).reconnects, 0);
    stop();
}
END_TEST

START_TEST(an_absent_camera_is_lost_then_watched_and_harms_no_other)
{
    set_up();
    char *late = path_of("late.y4m"), *here = path_of("here.y4m"), *text = path_of("text.txt");
    write_clip(here, 40, 100);
    FILE *file = fopen(text, "w");
    for (int i = 0; i < 1000; i++)
        fprintf(file, "no video %d\n", i);
    fclose(file);
    add_camera("late", late);
    add_camera("here", here);
    add_camera("text", text);
    start(1, NULL);
    struct view_camera view = wait_state(0, VIEW_LOST);
    ck_assert(view.reason[0] != '\0');
    ck_assert(wait_state(2, VIEW_LOST).reason[0] != '\0');
    ck_assert_uint_eq(wait_state(1, VIEW_STOPPED).windows_scored, 40 - LENGTH + 1);
    write_clip(late, 40, 50);
    view = wait_state(0, VIEW_WATCHING);
    ck_assert_uint_ge(view.reconnects, 1);
    ck_assert_str_eq(view.reason, "");
    ck_assert_uint_eq(wait_state(0, VIEW_STOPPED).windows_scored, 40 - LENGTH + 1);
    ck_assert_int_eq(look(2).state, VIEW_LOST);
    stop();
}
END_TEST

START_TEST(a_clip_shorter_than_a_window_ends_without_scores)
{
    set_up();
    char *path = path_of("short.y4m");
    write_clip(path, LENGTH - 1, 100);
    add_camera("short", path);
    start(1, NULL);
    struct view_camera view = wait_state(0, VIEW_STOPPED);
    ck_assert_uint_eq(view.frames, LENGTH - 1);
    ck_assert_uint_eq(view.windows_due, 0);
    ck_assert(!view.has_score);
    stop();
}
END_TEST

START_TEST(a_static_scene_is_not_computed_and_a_frozen_camera_is_told)
{
    static struct calibration own = {
        .fps = 100, .threshold = 1000, .close_threshold = -1000, .has_score = true,
        .score = {.conditions = 1, .condition = {{.noise = 1e-5, .usual = {{0, 1}, {0, 1}}, .rare = {.share = 1, .scale = 1}}}},
        .has_static = true, .still = {.bound = 2, .windows = 1000, .frozen_s = 0.5}};
    static const struct alert_rule rule = {.threshold = 1000, .close_threshold = -1000, .k = 3, .n = 5};
    calibration = &own;
    for (int off = 0; off < 2; off++) {
        set_up();
        own.still.cells = static_cells(plan_arch(plan));
        for (int i = 0; i < own.still.cells; i++)
            own.still.limit[0][i] = 4;
        char *path = path_of("static.y4m");
        write_y4m(path, WIDTH, HEIGHT, 420, 100, static_picture);
        struct config_camera *config = add_camera("static", path);
        config->stride = 2;
        config->backlog = 4096;
        config->compute_all = off;
        start(2, &rule);
        ck_assert(!wait_state(0, VIEW_WATCHING).frozen);
        while (!look(0).frozen)
            usleep(1000);
        while (look(0).frozen)
            usleep(1000);
        struct view_camera view = wait_state(0, VIEW_STOPPED);
        ck_assert_uint_eq(view.windows_scored, (420 - LENGTH) / 2 + 1);
        struct score_record scores[MAX_SCORES];
        struct record_range range;
        size_t n = camera_scores(cameras[0], 0, scores, MAX_SCORES, &range), statics = 0;
        for (size_t w = 0; w < n; w++) {
            int begin = (int)w * 2, end = begin + LENGTH;
            bool moved = begin <= 100 && 100 < end, frozen = 151 + 51 <= end - 1 && end - 1 < 350;
            bool after = w == 0 || begin == 102 || end - 1 == 351;
            ck_assert_msg(scores[w].is_static == !(off || moved || frozen || after), "window from %d", begin);
            if (scores[w].is_static)
                ck_assert(scores[w].score == scores[w - 1].score && scores[w].reference == scores[w - 1].reference);
            statics += scores[w].is_static;
        }
        ck_assert_uint_eq(view.windows_static, statics);
        struct scheduler_stats stats;
        scheduler_stats(scheduler, &stats);
        ck_assert_uint_eq(stats.windows, n - statics);          /* static windows do not count as computed */
        stop();
    }
}
END_TEST

START_TEST(stopping_does_not_wait)
{
    /* One camera is in the middle of a long file, one in a back-off, one waits for a server that does not answer. */
    set_up();
    char *path = path_of("long.y4m"), *url = malloc(64);
    write_clip(path, 200, 2);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server, 4), 0);
    ck_assert_int_eq(getsockname(server, (struct sockaddr *)&address, &size), 0);
    snprintf(url, 64, "rtsp://127.0.0.1:%d/live", ntohs(address.sin_port));
    add_camera("long", path);
    add_camera("absent", path_of("absent.y4m"));
    add_camera("silent", url)->stall_timeout_s = 3600;
    start(1, NULL);
    wait_state(0, VIEW_WARMING);
    wait_state(1, VIEW_LOST);
    int connection = accept(server, NULL, NULL);
    ck_assert_int_ge(connection, 0);
    ck_assert_int_eq(look(2).state, VIEW_STARTING);
    stop();                                     /* it would never return if a camera waited for its source */
    close(connection);
    close(server);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("camera");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, files_are_scored_whole_and_stop);
    tcase_add_test(tcase, a_loop_begins_again_and_no_window_spans_the_seam);
    tcase_add_test(tcase, an_absent_camera_is_lost_then_watched_and_harms_no_other);
    tcase_add_test(tcase, a_clip_shorter_than_a_window_ends_without_scores);
    tcase_add_test(tcase, a_static_scene_is_not_computed_and_a_frozen_camera_is_told);
    tcase_add_test(tcase, stopping_does_not_wait);
    Suite *suite = suite_create("camera");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
