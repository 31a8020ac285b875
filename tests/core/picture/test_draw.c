/* core/picture/draw: the pixels of boxes and masks, at borders and at hostile places. */
#include "core/picture/draw.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/suite.h"

static struct picture open(int width, int height, int level)
{
    struct picture p;
    ck_assert_int_eq(picture_open(&p, width, height), 0);
    memset(p.pixels, level, 3 * (size_t)width * (size_t)height);
    return p;
}

static bool is(const struct picture *p, int x, int y, int red, int green, int blue)
{
    const uint8_t *at = picture_at(p, x, y);
    return at[0] == red && at[1] == green && at[2] == blue;
}

START_TEST(a_box_by_hand)
{
    for (int ground = 0; ground < 256; ground += 255) {
        struct picture p = open(100, 80, ground);
        ck_assert_int_eq(draw_line_width(&p), 1);
        draw_boxes(&p, &(struct boxes){.n = 1, .box = {{.x = 0.2f, .y = 0.25f, .width = 0.3f, .height = 0.5f}}});
        for (int y = 0; y < 80; y++)
            for (int x = 0; x < 100; x++) {
                /* The distance from the bright line, which lies in columns 20 to 49 and rows 20 to 59. */
                int dx = x < 20 ? 20 - x : x > 49 ? x - 49 : x - 20 < 49 - x ? x - 20 : 49 - x,
                    dy = y < 20 ? 20 - y : y > 59 ? y - 59 : y - 20 < 59 - y ? y - 20 : 59 - y;
                bool inside = x >= 20 && x <= 49 && y >= 20 && y <= 59;
                int d = inside ? (dx < dy ? dx : dy) : (x >= 20 && x <= 49) ? dy : (y >= 20 && y <= 59) ? dx : dx > dy ? dx : dy;
                if (inside && d == 0)
                    ck_assert_msg(is(&p, x, y, 255, 224, 32), "%d,%d is not bright", x, y);
                else if (d <= 1)
                    ck_assert_msg(is(&p, x, y, 0, 0, 0), "%d,%d is not dark", x, y);
                else
                    ck_assert_msg(is(&p, x, y, ground, ground, ground), "%d,%d was drawn on", x, y);
            }
        picture_close(&p);
    }
}
END_TEST

