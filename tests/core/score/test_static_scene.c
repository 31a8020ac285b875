/* core/score/static_scene: differences agree with plain sums over random sizes; each cause for computing a window; scores that
 * come late. For random scores within the bound, alerts are those of a run that computes all windows. */
#include "core/score/static_scene.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/score/alert.h"
#include "tests/suite.h"

enum { FRAMES = 16, SIDE = 32, PIXELS = SIDE * SIDE, FOOTAGE = 4000 };

static const struct arch arch = {.channels = 1, .frames = FRAMES, .height = SIDE, .width = SIDE, .std = 0.5f};
static const struct score_spec one_light = {.conditions = 1}, both_lights = {.conditions = 2, .boundary = 1};
static const struct static_rule no_rule = {INFINITY, INFINITY, 1, 1, false};

static struct static_limits limits;
static uint8_t footage[FOOTAGE][PIXELS];
static struct rng rng;

/* Limits that are equal for all cells. */
static void set_limits(float first, float second)
{
    limits = (struct static_limits){.cells = static_cells(&arch), .bound = 0.5, .light_margin = 0.1};
    for (int i = 0; i < limits.cells; i++) {
        limits.limit[0][i] = first;
        limits.limit[1][i] = second;
    }
}

/* n frames of a random picture with noise of -1, 0 and 1. Two frames differ by a mean square of about 4/3, below the limits. */
static void make_footage(int n)
{
    static uint8_t scene[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        scene[i] = (uint8_t)(20 + rng_below(&rng, 200));
    for (int t = 0; t < n; t++)
        for (int i = 0; i < PIXELS; i++)
            footage[t][i] = (uint8_t)(scene[i] - 1 + (int)rng_below(&rng, 3));
}

static void setup(void)
{
    rng_seed(&rng, 1);
    set_limits(2, 2);
    make_footage(FOOTAGE);
}

static enum static_verdict decide(struct static_scene *scene, int first, bool gap, bool frozen, uint64_t *number,
                                  struct static_score *score)
{
    const uint8_t *frames[FRAMES];
    for (int t = 0; t < FRAMES; t++)
        frames[t] = footage[first + t];
    return static_scene_decide(scene, &(struct static_window){frames, (uint64_t)first, gap, frozen}, number, score);
}

static void pass_score(struct static_scene *scene, uint64_t number, float score, int condition, float contrast)
{
    static_scene_scored(scene, number, &(struct score_features){.condition = condition, .contrast = contrast},
                        &(struct static_score){.reference = score / 2, .score = score, .level = score});
}

/* Decides on a window and scores it if it is computed. Returns whether it was static. */
static bool step(struct static_scene *scene, int first, float score)
{
    uint64_t number;
    struct static_score got;
    enum static_verdict verdict = decide(scene, first, false, false, &number, &got);
    ck_assert_int_ne(verdict, STATIC_WAIT);
    if (verdict == STATIC_NO)
        pass_score(scene, number, score, 0, 0);
    return verdict == STATIC_YES;
}

static struct static_scene *open_scene(const struct score_spec *spec, const struct static_rule *rule)
{
    struct static_scene *scene;
    ck_assert_int_eq(static_scene_open(&scene, &arch, &limits, spec, limits.bound, rule), 0);
    return scene;
}

START_TEST(differences)
{
    for (int round = 0; round < 200; round++) {
        struct arch a = {.channels = 1, .frames = 4, .height = 8 + (int)rng_below(&rng, 60),
                         .width = 8 + (int)rng_below(&rng, 60)};
        int rows = a.height / 8, columns = a.width / 8, n = rows * columns;
        ck_assert_int_eq(static_cells(&a), n);
        size_t pixels = (size_t)(a.height * a.width);
        uint8_t *x = malloc(pixels), *y = malloc(pixels);       /* exact sizes for the sanitizer */
        double sums[64] = {0}, counts[64] = {0};
        float *got = malloc((size_t)n * sizeof *got);
        for (size_t i = 0; i < pixels; i++) {
            x[i] = (uint8_t)rng_below(&rng, 256);
            y[i] = (uint8_t)rng_below(&rng, 256);
            int row = (int)i / a.width / 8, column = (int)i % a.width / 8,
                cell = (row < rows ? row : rows - 1) * columns + (column < columns ? column : columns - 1);
            sums[cell] += pow(x[i] - y[i], 2);
            counts[cell]++;
        }
        static_differences(&a, x, y, got);
        for (int i = 0; i < n; i++)
            ck_assert_double_eq_tol((double)got[i], sums[i] / counts[i], 1e-2);
        const uint8_t *pictures[3] = {x, y, y};
        uint8_t *mean = malloc(pixels);
        static_mean(mean, pictures, 3, pixels);
        for (size_t i = 0; i < pixels; i++)
            ck_assert_int_eq(mean[i], (x[i] + 2 * y[i] + 1) / 3);
        free(mean);
        free(got);
        free(x);
        free(y);
    }
    ck_assert_int_eq(static_cells(&(struct arch){.channels = 1, .frames = 16, .height = 1024, .width = 1024}), 0);
    ck_assert_int_eq(static_cells(&(struct arch){.channels = 3, .frames = 16, .height = 64, .width = 64}), 0);
}
END_TEST

START_TEST(noise_is_static)
{
    struct static_scene *scene = open_scene(&one_light, &no_rule);
    int computed = 0, since = 0;
    for (int first = 0; first + FRAMES <= FOOTAGE; first += 2) {
        uint64_t number;
        struct static_score score = {0};
        if (decide(scene, first, false, false, &number, &score) == STATIC_YES) {
            ck_assert_float_eq(score.score, (float)computed);           /* the score of the last computed window */
            ck_assert_float_eq(score.reference, (float)computed / 2);
            ck_assert_int_le(++since, STATIC_MOST);
        } else {
            pass_score(scene, number, (float)++computed, 0, 0);
            since = 0;
        }
    }
    ck_assert_int_eq(computed, (FOOTAGE - FRAMES) / 2 / (STATIC_MOST + 1) + 1);
    static_scene_close(scene);
}
END_TEST

/* One cell of one frame changes. The windows with that frame are computed, the others are static but for two. */
START_TEST(a_single_cell_of_a_single_frame)
{
    for (int round = 0; round < 50; round++) {
        int when = 40 + (int)rng_below(&rng, 20), row = (int)rng_below(&rng, 4), column = (int)rng_below(&rng, 4);
        int stride = 1 + (int)rng_below(&rng, 20);
        make_footage(120);
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 2; x++)
                footage[when][(row * 8 + 3 + y) * SIDE + column * 8 + 3 + x] ^= 64;
        struct static_scene *scene = open_scene(&one_light, &no_rule);
        for (int first = 0; first + FRAMES <= 120; first += stride) {
            bool holds = first <= when && when < first + FRAMES, is_static = step(scene, first, 0);
            ck_assert_msg(!(holds && is_static), "frame %d in the window from %d, stride %d", when, first, stride);
            /* The first window is computed. One after the event is computed too and becomes the new reference. */
            bool after = first > when && first - stride <= when;
            if (!holds && !after && first > 0)
                ck_assert_msg(is_static, "%d %d", first, stride);
        }
        static_scene_close(scene);
    }
}
END_TEST

