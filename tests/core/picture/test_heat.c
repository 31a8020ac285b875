/* core/picture/heat: the scale, the colours' lightness, the map over a picture. */
#include "core/picture/heat.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

static const struct heat_scale scale = {.usual = -4, .alert = 2};

START_TEST(the_scale_is_stated)
{
    ck_assert_float_eq(heat_position(&scale, -4), 0);
    ck_assert_float_eq(heat_position(&scale, -100), 0);
    ck_assert_float_eq_tol(heat_position(&scale, -1), HEAT_ALERT / 2, 1e-6f);
    ck_assert_float_eq_tol(heat_position(&scale, 2), HEAT_ALERT, 1e-6f);
    ck_assert_float_eq_tol(heat_end(&scale), 5, 1e-5f);
    ck_assert_float_eq_tol(heat_position(&scale, 5), 1, 1e-6f);
    ck_assert_float_eq(heat_position(&scale, 1e30f), 1);
    ck_assert_float_eq(heat_position(&scale, NAN), 0);
    ck_assert_float_eq(heat_position(&(struct heat_scale){1, 1}, 7), 0);
    ck_assert_float_eq(heat_position(&(struct heat_scale){NAN, NAN}, 7), 0);
}
END_TEST

static double linear(uint8_t c)
{
    double v = c / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double lightness(struct colour c)
{
    return 116 * cbrt(0.2126 * linear(c.red) + 0.7152 * linear(c.green) + 0.0722 * linear(c.blue)) - 16;
}

START_TEST(lightness_rises_evenly)
{
    double first = lightness(heat_colour(0)), last = lightness(heat_colour(1));
    ck_assert_double_lt(first, 20);
    ck_assert_double_gt(last, 95);
    for (int i = 1; i <= 100; i++) {
        double now = lightness(heat_colour((float)i / 100));
        ck_assert_double_gt(now, lightness(heat_colour((float)(i - 1) / 100)));
        ck_assert_double_lt(fabs(now - (first + (last - first) * i / 100)), 5);
    }
    const struct colour below = heat_colour(-3), above = heat_colour(NAN), zero = heat_colour(0);
    ck_assert_mem_eq(&below, &zero, sizeof zero);
    ck_assert_mem_eq(&above, &zero, sizeof zero);
}
END_TEST

START_TEST(a_map_over_a_picture)
{
    /* 2 x 3 cells: one has the alert's value, one exceeds the scale, the others are usual. */
    static const float values[] = {-4, -50, 2, NAN, -4, 99};
    const struct heat_map map = {.values = values, .rows = 2, .columns = 3, .first_x = 1 / 6.f, .first_y = 0.25f,
                                 .step_x = 1 / 3.f, .step_y = 0.5f};
    struct picture p;
    ck_assert_int_eq(picture_open(&p, 60, 40), 0);
    memset(p.pixels, 100, 60 * 40 * 3);
    heat_draw(&p, &map, &scale);
    for (int y = 0; y < 40; y++)
        for (int x = 0; x < 28; x++)
            ck_assert_int_eq(*picture_at(&p, x, y), 100);           /* usual: untouched */
    const struct colour alert = heat_colour(HEAT_ALERT), end = heat_colour(1);
    ck_assert_int_le(abs(*picture_at(&p, 59, 0) - (100 + (alert.red - 100) * 6 / 10)), 1);
    ck_assert_int_le(abs(picture_at(&p, 59, 0)[2] - (100 + (alert.blue - 100) * 6 / 10)), 1);
    ck_assert_int_le(abs(*picture_at(&p, 59, 39) - (100 + (end.red - 100) * 6 / 10)), 1);
    picture_close(&p);

    /* Equal values give equal colours on any picture and in any map: two pictures can be compared. */
    static const float flat[] = {0, 0, 0, 0};
    struct picture a, b;
    ck_assert_int_eq(picture_open(&a, 9, 7) + picture_open(&b, 9, 7), 0);
    heat_draw(&a, &(struct heat_map){flat, 2, 2, 0.25f, 0.25f, 0.5f, 0.5f}, &scale);
    heat_draw(&b, &(struct heat_map){flat, 1, 1, 0.5f, 0.5f, 1, 1}, &scale);
    ck_assert_mem_eq(a.pixels, b.pixels, 9 * 7 * 3);
    picture_close(&a);
    picture_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heat");
    TCase *tc = tcase_create("heat");
    tcase_add_test(tc, the_scale_is_stated);
    tcase_add_test(tc, lightness_rises_evenly);
    tcase_add_test(tc, a_map_over_a_picture);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
