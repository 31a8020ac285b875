/* core/health on drawn pictures: each fault is found, named right and cleared, at the time that it says; light and a single knock
 * are none. Bad sizes are refused, memory is as promised, and pictures allocate nothing. */
#include "core/health/health.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/core/health/scenery.h"
#include "tests/suite.h"

static atomic_long allocations, allocated_bytes;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool counts = false;       /* the sanitizer has an allocator of its own */
#else
static const bool counts = true;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    atomic_fetch_add(&allocated_bytes, (long)size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    atomic_fetch_add(&allocated_bytes, (long)(n * size));
    return __libc_calloc(n, size);
}
#endif

enum { FPS = 10, LEARN_S = 12 };

static struct scenery scenery;
static struct health *health;
static uint8_t luma[SCENERY_PIXELS], still[SCENERY_PIXELS];
static int64_t now_us;
static struct health_change changes[64];
static int n_changes;
static long allocated;          /* by health_add() */

/* The form of the pictures from now on. */
static struct show {
    struct scenery_view view;
    double saturation, u, v;
    bool frozen, clock;         /* the last picture again; with a place that changes */
    unsigned coding;            /* of a frozen picture: coding changes one pixel in so many by a level; 0: none */
    double swing, hz;           /* of the whole picture, in widths */
    double roll;                /* bars a second that roll down */
    double blocks;
    bool path, crowd;           /* as of scenery_path() */
    int interval;               /* pictures that come, one in so many; 0 and 1: all */
} show;
static const struct show sound = {.saturation = 20, .u = 5, .v = -3};

static void play(double seconds)
{
    for (int i = 0; i < (int)(seconds * FPS + 0.5); i++, now_us += 1000000 / FPS) {
        struct scenery_view view = show.view;
        if (show.interval > 1 && i % show.interval > 0)
            continue;
        view.right += show.swing * sin(6.28318530718 * show.hz * (double)now_us * 1e-6);
        view.roll = show.roll * (double)now_us * 1e-6;
        if (!show.frozen) {
            scenery_draw(&scenery, &view, luma);
            if (show.path)
                scenery_path(&scenery, show.crowd, luma);
            memcpy(still, luma, sizeof still);
        }
        for (int k = 0; show.frozen && show.coding > 0 && k < SCENERY_PIXELS; k++) {
            bool coded = rng_below(&scenery.rng, show.coding) == 0;
            luma[k] = (uint8_t)(still[k] + (coded ? 2 * (int)rng_below(&scenery.rng, 2) - 1 : 0));
        }
        for (int y = 4; show.clock && y < 12; y++)
            memset(luma + y * SCENERY_WIDTH + 4, (int)rng_below(&scenery.rng, 256), 20);
        const struct health_picture picture = {.luma = luma, .time_us = now_us, .anew = now_us == 0, .has_colour = true,
                                               .saturation = (float)show.saturation, .u = (float)show.u, .v = (float)show.v,
                                               .has_blocks = true, .blocks = 0.004f + (float)show.blocks};
        ck_assert_int_lt(n_changes, 64 - HEALTH_KINDS);
        long before = atomic_load(&allocations);
        n_changes += health_add(health, &picture, changes + n_changes);
        allocated += atomic_load(&allocations) - before;
    }
}

static void setup(void)
{
    scenery_init(&scenery, 3);
    now_us = 0;
    n_changes = 0;
    show = sound;
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S}), 0);
    play(LEARN_S + 8);
    ck_assert_int_eq(n_changes, 0);
}

static void teardown(void)
{
    health_close(health);
    health = NULL;
}

