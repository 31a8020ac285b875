/* The clip scorer on frames that the test makes. This program's capture_read() replaces that of the library, so that the test
 * decides where gaps and corrupt frames are. */
#include "daemon/measure/clip.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "daemon/base/parallel_threads.h"
#include "tests/suite.h"

enum { LENGTH = 4, HEIGHT = 10, WIDTH = 12, SIZE = HEIGHT * WIDTH, MAX_FRAMES = 400 };

struct capture {
    int frames, at, fail_at;            /* fail_at: -1 for never */
    bool gap[MAX_FRAMES], corrupt[MAX_FRAMES];
    uint8_t pixels[MAX_FRAMES][SIZE];
};

int capture_read(struct capture *capture, uint8_t *pixels, struct source_frame *frame, struct error *err)
{
    int i = capture->at;

    if (i == capture->fail_at)
        return error_set(err, -EIO, "the cable was cut");
    if (i == capture->frames)
        return 0;
    memcpy(pixels, capture->pixels[i], SIZE);
    *frame = (struct source_frame){.pts_us = i * 40000 + 7, .gap = capture->gap[i], .corrupt = capture->corrupt[i]};
    capture->at++;
    return 1;
}

static struct plan *open_plan(int channels)
{
    struct arch arch = {.channels = channels, .frames = LENGTH, .height = HEIGHT, .width = WIDTH, .mean = 0.5f, .std = 0.5f,
                        .n_encoder = 2, .n_decoder = 1};
    struct model *model;
    struct plan *plan;
    struct error err = {""};

    arch.encoder[0] = (struct layer_spec){.type = LAYER_CONV3D, .out = 16, .kernel = {3, 3, 3}, .stride = {1, 2, 2},
                                          .padding = {1, 1, 1}, .activation = ACTIVATION_TANH};
    /* At a stride of 1, windows share half of this layer. */
    arch.encoder[1] = (struct layer_spec){.type = LAYER_CONV3D, .out = 3, .kernel = {1, 3, 3}, .stride = {1, 1, 1},
                                          .padding = {0, 1, 1}, .activation = ACTIVATION_TANH};
    arch.decoder[0] = (struct layer_spec){.type = LAYER_DECONV3D, .out = channels, .kernel = {3, 3, 3}, .stride = {1, 2, 2},
                                          .padding = {1, 1, 1}, .output_padding = {0, 1, 1}};
    ck_assert_msg(model_open(&model, &arch, &err) == 0, "%s", err.text);
    model_init(model, 3);
    ck_assert_msg(plan_open(&plan, model, score_scratch(&model->arch), &err) == 0, "%s", err.text);
    model_close(model);
    return plan;
}

struct got {
    pthread_mutex_t mutex;
    int n, n_results, stop_at, fail_result_at;
    struct clip_window windows[MAX_FRAMES];
    float results[MAX_FRAMES];          /* by the window's index */
    float maps[MAX_FRAMES][4];
    pthread_t thread;
};

static int on_result(void *arg, const struct clip_window *window, const struct plan_result *result, struct error *err)
{
    struct got *got = arg;
    int r = 0;

    pthread_mutex_lock(&got->mutex);
    got->n_results++;
    got->results[window->index] = result->reference;
    if ((int)window->index == got->fail_result_at)
        r = error_set(err, -ENOSPC, "no room for %d", got->fail_result_at);
    pthread_mutex_unlock(&got->mutex);
    return r;
}

static int on_window(void *arg, const struct clip_window *window, struct error *err)
{
    struct got *got = arg;

    ck_assert(pthread_equal(pthread_self(), got->thread));
    if (got->n == got->stop_at)
        return error_set(err, -EPIPE, "enough");
    ck_assert_int_eq(window->map_h, 2);
    ck_assert_int_eq(window->map_w, 2);
    memcpy(got->maps[got->n], window->map, sizeof got->maps[got->n]);
    got->windows[got->n++] = *window;
    return 0;
}

static void fill(struct capture *capture, struct rng *rng, int frames)
{
    memset(capture, 0, sizeof *capture);
    capture->frames = frames;
    capture->fail_at = -1;
    for (int i = 0; i < frames; i++)
        for (int k = 0; k < SIZE; k++)
            capture->pixels[i][k] = (uint8_t)rng_next(rng);
}

