/* core/score/score: features of synthetic scenes with known values: textures that move at a given speed, stand still, or
 * change their light. */
#include "core/score/score.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/rng.h"
#include "tests/suite.h"

enum { FRAMES = 16, HEIGHT = 64, WIDTH = 96, PIXELS = HEIGHT * WIDTH };

static const struct arch arch = {.channels = 1, .frames = FRAMES, .height = HEIGHT, .width = WIDTH, .mean = 0.5f, .std = 0.5f};
static float x[FRAMES * PIXELS], x_hat[FRAMES * PIXELS];
static float *scratch;

static void setup(void)
{
    kernels_choose(NULL);
    scratch = malloc(score_scratch(&arch) * sizeof *scratch);
    memset(x_hat, 0, sizeof x_hat);
}

static void teardown(void)
{
    free(scratch);
}

/* A texture with gradients in all directions. scene() moves it by (vx, vy) pixels a frame inside a box. */
static float texture(double u, double v)
{
    return (float)(0.3 * sin(u * 0.7 + 0.2) * cos(v * 0.5) + 0.2 * sin(u * 0.31 - v * 0.43));
}

static void scene(double vx, double vy, int left, int right, double light)
{
    for (int t = 0; t < FRAMES; t++)
        for (int i = 0; i < PIXELS; i++) {
            int px = i % WIDTH, py = i / WIDTH;
            double in = px >= left && px < right;
            x[t * PIXELS + i] = texture(px - in * vx * t, py - in * vy * t) + (float)(light * t);
        }
}

static struct score_features measure(double noise)
{
    struct score_features f;
    score_measure(&arch, x, x_hat, &(struct score_spec){.conditions = 1, .condition = {{.noise = noise}}}, NULL, scratch, &f);
    return f;
}

START_TEST(tells_speed)
{
    for (int i = 0; i < 6; i++) {
        double speed = 0.1 * pow(1.6, i), angle = i * 0.9;      /* speeds 0.1 … 1 pixels a frame */
        scene(speed * cos(angle), speed * sin(angle), 0, WIDTH, 0);
        ck_assert_msg(fabs((double)measure(0).voice[VOICE_SPEED] - 2 * log(speed)) < 0.35, "speed %g: %g", speed,
                      exp((double)measure(0).voice[VOICE_SPEED] / 2));
    }
}
END_TEST

START_TEST(light_alone_is_no_motion)
{
    scene(0, 0, 0, WIDTH, 0);
    struct score_features still = measure(0);
    scene(0, 0, 0, WIDTH, 0.02);
    struct score_features brighter = measure(0);
    ck_assert_float_lt(still.voice[VOICE_SPEED], -9);
    ck_assert_float_lt(fabsf(brighter.voice[VOICE_SPEED] - still.voice[VOICE_SPEED]), 0.5f);
    ck_assert_float_lt(fabsf(brighter.voice[VOICE_CHANGE] - still.voice[VOICE_CHANGE]), 0.5f);
    scene(0.5, 0, 0, WIDTH, 0);
    ck_assert_float_gt(measure(0).voice[VOICE_CHANGE], still.voice[VOICE_CHANGE] + 3);
}
END_TEST

START_TEST(a_network_that_draws_the_change_has_none)
{
    scene(0.7, 0.2, 0, WIDTH, 0);
    float missed = measure(0).voice[VOICE_CHANGE];
    memcpy(x_hat, x, sizeof x_hat);
    struct score_features drawn = measure(0);
    ck_assert_float_lt(drawn.voice[VOICE_CHANGE], missed - 3);
    for (int i = 0; i < FRAMES * PIXELS; i++)
        x_hat[i] += texture(i % WIDTH, i / WIDTH % HEIGHT);      /* a constant error is no change either */
    ck_assert_float_lt(fabsf(measure(0).voice[VOICE_CHANGE] - drawn.voice[VOICE_CHANGE]), 1e-3f);
    float speed = drawn.voice[VOICE_SPEED];
    memset(x_hat, 0, sizeof x_hat);
    ck_assert_float_eq(measure(0).voice[VOICE_SPEED], speed);
}
END_TEST

