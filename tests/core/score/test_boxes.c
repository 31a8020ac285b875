/* core/score/boxes: a map worked out by hand, the order and number of boxes, edges of pictures, and random maps against
 * brute force. */
#include "core/score/boxes.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { MAX_SIDE = 12, MAX_CELLS = MAX_SIDE * MAX_SIDE, GUARD = 0x5a5a5a5a };

static struct boxes find(const struct boxes_grid *grid, const float *map, float level)
{
    struct boxes ret;
    size_t n = boxes_scratch(grid);
    uint32_t *scratch = calloc(n + 1, sizeof *scratch);

    scratch[n] = GUARD;
    boxes_find(&ret, grid, map, level, scratch);
    ck_assert_uint_eq(scratch[n], GUARD);
    free(scratch);
    return ret;
}

static void check_box(const struct box *b, float x, float y, float width, float height, float score)
{
    ck_assert_float_eq_tol(b->x, x, 1e-6f);
    ck_assert_float_eq_tol(b->y, y, 1e-6f);
    ck_assert_float_eq_tol(b->width, width, 1e-6f);
    ck_assert_float_eq_tol(b->height, height, 1e-6f);
    ck_assert_float_eq(b->score, score);
}

START_TEST(a_case_by_hand)
{
    /* A picture of 24 x 28 pixels; cells of 8 x 8 at steps of 4. */
    static const struct boxes_grid grid = {.rows = 5, .columns = 6, .step = 4, .size = 8, .height = 24, .width = 28};
    static const float map[30] = {
        1, 5, 1, 1, 1, 1,
        1, 1, 6, 1, 1, 3,               /* the 6 touches the 5 at a corner */
        1, 1, 1, 1, 1, 4,
        2, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 9, 1,
    };
    struct boxes b = find(&grid, map, 3);

    ck_assert_int_eq(b.n, 3);
    check_box(&b.box[0], 0.5714f, 0.6667f, 0.2857f, 0.3333f, 9);
    check_box(&b.box[1], 0.1429f, 0, 0.4285f, 0.5f, 6);        /* columns 1 and 2: pixels 4 to 16 of 28 */
    check_box(&b.box[2], 0.7143f, 0.1667f, 0.2857f, 0.5f, 4);
    b = find(&grid, map, 9);                    /* a score that equals the level counts */
    ck_assert_int_eq(b.n, 1);
    b = find(&grid, map, 9.5f);
    ck_assert_int_eq(b.n, 0);
    b = find(&grid, map, 1);
    ck_assert_int_eq(b.n, 1);
    check_box(&b.box[0], 0, 0, 1, 1, 9);
}
END_TEST

START_TEST(the_highest_of_many)
{
    /* A single row in which every other cell is a component: scores 5 3 5 3 … and one 7. */
    struct boxes_grid grid = {.rows = 1, .columns = 41, .step = 4, .size = 8, .height = 8, .width = 168};
    float map[41] = {0};

    for (int i = 0; i < 41; i += 2)
        map[i] = i == 30 ? 7 : i % 4 == 0 ? 5 : 3;
    struct boxes b = find(&grid, map, 3);
    ck_assert_int_eq(b.n, BOXES_MAX);
    ck_assert_float_eq(b.box[0].score, 7);
    for (int i = 1; i < BOXES_MAX; i++)         /* equal scores keep the order of the map, lower ones are dropped */
        check_box(&b.box[i], (float)round(1e4 * 16 * (i - 1) / 168) / 1e4f, 0,
                  (float)(round(1e4 * (16 * (i - 1) + 8) / 168) - round(1e4 * 16 * (i - 1) / 168)) / 1e4f, 1, 5);
}
END_TEST

