/* Masks and zones: what is hidden, which cells count, and which zones boxes touch. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/zones/hiding.h"
#include "core/zones/regions.h"
#include "tests/suite.h"

enum { W = 64, H = 32 };

/* A mask covers the left half. The zone `door` is the upper right quarter and has a budget. The zone `yard` is the right half. */
static const struct zones zones = {
    .n_masks = 1, .n = 2,
    .mask = {{.name = "left", .area = {4, {{0, 0}, {0.5f, 0}, {0.5f, 1}, {0, 1}}}}},
    .zone = {{.name = "yard", .area = {4, {{0.5f, 0}, {1, 0}, {1, 1}, {0.5f, 1}}}},
             {.name = "door", .area = {4, {{0.5f, 0}, {1, 0}, {1, 0.5f}, {0.5f, 0.5f}}}, .per_day = 2}},
};

START_TEST(what_is_masked_cannot_be_told_from_the_picture)
{
    struct hiding *hiding;
    uint8_t one[H * W], other[H * W], map[H * W];
    ck_assert_uint_eq(hiding_map(&zones, H, W, map), H * (W / 2 + 1));
    ck_assert_uint_eq(map[W / 2], 1);               /* beside the mask */
    ck_assert_uint_eq(map[W / 2 + 1], 0);
    ck_assert_int_eq(hiding_open(&hiding, &zones, H, W), 0);
    for (int i = 0; i < H * W; i++) {
        one[i] = (uint8_t)(i * 7 % 251);
        other[i] = map[i] ? (uint8_t)(i * 31 % 253) : one[i];
    }
    uint8_t before[H * W];
    memcpy(before, one, sizeof before);
    hiding_fill(hiding, one);
    hiding_fill(hiding, other);
    ck_assert_mem_eq(one, other, sizeof one);
    for (int i = 0; i < H * W; i++)
        if (!map[i])
            ck_assert_uint_eq(one[i], before[i]);
    hiding_close(hiding);
}
END_TEST

START_TEST(the_fill_follows_what_is_around_it)
{
    const struct zones middle = {.n_masks = 1,
                                 .mask = {{.area = {4, {{0.25f, 0.25f}, {0.75f, 0.25f}, {0.75f, 0.75f}, {0.25f, 0.75f}}}}}};
    struct hiding *hiding;
    uint8_t picture[H * W];
    ck_assert_int_eq(hiding_open(&hiding, &middle, H, W), 0);
    memset(picture, 200, sizeof picture);
    for (int y = 8; y < 24; y++)
        memset(picture + y * W + 16, 0, 32);
    hiding_fill(hiding, picture);
    for (int i = 0; i < H * W; i++)
        ck_assert_uint_eq(picture[i], 200);
    for (int i = 0; i < H * W; i++)                 /* dark to the left, bright to the right */
        picture[i] = (uint8_t)(i % W * 4);
    hiding_fill(hiding, picture);
    for (int x = 1; x < W; x++) {
        ck_assert_int_ge(picture[16 * W + x], picture[16 * W + x - 1] - 8);
        ck_assert_int_le(picture[16 * W + x], picture[16 * W + x - 1] + 24);
    }
    hiding_close(hiding);
}
END_TEST

START_TEST(nothing_and_everything_masked)
{
    struct hiding *hiding = (struct hiding *)&zones;
    ck_assert_int_eq(hiding_open(&hiding, NULL, H, W), 0);
    ck_assert_ptr_null(hiding);
    hiding_fill(NULL, NULL);
    hiding_close(NULL);
    struct zones all = {.n_masks = 1, .mask = {{.area = {4, {{0, 0}, {1, 0}, {1, 1}, {0, 1}}}}}};
    ck_assert_int_eq(hiding_open(&hiding, &all, H, W), -EINVAL);
    ck_assert_int_eq(hiding_open(&hiding, &all, 1, 1), -EINVAL);
    ck_assert_ptr_null(hiding);
}
END_TEST

static const struct regions_grid grid = {.rows = H / 4 - 1, .columns = W / 4 - 1, .step = 4, .size = 8, .height = H, .width = W};