START_TEST(noise_holds_speed_down)
{
    struct rng rng;
    rng_seed(&rng, 5);
    for (int i = 0; i < FRAMES * PIXELS; i++)
        x[i] = 0.05f * (rng_uniform(&rng) - 0.5f);
    struct score_features f = measure(0);
    ck_assert_float_gt(f.noise, 3e-4f);         /* the measure is twice the noise's variance: 0.05² / 6 */
    ck_assert_float_lt(f.noise, 5e-4f);
    ck_assert_float_lt(measure((double)f.noise).voice[VOICE_SPEED], f.voice[VOICE_SPEED] - 2);
}
END_TEST

START_TEST(the_map_shows_where)
{
    const struct score_spec spec = {
        .conditions = 1, .condition = {{.usual = {{-8, 1}, {-8, 1}}, .rare = {.share = 1, .scale = 1}}}};
    int rows, columns;
    ck_assert(score_cells(&arch, &rows, &columns));
    ck_assert_int_eq(rows, HEIGHT / 4 - 1);
    ck_assert_int_eq(columns, WIDTH / 4 - 1);
    float map[HEIGHT / 4 * WIDTH / 4];
    for (int left = 0; left < WIDTH; left += 32) {
        scene(0.8, 0.3, left, left + 32, 0);
        struct score_features f = measure(0);
        score_map(&spec, &arch, NULL, scratch, map);
        float inside = 0, outside = -1e9f, top = -1e9f;
        for (int i = 0; i < rows * columns; i++) {
            int px = i % columns * 4 + 4;
            top = fmaxf(top, map[i]);
            if (px >= left + 8 && px < left + 24)
                inside += map[i];
            else if (px < left - 20 || px >= left + 52)
                outside = fmaxf(outside, map[i]);
        }
        inside /= (float)(rows * 4);
        ck_assert_float_gt(inside, outside + 3);
        ck_assert_float_ge(top, score_of(&spec, &f) - 0.5f);
    }
}
END_TEST

START_TEST(boxes_lie_around_what_moves)
{
    const struct score_spec spec = {
        .conditions = 1, .condition = {{.usual = {{-8, 1}, {-8, 1}}, .rare = {.share = 1, .scale = 1}}}};
    float map[HEIGHT / 4 * WIDTH / 4];
    int rows, columns;
    ck_assert(score_cells(&arch, &rows, &columns));
    for (int left = 0; left < WIDTH; left += 32) {
        struct boxes b;
        scene(0.8, 0.3, left, left + 32, 0);
        measure(0);
        score_map(&spec, &arch, NULL, scratch, map);
        float top = map[0];
        for (int i = 1; i < rows * columns; i++)
            top = fmaxf(top, map[i]);
        score_boxes(&spec, &arch, NULL, scratch, top - 3, &b);
        ck_assert_int_ge(b.n, 1);
        ck_assert_float_eq(b.box[0].score, top);
        for (int i = 0; i < b.n; i++) {         /* smoothing widens the moving part by four cells */
            ck_assert_float_ge(b.box[i].x * WIDTH, (float)left - 20);
            ck_assert_float_le((b.box[i].x + b.box[i].width) * WIDTH, (float)left + 52.1f);
        }
        ck_assert_float_ge(b.box[0].height, 0.9f);
        /* At a level that no cell reaches, the highest cell has a box. */
        score_boxes(&spec, &arch, NULL, scratch, top + 1, &b);
        ck_assert_int_eq(b.n, 1);
        ck_assert_float_eq(b.box[0].score, top);
        ck_assert_float_le(b.box[0].width * WIDTH, 8.1f);
        ck_assert_float_le(b.box[0].height * HEIGHT, 8.1f);
    }
}
END_TEST