/* Shows a fault for 15 s and sound pictures for 12 s. It alone has to open within 10 s, and to close. */
static void expect(enum health_kind kind, const struct show *fault)
{
    int64_t began_us = now_us;
    n_changes = 0;
    show = *fault;
    play(15);
    int64_t ended_us = now_us;
    show = sound;
    play(12);
    for (int i = 0; i < n_changes; i++)
        ck_assert_msg(changes[i].kind == kind && i < 2, "%s: change %d: %s %s at %.1f s: %g against %g",
                      health_kind_info(kind)->name, i, health_kind_info(changes[i].kind)->name,
                      changes[i].opened ? "opened" : "closed", (double)(changes[i].time_us - began_us) * 1e-6,
                      changes[i].measure.quantity, changes[i].measure.on);
    ck_assert_msg(n_changes == 2, "%s: %d changes", health_kind_info(kind)->name, n_changes);
    ck_assert(changes[0].opened && changes[0].time_us >= began_us - 1000000 && changes[0].time_us <= began_us + 10000000);
    ck_assert(!changes[1].opened && changes[1].time_us >= ended_us - 1000000 && changes[1].time_us <= ended_us + 6000000);
}

static void expect_nothing(const char *what)
{
    if (n_changes > 0)
        ck_abort_msg("%s: %s %s at %g against %g", what, health_kind_info(changes[0].kind)->name,
                     changes[0].opened ? "opened" : "closed", changes[0].measure.quantity, changes[0].measure.on);
}

#define WITH(...) (&(struct show){.saturation = 20, .u = 5, .v = -3, __VA_ARGS__})
#define SEEN(...) WITH(.view = {__VA_ARGS__})

START_TEST(frozen)
{
    expect(HEALTH_FROZEN, WITH(.frozen = true));
    expect(HEALTH_FROZEN, WITH(.frozen = true, .clock = true));
    expect(HEALTH_FROZEN, WITH(.frozen = true, .clock = true, .coding = 3));
}
END_TEST

/* A black picture repeats bit for bit. It is not frozen as well. */
START_TEST(black_and_still)
{
    show = *SEEN(.gain = 0.05);
    play(2);
    show.frozen = true;
    play(40);
    show = sound;
    play(12);
    ck_assert_int_eq(n_changes, 2);
    ck_assert(changes[0].kind == HEALTH_BLACK && changes[0].opened && changes[1].kind == HEALTH_BLACK && !changes[1].opened);
}
END_TEST

/* What is clipped or covered for the most part repeats bit for bit, too. */
START_TEST(bright_or_covered_and_still)
{
    static const struct show blind[] = {{.view = {.offset = 255}}, {.view = {.covered = 1}}};
    for (int i = 0; i < 2; i++) {
        n_changes = 0;
        show = blind[i];
        play(2);
        show.frozen = true;
        play(40);
        show = sound;
        play(12);
        enum health_kind kind = i == 0 ? HEALTH_BRIGHT : HEALTH_COVERED;
        ck_assert_int_eq(n_changes, 2);
        ck_assert(changes[0].kind == kind && changes[0].opened && changes[1].kind == kind && !changes[1].opened);
    }
}
END_TEST

START_TEST(gray_levels)
{
    expect(HEALTH_BLACK, SEEN(.gain = 0.05));
    expect(HEALTH_BRIGHT, SEEN(.offset = 150));
    expect(HEALTH_LOW_CONTRAST, SEEN(.gain = 0.3, .offset = 80));
}
END_TEST

START_TEST(colour)
{
    expect(HEALTH_COLOUR_LOST, &(struct show){.saturation = 1});
    expect(HEALTH_COLOUR_CAST, &(struct show){.saturation = 20, .u = -10, .v = 10});
    /* A channel that is weak darkens the picture, too. */
    expect(HEALTH_COLOUR_CAST, &(struct show){.view = {.gain = 0.88, .offset = -3}, .saturation = 25, .u = 12, .v = -24});
}
END_TEST

/* White balance follows the light, and overshoots; the colour of a light that is known is found again. */
START_TEST(white_balance_is_no_cast)
{
    for (int round = 0; round < 2; round++) {
        show = (struct show){.view = {.shadow = 60}, .saturation = 30, .u = -25, .v = 20};
        for (int i = 0; i < 30; i++) {
            play(1);
            show.u += (-6 - show.u) / 4;
            show.v += (6 - show.v) / 4;
        }
        play(20);
        expect_nothing("white balance in another light");
        show = sound;
        play(10);
        expect_nothing("white balance in the first light again");
    }
    expect(HEALTH_COLOUR_CAST, &(struct show){.saturation = 20, .u = -10, .v = 10});
}
END_TEST

