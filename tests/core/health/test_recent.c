/* core/health/recent on made gray levels: brightness is told from light that falls in another pattern, and what differs is what
 * stripes are found in. */
#include "core/health/recent.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

static struct rng rng;
static float reference[CELLS], level[CELLS];

static void setup(void)
{
    rng_seed(&rng, 5);
    for (int i = 0; i < CELLS; i++)
        reference[i] = 40 + 150 * rng_uniform(&rng);
}

/* gain, offset, a third of the cells that something stands in front of, noise; light that falls from the right. */
static struct light compare(float gain, float offset, bool covered, float from_right)
{
    for (int i = 0; i < CELLS; i++) {
        float x = (float)(i % CELLS_ACROSS) / CELLS_ACROSS;
        level[i] = covered && i % 3 == 0 ? 20 : gain * reference[i] + offset + from_right * x + 0.3f * (float)rng_normal(&rng);
    }
    return light_compare(reference, level);
}

START_TEST(brightness_is_the_same_light)
{
    static const float gains[] = {0.6f, 0.8f, 1, 1.3f, 1.7f};
    for (size_t i = 0; i < sizeof gains / sizeof *gains; i++)
        for (int covered = 0; covered < 2; covered++) {
            struct light light = compare(gains[i], 12, covered, 0);
            ck_assert_msg(light_is_same(&light) && light.off < 1, "gain %g, covered %d: off by %g", (double)gains[i], covered,
                          (double)light.off);
            ck_assert_msg(fabsf(light.gain - gains[i]) < 0.03f && fabsf(light.offset - 12) < 4, "gain %g: %g, %g",
                          (double)gains[i], (double)light.gain, (double)light.offset);
        }
}
END_TEST

START_TEST(another_light)
{
    struct light light = compare(1, 0, false, 40);
    ck_assert(!light_is_same(&light) && !light_has_same_pattern(&light));
    light = compare(0.2f, 80, false, 0);
    ck_assert(!light_is_same(&light) && light_has_same_pattern(&light));
    light = compare(-0.7f, 200, false, 0);              /* a negative */
    ck_assert(!light_is_same(&light));
}
END_TEST

/* A reference without contrast has no gain. */
START_TEST(a_plain_reference)
{
    for (int i = 0; i < CELLS; i++)
        reference[i] = 90;
    struct light light = compare(1, -10, false, 0);
    ck_assert(light_is_same(&light) && light.gain == 1 && fabsf(light.offset + 10) < 0.5f);
}
END_TEST

START_TEST(the_last_minute_is_followed)
{
    static struct recent recent;
    static struct look look;
    static float picture[FIELD_SIZE], difference[FIELD_SIZE];
    memcpy(look.level, reference, sizeof look.level);
    look.saturation = -1;
    recent_begin(&recent, &look, picture);
    ck_assert(recent.seconds == 1 && recent.saturation < 0);
    look.saturation = 12;
    look.u = 6;
    recent_follow(&recent, &look, picture);
    ck_assert(recent.saturation == 12 && recent.u == 6 && recent.seconds == 2);
    for (int i = 0; i < 100; i++)
        recent_follow(&recent, &look, picture);
    look.u = 66;
    recent_follow(&recent, &look, picture);
    ck_assert(recent.seconds == 60 && fabsf(recent.u - 7) < 0.01f);
    for (int i = 0; i < FIELD_SIZE; i++) {
        recent.picture[i] = (float)(i % 50);
        picture[i] = 0.5f * (float)(i % 50) + 9 + (i == 70 ? 4 : 0);
    }
    recent_difference(difference, &recent, &(struct light){.gain = 0.5f, .offset = 9}, picture);
    for (int i = 0; i < FIELD_SIZE; i++)
        ck_assert_float_eq_tol(difference[i], i == 70 ? 4 : 0, 1e-4f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/recent");
    TCase *tcase = tcase_create("recent");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, brightness_is_the_same_light);
    tcase_add_test(tcase, another_light);
    tcase_add_test(tcase, a_plain_reference);
    tcase_add_test(tcase, the_last_minute_is_followed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
