/* core/health/displacement on drawn pictures: shift, rotation and zoom are found to a fraction of a pixel, another light is no
 * displacement, another scene is told. Also: the transform against its definition. */
#include "core/health/displacement.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/health/scenery.h"
#include "tests/suite.h"

static struct displacement_tables tables;
static struct scenery scenery;

struct drawn {
    float normalised[FIELD_SIZE];
    struct field edges;
};

static void draw(struct drawn *ret, const struct scenery_view *view)
{
    static uint8_t luma[SCENERY_PIXELS];
    static float picture[FIELD_SIZE];
    scenery_draw(&scenery, view, luma);
    field_reduce(picture, luma, SCENERY_HEIGHT, SCENERY_WIDTH);
    displacement_normalise(ret->normalised, picture);
    displacement_edges(&ret->edges, picture, &tables);
}

static struct displacement find(const struct scenery_view *view)
{
    static struct drawn before, now;
    static struct field scratch;
    struct displacement d;
    draw(&before, &(struct scenery_view){0});
    draw(&now, view);
    displacement_correlate(&d, &now.edges, &before.edges, &scratch, &tables);
    displacement_refine(&d, now.normalised, before.normalised, &tables);
    return d;
}

START_TEST(the_transform_is_the_definition)
{
    static struct field f, back;
    struct rng rng;
    rng_seed(&rng, 5);
    for (int i = 0; i < FIELD_SIZE; i++) {
        f.re[i] = (float)rng_below(&rng, 1000) / 1000;
        f.im[i] = (float)rng_below(&rng, 1000) / 1000;
    }
    back = f;
    field_transform(&back, &tables.roots);
    double power = 0, expected = 0, re = 0, im = 0;
    for (int i = 0; i < FIELD_SIZE; i++) {
        power += (double)(back.re[i] * back.re[i] + back.im[i] * back.im[i]) / FIELD_SIZE;
        expected += (double)(f.re[i] * f.re[i] + f.im[i] * f.im[i]);
        double angle = -6.28318530718 * (3.0 * (i % FIELD_WIDTH) / FIELD_WIDTH + 5.0 * (i / FIELD_WIDTH) / FIELD_HEIGHT);
        re += (double)f.re[i] * cos(angle) - (double)f.im[i] * sin(angle);
        im += (double)f.re[i] * sin(angle) + (double)f.im[i] * cos(angle);
    }
    ck_assert_double_eq_tol(power, expected, 1e-4 * expected);
    /* Frequency (5, 3) stands where the bits of its numbers are reversed: 5 of 6 bits is 40, 3 of 7 bits is 96. */
    ck_assert_double_eq_tol((double)back.re[40 * FIELD_WIDTH + 96], re, 0.02);
    ck_assert_double_eq_tol((double)back.im[40 * FIELD_WIDTH + 96], im, 0.02);
    field_inverse(&back, &tables.roots);
    for (int i = 0; i < FIELD_SIZE; i++) {
        ck_assert_float_eq_tol(back.re[i], f.re[i], 1e-4f);
        ck_assert_float_eq_tol(back.im[i], f.im[i], 1e-4f);
    }
}
END_TEST

START_TEST(reduces_by_means)
{
    static uint8_t luma[130 * 260];
    static float got[FIELD_SIZE];
    for (int i = 0; i < 130 * 260; i++)
        luma[i] = (uint8_t)(i % 251);
    field_reduce(got, luma, 128, 256);
    ck_assert_float_eq(got[0], (float)(luma[0] + luma[1] + luma[256] + luma[257]) / 4);
    ck_assert_float_eq(got[FIELD_WIDTH + 3], (float)(luma[518] + luma[519] + luma[774] + luma[775]) / 4);
    field_reduce(got, luma, 32, 64);
    ck_assert_float_eq(got[0], luma[0]);
    ck_assert_float_eq(got[FIELD_SIZE - 1], luma[32 * 64 - 1]);
}
END_TEST