/* Infrared light, in which a picture that is as bright has no colour. */
START_TEST(infrared_of_the_same_brightness_is_no_lost_colour)
{
    for (int i = 0; i < 3; i++) {
        show = (struct show){.view = {.shadow = 25, .offset = 10}};
        play(30);
        expect_nothing("infrared");
        show = sound;
        play(30);
        expect_nothing("colour again");
    }
    expect(HEALTH_COLOUR_LOST, &(struct show){.saturation = 1});
}
END_TEST

/* In another light nothing tells what the colour would be without the cast, so it ends, and that light is learned. */
START_TEST(a_cast_ends_with_its_light)
{
    show = (struct show){.saturation = 20, .u = -10, .v = 10};
    play(60);
    ck_assert(n_changes == 1 && changes[0].kind == HEALTH_COLOUR_CAST && changes[0].opened);
    show.view.shadow = 60;
    play(30);
    ck_assert(n_changes == 2 && changes[1].kind == HEALTH_COLOUR_CAST && !changes[1].opened);
    play(60);
    show.u = 10;
    play(10);
    ck_assert(n_changes == 3 && changes[2].kind == HEALTH_COLOUR_CAST && changes[2].opened);
}
END_TEST

/* A light of little contrast opens a fault. It is learned after some minutes, so the fault ends, and does not come back with it.
 * The same loss of contrast in the same light lasts. */
START_TEST(a_fault_keeps_no_light_from_being_learned)
{
    const struct show dim = {.view = {.gain = 0.3, .offset = 60, .shadow = 25}};
    show = dim;
    play(30);
    ck_assert(n_changes == 1 && changes[0].kind == HEALTH_LOW_CONTRAST && changes[0].opened);
    play(300);
    ck_assert(n_changes == 2 && changes[1].kind == HEALTH_LOW_CONTRAST && !changes[1].opened);
    show = sound;
    play(30);
    show = dim;
    play(60);
    ck_assert_int_eq(n_changes, 2);
    show = sound;
    play(30);
    show = *SEEN(.gain = 0.1, .offset = 100);
    play(400);
    ck_assert(n_changes == 3 && changes[2].kind == HEALTH_LOW_CONTRAST && changes[2].opened);
}
END_TEST

START_TEST(detail)
{
    expect(HEALTH_BLUR, SEEN(.blur = 2));
    expect(HEALTH_BLUR, SEEN(.blur = 4));
    expect(HEALTH_COVERED, SEEN(.covered = 0.2));
    expect(HEALTH_COVERED, SEEN(.covered = 0.62));
    expect(HEALTH_COVERED, SEEN(.covered = 1));
}
END_TEST

/* A crowd gives a plain path detail. The path that is seen again as the crowd goes is no cover. */
START_TEST(a_crowd_that_goes_is_no_cover)
{
    health_set_clean(health, true);
    for (int i = 0; i < 80; i++) {
        show = (struct show){.saturation = 20, .u = 5, .v = -3, .path = true, .crowd = i % 4 > 0};
        play(1);
    }
    health_set_clean(health, false);
    show.crowd = false;
    play(30);
    expect_nothing("a path without its crowd");
    show.view.covered = 0.2;
    play(12);
    ck_assert(n_changes == 1 && changes[0].kind == HEALTH_COVERED && changes[0].opened);
}
END_TEST

START_TEST(disturbances)
{
    expect(HEALTH_NOISE, SEEN(.noise = 8));
    expect(HEALTH_NOISE, SEEN(.noise = 60));
    expect(HEALTH_STRIPES, SEEN(.bars = 12));
    expect(HEALTH_STRIPES, WITH(.view = {.bars = 8}, .roll = 0.7));
    expect(HEALTH_STRIPES, WITH(.view = {.bars = 30}, .roll = 0.2));
}
END_TEST

