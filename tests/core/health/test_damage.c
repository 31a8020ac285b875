/* core/health on pictures that their decoder flagged as damaged: many of them make the camera corrupt, and no other fault. */
#include "core/health/health.h"

#include <check.h>

#include "tests/core/health/scenery.h"
#include "tests/suite.h"

enum { FPS = 10, LEARN_S = 12 };

static struct scenery scenery;
static struct health *health;
static struct health_change changes[64];
static int n_changes;
static int64_t now_us;

/* Shows pictures. The last `damaged` of every `of` pictures are damaged. */
static void play(double seconds, int damaged, int of)
{
    static uint8_t luma[SCENERY_PIXELS];
    for (int i = 0; i < (int)(seconds * FPS + 0.5); i++, now_us += 1000000 / FPS) {
        bool is_damaged = i % of >= of - damaged;
        scenery_draw(&scenery, &(struct scenery_view){0}, luma);
        ck_assert_int_lt(n_changes, 64 - HEALTH_KINDS);
        n_changes += health_add(health, &(struct health_picture){.luma = is_damaged ? NULL : luma, .time_us = now_us,
                                                                 .anew = now_us == 0, .damaged = is_damaged},
                                changes + n_changes);
    }
}

static void set_up(void)
{
    scenery_init(&scenery, 3);
    now_us = 0;
    n_changes = 0;
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S}), 0);
}

static void tear_down(void)
{
    health_close(health);
    health = NULL;
}

/* In a stream with a key frame every 2 s, a loss damages the rest of the 2 s. In the last case no picture is sound. */
START_TEST(many_damaged_pictures_are_a_fault)
{
    static const struct { int damaged, of; double least; } cases[] = {{4, 20, 10}, {15, 20, 40}, {1, 1, 100}};
    play(LEARN_S + 8, 0, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t begins_us = now_us;
        n_changes = 0;
        play(15, cases[i].damaged, cases[i].of);
        ck_assert_msg(n_changes == 1 && changes[0].opened && changes[0].kind == HEALTH_CORRUPT, "case %zu: %d changes", i, n_changes);
        ck_assert_int_lt(changes[0].time_us - begins_us, 9000000);
        ck_assert_double_eq(changes[0].measure.on, 10);
        play(10, 0, 1);
        ck_assert_msg(n_changes == 2 && !changes[1].opened && changes[1].kind == HEALTH_CORRUPT, "case %zu does not end", i);
        ck_assert_double_ge(changes[1].measure.quantity, cases[i].least);
        play(10, 0, 1);
        ck_assert_int_eq(n_changes, 2);
    }
}
END_TEST

START_TEST(a_loss_now_and_then_is_none)
{
    play(LEARN_S + 8, 0, 1);
    for (int i = 0; i < 6; i++) {
        play(0.9, 1, 1);                /* until the next key frame */
        play(10.1, 0, 1);
    }
    play(60, 1, 11);                    /* each recovered at once */
    ck_assert_int_eq(n_changes, 0);
}
END_TEST

START_TEST(nothing_is_told_while_the_camera_is_learned)
{
    play(3, 1, 1);                      /* the first picture is damaged, too */
    play(LEARN_S, 1, 2);
    ck_assert(health_is_learning(health));
    ck_assert_int_eq(n_changes, 0);
    play(2 * LEARN_S, 0, 1);
    ck_assert(!health_is_learning(health));
    ck_assert_int_eq(n_changes, 0);
}
END_TEST

START_TEST(corrupt_is_off)
{
    struct health_measure measure[HEALTH_KINDS];
    tear_down();
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S, .off = health_bit(HEALTH_CORRUPT)}), 0);
    play(LEARN_S + 8, 0, 1);
    play(15, 1, 1);
    ck_assert_int_eq(n_changes, 0);
    health_measures(health, measure);
    ck_assert(measure[HEALTH_CORRUPT].known && !measure[HEALTH_MOVED].known);
    ck_assert_double_eq(measure[HEALTH_CORRUPT].quantity, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damage");
    TCase *tests = tcase_create("damage");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, many_damaged_pictures_are_a_fault);
    tcase_add_test(tests, a_loss_now_and_then_is_none);
    tcase_add_test(tests, nothing_is_told_while_the_camera_is_learned);
    tcase_add_test(tests, corrupt_is_off);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