START_TEST(either_part_suffices)
{
    const struct score_spec spec = {.conditions = 1, .condition = {{.usual = {{2, 0.5}, {-1, 0.25}},
                                                                    .rare = {.share = 1, .scale = 1}}}};
    struct score_features f = {.voice = {2, -1}};
    ck_assert_float_eq_tol(score_of(&spec, &f), logf(2), 1e-6f);
    f.voice[VOICE_SPEED] = 12;
    ck_assert_float_eq_tol(score_of(&spec, &f), 20, 1e-6f);
    f = (struct score_features){.voice = {-1e4f, 4}};
    ck_assert_float_eq_tol(score_of(&spec, &f), 20, 1e-6f);
    f.voice[VOICE_CHANGE] = 1e4f;
    ck_assert(isfinite(score_of(&spec, &f)));
}
END_TEST

/* Two conditions: each window is measured with its condition's noise, scored by its usual values, and mapped with them. */
START_TEST(each_light_has_its_own_usual)
{
    struct score_features dim, bright;
    float map[HEIGHT / 4 * WIDTH / 4];
    scene(0.7, 0.2, 0, 48, 0);
    bright = measure(0);
    for (int i = 0; i < FRAMES * PIXELS; i++)
        x[i] /= 4;
    dim = measure(0);
    ck_assert_float_eq_tol(bright.contrast - dim.contrast, logf(16), 0.1f);
    struct score_spec spec = {.conditions = 2, .boundary = (double)(bright.contrast + dim.contrast) / 2, .condition = {
        {.noise = 1, .usual = {{-30, 1}, {-30, 1}}, .rare = {.share = 1, .scale = 1}},
        {.usual = {{30, 1}, {30, 1}}, .rare = {.level = 5, .share = 2, .scale = 3, .shape = 0.4}}}};
    score_measure(&arch, x, x_hat, &spec, NULL, scratch, &dim);
    ck_assert(dim.condition == 0 && dim.voice[VOICE_SPEED] < bright.voice[VOICE_SPEED] - 2);
    ck_assert_float_gt(score_of(&spec, &dim), 15);
    score_map(&spec, &arch, NULL, scratch, map);
    ck_assert_float_gt(map[0], 0);
    scene(0.7, 0.2, 0, 48, 0);
    score_measure(&arch, x, x_hat, &spec, NULL, scratch, &bright);
    ck_assert_int_eq(bright.condition, 1);
    float top = fmaxf(bright.voice[VOICE_SPEED], bright.voice[VOICE_CHANGE]);
    float low = fminf(bright.voice[VOICE_SPEED], bright.voice[VOICE_CHANGE]);
    /* Below the tail's level, the score follows the tail's tangent there. */
    ck_assert_float_eq_tol(score_of(&spec, &bright), (top + log1pf(expf(low - top)) - 30 - 5) / 3 - logf(2), 1e-4f);
    score_map(&spec, &arch, NULL, scratch, map);
    ck_assert_float_lt(map[0], 0);
    spec.condition[1].rare.level = -50;
    ck_assert_double_eq_tol((double)score_of(&spec, &bright),
                            -log(pareto_exceeds(&spec.condition[1].rare, (double)(top + log1pf(expf(low - top)) - 30))), 1e-4);
}
END_TEST