/* Blocks explain what else they do to the picture. */
START_TEST(corrupt)
{
    expect(HEALTH_CORRUPT, WITH(.blocks = 0.02));
    expect(HEALTH_CORRUPT, WITH(.view = {.noise = 8}, .blocks = 0.05));
    expect(HEALTH_CORRUPT, WITH(.view = {.covered = 0.2}, .blocks = 0.05));
    play(10);
    n_changes = 0;
    show.blocks = 0.01;
    play(10);
    expect_nothing("a few blocks more than usual");
}
END_TEST

START_TEST(movement)
{
    struct health_detail place[HEALTH_DETAILS];
    ck_assert_int_eq(health_details(health, HEALTH_BLUR, place), 0);
    expect(HEALTH_MOVED, SEEN(.right = 0.01));
    expect(HEALTH_MOVED, SEEN(.right = -0.05, .down = 0.03));
    expect(HEALTH_MOVED, SEEN(.rotation = 0.05));
    expect(HEALTH_MOVED, SEEN(.zoom = 0.04));
    show = *SEEN(.right = 0.02, .rotation = 0.02);
    play(8);
    ck_assert_int_eq(health_details(health, HEALTH_MOVED, place), 4);
    ck_assert(strcmp(place[0].key, "right") == 0 && strcmp(place[2].key, "rotation") == 0);
    ck_assert_double_eq_tol(place[0].value / 100, 0.02, 0.002);
    ck_assert_double_eq_tol(place[2].value / 57.29578, 0.02, 0.003);
}
END_TEST

START_TEST(jitter)
{
    struct health_detail swing[HEALTH_DETAILS];
    struct health_measure measure[HEALTH_KINDS];
    for (int hz = 1; hz <= 4; hz += 3)
        for (int size = 1; size <= 4; size += 3) {
            expect(HEALTH_JITTER, WITH(.swing = 0.006 * size, .hz = hz));
            show = *WITH(.swing = 0.006 * size, .hz = hz);
            play(8);
            health_measures(health, measure);
            ck_assert(health_details(health, HEALTH_JITTER, swing) == 1 && strcmp(swing[0].key, "frequency_hz") == 0);
            ck_assert_double_eq_tol(measure[HEALTH_JITTER].quantity / 100, 0.006 * size, 0.2 * 0.006 * size);
            ck_assert_double_eq_tol(swing[0].value, hz, 0.2 * hz);
            show = sound;
            play(12);
        }
}
END_TEST

START_TEST(times)
{
    expect(HEALTH_SLOW, WITH(.interval = 3));
}
END_TEST

/* Pictures stop for 0.8 s every 1.6 s. */
START_TEST(stutter)
{
    for (int i = 0; i < 10; i++) {
        play(0.8);
        now_us += 800000;
    }
    ck_assert_int_eq(n_changes, 1);
    ck_assert(changes[0].kind == HEALTH_STUTTER && changes[0].opened);
    play(12);
    ck_assert_int_eq(n_changes, 2);
}
END_TEST

START_TEST(light_is_no_fault)
{
    static const struct scenery_view lights[] = {{.gain = 0.65}, {.offset = 40}, {.shadow = 50}, {.gain = 1.2, .offset = -20}};
    for (size_t i = 0; i < sizeof lights / sizeof *lights; i++) {
        show.view = lights[i];
        play(40);
        expect_nothing("another light");
        show = sound;
        play(5);
        expect_nothing("the first light again");
    }
    /* Night: the colour goes with the light. */
    show = (struct show){.view = {.gain = -0.7, .offset = 200}};
    play(40);
    expect_nothing("infrared");
    expect(HEALTH_BLUR, SEEN(.blur = 3));
}
END_TEST

