/* The faults of a camera that `memaed check --connect` finds. tests/system/streams/test_connect.py opens real cameras. */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "daemon/watch/connect/connect.h"
#include "tests/suite.h"

/* A camera of 96x64 at 10 frames a second, which fits. */
static struct connect_result well(void)
{
    return (struct connect_result){.first_us = 1, .ended_us = CONNECT_MEASURE_US,
                                   .stats = {.fps_in = 10, .width = 96, .height = 64, .frames_decoded = 40}};
}

static const struct arch arch = {.height = 32, .width = 48};

static const char *fault_of(const struct connect_result *result, double fps)
{
    static char out[512];
    connect_find_fault(out, sizeof out, result, &arch, fps);
    return out;
}

START_TEST(rate)
{
    struct connect_result result = well();
    ck_assert_str_eq(fault_of(&result, 10), "");
    result.stats.fps_in = 9.01;
    ck_assert_str_eq(fault_of(&result, 10), "");
    result.stats.fps_in = 25;
    ck_assert_str_eq(fault_of(&result, 10), "");
    result.stats.fps_in = 8.99;
    ck_assert_str_eq(fault_of(&result, 0), "");     /* every frame is analysed */
    ck_assert_str_eq(fault_of(&result, 10), "8.99 frames/s come, expected 9 or more, because 10 are analysed");

    /* No second picture came in four seconds. */
    result.stats.fps_in = 0;
    ck_assert_str_eq(fault_of(&result, 10), "at most 0.25 frames/s come, expected 9 or more, because 10 are analysed");
    ck_assert_str_eq(fault_of(&result, 0.2), "");
    result.ended = true;                            /* a file of one picture: its rate is not known */
    ck_assert_str_eq(fault_of(&result, 10), "");

    result = well();
    result.stats.images = true;                     /* the rate is what the configuration says */
    result.stats.fps_in = 1;
    ck_assert_str_eq(fault_of(&result, 10), "");
}
END_TEST

START_TEST(aspect)
{
    struct connect_result result = well();
    result.stats.width = 64;
    ck_assert_str_eq(fault_of(&result, 10), "pictures of 64x64 have another aspect than the 48x32 that the model learned");
    result.stats.fps_in = 5;
    ck_assert_str_eq(fault_of(&result, 10), "pictures of 64x64 have another aspect than the 48x32 that the model learned; "
                                            "5 frames/s come, expected 9 or more, because 10 are analysed");
    char cut[20];
    connect_find_fault(cut, sizeof cut, &result, &arch, 10);
    ck_assert_str_eq(cut, "pictures of 64x64 h");
}
END_TEST

START_TEST(no_picture)
{
    struct connect_result result = {.status = -ECONNREFUSED, .err = {"rtsp://h/live: Connection refused"}};
    ck_assert_str_eq(fault_of(&result, 10), "rtsp://h/live: Connection refused");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connect");
    TCase *tests = tcase_create("connect");
    tcase_add_test(tests, rate);
    tcase_add_test(tests, aspect);
    tcase_add_test(tests, no_picture);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
