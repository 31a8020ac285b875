/* core/picture/picture: hostile sizes, scaling up and down, pasting across borders, colours taken out. */
#include "core/picture/picture.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

static struct picture open(int width, int height)
{
    struct picture p;
    ck_assert_int_eq(picture_open(&p, width, height), 0);
    return p;
}

static void set(struct picture *p, int x, int y, int level)
{
    memset(picture_at(p, x, y), level, 3);
}

START_TEST(refuses_hostile_sizes)
{
    static const int sizes[][2] = {{0, 1}, {1, 0}, {-1, 5}, {PICTURE_MAX_SIDE + 1, 1}, {1, 2147483647}, {-2147483647 - 1, 1}};
    struct picture p = {.width = 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ck_assert_int_eq(picture_open(&p, sizes[i][0], sizes[i][1]), -EINVAL);
    ck_assert_int_eq(p.width, 7);
    struct picture one = open(1, 1);
    ck_assert_int_eq(picture_scale(&p, &one, 0, 4), -EINVAL);
    ck_assert_int_eq(p.width, 7);
    picture_close(&one);
    picture_close(&one);
}
END_TEST

START_TEST(scaling_by_hand)
{
    static const int expected[] = {0, 50, 150, 200};
    struct picture two = open(2, 1), out;
    set(&two, 1, 0, 200);
    ck_assert_int_eq(picture_scale(&out, &two, 4, 3), 0);
    for (int y = 0; y < 3; y++)         /* samples at -0.25, 0.25, 0.75, 1.25 pixels */
        for (int x = 0; x < 4; x++)
            ck_assert_int_eq(*picture_at(&out, x, y), expected[x]);
    picture_close(&out);
    picture_close(&two);

    struct picture stripes = open(64, 64);          /* the mean of black and white columns is gray everywhere but at the border */
    for (int y = 0; y < 64; y++)
        for (int x = 1; x < 64; x += 2)
            set(&stripes, x, y, 255);
    ck_assert_int_eq(picture_scale(&out, &stripes, 16, 16), 0);
    for (int x = 0; x < 16; x++)
        ck_assert_int_le(*picture_at(&out, x, 8) > 128 ? *picture_at(&out, x, 8) - 128 : 128 - *picture_at(&out, x, 8), 12);
    picture_close(&out);
    picture_close(&stripes);
}
END_TEST

START_TEST(the_same_size_is_the_same_picture)
{
    struct rng rng;
    struct picture p = open(37, 23), out;
    rng_seed(&rng, 1);
    for (int i = 0; i < 37 * 23 * 3; i++)
        p.pixels[i] = (uint8_t)rng_below(&rng, 256);
    ck_assert_int_eq(picture_scale(&out, &p, 37, 23), 0);
    ck_assert_mem_eq(out.pixels, p.pixels, 37 * 23 * 3);
    picture_close(&out);
    for (int i = 1; i < 90; i += 13) {          /* a flat picture stays flat; sanitizers check odd sizes */
        memset(p.pixels, 77, 37 * 23 * 3);
        ck_assert_int_eq(picture_scale(&out, &p, i, 91 - i), 0);
        for (int k = 0; k < i * (91 - i) * 3; k++)
            ck_assert_int_eq(out.pixels[k], 77);
        picture_close(&out);
    }
    picture_close(&p);
}
END_TEST

START_TEST(fits_sizes)
{
    static const int cases[][5] = {{1920, 1080, 1280, 1280, 720}, {1080, 1920, 1280, 720, 1280}, {360, 240, 1280, 360, 240},
                                   {8000, 1, 100, 100, 1}, {1, 1, 1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int w, h;
        picture_fit(cases[i][0], cases[i][1], cases[i][2], &w, &h);
        ck_assert_int_eq(w, cases[i][3]);
        ck_assert_int_eq(h, cases[i][4]);
    }
}
END_TEST

START_TEST(pastes_what_lies_inside)
{
    struct picture from = open(3, 3);
    memset(from.pixels, 9, 27);
    for (int y = -4; y <= 6; y++)
        for (int x = -4; x <= 6; x++) {
            struct picture to = open(5, 5);
            picture_paste(&to, &from, x, y);
            for (int v = 0; v < 5; v++)
                for (int u = 0; u < 5; u++)
                    ck_assert_int_eq(*picture_at(&to, u, v), u >= x && u < x + 3 && v >= y && v < y + 3 ? 9 : 0);
            picture_close(&to);
        }
    picture_close(&from);
}
END_TEST

START_TEST(takes_colours_out)
{
    struct picture p = open(2, 1);
    memcpy(p.pixels, (const uint8_t[]){255, 0, 0, 255, 255, 255}, 6);
    picture_dim(&p, 0.5f);
    ck_assert_mem_eq(p.pixels, ((const uint8_t[]){38, 38, 38, 128, 128, 128}), 6);
    picture_close(&p);
    ck_assert_int_eq(picture_from_gray(&p, (const uint8_t[]){5, 250}, 2, 1), 0);
    ck_assert_mem_eq(p.pixels, ((const uint8_t[]){5, 5, 5, 250, 250, 250}), 6);
    picture_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("picture");
    TCase *tc = tcase_create("picture");
    tcase_add_test(tc, refuses_hostile_sizes);
    tcase_add_test(tc, scaling_by_hand);
    tcase_add_test(tc, the_same_size_is_the_same_picture);
    tcase_add_test(tc, fits_sizes);
    tcase_add_test(tc, pastes_what_lies_inside);
    tcase_add_test(tc, takes_colours_out);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