static void clear(struct got *got)
{
    memset(got, 0, sizeof *got);
    pthread_mutex_init(&got->mutex, NULL);
    got->stop_at = got->fail_result_at = -1;
    got->thread = pthread_self();
}

static struct capture footage;
static struct got got;

/* A picture of 10x12 has 2x2 cells of 5x6 pixels. */
static void expect_map(const float *map, const struct plan_result *result)
{
    for (int cell = 0; cell < 4; cell++) {
        double sum = 0;

        for (int i = 0; i < LENGTH * SIZE; i++) {
            double d = (double)result->x_hat[i] - (double)result->x[i];

            if (i / WIDTH % HEIGHT / 5 * 2 + i % WIDTH / 6 == cell)
                sum += d * d;
        }
        ck_assert_double_eq_tol(map[cell], sum / (LENGTH * 5 * 6), 1e-5);
    }
}

/* Compares the results with the windows that the definition gives. */
static void expect(const struct plan *plan, int stride, const struct clip_summary *summary)
{
    void *workspace = plan_workspace_new(plan);
    int n = 0, left_out = 0, last_end = 0, gaps = 0, corrupt = 0;

    for (int i = 0; i < footage.frames; i++) {
        gaps += i > 0 && footage.gap[i];
        corrupt += footage.corrupt[i];
    }
    for (int w = 0; w * stride + LENGTH <= footage.frames; w++) {
        const uint8_t *frames[LENGTH];
        struct plan_result result;
        bool whole = true, gap_before = false;
        int first = w * stride;

        for (int i = 0; i < LENGTH; i++) {
            frames[i] = footage.pixels[first + i];
            whole = whole && !footage.corrupt[first + i] && !(i > 0 && footage.gap[first + i]);
        }
        if (!whole) {
            left_out++;
            continue;
        }
        for (int i = last_end; n > 0 && i < first + LENGTH; i++)
            gap_before = gap_before || footage.gap[i] || footage.corrupt[i];
        last_end = first + LENGTH;
        plan_run(plan, frames, workspace, &result);
        ck_assert_int_lt(n, got.n);
        ck_assert_uint_eq(got.windows[n].index, w);
        ck_assert_uint_eq(got.windows[n].frame, first + LENGTH / 2);
        ck_assert_int_eq(got.windows[n].pts_us, (first + LENGTH / 2) * 40000 + 7);
        ck_assert_float_eq(got.windows[n].reference, result.reference);
        ck_assert_float_eq(got.results[w], result.reference);
        ck_assert_int_eq(got.windows[n].gap_before, gap_before);
        ck_assert_int_eq(got.windows[n].end_us, (first + LENGTH - 1) * 40000 + 7);
        ck_assert_float_eq(got.windows[n].score, result.reference);
        expect_map(got.maps[n], &result);
        n++;
    }
    ck_assert_int_eq(got.n, n);
    ck_assert_int_eq(got.n_results, n);
    ck_assert_uint_eq(summary->windows, n);
    ck_assert_uint_eq(summary->left_out, left_out);
    ck_assert_uint_eq(summary->frames, footage.frames);
    ck_assert_uint_eq(summary->corrupt, corrupt);
    ck_assert_uint_eq(summary->gaps, gaps);
    free(workspace);
}

START_TEST(windows_are_those_of_the_definition)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct plan *plan = open_plan(1);
    struct clip_sink sink = {.arg = &got, .result = on_result, .window = on_window};
    struct rng rng;

    printf("test_clip: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 60; round++) {
        struct clip_scorer *scorer;
        struct parallel_threads *threads;
        int stride = 1 + (int)rng_below(&rng, 2 * LENGTH);

        ck_assert_int_eq(parallel_threads_open(&threads, 1 + round % 3), 0);
        struct parallel parallel = parallel_threads_parallel(threads);
        ck_assert_int_eq(clip_open(&scorer, plan, NULL, NULL, NULL, &parallel, stride, CLIP_COMPUTE_ALL, NULL), 0);
        for (int clip = 0; clip < 3; clip++) {          /* one scorer runs clip after clip */
            struct clip_summary summary;

            fill(&footage, &rng, (int)rng_below(&rng, round % 4 ? MAX_FRAMES : 2 * LENGTH));
            for (int i = 0; i < footage.frames && clip > 0; i++) {
                footage.gap[i] = rng_below(&rng, 30) == 0;
                footage.corrupt[i] = rng_below(&rng, 30) == 0;
            }
            if (footage.frames > 0)
                footage.gap[0] = clip == 2;
            clear(&got);
            ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, NULL), 0);
            expect(plan, stride, &summary);
        }
        clip_close(scorer);
        parallel_threads_close(threads);
    }
    plan_close(plan);
}
END_TEST