START_TEST(lines_grow_with_the_picture)
{
    static const int cases[][3] = {{64, 48, 1}, {640, 360, 2}, {360, 640, 2}, {1280, 720, 4}, {1920, 1080, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct picture p = {.width = cases[i][0], .height = cases[i][1]};
        ck_assert_int_eq(draw_line_width(&p), cases[i][2]);
    }
}
END_TEST

START_TEST(hostile_boxes_stay_inside)
{
    static const float numbers[] = {-1e30f, -1, 0, 0.5f, 1, 2, 1e30f, NAN, INFINITY, -INFINITY};
    enum { N = sizeof numbers / sizeof *numbers };
    struct picture p = open(31, 17, 50);
    for (int i = 0; i < N * N; i++) {
        struct boxes boxes = {.n = 1, .box = {{.x = numbers[i % N], .y = numbers[i / N], .width = numbers[i / N],
                                               .height = numbers[i % N]}}};
        draw_boxes(&p, &boxes);                 /* sanitizers see a write outside the picture */
    }
    draw_fill(&p, -5, -5, 3, 100, (struct colour){1, 2, 3});
    draw_fill(&p, 40, 0, 3, 3, (struct colour){1, 2, 3});
    draw_fill(&p, 3, 3, 0, 5, (struct colour){1, 2, 3});
    for (int i = 0; i < 31 * 17; i++)
        ck_assert(!is(&p, i % 31, i / 31, 1, 2, 3));
    picture_close(&p);
}
END_TEST

START_TEST(a_mask_covers_its_polygon_and_no_more)
{
    /* A square of 10 x 10 pixels, then a triangle. */
    static const struct draw_point square[] = {{0.25f, 0.25f}, {0.5f, 0.25f}, {0.5f, 0.5f}, {0.25f, 0.5f}};
    static const struct draw_point triangle[] = {{0.1f, 0.9f}, {0.9f, 0.9f}, {0.9f, 0.1f}};
    for (int margin = 0; margin < 4; margin++) {
        struct picture p = open(40, 40, 200);
        draw_masks(&p, &(struct draw_polygon){square, 4}, 1, (float)margin);
        for (int y = 0; y < 40; y++)
            for (int x = 0; x < 40; x++) {
                int dx = x < 10 ? 10 - x : x > 19 ? x - 19 : 0, dy = y < 10 ? 10 - y : y > 19 ? y - 19 : 0;
                bool black = is(&p, x, y, 0, 0, 0);
                if (hypot(dx, dy) <= margin)
                    ck_assert_msg(black, "margin %d: %d,%d shows", margin, x, y);
                if (dx > margin + 1 || dy > margin + 1)
                    ck_assert_msg(!black, "margin %d: %d,%d is masked", margin, x, y);
            }
        picture_close(&p);
    }
    struct picture p = open(50, 50, 200);
    draw_masks(&p, &(struct draw_polygon){triangle, 3}, 1, 0);
    for (int y = 0; y < 50; y++)
        for (int x = 0; x < 50; x++) {
            double over = x + 0.5 + y + 0.5 - 50;   /* √2 times the distance below the diagonal */
            bool in = over > 0 && x < 45 && y < 45;
            if (in || over < -3 || x > 46 || y > 46)
                ck_assert_msg(is(&p, x, y, 0, 0, 0) == in, "%d,%d", x, y);
        }
    picture_close(&p);
}
END_TEST

START_TEST(a_ring_leaves_its_hole)
{
    /* By the even-odd rule a polygon that goes around the border, then around a hole, leaves the hole. */
    static const struct draw_point ring[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {0.3f, 0.3f}, {0.3f, 0.7f}, {0.7f, 0.7f},
                                             {0.7f, 0.3f}, {0.3f, 0.3f}};
    struct picture p = open(40, 40, 200);
    draw_masks(&p, &(struct draw_polygon){ring, 10}, 1, 0);
    ck_assert(is(&p, 20, 20, 200, 200, 200));
    ck_assert(is(&p, 5, 20, 0, 0, 0));
    ck_assert(is(&p, 39, 39, 0, 0, 0));
    picture_close(&p);
}
END_TEST

START_TEST(faulty_masks_hide_everything)
{
    static const struct draw_point good[] = {{-1e30f, -5}, {1e30f, -5}, {0.5f, 1e30f}}, bad[] = {{0, 0}, {NAN, 0}, {1, 1}};
    const struct draw_polygon polygons[] = {{good, 2}, {bad, 3}, {NULL, 3}, {good, 0}};
    for (int i = 0; i < 4; i++) {
        struct picture p = open(20, 10, 200);
        draw_masks(&p, &polygons[i], 1, 2);
        for (int k = 0; k < 200; k++)
            ck_assert(is(&p, k % 20, k / 20, 0, 0, 0));
        picture_close(&p);
    }
    struct picture p = open(20, 10, 200);
    draw_masks(&p, &(struct draw_polygon){good, 3}, 1, NAN);
    draw_masks(&p, NULL, 0, 2);
    picture_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("draw");
    TCase *tc = tcase_create("draw");
    tcase_add_test(tc, a_box_by_hand);
    tcase_add_test(tc, lines_grow_with_the_picture);
    tcase_add_test(tc, hostile_boxes_stay_inside);
    tcase_add_test(tc, a_mask_covers_its_polygon_and_no_more);
    tcase_add_test(tc, a_ring_leaves_its_hole);
    tcase_add_test(tc, faulty_masks_hide_everything);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
