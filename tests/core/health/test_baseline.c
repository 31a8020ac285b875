/* The baseline of core/health: a diagnosis that goes on with one gives the same results, bit for bit; one that is damaged or of
 * another layout is refused and changes nothing; and a camera that was covered or moved in between is found to be. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/health.h"
#include "tests/core/health/scenery.h"
#include "tests/suite.h"

enum { FPS = 10, LEARN_S = 12, KEPT_S = 20 };

static struct scenery scenery;
static uint8_t luma[SCENERY_PIXELS];
static int64_t now_us;
static void *baseline;
static size_t size;
static const struct scenery_view sound;
#define SEEN(...) (&(struct scenery_view){__VA_ARGS__})

static struct health *open_health(void)
{
    struct health *health;
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S}), 0);
    return health;
}

/* Shows both the same pictures; other may be NULL. Their changes and measures have to be the same. Returns the kinds that opened,
 * as bits. */
static unsigned play(struct health *health, struct health *other, double seconds, const struct scenery_view *view)
{
    struct health_change changes[2][HEALTH_KINDS];
    struct health_measure measures[2][HEALTH_KINDS];
    unsigned opened = 0;
    for (int i = 0; i < (int)(seconds * FPS + 0.5); i++, now_us += 1000000 / FPS) {
        scenery_draw(&scenery, view, luma);
        const struct health_picture picture = {.luma = luma, .time_us = now_us, .anew = i == 0, .has_colour = true,
                                               .saturation = 20, .u = 5, .v = -3};
        int n = health_add(health, &picture, changes[0]);
        for (int k = 0; k < n; k++)
            opened |= changes[0][k].opened ? health_bit(changes[0][k].kind) : 0;
        if (!other)
            continue;
        ck_assert_int_eq(health_add(other, &picture, changes[1]), n);
        if (i <= FPS)           /* no second was judged yet since times began anew */
            continue;
        health_measures(health, measures[0]);
        health_measures(other, measures[1]);
        for (int k = 0; k < HEALTH_FAULTS; k++)     /* the last minute's light is not kept */
            ck_assert_msg(measures[0][k].known == measures[1][k].known && measures[0][k].quantity == measures[1][k].quantity &&
                          measures[0][k].on == measures[1][k].on && measures[0][k].open == measures[1][k].open,
                          "%s at %.1f s: %g against %g, and %g against %g", health_kind_info((enum health_kind)k)->name,
                          1e-6 * (double)now_us, measures[0][k].quantity, measures[0][k].on, measures[1][k].quantity,
                          measures[1][k].on);
    }
    return opened;
}

static struct health *learned;

static void setup(void)
{
    scenery_init(&scenery, 9);
    now_us = 0;
    learned = open_health();
    ck_assert(health_is_learning(learned) && health_learned(learned) == 0);
    ck_assert_uint_eq(play(learned, NULL, KEPT_S, &sound), 0);
    ck_assert(!health_is_learning(learned) && health_learned(learned) >= LEARN_S);
    size = health_baseline_size(learned);
    baseline = malloc(size);
    health_baseline(learned, baseline);
}

static void teardown(void)
{
    health_close(learned);
    free(baseline);
}

static struct health *restored(void)
{
    struct health *health = open_health();
    ck_assert_int_eq(health_restore(health, baseline, size), 0);
    ck_assert(!health_is_learning(health) && health_learned(health) == health_learned(learned));
    return health;
}

START_TEST(it_goes_on)
{
    struct health *other = restored();
    ck_assert_uint_eq(play(learned, other, 24, &sound), 0);         /* until a change of light would be told */
    ck_assert_uint_eq(play(learned, other, 8, SEEN(.gain = 0.05)), health_bit(HEALTH_BLACK));
    ck_assert_uint_eq(play(learned, other, 10, &sound), 0);
    ck_assert_uint_eq(play(learned, other, 30, SEEN(.shadow = 60)), 0);         /* another light, which is learned */
    ck_assert_uint_eq(health_baseline_size(learned), health_baseline_size(other));
    ck_assert_uint_gt(health_baseline_size(other), size);
    free(baseline);
    size = health_baseline_size(learned);
    baseline = malloc(size);
    health_baseline(learned, baseline);
    health_close(other);
    other = restored();
    ck_assert_uint_eq(play(learned, other, 10, SEEN(.shadow = 60)), 0);
    health_close(other);
}
END_TEST