/* A point lies where it is, also in a picture whose size does not fit: else a movement of less than a pixel is measured wrong. */
START_TEST(reduces_in_place)
{
    static const int sizes[][2] = {{56, 112}, {85, 128}, {144, 192}, {75, 300}};
    static uint8_t luma[144 * 300];
    static float got[FIELD_SIZE];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int row = 0, height = sizes[k][0], width = sizes[k][1]; row < height; row += 7)
            for (int column = row % 5; column < width; column += 11) {
                double sum = 0, x = 0, y = 0;
                memset(luma, 0, sizeof luma);
                luma[row * width + column] = 200;
                field_reduce(got, luma, height, width);
                for (int i = 0; i < FIELD_SIZE; i++) {
                    sum += (double)got[i];
                    x += (double)got[i] * (i % FIELD_WIDTH + 0.5);
                    y += (double)got[i] * (i / FIELD_WIDTH + 0.5);
                }
                ck_assert_double_eq_tol(sum, 200.0 * FIELD_SIZE / height / width, 0.01);
                ck_assert_double_eq_tol(x / sum * width / FIELD_WIDTH, column + 0.5, 0.5 * fmax(1, width / 128.0) - 0.35);
                ck_assert_double_eq_tol(y / sum * height / FIELD_HEIGHT, row + 0.5, 0.5 * fmax(1, height / 64.0) - 0.35);
            }
}
END_TEST

START_TEST(shifts)
{
    static const double by[][2] = {{0, 0}, {0.003, 0.001}, {0.01, -0.006}, {-0.03, 0.02}, {0.1, 0}, {0.07, -0.07}};
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        struct displacement d = find(&(struct scenery_view){.right = by[i][0], .down = by[i][1]});
        ck_assert_msg(d.peak > 2 * DISPLACEMENT_SURE, "shift %zu: peak %g", i, (double)d.peak);
        ck_assert_double_eq_tol((double)d.x, by[i][0], 0.001);
        ck_assert_double_eq_tol((double)d.y, by[i][1], 0.001);
        ck_assert_double_eq_tol((double)displacement_length(&d, &tables), hypot(by[i][0], by[i][1]), 0.0015);
    }
}
END_TEST

START_TEST(turns_and_zooms)
{
    static const double ways[][2] = {{0.0175, 0}, {-0.035, 0}, {0.052, 0}, {0, 0.02}, {0, -0.04}, {0.02, 0.02}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct displacement d = find(&(struct scenery_view){.rotation = ways[i][0], .zoom = ways[i][1]});
        ck_assert_msg(fabs((double)d.rotation - ways[i][0]) < 0.003 && fabs((double)d.zoom - ways[i][1]) < 0.004,
                      "%g, %g: got %g, %g", ways[i][0], ways[i][1], (double)d.rotation, (double)d.zoom);
    }
}
END_TEST

START_TEST(light_is_no_displacement)
{
    static const struct scenery_view lights[] = {{.gain = 0.4}, {.gain = -0.6, .offset = 190}, {.gain = 1.3, .offset = -40},
                                                 {.shadow = 60}, {.offset = 50}};
    for (size_t i = 0; i < sizeof lights / sizeof *lights; i++) {
        struct displacement d = find(&lights[i]);
        float length = displacement_length(&d, &tables);
        ck_assert_msg(d.here > 2 * DISPLACEMENT_SURE && length < 0.001f, "light %zu: here %g, %g off", i, (double)d.here,
                      (double)length);
    }
}
END_TEST

START_TEST(another_scene_is_told)
{
    static struct drawn a, b;
    static struct field scratch;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct displacement d;
        scenery_init(&scenery, seed);
        draw(&a, &(struct scenery_view){0});
        scenery_init(&scenery, seed + 100);
        draw(&b, &(struct scenery_view){0});
        displacement_correlate(&d, &a.edges, &b.edges, &scratch, &tables);
        ck_assert_msg(d.here < DISPLACEMENT_SURE, "%g", (double)d.here);
        draw(&a, &(struct scenery_view){.covered = 1});
        displacement_correlate(&d, &a.edges, &b.edges, &scratch, &tables);
        ck_assert_msg(d.peak < DISPLACEMENT_SURE, "%g", (double)d.peak);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/displacement");
    TCase *tcase = tcase_create("displacement");
    displacement_tables(&tables, SCENERY_HEIGHT, SCENERY_WIDTH);
    scenery_init(&scenery, 7);
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, the_transform_is_the_definition);
    tcase_add_test(tcase, reduces_by_means);
    tcase_add_test(tcase, reduces_in_place);
    tcase_add_test(tcase, shifts);
    tcase_add_test(tcase, turns_and_zooms);
    tcase_add_test(tcase, light_is_no_displacement);
    tcase_add_test(tcase, another_scene_is_told);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