START_TEST(a_knock_is_no_jitter)
{
    for (int i = 0; i < 8; i++) {
        show.view.right = (i % 2 ? -0.02 : 0.02) / (1 << i / 2);
        play(0.1);
    }
    show = sound;
    play(10);
    expect_nothing("a knock");
}
END_TEST

/* A camera that is turned, and stays there, has moved, but does not shake. */
START_TEST(a_turn_is_no_jitter)
{
    for (int i = 0; i < 40; i++) {
        show.view.right = 0.005 * i;
        play(0.1);
    }
    play(10);
    ck_assert(n_changes == 1 && changes[0].kind == HEALTH_MOVED && changes[0].opened);
    show = sound;
    play(8);
    ck_assert(n_changes == 2 && !changes[1].opened);
}
END_TEST

/* A picture that is black is not blurred, noisy or covered as well, and what was open before stays. */
START_TEST(an_open_fault_outlasts_one_that_hides_it)
{
    show = *SEEN(.blur = 3);
    play(8);
    show = *SEEN(.gain = 0.03, .blur = 3);
    play(10);
    show = *SEEN(.blur = 3);
    play(8);
    ck_assert_int_eq(n_changes, 3);
    ck_assert(changes[0].kind == HEALTH_BLUR && changes[1].kind == HEALTH_BLACK && changes[2].kind == HEALTH_BLACK);
    struct health_measure measure[HEALTH_KINDS];
    health_measures(health, measure);
    ck_assert(measure[HEALTH_BLUR].open && !measure[HEALTH_BLACK].open);
    ck_assert(measure[HEALTH_BLUR].quantity < measure[HEALTH_BLUR].on && measure[HEALTH_BLUR].baseline == 100);
}
END_TEST

/* Opens another health, with kinds off, in place of the one of the fixture. */
static void begin_without(unsigned off)
{
    health_close(health);
    ck_assert_int_eq(health_open(&health, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                   .learn_s = LEARN_S, .off = off}), 0);
    now_us = 0;
    show = sound;
    play(LEARN_S + 8);
}

/* A kind that is off never opens, and still explains others. */
START_TEST(a_kind_is_off)
{
    begin_without(health_bit(HEALTH_BLACK));
    show = *SEEN(.gain = 0.03);
    play(20);
    expect_nothing("a black picture, black is off");
    show = sound;
    play(10);
    expect(HEALTH_BLUR, SEEN(.blur = 3));
}
END_TEST

/* A fault keeps a second from being learned, unless its kind is off. */
START_TEST(a_kind_that_is_off_is_learned)
{
    struct health_measure at_first[HEALTH_KINDS], later[HEALTH_KINDS];
    for (unsigned off = 0; off <= health_bit(HEALTH_COLOUR_CAST); off += health_bit(HEALTH_COLOUR_CAST)) {
        begin_without(off);
        n_changes = 0;
        show = (struct show){.saturation = 20, .u = 25, .v = -3};
        play(8);
        health_measures(health, at_first);
        play(120);
        health_measures(health, later);
        ck_assert_int_eq(n_changes, off ? 0 : 1);
        double fallen = later[HEALTH_COLOUR_CAST].quantity / at_first[HEALTH_COLOUR_CAST].quantity;
        ck_assert_msg(off ? fallen < 0.8 : fallen > 0.95, "off: %u: falls to %g", off, fallen);
    }
}
END_TEST

START_TEST(clean_footage_is_learned)
{
    health_set_clean(health, true);
    show = *SEEN(.blur = 3);
    play(60);
    expect_nothing("footage that is said to be clean");
}
END_TEST

START_TEST(times_may_begin_anew)
{
    show = *SEEN(.blur = 3);
    play(8);
    ck_assert_int_eq(n_changes, 1);
    now_us = 0;
    play(5);
    show = sound;
    play(8);
    ck_assert(n_changes == 2 && !changes[1].opened && changes[1].time_us >= 4000000 && changes[1].time_us <= 8000000);
}
END_TEST

