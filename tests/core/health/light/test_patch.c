/* core/health: a small patch that loses its detail as the light changes, such as the sun's, is no cover. The same patch without a
 * change of light is one, and so is a larger one with it. */
#include <check.h>

#include "core/health/health.h"
#include "tests/core/health/scenery.h"
#include "tests/suite.h"

enum { FPS = 5 };
#define LIGHT 1.35              /* the gain of the other light */

static struct scenery scenery;
static struct health *health;
static int64_t now_us;
static int covers;              /* that opened */

static void play(double seconds, double gain, double covered)
{
    static uint8_t luma[SCENERY_PIXELS];
    const struct scenery_view view = {.gain = gain, .covered = covered};
    for (int i = 0; i < (int)(seconds * FPS); i++, now_us += 1000000 / FPS) {
        struct health_change changes[2 * HEALTH_KINDS];
        scenery_draw(&scenery, &view, luma);
        int n = health_add(health, &(struct health_picture){.luma = luma, .time_us = now_us, .anew = now_us == 0}, changes);
        for (int k = 0; k < n; k++)
            covers += changes[k].opened && changes[k].kind == HEALTH_COVERED;
    }
}

/* Both lights are known. */
static void setup(void)
{
    scenery_init(&scenery, 5);
    now_us = 0;
    covers = 0;
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = 40}), 0);
    play(25, LIGHT, 0);
    play(40, 1, 0);
    ck_assert_int_eq(covers, 0);
}

static void teardown(void)
{
    health_close(health);
}

START_TEST(with_the_light)
{
    play(40, LIGHT, 0.08);
    ck_assert_int_eq(covers, 0);
}
END_TEST

START_TEST(without_a_change)
{
    play(15, 1, 0.08);
    ck_assert_int_eq(covers, 1);
}
END_TEST

START_TEST(larger)
{
    play(15, LIGHT, 0.2);
    ck_assert_int_eq(covers, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/light/patch");
    TCase *tcase = tcase_create("patch");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, with_the_light);
    tcase_add_test(tcase, without_a_change);
    tcase_add_test(tcase, larger);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