START_TEST(a_fault_that_is_there_at_the_start)
{
    static const struct {
        struct scenery_view view;
        enum health_kind kind;
    } faults[] = {
        {{.gain = 0.05}, HEALTH_BLACK}, {{.covered = 0.3}, HEALTH_COVERED}, {{.covered = 1}, HEALTH_COVERED},
        {{.right = 0.03}, HEALTH_MOVED}, {{.blur = 3}, HEALTH_BLUR}, {{.noise = 8}, HEALTH_NOISE},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct health *health = restored(), *without = open_health();
        unsigned opened = play(health, NULL, 12, &faults[i].view);
        ck_assert_msg(opened == health_bit(faults[i].kind), "%s: opened are %x", health_kind_info(faults[i].kind)->name, opened);
        ck_assert_uint_eq(play(without, NULL, 20, &faults[i].view) & health_bit(faults[i].kind), 0);
        health_close(health);
        health_close(without);
    }
}
END_TEST

START_TEST(another_size)
{
    struct health *health;
    struct health_change changes[HEALTH_KINDS];
    const struct health_picture picture = {.luma = luma};
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = 64, .width = 96, .learn_s = LEARN_S}), 0);
    ck_assert_int_eq(health_restore(health, baseline, size), 0);
    ck_assert_int_eq(health_add(health, &picture, changes), 0);
    health_close(health);
}
END_TEST

START_TEST(damage)
{
    struct health *health = open_health(), *fresh = open_health();
    char *bytes = malloc(size + 1);
    static const size_t lengths[] = {0, 1, 40};
    memcpy(bytes, baseline, size);
    bytes[size] = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        ck_assert_int_eq(health_restore(health, bytes, lengths[i]), -EBADMSG);
    ck_assert_int_eq(health_restore(health, bytes, size - 1), -EBADMSG);
    ck_assert_int_eq(health_restore(health, bytes, size + 1), -EBADMSG);
    /* The first words are counts, which have one right value here, or few. NaN is nowhere right. */
    for (size_t at = 0; at < 16; at += 4) {
        const int wrong[] = {-2, 9, 1 << 30};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            memcpy(bytes + at, &wrong[i], sizeof wrong[i]);
            ck_assert_int_eq(health_restore(health, bytes, size), -EBADMSG);
        }
        memcpy(bytes + at, (char *)baseline + at, 4);
    }
    for (size_t at = 24; at < size; at += at < 4096 ? 4 : 4 * 997) {
        memset(bytes + at, 0xff, 4);
        int r = health_restore(health, bytes, size);
        bool counts = at < 40 || at >= size - 16;       /* the lower half of a long may be anything */
        ck_assert_msg(r == -EBADMSG || counts, "byte %zu", at);
        memcpy(bytes + at, (char *)baseline + at, 4);
        if (r == 0)
            health_forget(health);
    }
    ck_assert(health_is_learning(health) && health_learned(health) == 0);
    ck_assert_uint_eq(play(health, fresh, 15, &sound), 0);
    free(bytes);
    health_close(health);
    health_close(fresh);
}
END_TEST

START_TEST(it_is_forgotten)
{
    struct health *fresh = open_health();
    ck_assert_uint_eq(play(learned, NULL, 8, SEEN(.gain = 0.05)), health_bit(HEALTH_BLACK));
    health_forget(learned);
    ck_assert(health_is_learning(learned) && health_learned(learned) == 0);
    ck_assert_uint_eq(play(learned, fresh, KEPT_S, SEEN(.right = 0.05)), 0);
    ck_assert_uint_eq(play(learned, fresh, 8, SEEN(.right = 0.08)), health_bit(HEALTH_MOVED));
    health_close(fresh);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health baseline");
    TCase *tcase = tcase_create("baseline");
    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_goes_on);
    tcase_add_test(tcase, a_fault_that_is_there_at_the_start);
    tcase_add_test(tcase, another_size);
    tcase_add_test(tcase, damage);
    tcase_add_test(tcase, it_is_forgotten);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