/* A change slower than the noise from frame to frame is found by comparison with the reference. */
START_TEST(slow_change_is_seen)
{
    for (int t = 0; t < 300; t++)
        for (int i = 0; i < PIXELS; i++)
            footage[t][i] = (uint8_t)(100 + t / 8);
    struct static_scene *scene = open_scene(&one_light, &no_rule);
    int computed = 0;
    for (int first = 0; first + FRAMES <= 300; first++)
        computed += !step(scene, first, 0);
    ck_assert_int_gt(computed, 20);
    static_scene_close(scene);
}
END_TEST

START_TEST(gaps_and_frozen_cameras_are_computed)
{
    struct static_scene *scene = open_scene(&one_light, &no_rule);
    uint64_t number;
    struct static_score score;
    ck_assert(!step(scene, 0, 0) && step(scene, 2, 0) && step(scene, 4, 0));
    ck_assert_int_eq(decide(scene, 6, true, false, &number, &score), STATIC_NO);
    pass_score(scene, number, 0, 0, 0);
    ck_assert(step(scene, 8, 0));
    for (int first = 10; first < 20; first += 2) {
        ck_assert_int_eq(decide(scene, first, false, true, &number, &score), STATIC_NO);
        pass_score(scene, number, 0, 0, 0);
    }
    ck_assert(!step(scene, 20, 0) && step(scene, 22, 0));       /* a frozen window does not become the reference */
    static_scene_close(scene);
}
END_TEST

