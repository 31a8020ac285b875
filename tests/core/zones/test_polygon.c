/* Polygons: which are accepted, what they contain, and which samples they fill. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/polygon.h"
#include "tests/suite.h"

static const struct polygon square = {4, {{0.25f, 0.25f}, {0.75f, 0.25f}, {0.75f, 0.75f}, {0.25f, 0.75f}}};
/* A U that is open above: its notch is [0.4, 0.6] x [0, 0.8]. */
static const struct polygon notched = {8, {{0, 0}, {0.4f, 0}, {0.4f, 0.8f}, {0.6f, 0.8f}, {0.6f, 0}, {1, 0}, {1, 1}, {0, 1}}};
static const struct polygon triangle = {3, {{0, 0}, {1, 0}, {0, 1}}};

static void refused(const struct polygon *polygon, const char *text)
{
    struct error err = {""};
    ck_assert_int_lt(polygon_check(polygon, &err), 0);
    ck_assert_msg(strstr(err.text, text), "expected \"%s\", got \"%s\"", text, err.text);
}

START_TEST(polygons_are_checked)
{
    struct error err = {""};
    ck_assert_int_eq(polygon_check(&square, &err), 0);
    ck_assert_int_eq(polygon_check(&notched, &err), 0);
    ck_assert_int_eq(polygon_check(&triangle, &err), 0);
    refused(&(struct polygon){2, {{0, 0}, {1, 1}}}, "expected 3 to 32 points, got 2");
    refused(&(struct polygon){33, {{0, 0}}}, "expected 3 to 32 points, got 33");
    refused(&(struct polygon){3, {{0, 0}, {1.01f, 0}, {0, 1}}}, "as point 2");
    refused(&(struct polygon){3, {{0, 0}, {1, 0}, {0, NAN}}}, "as point 3");
    refused(&(struct polygon){3, {{0, 0}, {-INFINITY, 0}, {0, 1}}}, "as point 2");
    refused(&(struct polygon){4, {{0, 0}, {1, 0}, {0, 0}, {0, 1}}}, "points 1 and 3");
    refused(&(struct polygon){3, {{0, 0}, {0.5f, 0.5f}, {1, 1}}}, "points on one line");
    refused(&(struct polygon){4, {{0, 0}, {0.5f, 1e-7f}, {1, 0}, {0.5f, 2e-7f}}}, "next to none");
    refused(&(struct polygon){4, {{0, 0}, {1, 1}, {1, 0}, {0, 1}}}, "sides 1 and 3");                     /* a bow tie */
    refused(&(struct polygon){4, {{0, 0}, {1, 0}, {0.5f, 0}, {0.5f, 1}}}, "goes back over");               /* a spike */
    refused(&(struct polygon){5, {{0, 0}, {1, 0}, {1, 1}, {0.5f, 0}, {0, 1}}}, "which do");                /* touches side 1 */
}
END_TEST

START_TEST(points_are_inside_or_not)
{
    ck_assert(polygon_contains(&square, 0.5f, 0.5f));
    ck_assert(!polygon_contains(&square, 0.2f, 0.5f));
    ck_assert(!polygon_contains(&notched, 0.5f, 0.5f));
    ck_assert(polygon_contains(&notched, 0.5f, 0.9f));
    ck_assert(polygon_contains(&notched, 0.1f, 0.1f));
}
END_TEST

START_TEST(shares_are_areas)
{
    ck_assert_double_eq_tol(polygon_share(&square, 0, 0, 1, 1), 0.25, 1e-9);
    ck_assert_double_eq_tol(polygon_share(&square, 0, 0, 0.5, 0.5), 0.25, 1e-9);
    ck_assert_double_eq_tol(polygon_share(&square, 0.3, 0.3, 0.1, 0.1), 1, 1e-9);
    ck_assert_double_eq(polygon_share(&square, 0.75, 0.25, 0.1, 0.1), 0);
    ck_assert_double_eq_tol(polygon_share(&triangle, 0, 0, 1, 1), 0.5, 1e-9);
    ck_assert_double_eq_tol(polygon_share(&triangle, 0.5, 0.5, 0.5, 0.5), 0, 1e-9);
    ck_assert_double_eq_tol(polygon_share(&notched, 0, 0, 1, 1), 1 - 0.2 * 0.8, 1e-6);
    ck_assert_double_eq_tol(polygon_share(&notched, 0.45, 0.1, 0.1, 0.2), 0, 1e-6);
    ck_assert_double_eq_tol(polygon_share(&notched, 0, 0, 1, 0.5), 0.8, 1e-6);       /* the part is in two pieces */
}
END_TEST

static size_t count(const uint8_t *samples, size_t n, uint8_t value)
{
    size_t ret = 0;
    for (size_t i = 0; i < n; i++)
        ret += samples[i] == value;
    return ret;
}

