/* core/alerting/light_hold: which alerts are those of a change of light alone. */
#include "core/alerting/light_hold.h"

#include <check.h>
#include <math.h>

#include "tests/suite.h"

#define SECOND INT64_C(1000000)

static struct light_hold hold;

/* The light has changed for 10 s: its switch scores 9, and then it gives 3. */
static void change(void)
{
    light_hold_init(&hold, 1);
    light_hold_light(&hold, true, true);
    light_hold_score(&hold, 9, 0);
    light_hold_score(&hold, 3, 9 * SECOND);
    light_hold_score(&hold, 2.8, 10 * SECOND);
    ck_assert(!light_hold_holds(&hold));        /* the light itself holds alerts back */
    light_hold_light(&hold, false, true);
}

START_TEST(the_score_of_the_light_is_held)
{
    change();
    ck_assert(light_hold_holds(&hold));
    for (int s = 11; s < 100; s++)
        light_hold_score(&hold, 3.7, s * SECOND);
    ck_assert(light_hold_holds(&hold));         /* the mark is not moved by what comes afterwards */
    light_hold_score(&hold, -INFINITY, 100 * SECOND);
    light_hold_score(&hold, NAN, 100 * SECOND);
    ck_assert(light_hold_holds(&hold));
    light_hold_score(&hold, 4.1, 101 * SECOND);
    ck_assert(!light_hold_holds(&hold));
    light_hold_score(&hold, 3, 102 * SECOND);
    ck_assert(!light_hold_holds(&hold));
}
END_TEST

START_TEST(what_comes_into_the_picture_is_told)
{
    change();
    light_hold_light(&hold, false, false);
    ck_assert(!light_hold_holds(&hold));
    light_hold_light(&hold, false, true);
    ck_assert(!light_hold_holds(&hold));
    change();
    light_hold_light(&hold, true, false);       /* somebody passes by during the change, and has gone at its end */
    light_hold_light(&hold, true, true);
    light_hold_light(&hold, false, true);
    ck_assert(light_hold_holds(&hold));
    change();
    light_hold_light(&hold, true, true);
    light_hold_light(&hold, false, false);      /* and here is still there */
    ck_assert(!light_hold_holds(&hold));
}
END_TEST

START_TEST(each_change_begins_anew)
{
    change();
    light_hold_light(&hold, true, true);
    light_hold_score(&hold, 0, 200 * SECOND);
    light_hold_light(&hold, false, true);
    ck_assert(light_hold_holds(&hold));
    light_hold_score(&hold, 1.2, 201 * SECOND);         /* a light that the model knows: its score was low */
    ck_assert(!light_hold_holds(&hold));
    light_hold_light(&hold, true, true);
    light_hold_score(&hold, 1, 300 * SECOND);
    light_hold_light(&hold, false, true);
    ck_assert(light_hold_holds(&hold));
    light_hold_score(&hold, 2.5, 301 * SECOND);         /* within that of the change before */
    ck_assert(!light_hold_holds(&hold));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("light_hold");
    TCase *tests = tcase_create("light_hold");
    tcase_add_test(tests, the_score_of_the_light_is_held);
    tcase_add_test(tests, what_comes_into_the_picture_is_told);
    tcase_add_test(tests, each_change_begins_anew);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
