/* core/health on drawn pictures in changing light: it is told from the first picture on, ends when the light has settled, and is
 * told from what comes into the picture. */
#include "core/health/health.h"

#include <check.h>
#include <math.h>

#include "tests/core/health/scenery.h"
#include "tests/suite.h"

enum { FPS = 10, LEARN_S = 12, LONGEST_S = 20 };

static struct scenery scenery;
static struct health *health;
static uint8_t luma[SCENERY_PIXELS];
static int64_t now_us;

/* Somebody who stands before part of the picture. */
struct person {
    double x, y, width, height;         /* shares of the picture; width 0: nobody */
    int step;                           /* somebody who moves: pixels a picture */
};
static const struct person nobody;
static const struct scenery_view sound;
#define SEEN(...) (&(struct scenery_view){__VA_ARGS__})

static void draw_person(const struct person *p, int i)
{
    struct rng clothes;
    rng_seed(&clothes, 7);
    for (int y = 0; y < (int)(p->height * SCENERY_HEIGHT); y++)
        for (int x = 0; x < (int)(p->width * SCENERY_WIDTH); x++) {
            int left = ((int)(p->x * SCENERY_WIDTH) + x + i * p->step) % SCENERY_WIDTH, top = (int)(p->y * SCENERY_HEIGHT) + y;
            luma[top * SCENERY_WIDTH + left] = (uint8_t)(20 + rng_below(&clothes, 90));
        }
}

static struct health_measure light(void)
{
    struct health_measure measure[HEALTH_KINDS];
    health_measures(health, measure);
    return measure[HEALTH_LIGHT];
}

/* Shows pictures. Returns for how many of them the light changed. */
static int play(double seconds, const struct scenery_view *view, const struct person *person)
{
    struct health_change changes[HEALTH_KINDS];
    int lit = 0;
    for (int i = 0; i < (int)(seconds * FPS + 0.5); i++, now_us += 1000000 / FPS) {
        scenery_draw(&scenery, view, luma);
        draw_person(person, i);
        health_add(health, &(struct health_picture){.luma = luma, .time_us = now_us, .anew = now_us == 0}, changes);
        lit += light().open;
    }
    return lit;
}

static void open_health(unsigned off)
{
    health_close(health);
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S, .off = off}), 0);
    now_us = 0;
    ck_assert_int_eq(play(LEARN_S + 8, &sound, &nobody), 0);
}

static void set_up(void)
{
    scenery_init(&scenery, 3);
    open_health(0);
}

static void tear_down(void)
{
    health_close(health);
    health = NULL;
}

START_TEST(light_is_told_at_once)
{
    static const struct scenery_view lights[] = {
        {.gain = 0.8}, {.gain = 1.2}, {.offset = 15}, {.offset = -30}, {.shadow = 40}, {.gain = 0.4}, {.gain = 0.7, .offset = 30},
    };
    for (size_t i = 0; i < sizeof lights / sizeof *lights; i++)
        for (int back = 0; back < 2; back++) {
            const int64_t turned_us = now_us;
            ck_assert_int_eq(play(0.1, back ? &sound : &lights[i], &nobody), 1);
            const struct health_measure m = light();
            ck_assert(m.known && m.open && m.since_us == turned_us);
            ck_assert_msg(m.quantity > m.on && m.on >= m.baseline, "light %zu: %g %%; %g tells", i, m.quantity, m.on);
            const int lit = play(15, back ? &sound : &lights[i], &nobody);
            ck_assert_msg(lit > 4 * FPS && lit < 8 * FPS, "light %zu: it changed for %d pictures", i, lit);
            ck_assert(health_light_is_alone(health));
            ck_assert(!light().open);
        }
}
END_TEST

START_TEST(light_that_goes_on_changing_ends)
{
    int lit = 0, pictures = 0;
    for (double offset = 0; offset < 60; offset += 0.2, pictures++)
        lit += play(0.1, SEEN(.offset = offset), &nobody);
    ck_assert_msg(lit > pictures * 2 / 3, "%d of %d pictures", lit, pictures);
    ck_assert_int_eq(play(LONGEST_S + 1, SEEN(.offset = 60), &nobody) < LONGEST_S * FPS, 1);
    ck_assert(!light().open);
}
END_TEST