START_TEST(scores_that_come_late)
{
    struct static_scene *scene = open_scene(&one_light, &no_rule);
    uint64_t a, b;
    struct static_score score;
    memset(footage[17], 0, PIXELS);
    ck_assert_int_eq(decide(scene, 0, false, false, &a, &score), STATIC_NO);
    ck_assert_int_eq(decide(scene, 2, false, false, &b, &score), STATIC_NO);        /* it differs, so it need not wait */
    pass_score(scene, b, 2, 0, 0);
    pass_score(scene, a, 1, 0, 0);
    ck_assert_int_eq(decide(scene, 18, false, false, &a, &score), STATIC_NO);       /* a window with motion is no reference */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(decide(scene, 20, false, false, &b, &score), STATIC_WAIT);
    pass_score(scene, a, 3, 0, 0);
    ck_assert_int_eq(decide(scene, 20, false, false, &b, &score), STATIC_YES);
    ck_assert_float_eq(score.score, 3);
    ck_assert_int_eq(decide(scene, 40, true, false, &a, &score), STATIC_NO);
    ck_assert_int_eq(decide(scene, 60, true, false, &b, &score), STATIC_NO);
    pass_score(scene, b, 5, 0, 0);
    pass_score(scene, a, 4, 0, 0);                                /* this window is no longer the reference */
    ck_assert_int_eq(decide(scene, 62, false, false, &a, &score), STATIC_YES);
    ck_assert_float_eq(score.score, 5);
    static_scene_close(scene);
}
END_TEST

/* Each condition has its own noise limits. Near the boundary between conditions no score is reused. */
START_TEST(two_lights)
{
    for (int condition = 0; condition < 2; condition++)
        for (int loud = 0; loud < 2; loud++) {
            set_limits(loud == 0 ? 2 : 0.01f, loud == 1 ? 2 : 0.01f);
            struct static_scene *scene = open_scene(&both_lights, &no_rule);
            uint64_t number;
            struct static_score score;
            decide(scene, 0, false, false, &number, &score);
            pass_score(scene, number, 0, condition, condition ? 2 : 0);
            ck_assert_int_eq(decide(scene, 2, false, false, &number, &score), condition == loud ? STATIC_YES : STATIC_NO);
            static_scene_close(scene);
        }
    set_limits(2, 2);
    struct static_scene *scene = open_scene(&both_lights, &no_rule);
    uint64_t number;
    struct static_score score;
    decide(scene, 0, false, false, &number, &score);
    pass_score(scene, number, 0, 0, 0.95f);
    ck_assert_int_eq(decide(scene, 2, false, false, &number, &score), STATIC_NO);
    static_scene_close(scene);
    set_limits(-1, -1);         /* no window keeps these limits */
    for (int t = 1; t < 40; t++)
        memcpy(footage[t], footage[0], PIXELS);
    scene = open_scene(&one_light, &no_rule);
    ck_assert(!step(scene, 0, 0) && !step(scene, 2, 0));
    static_scene_close(scene);
}
END_TEST

