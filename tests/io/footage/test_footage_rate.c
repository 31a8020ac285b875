/* The rate of footage from several inputs. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "io/footage/footage.h"
#include "tests/clips.h"

enum { W = 16, H = 8 };

static struct footage *footage;

static void add(const char *name)
{
    struct error err = {""};
    ck_assert_msg(footage_add(footage, clip_path(name), &err) == 0, "%s", err.text);
}

static char warning[400];
static int warnings;

static void keep_warning(const char *reason)
{
    snprintf(warning, sizeof warning, "%s", reason);
    warnings++;
}

static void open_at(double fps)
{
    const struct footage_options options = {.width = W, .height = H, .fps = fps, .slow_rate = 0.9, .max_bytes = 1 << 24,
                                            .warned = keep_warning};
    footage_close(footage);
    ck_assert_int_eq(footage_open(&footage, &options, NULL), 0);
    warnings = 0;
}

/* The rate is the one that was asked for if an input has as many frames. Inputs that have fewer are named. */
START_TEST(rates_that_differ_are_named)
{
    clip_levels("ten.nut", 30, W, H, 10, "");
    clip_levels("five.nut", 60, W, H, 5, "");
    clip_levels("almost.nut", 30, W, H, 9.5, "");
    open_at(10);
    add("ten.nut");
    ck_assert_int_eq(warnings, 0);
    add("five.nut");
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(warning, "five.nut: 5 frames a second, fewer than the 10 that are analysed"));
    ck_assert_double_eq(footage_fps(footage), 10);
    open_at(10);
    add("almost.nut");
    ck_assert_int_eq(warnings, 0);
    ck_assert_double_eq(footage_fps(footage), 10);
    open_at(10);
    add("five.nut");
    ck_assert_int_eq(warnings, 1);
    ck_assert_double_eq_tol(footage_fps(footage), 5, 1e-6);
    open_at(0);
    add("ten.nut");
    add("almost.nut");
    ck_assert_int_eq(warnings, 0);
    add("five.nut");
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(warning, "five.nut: 5 frames a second, but the first input has 10"));
    footage_close(footage);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("footage_rate");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, rates_that_differ_are_named);
    return clips_run("footage_rate", tc);
}