START_TEST(faults_come_through)
{
    struct plan *plan = open_plan(1);
    struct clip_sink sink = {.arg = &got, .result = on_result, .window = on_window};
    struct clip_scorer *scorer;
    struct clip_summary summary;
    struct error err;
    struct rng rng;

    rng_seed(&rng, 1);
    ck_assert_int_eq(clip_open(&scorer, plan, NULL, NULL, NULL, &parallel_serial, 1, CLIP_COMPUTE_ALL, NULL), 0);

    /* Windows before the source's fault are scored. */
    fill(&footage, &rng, 100);
    footage.fail_at = 50;
    clear(&got);
    ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, &err), -EIO);
    ck_assert_str_eq(err.text, "the cable was cut");
    ck_assert_int_eq(got.n, 50 - LENGTH + 1);

    fill(&footage, &rng, 100);
    clear(&got);
    got.stop_at = 20;
    ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, &err), -EPIPE);
    ck_assert_str_eq(err.text, "enough");

    fill(&footage, &rng, 100);
    clear(&got);
    got.fail_result_at = 30;
    ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "no room for 30");
    ck_assert_int_eq(got.n, 30);

    /* After the fault the scorer works as before. */
    fill(&footage, &rng, 100);
    clear(&got);
    ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, &err), 0);
    expect(plan, 1, &summary);
    clip_close(scorer);
    plan_close(plan);
}
END_TEST

START_TEST(only_gray_is_scored)
{
    struct plan *plan = open_plan(3);
    struct clip_scorer *scorer = (void *)&scorer;
    struct error err;

    ck_assert_int_eq(clip_open(&scorer, plan, NULL, NULL, NULL, &parallel_serial, 1, CLIP_COMPUTE_ALL, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "3 channels"));
    ck_assert_ptr_eq(scorer, (void *)&scorer);
    clip_close(NULL);
    plan_close(plan);
}
END_TEST

/* ---- static scenes ------------------------------------------------------------------------------------------------- */

static struct calibration calibration = {
    .fps = 25, .threshold = 1000, .close_threshold = -1000, .has_score = true,
    .score = {.conditions = 1, .condition = {{.noise = 1e-5, .usual = {{0, 1}, {0, 1}}, .rare = {.share = 1, .scale = 1}}}},
    .has_static = true, .still = {.cells = 1, .limit = {{4}, {-1}}, .bound = 2, .windows = 1000, .frozen_s = 1}};

static int on_static_window(void *arg, const struct clip_window *window, struct error *err)
{
    (void)arg;
    (void)err;
    ck_assert_int_eq(window->map == NULL, window->is_static);
    got.windows[got.n++] = *window;
    return 0;
}

/* A picture with noise. Frame 100 differs in two pixels. Frames 200 to 259 repeat (2.4 s at 25 a second). 300 follows a gap. */
static void fill_static(struct rng *rng)
{
    fill(&footage, rng, MAX_FRAMES);
    for (int i = 1; i < MAX_FRAMES; i++)
        for (int k = 0; k < SIZE; k++) {
            uint8_t p = footage.pixels[0][k];
            footage.pixels[i][k] = (uint8_t)(p - 1 + (int)rng_below(rng, 3) + (p == 0) - (p == 255));
        }
    footage.pixels[100][50] ^= 64;
    footage.pixels[100][51] ^= 64;
    for (int i = 201; i < 260; i++)
        memcpy(footage.pixels[i], footage.pixels[200], SIZE);
    footage.gap[300] = true;
}