START_TEST(fills_are_exact_where_sides_lie_between_samples)
{
    enum { W = 64, H = 32 };
    uint8_t plane[H * W] = {0};
    polygon_fill(&square, &(struct polygon_plane){plane, W, W, H, 1, 1}, 9);
    ck_assert_uint_eq(count(plane, sizeof plane, 9), W / 2 * H / 2);
    ck_assert_uint_eq(plane[8 * W + 16], 9);
    ck_assert_uint_eq(plane[7 * W + 16], 0);
    ck_assert_uint_eq(plane[8 * W + 15], 0);
    ck_assert_uint_eq(plane[23 * W + 47], 9);
    ck_assert_uint_eq(plane[24 * W + 47], 0);
    memset(plane, 0, sizeof plane);
    polygon_fill(&square, &(struct polygon_plane){plane, W, 2 * W, 2 * H, 2, 2}, 9);        /* the chroma of 128 x 64 */
    ck_assert_uint_eq(count(plane, sizeof plane, 9), W / 2 * H / 2);
}
END_TEST

/* The samples that a fill marks are those of which the polygon covers a part. */
static void fills_what_it_covers(const struct polygon *p, int width, int height, int step)
{
    int columns = (width + step - 1) / step, rows = (height + step - 1) / step;
    uint8_t *plane = calloc((size_t)(rows + 2) * (size_t)columns, 1), *samples = plane + columns;
    polygon_fill(p, &(struct polygon_plane){samples, columns, width, height, step, step}, 1);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            double w = (double)step / width, h = (double)step / height, share = polygon_share(p, c * w, r * h, w, h);
            if (share > 0.002)
                ck_assert_msg(samples[r * columns + c], "%dx%d: sample %d, %d is covered by %g", width, height, r, c, share);
            if (share == 0)
                ck_assert_msg(!samples[r * columns + c] ||
                              polygon_share(p, (c - 0.01) * w, (r - 0.01) * h, 1.02 * w, 1.02 * h) > 0,
                              "%dx%d: sample %d, %d is not covered", width, height, r, c);
        }
    ck_assert_uint_eq(count(plane, (size_t)columns, 0), (size_t)columns);
    ck_assert_uint_eq(count(samples + rows * columns, (size_t)columns, 0), (size_t)columns);
    free(plane);
}

START_TEST(fills_leave_nothing_visible)
{
    unsigned seed = 7;
    int accepted = 0;
    const int sizes[][3] = {{128, 64, 1}, {101, 37, 1}, {101, 37, 2}, {1, 1, 1}, {3, 200, 1}};
    for (int i = 0; i < 400; i++) {
        struct polygon p = {3 + i % 6, {{0, 0}}};
        for (int k = 0; k < p.n; k++)
            p.points[k] = (struct point){(float)(rand_r(&seed) % 1001) / 1000, (float)(rand_r(&seed) % 1001) / 1000};
        if (polygon_check(&p, NULL) < 0)
            continue;
        accepted++;
        fills_what_it_covers(&p, sizes[i % 5][0], sizes[i % 5][1], sizes[i % 5][2]);
    }
    ck_assert_int_gt(accepted, 50);
    fills_what_it_covers(&notched, 100, 100, 1);
    fills_what_it_covers(&triangle, 4096, 8, 1);
}
END_TEST

START_TEST(many_points_in_a_small_rectangle)
{
    struct polygon comb = {POLYGON_POINTS_MOST, {{0, 0}}};       /* teeth from the upper edge to the middle and beyond */
    for (int i = 0; i < 30; i++)
        comb.points[i] = (struct point){(float)i / 30, i % 2 ? 0.1f : 0.9f};
    comb.points[30] = (struct point){1, 1};
    comb.points[31] = (struct point){0, 1};
    ck_assert_int_eq(polygon_check(&comb, NULL), 0);
    double sum = 0;
    for (int r = 0; r < 10; r++)
        for (int c = 0; c < 10; c++)
            sum += polygon_share(&comb, 0.1 * c, 0.1 * r, 0.1, 0.1) * 0.01;
    ck_assert_double_eq_tol(sum, polygon_share(&comb, 0, 0, 1, 1), 1e-9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("polygon");
    TCase *tests = tcase_create("polygon");
    tcase_add_test(tests, polygons_are_checked);
    tcase_add_test(tests, points_are_inside_or_not);
    tcase_add_test(tests, shares_are_areas);
    tcase_add_test(tests, fills_are_exact_where_sides_lie_between_samples);
    tcase_add_test(tests, fills_leave_nothing_visible);
    tcase_add_test(tests, many_points_in_a_small_rectangle);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
