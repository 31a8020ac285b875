/* core/score/places: usual values of small made-up footage, with known results. */
#include "core/score/places.h"
#include "tests/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 12, COLUMNS = 15, CELLS = ROWS * COLUMNS, WINDOWS = 40 };

static uint16_t codes[PLACES_MAPS][CELLS][WINDOWS];
static uint8_t all[WINDOWS];
static float scratch[2 * WINDOWS + CELLS], logs[CELLS];
static struct places places;

static void set(enum places_map map, int cell, int window, float log)
{
    codes[map][cell][window] = places_encode(log);
}

/* Footage in which nothing moves, and each cell has the error -4. */
static void setup(void)
{
    for (int w = 0; w < WINDOWS; w++) {
        all[w] = 1;
        for (int i = 0; i < CELLS; i++) {
            set(PLACES_PACE, i, w, -10);
            set(PLACES_APPEARANCE, i, w, -4);
        }
    }
}

static void fit(const uint8_t *use)
{
    places_fit(&places, ROWS, COLUMNS, &codes[0][0][0], WINDOWS, use, scratch);
}

static float shared_rise;

/* The feature of a window with `value` in the first n cells from `from` on, and `rest` in the others. */
static float excess(enum places_map map, int from, int n, float value, float rest)
{
    for (int i = 0; i < CELLS; i++)
        logs[i] = i >= from && i < from + n ? value : rest;
    shared_rise = places_shared_rise(&places, map, logs, CELLS, NULL, scratch);
    return places_excess(&places, map, logs, CELLS, NULL, REGIONS_ALL, shared_rise, scratch);
}

START_TEST(codes_keep_logarithms)
{
    for (float v = -15.9f; v < 15.9f; v += 0.37f)
        ck_assert_float_eq_tol(places_decode(places_encode(v)), v, 1.0f / 4096 + 1e-6f);
    ck_assert_float_eq(places_decode(places_encode(-1e9f)), -16);
    ck_assert_float_eq_tol(places_decode(places_encode(1e9f)), 16, 1e-3f);
}
END_TEST

START_TEST(far_rows_have_a_pace_of_their_own)
{
    set(PLACES_PACE, 1 * COLUMNS + 3, 7, -2);      /* far: a quarter of a pixel squared, once */
    set(PLACES_PACE, 10 * COLUMNS + 5, 9, 0.5f);   /* near */
    fit(all);
    for (int c = 0; c < COLUMNS; c++) {             /* any column, up to two rows away */
        ck_assert_float_eq(places.usual[PLACES_PACE][3 * COLUMNS + c], 0.5f);   /* row 5 saw nothing: that of the picture */
        ck_assert_float_eq(places.usual[PLACES_PACE][10 * COLUMNS + c], 0.5f);
    }
    for (int r = 0; r < ROWS; r++)                  /* the farther away a row is, the slower things move there */
        set(PLACES_PACE, r * COLUMNS, 11, -2 + 0.2f * (float)r);
    fit(all);
    for (int r = 0; r < ROWS; r++) {
        float usual = r + 2 >= 10 ? 0.5f : -2 + 0.2f * (float)(r + 2);
        ck_assert_float_eq_tol(places.usual[PLACES_PACE][r * COLUMNS + 4], usual, 1e-3f);
    }
    ck_assert_float_eq_tol(excess(PLACES_PACE, 4, 1, 0.4f, -10), 2, 1e-3f);     /* unusual far away */
    ck_assert_float_eq_tol(excess(PLACES_PACE, 10 * COLUMNS, 1, 0.4f, -10), -0.1f, 1e-3f);      /* usual near by */
}
END_TEST

START_TEST(appearance_is_a_rise_over_what_is_typical)
{
    for (int w = 0; w < WINDOWS; w++)
        set(PLACES_APPEARANCE, 5 * COLUMNS + 5, w, 1);         /* an edge that the network never draws */
    set(PLACES_APPEARANCE, 9 * COLUMNS + 9, 3, -3.5f);         /* the highest rise of the footage */
    fit(all);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 2, 1, -2, -4), 1.5f, 1e-3f);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 5 * COLUMNS + 5, 1, 1, -4), -0.5f, 1e-3f);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 4 * COLUMNS + 4, 1, 1, -4), -0.5f, 1e-3f);    /* beside the edge */
}
END_TEST

START_TEST(light_that_the_picture_shares_is_no_appearance)
{
    fit(all);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 0, CELLS, -1, -4), 0, 1e-3f);
    ck_assert_float_eq_tol(shared_rise, 3, 1e-3f);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 0, CELLS / 3, -1, -4), 3, 1e-3f);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 0, CELLS, -9, -4), -5, 1e-3f);     /* a shared fall is not taken off */
    ck_assert_float_eq(shared_rise, 0);
    excess(PLACES_PACE, 0, CELLS, -1, -4);      /* pace has no shared rise */
    ck_assert_float_eq(shared_rise, 0);
    set(PLACES_APPEARANCE, 0, 5, -4);
    for (int i = 0; i < CELLS; i++)
        set(PLACES_APPEARANCE, i, 6, -2);       /* a light in the footage is no rise either */
    fit(all);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 3, 1, -3, -4), 1, 1e-3f);
}
END_TEST

START_TEST(only_chosen_windows_count)
{
    uint8_t use[WINDOWS] = {0};
    set(PLACES_PACE, 20, 4, 2);
    set(PLACES_APPEARANCE, 20, 4, 2);
    use[1] = use[2] = use[3] = 1;
    fit(use);
    ck_assert_float_eq(places.usual[PLACES_PACE][20], -10);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 20, 1, 2, -4), 6, 1e-3f);
    use[4] = 1;
    fit(use);
    ck_assert_float_eq(places.usual[PLACES_PACE][20], 2);
    ck_assert_float_eq_tol(excess(PLACES_APPEARANCE, 20, 1, 2, -4), 0, 1e-3f);
}
END_TEST

/* In footage of more than a thousand windows, one window in a thousand may exceed the usual value. */
START_TEST(what_is_rare_is_not_usual)
{
    enum { MANY = 2100 };
    uint16_t *many = malloc(PLACES_MAPS * MANY * sizeof *many);
    uint8_t *use = malloc(MANY);
    float *room = malloc((2 * MANY + 1) * sizeof *room);
    for (int i = 0; i < MANY; i++) {
        use[i] = 1;
        many[i] = many[MANY + i] = places_encode(i < 2 ? 5 : i < 4 ? 1 : -3);
    }
    places_fit(&places, 1, 1, many, MANY, use, room);
    ck_assert_float_eq_tol(places.usual[PLACES_PACE][0], 1, 1e-3f);
    many[4] = places_encode(5);
    places_fit(&places, 1, 1, many, MANY, use, room);
    ck_assert_float_eq_tol(places.usual[PLACES_PACE][0], 5, 1e-3f);
    free(many);
    free(use);
    free(room);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("places");
    TCase *t = tcase_create("places");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, codes_keep_logarithms);
    tcase_add_test(t, far_rows_have_a_pace_of_their_own);
    tcase_add_test(t, appearance_is_a_rise_over_what_is_typical);
    tcase_add_test(t, light_that_the_picture_shares_is_no_appearance);
    tcase_add_test(t, only_chosen_windows_count);
    tcase_add_test(t, what_is_rare_is_not_usual);
    suite_add_tcase(s, t);
    return suite_run(s);
}
