/* Burning: privacy masks and a margin around them become black, and nothing else does. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/burning.h"
#include "tests/suite.h"

enum { WIDTH = 64, HEIGHT = 48, STRIDE = 80 };

static const struct zones zones = {.n_masks = 3,
                                   .mask = {{.area = {3, {{0, 0}, {0.3f, 0}, {0, 0.3f}}}},      /* not for privacy */
                                            {.area = {4, {{0.5f, 0.5f}, {0.75f, 0.5f}, {0.75f, 0.75f}, {0.5f, 0.75f}}},
                                             .privacy = true},
                                            {.area = {3, {{0.95f, 0}, {1, 0}, {1, 0.05f}}}, .privacy = true}}};

static uint8_t luma[HEIGHT][STRIDE], chroma[2][HEIGHT / 2][STRIDE];

static void burn(const struct privacy *privacy)
{
    struct burning *burning;
    memset(luma, 200, sizeof luma);
    memset(chroma, 77, sizeof chroma);
    ck_assert_int_eq(burning_open(&burning, privacy, WIDTH, HEIGHT), 0);
    burning_apply(burning, (uint8_t *const[]){luma[0], chroma[0][0], chroma[1][0]}, (const int[]){STRIDE, STRIDE, STRIDE});
    burning_close(burning);
}

START_TEST(privacy_masks_alone)
{
    struct privacy privacy;
    struct error err = {""};
    privacy_of(&privacy, &zones);
    ck_assert_int_eq(privacy.n, 2);
    ck_assert_int_eq(privacy_check(&privacy, &err), 0);
    ck_assert_float_eq(privacy.areas[1].points[0].x, 0.95f);
    privacy_of(&privacy, NULL);
    ck_assert_int_eq(privacy.n, 0);
    privacy.n = ZONES_MASKS_MOST + 1;
    ck_assert_int_lt(privacy_check(&privacy, &err), 0);
    privacy = (struct privacy){.n = 1, .areas = {{3, {{0, 0}, {1, 0}, {2, 1}}}}};
    ck_assert_int_lt(privacy_check(&privacy, &err), 0);
    ck_assert_msg(strstr(err.text, "mask 1"), "%s", err.text);
}
END_TEST

/* The square covers x 32 to 48, y 24 to 36. Four more pixels on each side are black, and no others. */
START_TEST(masks_and_their_margin)
{
    struct privacy privacy;
    privacy_of(&privacy, &zones);
    burn(&privacy);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < STRIDE; x++) {
            bool square = x >= 28 && x < 52 && y >= 20 && y < 40, corner = x >= 60 - 4 && x < WIDTH && y < 4 + 4;
            if (square)
                ck_assert_int_eq(luma[y][x], 16);
            else if (!corner)
                ck_assert_int_eq(luma[y][x], 200);
            ck_assert_int_eq(chroma[0][y / 2][x / 2], luma[y / 2 * 2][x / 2 * 2] == 16 ? 128 : 77);
            ck_assert_int_eq(chroma[1][y / 2][x / 2], chroma[0][y / 2][x / 2]);
        }
    ck_assert_int_eq(luma[0][WIDTH - 1], 16);
    ck_assert_int_eq(luma[4][WIDTH - 1], 16);
    ck_assert_int_eq(luma[0][WIDTH], 200);
}
END_TEST

START_TEST(no_mask_and_all_masked)
{
    burn(&(struct privacy){0});
    ck_assert_int_eq(luma[HEIGHT / 2][WIDTH / 2], 200);
    burn(&(struct privacy){.n = 1, .areas = {{4, {{0, 0}, {1, 0}, {1, 1}, {0, 1}}}}});
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < STRIDE; x++)
            ck_assert_int_eq(luma[y][x], x < WIDTH ? 16 : 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("burning");
    TCase *tcase = tcase_create("burning");
    tcase_add_test(tcase, privacy_masks_alone);
    tcase_add_test(tcase, masks_and_their_margin);
    tcase_add_test(tcase, no_mask_and_all_masked);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
