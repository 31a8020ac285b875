/* daemon/explain/polygon: texts of corners, good and bad. */
#include "daemon/explain/polygon.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

static struct draw_point points[POLYGON_CORNERS];

START_TEST(reads_corners)
{
    struct draw_polygon p;
    ck_assert_int_eq(polygon_parse(&p, points, "  0,0 1,.5  0.25,1e-1 ", NULL), 0);
    ck_assert_int_eq(p.n, 3);
    ck_assert_ptr_eq(p.points, points);
    ck_assert_float_eq(points[1].y, 0.5f);
    ck_assert_float_eq(points[2].x, 0.25f);
    ck_assert_float_eq(points[2].y, 0.1f);
}
END_TEST

START_TEST(refuses_other_texts)
{
    static const char *const texts[] = {
        "", "0,0", "0,0 1,0", "0,0 1,0 1", "0,0 1,0 1,", "0,0 1,0 1,2", "0,0 1,0 -0.1,1", "0,0 1,0 nan,1", "0,0 1,0 inf,1",
        "0,0 1,0 1,1x", "0 0 1 0 1 1", "0,0,1,0,1,1", "0,0;1,0;1,1", "0, 0 1,0 1,1", "0,0 1,0 1e99,1", "0,0\t1,0\t1,1",
    };
    struct draw_polygon p = {.n = 7};
    struct error err;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(polygon_parse(&p, points, texts[i], &err) == -EINVAL, "\"%s\" was taken", texts[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "expected 3 to 64 corners"));
    }
    ck_assert_int_eq(p.n, 7);
}
END_TEST

START_TEST(has_a_most)
{
    char text[1000] = "";
    struct draw_polygon p;
    for (int i = 0; i < POLYGON_CORNERS; i++)
        strcat(text, "0,1 ");
    ck_assert_int_eq(polygon_parse(&p, points, text, NULL), 0);
    ck_assert_int_eq(p.n, POLYGON_CORNERS);
    strcat(text, "0,1");
    ck_assert_int_eq(polygon_parse(&p, points, text, NULL), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("polygon");
    TCase *tc = tcase_create("polygon");
    tcase_add_test(tc, reads_corners);
    tcase_add_test(tc, refuses_other_texts);
    tcase_add_test(tc, has_a_most);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