/* With places, pace and appearance speak too, and the map shows where. */
START_TEST(places_have_voices)
{
    static struct score_spec spec = {
        .conditions = 1, .has_places = true,
        .condition = {{.usual = {{30, 1}, {30, 1}, {0, 1}, {0, 1}}, .rare = {.share = 1, .scale = 1}}}};
    struct score_features f;
    struct voices voices;
    float map[HEIGHT / 4 * WIDTH / 4], logs[HEIGHT / 4 * WIDTH / 4];
    int rows, columns;
    ck_assert(score_cells(&arch, &rows, &columns));
    for (int i = 0; i < rows * columns; i++) {
        spec.places[0].usual[PLACES_PACE][i] = -2;
        spec.places[0].usual[PLACES_APPEARANCE][i] = spec.places[0].typical_error[i] = -6;
    }
    scene(0.8, 0.3, 0, 32, 0);
    memcpy(x_hat, x, sizeof x_hat);             /* all is drawn but a square that stands */
    for (int t = 0; t < FRAMES; t++)
        for (int i = 0; i < PIXELS; i++)
            if (i % WIDTH >= 64 && i % WIDTH < 80 && i / WIDTH >= 24 && i / WIDTH < 40)
                x_hat[t * PIXELS + i] += 0.5f;
    score_measure(&arch, x, x_hat, &spec, NULL, scratch, &f);
    score_place_logs(&arch, scratch, PLACES_APPEARANCE, logs);
    ck_assert_float_eq_tol(logs[7 * columns + 17], logf(0.25f), 0.01f);     /* the cell around (32, 72) */
    ck_assert_float_eq_tol(f.voice[VOICE_APPEARANCE], logf(0.25f) + 6, 0.5f);
    ck_assert_float_eq_tol(f.voice[VOICE_PACE], logf(0.73f) + 2, 0.5f);
    score_by_voice(&spec, &f, &voices);
    ck_assert_int_eq(voices_loudest(&voices), VOICE_APPEARANCE);
    ck_assert_float_eq_tol(voices.score[VOICE_APPEARANCE], f.voice[VOICE_APPEARANCE], 1e-4f);
    ck_assert_float_ge(score_of(&spec, &f), voices.score[VOICE_APPEARANCE]);
    score_map(&spec, &arch, NULL, scratch, map);
    ck_assert_float_eq_tol(map[7 * columns + 17], logf(0.25f) + 6, 0.1f);
    ck_assert_float_gt(map[7 * columns + 3], 0);                            /* something moves here: pace */
    ck_assert_float_lt(map[7 * columns + 12], -2);                          /* nothing between the two */

    spec.has_places = false;                    /* as an older model */
    score_measure(&arch, x, x_hat, &spec, NULL, scratch, &f);
    score_by_voice(&spec, &f, &voices);
    ck_assert(isnan(voices.score[VOICE_PACE]) && isnan(voices.score[VOICE_APPEARANCE]));
    ck_assert_float_lt(score_of(&spec, &f), -20);
}
END_TEST

START_TEST(tells_two_kinds_of_light)
{
    double contrasts[1000], boundary = 0;
    struct rng rng;
    rng_seed(&rng, 9);
    for (int night = 0; night <= 1000; night += 50) {
        for (int i = 0; i < 1000; i++)
            contrasts[i * 7 % 1000] = -3 + (i < night ? 0 : 1) + 0.2 * (double)rng_uniform(&rng);
        ck_assert_int_eq(score_conditions_differ(contrasts, 1000, 50, &boundary), night >= 100 && night <= 900);
        if (night >= 100 && night <= 900)
            ck_assert_double_eq_tol(boundary, -2.4, 0.05);
    }
    for (int i = 0; i < 1000; i++)
        contrasts[i] = 5 * (double)rng_uniform(&rng);           /* a single broad distribution */
    ck_assert(!score_conditions_differ(contrasts, 1000, 50, &boundary));
    for (int i = 0; i < 1000; i++)
        contrasts[i] = i < 500 ? 0 : 0.3;                       /* as a cloud makes them */
    ck_assert(!score_conditions_differ(contrasts, 1000, 50, &boundary));
    for (int i = 0; i < 1000; i++)
        contrasts[i] = i % 2;
    ck_assert(score_conditions_differ(contrasts, 100, 50, &boundary));
    contrasts[99] = 0;                                          /* contrasts is sorted now */
    ck_assert(!score_conditions_differ(contrasts, 100, 50, &boundary));     /* 49 are too few */
    ck_assert(score_conditions_differ(contrasts, 100, 49, &boundary));
    ck_assert(!score_conditions_differ(contrasts, 1, 50, &boundary));
}
END_TEST

