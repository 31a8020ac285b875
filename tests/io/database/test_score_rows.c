/* io/database/score_rows: windows and minutes, and their retention. */
#include "io/database/score_rows.h"
#include "tests/io/database/state_folder.h"

static void add(const char *camera, int64_t time_us, uint64_t window, float score, float p, bool slow)
{
    struct score_row row = {.time_us = time_us, .window = window, .score = score, .reference = 0.25f, .p = p, .slow = slow};
    snprintf(row.camera, sizeof row.camera, "%s", camera);
    must(score_rows_add(database, &row, &err));
}

START_TEST(windows_and_minutes)
{
    struct score_row rows[8];
    struct minute_row minutes[8];
    size_t n;
    add("gate", 3 * MINUTE_US + 5, 1, 2, 0.5f, false);
    add("gate", 3 * MINUTE_US + 6, 2, -1, NAN, true);
    add("gate", 3 * MINUTE_US + 7, 3, 0.5f, 0.25f, false);
    add("gate", 3 * MINUTE_US + 7, 3, 100, 0, false);           /* this window is there already */
    add("gate", 4 * MINUTE_US, 4, NAN, NAN, false);
    add("gate", 4 * MINUTE_US + 1, 5, 7, 0.125f, false);
    add("yard", 3 * MINUTE_US, 1, 9, 0.75f, false);
    add("gate", -1, 6, 1, 1, false);                            /* before 1970 */
    must(score_rows_read(database, "gate", 0, INT64_MAX, rows, 8, &n, &err));
    ck_assert_uint_eq(n, 5);
    ck_assert(rows[1].window == 2 && rows[1].score == -1 && rows[1].slow && isnan(rows[1].p) && rows[1].reference == 0.25f);
    ck_assert(isnan(rows[3].score));
    must(score_rows_read(database, "gate", 3 * MINUTE_US + 6, 4 * MINUTE_US, rows, 8, &n, &err));
    ck_assert(n == 2 && rows[0].window == 2 && rows[1].window == 3);
    must(score_rows_read(database, "gate", 0, INT64_MAX, rows, 2, &n, &err));
    ck_assert_uint_eq(n, 2);
    must(minute_rows_read(database, "gate", INT64_MIN, INT64_MAX, minutes, 8, &n, &err));
    ck_assert_uint_eq(n, 3);
    ck_assert(minutes[0].time_us == -MINUTE_US && minutes[0].n == 1);
    ck_assert(minutes[1].time_us == 3 * MINUTE_US && minutes[1].n == 3 && minutes[1].slow == 1);
    ck_assert(minutes[1].minimum == -1 && minutes[1].maximum == 2 && minutes[1].p_least == 0.25);
    ck_assert_double_eq_tol(minutes[1].mean, 0.5, 1e-9);
    ck_assert(minutes[2].n == 2 && minutes[2].minimum == 7 && minutes[2].maximum == 7 && minutes[2].p_least == 0.125);
    ck_assert_double_eq_tol(minutes[2].mean, 7, 1e-9);
    /* A minute belongs to a range if it begins in it. */
    must(minute_rows_read(database, "gate", 3 * MINUTE_US + 1, 4 * MINUTE_US + 1, minutes, 8, &n, &err));
    ck_assert(n == 1 && minutes[0].time_us == 4 * MINUTE_US);
    must(minute_rows_read(database, "gate", 3 * MINUTE_US, 4 * MINUTE_US, minutes, 8, &n, &err));
    ck_assert(n == 1 && minutes[0].time_us == 3 * MINUTE_US);
}
END_TEST

START_TEST(old_rows_go_in_steps)
{
    struct score_row rows[64];
    struct minute_row minutes[64];
    char camera[RECORD_NAME_SIZE] = "";
    size_t n;
    int deleted;
    must(score_rows_next_camera(database, "", camera, &err));
    ck_assert_str_eq(camera, "");
    for (int i = 0; i < 20; i++) {
        add("gate", i * MINUTE_US, 1, 1, 1, false);
        add("yard", i * MINUTE_US, 1, 1, 1, false);
    }
    must(score_rows_next_camera(database, "", camera, &err));
    ck_assert_str_eq(camera, "gate");
    must(score_rows_prune(database, "gate", 10 * MINUTE_US, 5 * MINUTE_US, 4, &deleted, &err));
    ck_assert_int_eq(deleted, 8);
    must(score_rows_prune(database, "gate", 10 * MINUTE_US, 5 * MINUTE_US, 100, &deleted, &err));
    ck_assert_int_eq(deleted, 6 + 1);
    must(score_rows_prune(database, "gate", 10 * MINUTE_US, 5 * MINUTE_US, 100, &deleted, &err));
    ck_assert_int_eq(deleted, 0);
    must(score_rows_prune(database, "gate", INT64_MIN, INT64_MIN, 100, &deleted, &err));
    ck_assert_int_eq(deleted, 0);
    must(score_rows_read(database, "gate", 0, INT64_MAX, rows, 64, &n, &err));
    ck_assert(n == 10 && rows[0].time_us == 10 * MINUTE_US);
    must(minute_rows_read(database, "gate", 0, INT64_MAX, minutes, 64, &n, &err));
    ck_assert(n == 15 && minutes[0].time_us == 5 * MINUTE_US);
    must(score_rows_read(database, "yard", 0, INT64_MAX, rows, 64, &n, &err));
    ck_assert_uint_eq(n, 20);
    must(score_rows_next_camera(database, camera, camera, &err));
    ck_assert_str_eq(camera, "yard");
    must(score_rows_next_camera(database, camera, camera, &err));
    ck_assert_str_eq(camera, "");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("score rows");
    tcase_add_checked_fixture(tcase, set_up, remove_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, windows_and_minutes);
    tcase_add_test(tcase, old_rows_go_in_steps);
    Suite *suite = suite_create("score rows");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