START_TEST(what_is_no_number)
{
    static const struct boxes_grid grid = {.rows = 1, .columns = 3, .step = 4, .size = 8, .height = 8, .width = 16};
    struct boxes b = find(&grid, (float[]){NAN, INFINITY, NAN}, -INFINITY);

    ck_assert_int_eq(b.n, 1);
    check_box(&b.box[0], 0.25f, 0, 0.5f, 1, INFINITY);
    b = find(&grid, (float[]){1, 2, 3}, NAN);
    ck_assert_int_eq(b.n, 0);
}
END_TEST

START_TEST(between_two_thresholds)
{
    ck_assert_float_eq(boxes_level(6, 2), 4);
    ck_assert_float_eq(boxes_level(3, 3), 3);
}
END_TEST

/* Finds components by spreading the least index until nothing changes, and their boxes in pixels. */
START_TEST(agrees_with_brute_force)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    printf("test_boxes: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 500; round++) {
        struct boxes_grid grid = {.rows = 1 + (int)rng_below(&rng, MAX_SIDE), .columns = 1 + (int)rng_below(&rng, MAX_SIDE),
                                  .step = 4, .size = 8};
        float map[MAX_CELLS], level = (float)(1 + rng_below(&rng, 9));
        int number[MAX_CELLS], cells = grid.rows * grid.columns, n = 0;
        bool changed = true;

        grid.height = 4 * grid.rows + 4 + (int)rng_below(&rng, 4);      /* sides that are not multiples of the step */
        grid.width = 4 * grid.columns + 4 + (int)rng_below(&rng, 4);
        for (int i = 0; i < cells; i++) {
            map[i] = (float)rng_below(&rng, 10);
            number[i] = map[i] >= level ? i : -1;
        }
        while (changed) {
            changed = false;
            for (int i = 0; i < cells; i++)
                for (int j = 0; j < cells; j++)
                    if (number[i] >= 0 && number[j] >= 0 && number[j] < number[i] &&
                        abs(i / grid.columns - j / grid.columns) <= 1 && abs(i % grid.columns - j % grid.columns) <= 1) {
                        number[i] = number[j];
                        changed = true;
                    }
        }
        for (int i = 0; i < cells; i++)
            n += number[i] == i;
        struct boxes b = find(&grid, map, level);
        ck_assert_int_eq(b.n, n < BOXES_MAX ? n : BOXES_MAX);
        for (int k = 1; k < b.n; k++)
            ck_assert_float_ge(b.box[k - 1].score, b.box[k].score);
        int higher = 0;
        for (int i = 0; i < cells; i++) {
            int top = grid.rows, left = grid.columns, bottom = 0, right = 0, hits = 0;
            float score = 0;

            if (number[i] != i)
                continue;
            for (int j = 0; j < cells; j++) {
                int r = j / grid.columns, c = j % grid.columns;

                if (number[j] != i)
                    continue;
                top = r < top ? r : top;
                bottom = r > bottom ? r : bottom;
                left = c < left ? c : left;
                right = c > right ? c : right;
                score = fmaxf(score, map[j]);
            }
            for (int k = 0; k < b.n; k++) {
                const struct box *box = &b.box[k];
                double x = 4.0 * left / grid.width, y = 4.0 * top / grid.height;

                hits += box->score == score && fabs((double)box->x - x) < 6e-5 && fabs((double)box->y - y) < 6e-5 &&
                        fabs((double)(box->x + box->width) - (4.0 * right + 8) / grid.width) < 6e-5 &&
                        fabs((double)(box->y + box->height) - (4.0 * bottom + 8) / grid.height) < 6e-5;
            }
            higher += b.n > 0 && score > b.box[b.n - 1].score;
            ck_assert_msg(hits > 0 || (n > BOXES_MAX && score <= b.box[b.n - 1].score), "component %d of %d has no box", i, n);
        }
        ck_assert_int_lt(higher, BOXES_MAX);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("boxes");
    TCase *tests = tcase_create("boxes");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_case_by_hand);
    tcase_add_test(tests, the_highest_of_many);
    tcase_add_test(tests, what_is_no_number);
    tcase_add_test(tests, between_two_thresholds);
    tcase_add_test(tests, agrees_with_brute_force);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