START_TEST(what_is_usual)
{
    double logs[200], same[3] = {4, 4, 4};
    struct score_usual u;
    for (int i = 0; i < 200; i++)
        logs[i] = (i * 37 % 200 + 1) / 100.0;           /* 0.01 … 2.00 in some order */
    score_usual_fit(&u, VOICE_SPEED, logs, 200);
    ck_assert_double_eq_tol(u.spread, (1.98 - 1.90) / (2.326 - 1.645), 1e-12);
    ck_assert_double_eq_tol(u.centre + 1.645 * u.spread, 1.90, 1e-12);
    ck_assert_double_eq_tol(u.centre + 2.326 * u.spread, 1.98, 1e-12);
    score_usual_fit(&u, VOICE_APPEARANCE, logs, 200);       /* the spread is five times as wide, the 95th percentile the same */
    ck_assert_double_eq_tol(u.spread, 5 * (1.98 - 1.90) / (2.326 - 1.645), 1e-12);
    ck_assert_double_eq_tol(u.centre + 1.645 * u.spread, 1.90, 1e-12);
    score_usual_fit(&u, VOICE_SPEED, same, 3);
    ck_assert_double_eq_tol(u.centre, 4 - 1.645 * u.spread, 1e-12);
    ck_assert_double_gt(u.spread, 0);
}
END_TEST

START_TEST(what_is_too_small_has_no_score)
{
    struct arch a = arch;
    int rows, columns;
    a.frames = 3;
    ck_assert(!score_cells(&a, &rows, &columns) && score_scratch(&a) == 0);
    a = arch;
    a.channels = 3;
    ck_assert(!score_cells(&a, &rows, &columns));
    a = arch;
    a.width = 7;
    ck_assert(!score_cells(&a, &rows, &columns));
    a = (struct arch){.channels = 1, .frames = 4, .height = 8, .width = 8, .std = 0.5f};
    ck_assert(score_cells(&a, &rows, &columns) && rows == 1 && columns == 1);
    struct score_features f;
    score_measure(&a, x, x_hat, &(struct score_spec){.conditions = 1}, NULL, scratch, &f);
    ck_assert(isfinite(f.voice[VOICE_SPEED]) && isfinite(f.voice[VOICE_CHANGE]) && isfinite(f.noise));
}
END_TEST

/* A polygon over the pixel columns from `left` to `right`. */
static struct polygon columns_of(int left, int right)
{
    float a = (float)left / WIDTH, b = (float)right / WIDTH;
    return (struct polygon){4, {{a, 0}, {b, 0}, {b, 1}, {a, 1}}};
}

START_TEST(masked_cells_do_not_count)
{
    const struct score_spec spec = {
        .conditions = 1, .condition = {{.usual = {{-8, 1}, {-8, 1}}, .rare = {.share = 1, .scale = 1}}}};
    const struct zones zones = {.n_masks = 1, .mask = {{.area = columns_of(0, 56)}}};
    struct score_features f;
    struct regions *regions;
    struct boxes b;
    float map[HEIGHT / 4 * WIDTH / 4];
    ck_assert_int_eq(score_regions_open(&regions, &zones, NULL, &arch), 0);
    scene(0.8, 0.3, 0, 32, 0);
    float all = score_of(&spec, &(struct score_features){.voice = {measure(0).voice[0], measure(0).voice[1]}});
    score_measure(&arch, x, x_hat, &spec, regions, scratch, &f);
    ck_assert_float_lt(score_of(&spec, &f), all - 3);
    score_map(&spec, &arch, regions, scratch, map);
    ck_assert_float_eq(map[0], -INFINITY);
    score_boxes(&spec, &arch, regions, scratch, 100, &b);
    ck_assert_int_ge(b.n, 1);
    ck_assert_float_ge(b.box[0].x * WIDTH, 51);
    scene(0.8, 0.3, 70, WIDTH, 0);                          /* what moves beside the mask scores as without it */
    struct score_features whole = measure(0);
    score_measure(&arch, x, x_hat, &spec, regions, scratch, &f);
    ck_assert_float_eq(f.voice[VOICE_SPEED], whole.voice[VOICE_SPEED]);
    ck_assert_float_le(f.voice[VOICE_CHANGE], whole.voice[VOICE_CHANGE]);
    regions_close(regions);
    const struct zones most = {.n_masks = 1, .mask = {{.area = columns_of(0, WIDTH - 4)}}};
    ck_assert_int_eq(score_regions_open(&regions, &most, NULL, &arch), -EINVAL);
}
END_TEST