START_TEST(static_windows_are_not_computed)
{
    struct plan *plan = open_plan(1);
    struct clip_sink sink = {.arg = &got, .result = on_result, .window = on_static_window};
    static float first[MAX_FRAMES];
    struct rng rng;

    rng_seed(&rng, 7);
    fill_static(&rng);
    for (int parallel_threads_n = 1; parallel_threads_n <= 3; parallel_threads_n += 2) {
        static float own[MAX_FRAMES];
        for (int statics = CLIP_COMPUTE_ALL; statics <= CLIP_STATIC_VERIFIED; statics++) {
            struct clip_scorer *scorer;
            struct clip_summary summary;
            struct parallel_threads *threads;
            int n = 0;

            ck_assert_int_eq(parallel_threads_open(&threads, parallel_threads_n), 0);
            struct parallel parallel = parallel_threads_parallel(threads);
            ck_assert_int_eq(clip_open(&scorer, plan, &calibration, NULL, NULL, &parallel, 2, (enum clip_static)statics, NULL),
                             0);
            for (int again = 0; again < 2; again++) {           /* nothing static stays from the clip before */
                footage.at = 0;
                clear(&got);
                ck_assert_int_eq(clip_score(scorer, &footage, &sink, &summary, NULL), 0);
            }
            float last = 0, difference = 0;
            for (int i = 0; i < got.n; i++) {
                const struct clip_window *w = &got.windows[i];
                int begin = (int)w->index * 2, end = begin + LENGTH;
                n += w->is_static;
                if (statics == CLIP_COMPUTE_ALL) {
                    own[i] = w->score;
                    continue;
                }
                ck_assert_float_eq(w->is_static ? w->own_score : w->score,
                                   statics == CLIP_STATIC && w->is_static ? last : own[i]);
                if (w->is_static)
                    ck_assert_float_eq(w->score, last);
                difference = fmaxf(difference, w->is_static ? fabsf(own[i] - w->score) : 0);
                last = w->score;
                bool moved = begin <= 100 && 100 < end, frozen = 226 <= end - 1 && end - 1 < 260;
                ck_assert_msg(!(w->is_static && (moved || frozen || w->gap_before || i == 0)), "window %d", begin);
                bool after = (begin > 100 && begin <= 102) || (end > 260 && end <= 262);
                ck_assert_msg(w->is_static || moved || frozen || after || w->gap_before || i == 0, "window %d", begin);
            }
            ck_assert_int_eq(got.n_results, got.n - n);
            ck_assert_uint_eq(summary.windows_static, n);
            if (statics == CLIP_COMPUTE_ALL)
                ck_assert_int_eq(n, 0);
            else
                ck_assert_msg(n > got.n * 3 / 4, "%d of %d", n, got.n);
            if (statics == CLIP_STATIC_VERIFIED) {
                ck_assert_float_eq(summary.static_difference, difference);
                ck_assert_float_gt(difference, 0);
                ck_assert_double_lt((double)difference, calibration.still.bound);
            }
            clip_close(scorer);
            parallel_threads_close(threads);
        }
        for (int i = 0; i < got.n && parallel_threads_n > 1; i++)
            ck_assert_float_eq(first[i], got.windows[i].score);         /* the same for every number of threads */
        for (int i = 0; i < got.n; i++)
            first[i] = got.windows[i].score;
    }
    plan_close(plan);
}
END_TEST

START_TEST(static_windows_need_a_bound)
{
    struct plan *plan = open_plan(1);
    struct clip_scorer *scorer;
    struct error err = {""};
    struct calibration c = calibration;

    c.still.windows = 199;
    ck_assert_int_eq(clip_open(&scorer, plan, &c, NULL, NULL, &parallel_serial, 2, CLIP_STATIC, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "no bound for static scenes"));
    c.has_static = false;
    ck_assert_int_eq(clip_open(&scorer, plan, &c, NULL, NULL, &parallel_serial, 2, CLIP_STATIC, &err), -EINVAL);
    ck_assert_int_eq(clip_open(&scorer, plan, NULL, NULL, NULL, &parallel_serial, 2, CLIP_STATIC, &err), -EINVAL);
    plan_close(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clip");
    TCase *tests = tcase_create("clip");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, windows_are_those_of_the_definition);
    tcase_add_test(tests, faults_come_through);
    tcase_add_test(tests, only_gray_is_scored);
    tcase_add_test(tests, static_windows_are_not_computed);
    tcase_add_test(tests, static_windows_need_a_bound);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