START_TEST(sizes)
{
    static const int bad[][2] = {{31, 64}, {64, 31}, {1025, 64}, {64, 1025}, {0, 0}, {-5, 64}};
    struct health *other = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(health_open(&other, &(struct health_options){.height = bad[i][0], .width = bad[i][1], .learn_s = 60}),
                         -EINVAL);
    ck_assert_int_eq(health_open(&other, &(struct health_options){.height = 64, .width = 64, .learn_s = 9}), -EINVAL);
    ck_assert_int_eq(health_open(&other, &(struct health_options){.height = 64, .width = 64, .learn_s = (double)NAN}), -EINVAL);
    ck_assert_ptr_null(other);
    health_close(NULL);
    /* Pictures of the least size, of exact memory for the sanitizer. */
    uint8_t *small = malloc(HEALTH_MIN_SIDE * HEALTH_MIN_SIDE);
    struct health_change change[HEALTH_KINDS];
    ck_assert_int_eq(health_open(&other, &(struct health_options){.height = HEALTH_MIN_SIDE, .width = HEALTH_MIN_SIDE,
                                                                  .learn_s = 10}), 0);
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < HEALTH_MIN_SIDE * HEALTH_MIN_SIDE; k++)
            small[k] = (uint8_t)rng_below(&scenery.rng, 256);
        health_add(other, &(struct health_picture){.luma = small, .time_us = i * 250000}, change);
    }
    health_close(other);
    free(small);
}
END_TEST

START_TEST(nothing_is_allocated)
{
    allocated = 0;
    show.view.right = 0.02;
    play(10);
    show = sound;
    play(5);
    ck_assert_int_eq(allocated, 0);
}
END_TEST

START_TEST(memory)
{
    static const int sides[] = {HEALTH_MIN_SIDE, HEALTH_WIDTH, HEALTH_MAX_SIDE};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct health *other;
        long before = atomic_load(&allocated_bytes);
        ck_assert_int_eq(health_open(&other, &(struct health_options){.height = sides[i], .width = sides[i], .learn_s = 60}), 0);
        long took = atomic_load(&allocated_bytes) - before - (counts ? (long)sides[i] * sides[i] : 0);
        ck_assert_msg(!counts || (took > 1250000 && took < 1350000), "side %d: %ld bytes besides the pixels", sides[i], took);
        health_close(other);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health");
    TCase *tcase = tcase_create("health");
    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, frozen);
    tcase_add_test(tcase, black_and_still);
    tcase_add_test(tcase, bright_or_covered_and_still);
    tcase_add_test(tcase, gray_levels);
    tcase_add_test(tcase, colour);
    tcase_add_test(tcase, white_balance_is_no_cast);
    tcase_add_test(tcase, infrared_of_the_same_brightness_is_no_lost_colour);
    tcase_add_test(tcase, a_cast_ends_with_its_light);
    tcase_add_test(tcase, a_fault_keeps_no_light_from_being_learned);
    tcase_add_test(tcase, detail);
    tcase_add_test(tcase, a_crowd_that_goes_is_no_cover);
    tcase_add_test(tcase, disturbances);
    tcase_add_test(tcase, corrupt);
    tcase_add_test(tcase, movement);
    tcase_add_test(tcase, jitter);
    tcase_add_test(tcase, times);
    tcase_add_test(tcase, stutter);
    tcase_add_test(tcase, light_is_no_fault);
    tcase_add_test(tcase, a_knock_is_no_jitter);
    tcase_add_test(tcase, a_turn_is_no_jitter);
    tcase_add_test(tcase, an_open_fault_outlasts_one_that_hides_it);
    tcase_add_test(tcase, a_kind_is_off);
    tcase_add_test(tcase, a_kind_that_is_off_is_learned);
    tcase_add_test(tcase, clean_footage_is_learned);
    tcase_add_test(tcase, times_may_begin_anew);
    tcase_add_test(tcase, sizes);
    tcase_add_test(tcase, nothing_is_allocated);
    tcase_add_test(tcase, memory);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