START_TEST(cells_count_if_half_of_them_is_visible)
{
    struct regions *regions;
    ck_assert_int_eq(regions_open(&regions, &zones, NULL, &grid), 0);
    ck_assert_int_eq(regions->n, 1);
    /* The cell that begins at pixel 28 has 5 of 8 columns under the mask and the one beside it; the one at 32 has one. */
    for (int i = 0; i < regions->cells; i++)
        ck_assert_int_eq(regions_hold(regions, REGIONS_ALL, i), i % grid.columns >= 8);
    ck_assert_int_eq(regions_visible(regions), grid.rows * (grid.columns - 8));
    regions_close(regions);
    ck_assert(regions_hold(NULL, 1, 5));
}
END_TEST

START_TEST(zones_with_budgets_are_regions)
{
    struct regions *regions;
    const float shift[] = {0, 0.5f};
    ck_assert_int_eq(regions_open(&regions, &zones, shift, &grid), 0);
    ck_assert_int_eq(regions->n, 2);
    ck_assert_int_eq(regions->zone[1], 1);
    int zone, cell = 2 * grid.columns + 10;                          /* the cell ends at row 16 */
    ck_assert_float_eq(regions_shift(regions, cell, &zone), 0.5f);
    ck_assert_int_eq(zone, 1);
    ck_assert(!regions_hold(regions, 1, cell));
    cell += grid.columns;                                           /* half of this cell lies in the zone */
    ck_assert_int_eq(regions_hold(regions, 2, cell), 1);
    cell += grid.columns;
    ck_assert_float_eq(regions_shift(regions, cell, &zone), 0);
    ck_assert_int_eq(zone, -1);
    ck_assert_int_eq(regions->visible[0] + regions->visible[1], regions_visible(regions));
    regions_close(regions);
    struct zones plain = zones;
    plain.n_masks = 0;
    ck_assert_int_eq(regions_open(&regions, &plain, NULL, &grid), 0);
    ck_assert_ptr_null(regions);
}
END_TEST

START_TEST(boxes_touch_zones)
{
    struct boxes boxes = {2, {{.x = 0.1f, .y = 0.6f, .width = 0.1f, .height = 0.1f},
                              {.x = 0.6f, .y = 0.6f, .width = 0.1f, .height = 0.1f}}};
    ck_assert_uint_eq(zones_touched(&zones, &boxes), 1);
    boxes.box[1].y = 0.45f;
    ck_assert_uint_eq(zones_touched(&zones, &boxes), 3);
    boxes.n = 1;
    ck_assert_uint_eq(zones_touched(&zones, &boxes), 0);
    ck_assert_uint_eq(zones_touched(NULL, &boxes), 0);
}
END_TEST

START_TEST(changes_are_seen)
{
    struct zones other = zones, none = {0};
    ck_assert(zones_equal(&zones, &other));
    ck_assert(zones_equal(NULL, &none));
    ck_assert(!zones_equal(NULL, &zones));
    other.zone[1].area.points[2].y = 0.51f;
    ck_assert(!zones_equal(&zones, &other));
    other = zones;
    other.mask[0].privacy = true;
    ck_assert(!zones_equal(&zones, &other));
    other = zones;
    other.zone[1].per_day = 3;
    ck_assert(!zones_equal(&zones, &other));
    other.zone[1].per_day = 2;
    other.zone[1].per_day_line = 9;
    ck_assert(zones_equal(&zones, &other));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zones");
    TCase *tests = tcase_create("zones");
    tcase_add_test(tests, what_is_masked_cannot_be_told_from_the_picture);
    tcase_add_test(tests, the_fill_follows_what_is_around_it);
    tcase_add_test(tests, nothing_and_everything_masked);
    tcase_add_test(tests, cells_count_if_half_of_them_is_visible);
    tcase_add_test(tests, zones_with_budgets_are_regions);
    tcase_add_test(tests, boxes_touch_zones);
    tcase_add_test(tests, changes_are_seen);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