START_TEST(scores_near_the_thresholds)
{
    const struct static_rule rule = {.threshold = 3, .close_threshold = 1, .k = 3, .n = 5};
    struct static_scene *scene = open_scene(&one_light, &rule);
    int first = 0;
#define STEP(score) step(scene, first += 2, score)
    ck_assert(!STEP(2.4f) && STEP(9));          /* no alert is open: close_threshold does not apply */
    static_scene_close(scene);
    scene = open_scene(&one_light, &rule);
    ck_assert(!STEP(2.6f) && !STEP(2.4f) && STEP(9));           /* within the bound, 2.6 may be 3 */
    static_scene_close(scene);
    scene = open_scene(&one_light, &rule);
    ck_assert(!STEP(3) && !STEP(3) && !STEP(0.6f) && STEP(9));  /* two of five windows open no alert */
    static_scene_close(scene);
    for (int open = 0; open < 2; open++) {
        scene = open_scene(&one_light, &rule);
        ck_assert(!STEP(3) && !STEP(3) && !STEP(0.6f));
        uint64_t number;
        struct static_score score;
        ck_assert_int_eq(decide(scene, first += 2, true, false, &number, &score), STATIC_NO);
        pass_score(scene, number, open ? 3 : 2.4f, 0, 0);             /* the third of five may have opened one */
        for (int i = 0; open && i < 5; i++)
            ck_assert(!STEP(0.6f));             /* below the closing threshold, but by less than the bound */
        ck_assert(STEP(9));                     /* no alert is open, or five low windows have closed it */
        static_scene_close(scene);
    }
    scene = open_scene(&one_light, &rule);
    ck_assert(!STEP(3) && !STEP(3) && !STEP(3) && !STEP(0.6f) && !STEP(0.4f) && STEP(9) && STEP(9));
    static_scene_close(scene);
    scene = open_scene(&one_light, &rule);
    ck_assert(!STEP(NAN) && !STEP(0));
    static_scene_close(scene);
#undef STEP
    /* Three windows are scored in reverse order. The first one, two or three of them are alarms. */
    for (int alarms = 1; alarms <= 3; alarms++) {
        uint64_t numbers[3];
        struct static_score score;
        scene = open_scene(&one_light, &rule);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(decide(scene, 100 * i, true, false, &numbers[i], &score), STATIC_NO);
        for (int i = 2; i >= 0; i--)
            pass_score(scene, numbers[i], i < alarms ? 3 : 0.6f, 0, 0);
        if (alarms < 3)
            ck_assert(step(scene, 202, 9));
        else
            ck_assert(!step(scene, 202, 0.6f) && !step(scene, 204, 0.6f));
        static_scene_close(scene);
    }
    /* Windows 1, 2 and 64 of 64 open an alert; window 64 is scored after window 66. */
    const struct static_rule long_rule = {.threshold = 3, .close_threshold = 1, .k = 3, .n = 64};
    uint64_t numbers[67];
    struct static_score unused;
    scene = open_scene(&one_light, &long_rule);
    for (int i = 1; i <= 66; i++)
        ck_assert_int_eq(decide(scene, 2 * i, true, false, &numbers[i], &unused), STATIC_NO);
    for (int i = 1; i <= 66; i++)
        if (i != 64)
            pass_score(scene, numbers[i], i <= 2 || i == 66 ? 3 : 0.6f, 0, 0);
    pass_score(scene, numbers[64], 3, 0, 0);
    ck_assert(!step(scene, 134, 0.6f) && !step(scene, 136, 0.6f));
    static_scene_close(scene);
}
END_TEST

struct unscored {
    uint64_t number;
    float score;
};

/* Scores one of the unscored windows, chosen at random. */
static void score_one(struct static_scene *scene, struct unscored *unscored, int *n)
{
    int i = (int)rng_below(&rng, (uint64_t)*n);
    pass_score(scene, unscored[i].number, unscored[i].score, 0, 0);
    unscored[i] = unscored[--*n];
}

/* Scores are random walks. Static windows' scores are within the bound, and scores come late and in any order. The alerts are
 * the same as without static windows. */