START_TEST(people_are_no_light)
{
    static const struct person people[] = {
        {0.3, 0.4, 0.06, 0.4, 0}, {0.1, 0.2, 0.2, 0.8, 0}, {0.2, 0, 0.34, 1, 0}, {0.2, 0, 0.5, 1, 0}, {0, 0.3, 0.1, 0.6, 3},
    };
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        open_health(0);
        ck_assert_msg(play(15, &sound, &people[i]) == 0, "person %zu", i);
        ck_assert_msg(play(5, &sound, &nobody) == 0, "person %zu left", i);
    }
    open_health(0);
    ck_assert_int_eq(play(15, SEEN(.covered = 0.34), &nobody), 0);
}
END_TEST

/* Many people walk about, each at a speed of their own, and headlights fall on an eighth of the picture. */
START_TEST(headlights_among_people)
{
    struct health_change changes[HEALTH_KINDS];
    for (int i = 0; i < 70 * FPS; i++, now_us += 1000000 / FPS) {
        const bool lights = i >= 60 * FPS;
        scenery_draw(&scenery, &sound, luma);
        for (int y = 20; lights && y < 72; y++)
            for (int x = 40; x < 84; x++)
                luma[y * SCENERY_WIDTH + x] = (uint8_t)fmin(255, luma[y * SCENERY_WIDTH + x] + 50);
        for (int k = 0; k < 6; k++)
            draw_person(&(struct person){0.16 * k, 0.05 + 0.1 * k, 0.05, 0.35, 1 + k % 3}, i);
        health_add(health, &(struct health_picture){.luma = luma, .time_us = now_us}, changes);
        ck_assert_msg(light().open == lights, "picture %d: %g %%; %g tells", i, light().quantity, light().on);
    }
}
END_TEST

/* Somebody who comes in while the lamp goes on is seen once the light has settled, at the latest after 20 s. */
START_TEST(who_comes_with_the_light)
{
    static const struct person people[] = {{0.3, 0.3, 0.12, 0.6, 0}, {0.3, 0.3, 0.12, 0.6, 1}, {0.2, 0, 0.34, 1, 0}};
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        open_health(0);
        play(50, &sound, &nobody);
        ck_assert_msg(play(0.1, SEEN(.gain = 1.3), &people[i]) == 1, "person %zu came unseen", i);
        for (int k = 0; k < (LONGEST_S + 1) * FPS && light().open; k++)
            play(0.1, SEEN(.gain = 1.3), &people[i]);
        ck_assert_msg(!light().open, "person %zu: the light goes on changing", i);
        ck_assert_msg(!health_light_is_alone(health), "person %zu is not seen", i);
        play(120, SEEN(.gain = 1.3), &nobody);
        ck_assert_msg(health_light_is_alone(health), "person %zu has gone", i);
        play(3, SEEN(.gain = 1.3), &people[1]);                 /* comes later, in that light */
        ck_assert_msg(!health_light_is_alone(health) && !light().open, "person %zu", i);
    }
}
END_TEST

START_TEST(light_that_is_off)
{
    open_health(health_bit(HEALTH_LIGHT));
    ck_assert_int_eq(play(5, SEEN(.gain = 0.7), &nobody), 0);
    ck_assert(light().known);
}
END_TEST

START_TEST(times_that_begin_anew_end_a_change)
{
    ck_assert_int_eq(play(1, SEEN(.gain = 0.7), &nobody), FPS);
    now_us = 0;
    ck_assert_int_eq(play(0.1, &sound, &nobody), 0);
    ck_assert_int_eq(play(0.1, SEEN(.gain = 0.7), &nobody), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("light_change");
    TCase *tests = tcase_create("light_change");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, light_is_told_at_once);
    tcase_add_test(tests, light_that_goes_on_changing_ends);
    tcase_add_test(tests, people_are_no_light);
    tcase_add_test(tests, headlights_among_people);
    tcase_add_test(tests, who_comes_with_the_light);
    tcase_add_test(tests, light_that_is_off);
    tcase_add_test(tests, times_that_begin_anew_end_a_change);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
