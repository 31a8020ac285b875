/* daemon/watch/evidence/peak keeps the frames of the highest window of the present cause. place: a file appears complete. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/evidence/peak.h"
#include "daemon/watch/evidence/place.h"
#include "tests/suite.h"

enum { LENGTH = 3, SIZE = 4 };
#define SECOND_US INT64_C(1000000)

static struct peak *peak;

/* Offers a window of that second, whose pixels are all `value`. */
static void offer(double seconds, float level, uint8_t value)
{
    uint8_t pixels[SIZE];
    const uint8_t *frames[LENGTH] = {pixels, pixels, pixels};
    memset(pixels, value, sizeof pixels);
    const int64_t us = (int64_t)(seconds * 1e6);
    peak_offer(peak, &(struct peak_window){.time_us = us, .arrival_us = us + 5, .level = level, .boxes = {.n = value % 8}},
               frames);
}

/* The value of the pixels of the peak, if it lies at or after that second; -1: there is none. */
static int read_since(double seconds)
{
    uint8_t pixels[LENGTH * SIZE];
    struct peak_window window;
    if (!peak_read(peak, (int64_t)(seconds * 1e6), &window, pixels))
        return -1;
    for (int i = 1; i < LENGTH * SIZE; i++)
        ck_assert_int_eq(pixels[i], pixels[0]);
    ck_assert_int_eq(window.boxes.n, pixels[0] % 8);
    ck_assert_int_eq(window.arrival_us, window.time_us + 5);
    return pixels[0];
}

START_TEST(keeps_the_highest_of_a_cause)
{
    ck_assert_int_eq(peak_open(&peak, LENGTH, SIZE, SECOND_US), 0);
    ck_assert_uint_eq(peak_bytes(peak), LENGTH * SIZE);
    ck_assert_int_eq(read_since(0), -1);
    offer(10, 1, 1);
    offer(10.2, 3, 2);
    offer(10.1, 2, 3);          /* another worker was late */
    offer(14, 2, 4);            /* a pause that a smoothed score bridges */
    ck_assert_int_eq(read_since(10), 2);
    ck_assert_int_eq(read_since(14.1), 2);      /* a pause before the alert opened */
    ck_assert_int_eq(read_since(14.3), -1);
    offer(18.5, 1, 5);          /* another cause */
    ck_assert_int_eq(read_since(10), 5);
    peak_close(peak);
    peak_close(NULL);
}
END_TEST

START_TEST(files_appear_complete_and_once)
{
    char folder[] = "/tmp/memaed-place-XXXXXX", path[PLACE_PATH_SIZE], full[512], command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const struct place place = {.camera = "gate", .opened_us = 86400 * SECOND_US, .alert = 7};
    struct error err = {""};
    struct stat st;
    ck_assert_msg(place_put(folder, &place, "snapshot.jpg", "abc", 3, path, &err) == 0, "%s", err.text);
    ck_assert_str_eq(path, "evidence/gate/1970-01-02/7/snapshot.jpg");
    snprintf(full, sizeof full, "%s/%s", folder, path);
    ck_assert(stat(full, &st) == 0 && st.st_size == 3 && (st.st_mode & 0777) == 0600);
    ck_assert_int_eq(place_put(folder, &place, "snapshot.jpg", "other", 5, path, &err), -EEXIST);
    ck_assert_msg(strstr(err.text, path), "%s", err.text);
    ck_assert(stat(full, &st) == 0 && st.st_size == 3);
    snprintf(full, sizeof full, "%s/evidence/gate/1970-01-02/7/.snapshot.jpg", folder);
    ck_assert_int_eq(access(full, F_OK), -1);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evidence: peak and place");
    TCase *tcase = tcase_create("peak");
    tcase_add_test(tcase, keeps_the_highest_of_a_cause);
    tcase_add_test(tcase, files_appear_complete_and_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