START_TEST(a_zone_has_a_level_of_its_own)
{
    const struct score_spec spec = {
        .conditions = 1, .condition = {{.usual = {{-8, 1}, {-8, 1}}, .rare = {.share = 1, .scale = 1}}}};
    const struct zones zones = {.n = 2, .zone = {{.name = "plain", .area = columns_of(0, WIDTH)},
                                                 {.name = "own", .area = columns_of(0, 48), .per_day = 10}}};
    struct score_features f;
    struct regions *regions;
    struct boxes b;
    int zone;
    for (int left = 0; left < WIDTH; left += 64)
        for (int shift = -4; shift <= 4; shift += 8) {
            const float by[] = {0, (float)shift};
            ck_assert_int_eq(score_regions_open(&regions, &zones, by, &arch), 0);
            scene(0.8, 0.3, left, left + 32, 0);
            score_measure(&arch, x, x_hat, &spec, regions, scratch, &f);
            float score = score_of(&spec, &f), level = score_level(&spec, &arch, regions, scratch, score, &zone);
            ck_assert_float_eq(score,
                               score_of(&spec, &(struct score_features){.voice = {measure(0).voice[0], measure(0).voice[1]}}));
            if (left == 0 && shift > 0) {
                ck_assert_int_eq(zone, 1);
                ck_assert_float_gt(level, score + 3.5f);
                ck_assert_float_le(level, score + 4);
                score_boxes(&spec, &arch, regions, scratch, level - 2, &b);
                ck_assert_int_ge(b.n, 1);
                ck_assert_float_gt(b.box[0].score, score + 3);
            } else if (left == 0) {
                ck_assert_float_lt(level, score - 3);
            } else {
                ck_assert_int_eq(zone, -1);
                ck_assert_float_eq_tol(level, score, 0.5f);
                ck_assert_float_le(level, score);
            }
            regions_close(regions);
        }
    ck_assert_float_eq(score_level(&spec, &arch, NULL, scratch, 7, &zone), 7);
    ck_assert_int_eq(zone, -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("score");
    TCase *t = tcase_create("score");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tells_speed);
    tcase_add_test(t, light_alone_is_no_motion);
    tcase_add_test(t, a_network_that_draws_the_change_has_none);
    tcase_add_test(t, noise_holds_speed_down);
    tcase_add_test(t, the_map_shows_where);
    tcase_add_test(t, boxes_lie_around_what_moves);
    tcase_add_test(t, either_part_suffices);
    tcase_add_test(t, each_light_has_its_own_usual);
    tcase_add_test(t, places_have_voices);
    tcase_add_test(t, tells_two_kinds_of_light);
    tcase_add_test(t, what_is_usual);
    tcase_add_test(t, what_is_too_small_has_no_score);
    tcase_add_test(t, masked_cells_do_not_count);
    tcase_add_test(t, a_zone_has_a_level_of_its_own);
    suite_add_tcase(s, t);
    return suite_run(s);
}