START_TEST(alerts_are_the_same)
{
    enum { WORKERS = 4 };
    long skipped = 0, alerts = 0, late = 0;
    for (int round = 0; round < 16; round++) {
        const struct alert_rule rule = {.threshold = 3, .close_threshold = round % 3 ? 1 : 2.5f, .k = 3,
                                        .n = round % 5 ? 3 + round % 4 : ALERT_MAX_N};
        struct static_rule mine = {rule.threshold, rule.close_threshold, rule.k, rule.n, false};
        struct static_scene *scene = open_scene(&one_light, &mine);
        struct alert_state all, some;
        alert_init(&all, &rule);
        alert_init(&some, &rule);
        float base = 0, score, true_score;
        struct unscored unscored[WORKERS];
        int n = 0;
        for (int first = 0, w = 0; first + FRAMES <= FOOTAGE; first += 2, w++) {
            uint64_t number;
            struct static_score got;
            if (rng_below(&rng, 40) == 0)
                footage[first + 15][5] ^= 128;              /* something moves */
            enum static_verdict verdict;
            while ((verdict = decide(scene, first, false, false, &number, &got)) == STATIC_WAIT)
                score_one(scene, unscored, &n);
            if (verdict == STATIC_YES) {
                true_score = got.score + 0.98f * (float)((double)rng_below(&rng, 1000) / 1000 - 0.5);
                score = got.score;
                skipped++;
            } else {
                base = fminf(fmaxf(base + (float)((double)rng_below(&rng, 1000) / 1000 - 0.5) * 3, -1), 5);
                true_score = score = base;
                unscored[n++] = (struct unscored){number, score};
                while (n == WORKERS || (n > 0 && rng_below(&rng, 3) > 0))
                    score_one(scene, unscored, &n);
                late += n > 0;
            }
            enum alert_event e = alert_score(&some, score, w), f = alert_score(&all, true_score, w);
            ck_assert_int_eq(e, f);
            ck_assert(some.open == all.open);
            alerts += e == ALERT_OPENED;
        }
        static_scene_close(scene);
    }
    ck_assert_msg(skipped > 1000 && alerts > 50 && late > 1000, "%ld windows of %d were static, %ld scored late, %ld alerts",
                  skipped, 16 * (FOOTAGE - FRAMES) / 2, late, alerts);
}
END_TEST

/* With a mean of scores, one high window opens an alert, although fewer than k of n windows are above the threshold. The 1.2
 * after it is not reused: the true scores may be below the closing threshold, and the alert would stay open. */
START_TEST(a_smoothed_alert_closes)
{
    const struct alert_rule rule = {.threshold = 3, .close_threshold = 1, .k = 3, .n = 5, .smooth_us = 10};
    const struct static_rule mine = {rule.threshold, rule.close_threshold, rule.k, rule.n, true};
    struct static_scene *scene = open_scene(&one_light, &mine);
    struct alert_state all, some;
    bool opened = false;
    int skipped = 0, open_all = 0, open_some = 0;
    alert_init(&all, &rule);
    alert_init(&some, &rule);
    for (int w = 0; w < 200; w++) {
        uint64_t number;
        struct static_score got;
        float true_score = w == 20 ? 400 : w == 21 ? 1.2f : w < 120 ? 0.8f : 0.3f;
        bool is_static = decide(scene, 2 * w, w == 20, false, &number, &got) == STATIC_YES;
        if (!is_static)
            pass_score(scene, number, true_score, 0, 0);
        skipped += is_static;
        alert_score(&all, true_score, w);
        alert_score(&some, is_static ? got.score : true_score, w);
        opened |= some.open;
        open_all += all.open;
        open_some += some.open;
    }
    ck_assert(opened && !all.open && !some.open);
    ck_assert_int_eq(open_some, open_all);
    ck_assert_int_gt(skipped, 60);              /* windows more than the bound below the closing threshold are static */
    static_scene_close(scene);
}
END_TEST

START_TEST(repeats)
{
    uint8_t last[PIXELS];
    struct static_repeat repeat = {.last = last};
    ck_assert_int_eq(static_repeat_since(&repeat, footage[0], PIXELS, 100), 100);
    ck_assert_int_eq(static_repeat_since(&repeat, footage[0], PIXELS, 200), 100);
    ck_assert_int_eq(static_repeat_since(&repeat, footage[1], PIXELS, 300), 300);
    footage[1][PIXELS - 1] ^= 1;
    ck_assert_int_eq(static_repeat_since(&repeat, footage[1], PIXELS, 400), 400);
    ck_assert_int_eq(static_repeat_since(&repeat, footage[1], PIXELS, 500), 400);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("static_scene");
    TCase *tests = tcase_create("static_scene");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, differences);
    tcase_add_test(tests, noise_is_static);
    tcase_add_test(tests, a_single_cell_of_a_single_frame);
    tcase_add_test(tests, slow_change_is_seen);
    tcase_add_test(tests, gaps_and_frozen_cameras_are_computed);
    tcase_add_test(tests, scores_that_come_late);
    tcase_add_test(tests, two_lights);
    tcase_add_test(tests, scores_near_the_thresholds);
    tcase_add_test(tests, alerts_are_the_same);
    tcase_add_test(tests, a_smoothed_alert_closes);
    tcase_add_test(tests, repeats);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
