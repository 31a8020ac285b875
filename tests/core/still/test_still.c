/* core/still/still and slow_picture on drawn scenes. An object that is left or taken is found in time, and for as long as it is
 * left or gone. Light, noise and passers-by are not found. Also: gaps, little footage, thinned footage, equal results. */
#include "core/still/still_builder.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { HEIGHT = 64, WIDTH = 96, PIXELS = HEIGHT * WIDTH,
       LEARNED = 1600,          /* frames of a part, one every 2 s */
       LEFT_Y = 36, LEFT_X = 52, LEFT_SIZE = 12,
       SEAT_Y = 40, SEAT_X = 8, SEAT_SIZE = 16 };
#define FRAME_US INT64_C(2000000)
#define THRESHOLD 2.0f

static struct rng rng;
static uint8_t scene[2][PIXELS];        /* by day, and at night with less contrast */
static struct still_memory memory;
static unsigned sitter_parts;           /* bit p: somebody sits in the seat for half of part p */

/* What a frame shows. */
struct show {
    int night;
    bool left, taken, passer;
    double gain, offset;
    bool patch;                 /* a patch of sun with soft edges */
};
static const struct show nothing = {.gain = 1};

static double patch_of(int y, int x)
{
    double d = hypot((y - 30) / 10.0, (x - 30) / 16.0);
    return 50 / (1 + exp(8 * (d - 1)));
}

static void draw(uint8_t *ret, const struct show *show, int t)
{
    for (int i = 0; i < PIXELS; i++) {
        int y = i / WIDTH, x = i % WIDTH;
        double v = scene[show->night][i];
        if (show->left && y >= LEFT_Y && y < LEFT_Y + LEFT_SIZE && x >= LEFT_X && x < LEFT_X + LEFT_SIZE)
            v = (y / 3 + x / 3) % 2 ? 40 : 190;
        if (show->taken && y >= 4 && y < 20 && x >= 8 && x < 24)
            v = 110;
        if (show->passer && x >= t * 7 % WIDTH && x < t * 7 % WIDTH + 12 && y >= 20 && y < 56)
            v = 20;
        v = v * show->gain + show->offset + (show->patch ? patch_of(y, x) : 0) + (double)rng_below(&rng, 7) - 3;
        ret[i] = (uint8_t)fmax(0, fmin(v, 255));
    }
}

/* Rectangles of random gray on a gentle slope of light; a time stamp changes in the upper right corner. */
static void make_scene(void)
{
    for (int i = 0; i < PIXELS; i++)
        scene[0][i] = (uint8_t)(90 + i % WIDTH / 4);
    for (int k = 0; k < 30; k++) {
        int y = (int)rng_below(&rng, HEIGHT - 8), x = (int)rng_below(&rng, WIDTH - 8), h = 6 + (int)rng_below(&rng, 12),
            w = 6 + (int)rng_below(&rng, 12), gray = 40 + (int)rng_below(&rng, 120);
        for (int v = y; v < y + h && v < HEIGHT; v++)
            for (int u = x; u < x + w && u < WIDTH; u++)
                scene[0][v * WIDTH + u] = (uint8_t)gray;
    }
    for (int i = 0; i < PIXELS; i++)
        scene[1][i] = (uint8_t)(80 + scene[0][i] / 4);
}

/* Its digits change every 40 s. */
static void add_stamp(uint8_t *frame, int t)
{
    for (int y = 0; y < 6; y++)
        for (int x = WIDTH - 24; x < WIDTH; x++)
            frame[y * WIDTH + x] = ((t / 20 + x / 4) * 7919 >> (y / 2 + x % 4 / 2)) & 1 ? 230 : 20;
}

/* Somebody sits in the seat, each time in other clothes. */
static void add_sitter(uint8_t *frame, int number)
{
    struct rng clothes;
    rng_seed(&clothes, (uint64_t)number);
    for (int y = SEAT_Y; y < SEAT_Y + SEAT_SIZE; y += 4)
        for (int x = SEAT_X; x < SEAT_X + SEAT_SIZE; x += 4) {
            int gray = 20 + (int)rng_below(&clothes, 200);
            for (int i = 0; i < 16; i++)
                frame[(y + i / 4) * WIDTH + x + i % 4] = (uint8_t)gray;
        }
}

static void feed_part(struct still_builder *builder, enum still_part part, int frames, bool nights)
{
    static uint8_t frame[PIXELS];
    for (int t = 0; t < frames; t++) {
        struct show show = nothing;
        show.night = nights && t >= frames / 2;
        show.passer = t % 100 > 80;
        show.gain = 1 + 0.1 * sin(t / 150.0);
        draw(frame, &show, t);
        add_stamp(frame, t);
        if (sitter_parts >> part & 1 && t % 100 < 50)
            add_sitter(frame, (int)part * frames + t / 100);
        ck_assert_int_eq(still_builder_add(builder, part, frame, t * FRAME_US, t == 0), 0);
    }
}

static int learn(struct still_memory *ret, int frames, bool nights, size_t store_bytes)
{
    struct still_builder *builder;
    rng_seed(&rng, 7);
    ck_assert_int_eq(still_builder_open(&builder, HEIGHT, WIDTH, store_bytes), 0);
    feed_part(builder, STILL_LEARNED, frames, nights);
    feed_part(builder, STILL_CALIBRATED, frames, nights);
    int r = still_builder_finish(builder, NULL, ret);
    still_builder_close(builder);
    return r;
}

static void setup(void)
{
    rng_seed(&rng, 1);
    make_scene();
    ck_assert_int_eq(learn(&memory, LEARNED, true, STILL_STORE_BYTES), 0);
}

/* A run of still_watch, with its last result. */
struct run {
    struct still_watch *watch;
    int t;
    struct still_result last;
};

static struct run open_run(void)
{
    struct run run = {.last = {.statistic = NAN, .level = NAN}};
    ck_assert_int_eq(still_watch_open(&run.watch, &memory, THRESHOLD, NULL, NULL), 0);
    return run;
}

/* Shows the same scene for so many seconds. Returns after how many seconds an object was held first; -1: none was. */
static int run_for(struct run *run, const struct show *show, int seconds)
{
    static uint8_t frame[PIXELS];
    int found = -1;
    for (int s = 0; s < seconds; s += 2, run->t++) {
        draw(frame, show, run->t);
        add_stamp(frame, run->t);
        if (still_watch_add(run->watch, frame, run->t * FRAME_US, false, &run->last) && run->last.held && found < 0)
            found = s;
    }
    return found;
}

static bool overlaps(const struct box *box, int y, int x, int height, int width)
{
    return box->x * WIDTH < (float)(x + width) && (float)x < (box->x + box->width) * WIDTH &&
           box->y * HEIGHT < (float)(y + height) && (float)y < (box->y + box->height) * HEIGHT;
}

START_TEST(left_is_found)
{
    struct run run = open_run();
    struct show left = nothing;
    left.left = true;
    left.night = _i;
    struct show before = left;
    before.left = false;
    ck_assert_int_eq(run_for(&run, &before, 200), -1);
    ck_assert(isfinite(run.last.statistic) && !run.last.held && run.last.level < THRESHOLD);
    int at = run_for(&run, &left, 60);
    ck_assert_int_ge(at, 17);
    /* The object is held for ten minutes, far longer than the rise takes. */
    for (int i = 0; i < 60; i++) {
        run_for(&run, &left, 10);
        ck_assert(run.last.held && run.last.level >= THRESHOLD);
        ck_assert_int_eq(run.last.boxes.n, 1);
        ck_assert(overlaps(&run.last.boxes.box[0], LEFT_Y, LEFT_X, LEFT_SIZE, LEFT_SIZE));
        ck_assert(run.last.boxes.box[0].width * WIDTH <= LEFT_SIZE + 16);
    }
    run_for(&run, &before, 120);
    ck_assert(!run.last.held);
    ck_assert_int_eq(run_for(&run, &before, 300), -1);
    still_watch_close(run.watch);
}
END_TEST

/* Under a mask the object is not found. In a zone with a higher threshold it is not held. In a zone with a lower threshold its
 * level is raised by the difference. The zone is named. */
START_TEST(masks_and_zones)
{
    float x0 = (float)(LEFT_X - 8) / WIDTH, x1 = (float)(LEFT_X + LEFT_SIZE + 8) / WIDTH, y0 = (float)(LEFT_Y - 8) / HEIGHT,
          y1 = (float)(LEFT_Y + LEFT_SIZE + 8) / HEIGHT;
    x0 = fmaxf(x0, 0), y0 = fmaxf(y0, 0), x1 = fminf(x1, 1), y1 = fminf(y1, 1);
    const struct polygon around = {4, {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}};
    const struct zones mask = {.n_masks = 1, .mask = {{.area = around}}};
    const struct zones zone = {.n = 1, .zone = {{.area = around, .per_day = 1}}};
    struct show left = nothing;
    left.left = true;
    const float shifts[] = {0, 3, -100};
    float level[3];
    for (int i = 0; i < 4; i++) {
        struct run run = open_run();
        still_watch_close(run.watch);
        ck_assert_int_eq(still_watch_open(&run.watch, &memory, THRESHOLD, i < 3 ? &zone : &mask, i < 3 ? &shifts[i] : NULL), 0);
        ck_assert_int_eq(run_for(&run, &nothing, 200), -1);
        int at = run_for(&run, &left, 60);
        ck_assert_int_eq(at >= 0, i < 2);
        if (i < 2) {
            level[i] = run.last.level;
            ck_assert_int_eq(run.last.zone, 0);
        }
        still_watch_close(run.watch);
    }
    ck_assert_float_eq_tol(level[1], level[0] + 3, 0.1f);
}
END_TEST

START_TEST(taken_is_found)
{
    struct run run = open_run();
    struct show taken = nothing;
    taken.taken = true;
    ck_assert_int_eq(run_for(&run, &nothing, 200), -1);
    ck_assert_int_ge(run_for(&run, &taken, 60), 17);
    ck_assert(overlaps(&run.last.boxes.box[0], 4, 8, 16, 16));
    still_watch_close(run.watch);
}
END_TEST

START_TEST(light_is_not_found)
{
    static const struct show lights[] = {{.gain = 1.3}, {.gain = 0.75}, {.gain = 1, .offset = 30}, {.gain = 1, .patch = true},
                                         {.gain = 1, .night = 1}, {.gain = 1.3, .patch = true}};
    struct run run = open_run();
    ck_assert_int_eq(run_for(&run, &nothing, 200), -1);
    ck_assert_int_eq(run_for(&run, &lights[_i], 300), -1);      /* a step */
    ck_assert_int_eq(run_for(&run, &nothing, 300), -1);
    ck_assert(isfinite(run.last.statistic));
    for (int k = 1; k <= 60; k++) {     /* a ramp of two minutes */
        struct show some = lights[_i];
        some.gain = 1 + (some.gain - 1) * k / 60;
        some.offset *= k / 60.0;
        ck_assert_int_eq(run_for(&run, &some, 2), -1);
    }
    ck_assert_int_eq(run_for(&run, &lights[_i], 300), -1);
    still_watch_close(run.watch);
}
END_TEST

START_TEST(passers_by_are_not_found)
{
    struct run run = open_run();
    struct show passer = nothing;
    passer.passer = true;
    ck_assert_int_eq(run_for(&run, &nothing, 200), -1);
    ck_assert_int_eq(run_for(&run, &passer, 600), -1);
    ck_assert(isfinite(run.last.statistic));
    still_watch_close(run.watch);
}
END_TEST

/* Another scene is foreign nearly everywhere. The own scene is not, with an object left, in another light or with a passer-by. */
START_TEST(other_scenes_are_foreign)
{
    static const struct show own[] = {{.gain = 1}, {.gain = 1, .left = true}, {.gain = 1.3}, {.gain = 1, .night = 1},
                                      {.gain = 1, .passer = true}, {.gain = 1, .patch = true}};
    static uint8_t frame[PIXELS], turned[PIXELS];
    struct run run = open_run();
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        run_for(&run, &own[i], 120);
        ck_assert_msg(!(run.last.foreign >= 0.3f), "own %zu: %g", i, (double)run.last.foreign);
        ck_assert(i == 2 || isfinite(run.last.foreign));        /* so bright a picture was not learned */
    }
    still_watch_close(run.watch);
    run = open_run();
    for (int t = 0; t < 60; t++) {
        draw(frame, &nothing, t);
        for (int i = 0; i < PIXELS; i++)
            turned[i] = frame[PIXELS - 1 - i];
        still_watch_add(run.watch, turned, t * FRAME_US, false, &run.last);
    }
    ck_assert_msg(run.last.foreign >= STILL_FOREIGN, "turned: %g", (double)run.last.foreign);
    still_watch_close(run.watch);
    run = open_run();
    run_for(&run, &(struct show){.gain = 0, .offset = 100}, 120);
    ck_assert(isnan(run.last.foreign));
    still_watch_close(run.watch);
}
END_TEST

/* A blank picture counts as a light that was not learned. Nothing is held or found in it. */
START_TEST(unknown_light)
{
    struct run run = open_run();
    struct show left = nothing, blank = {.gain = 0, .offset = 100, .left = true};
    left.left = true;
    run_for(&run, &nothing, 200);
    run_for(&run, &left, 100);
    ck_assert(run.last.held);
    run_for(&run, &blank, 200);
    ck_assert(!run.last.held && isnan(run.last.statistic) && isnan(run.last.level));
    ck_assert_int_eq(run_for(&run, &nothing, 300), -1);
    ck_assert(isfinite(run.last.statistic));
    still_watch_close(run.watch);
}
END_TEST

START_TEST(gaps)
{
    struct run run = open_run();
    struct show left = nothing;
    left.left = true;
    run_for(&run, &nothing, 200);
    run_for(&run, &left, 100);
    ck_assert(run.last.held);
    run.t += 100;               /* the time stamps jump */
    run_for(&run, &left, 40);
    ck_assert(run.last.held && isnan(run.last.statistic) && run.last.level >= THRESHOLD);
    run_for(&run, &left, 100);
    ck_assert(run.last.held && isfinite(run.last.statistic));
    run_for(&run, &nothing, 120);
    ck_assert(!run.last.held);
    still_watch_close(run.watch);

    /* A flagged gap, and time stamps that fall, drop the samples. */
    static const struct { bool gap; int64_t pts_us; } breaks[] = {{true, 34 * FRAME_US}, {false, 0}, {false, 99 * FRAME_US}};
    static uint8_t frame[PIXELS];
    struct slow_picture *slow;
    for (size_t k = 0; k < sizeof breaks / sizeof *breaks; k++) {
        ck_assert_int_eq(slow_picture_open(&slow, HEIGHT, WIDTH), 0);
        for (int t = 0; t < 32; t++)
            ck_assert_int_eq(slow_picture_add(slow, frame, t * FRAME_US, false),
                             t >= 15 && t % 4 == 3 ? SLOW_TICK : SLOW_NOTHING);
        ck_assert_int_eq(slow_picture_add(slow, frame, breaks[k].pts_us, breaks[k].gap), SLOW_BROKEN);
        for (int t = 1; t < 15; t++)
            ck_assert_int_eq(slow_picture_add(slow, frame, breaks[k].pts_us + t * FRAME_US, false), SLOW_NOTHING);
        ck_assert_int_eq(slow_picture_add(slow, frame, breaks[k].pts_us + 15 * FRAME_US, false), SLOW_TICK);
        slow_picture_close(slow);
    }
}
END_TEST

/* Frames between the samples do not count. */
START_TEST(samples)
{
    static uint8_t frame[PIXELS], other[PIXELS];
    struct slow_picture *slow;
    int ticks = 0;
    rng_seed(&rng, 3);
    draw(frame, &nothing, 0);
    ck_assert_int_eq(slow_picture_open(&slow, HEIGHT, WIDTH), 0);
    for (int t = 0; t < 32 * 5; t++)    /* 32 s at 5 frames a second */
        ticks += slow_picture_add(slow, t % 10 == 0 ? frame : other, t * FRAME_US / 10, false) == SLOW_TICK;
    ck_assert_int_eq(ticks, 1);
    float brightness = slow_picture_brightness(slow);
    ck_assert(brightness > logf(60) && brightness < logf(150));
    slow_picture_close(slow);
}
END_TEST

/* Just under half of the samples are far off, in random order. Their median, and its description, are those of the others. */
START_TEST(medians)
{
    static uint8_t frame[PIXELS], noise[PIXELS];
    struct slow_picture *slow;
    int8_t *want = malloc(PIXELS / 2), *got = malloc(PIXELS / 2);
    ck_assert(want && got);
    rng_seed(&rng, 5);
    draw(frame, &nothing, 0);
    for (int round = 0; round < 20; round++) {
        ck_assert_int_eq(slow_picture_open(&slow, HEIGHT, WIDTH), 0);
        bool is_odd[SLOW_SAMPLES] = {0};
        for (int k = 0; k < 7 && round > 0; k++)
            is_odd[k] = true;
        rng_shuffle(&rng, is_odd, SLOW_SAMPLES, sizeof *is_odd);
        for (int t = 0; t < SLOW_SAMPLES; t++) {
            memset(noise, rng_below(&rng, 2) ? 255 : 0, sizeof noise);
            slow_picture_add(slow, is_odd[t] ? noise : frame, t * FRAME_US, false);
        }
        memcpy(round == 0 ? want : got, slow_picture_blocks(slow), PIXELS / 2);
        if (round > 0)
            ck_assert_mem_eq(want, got, PIXELS / 2);
        slow_picture_close(slow);
    }
    free(want);
    free(got);
}
END_TEST

START_TEST(little_footage)
{
    static struct still_memory untouched, other;
    memset(&other, 1, sizeof other);
    memset(&untouched, 1, sizeof untouched);
    ck_assert_int_eq(learn(&other, 30, false, STILL_STORE_BYTES), -ENODATA);
    ck_assert_int_eq(learn(&other, 600, false, STILL_STORE_BYTES), -ENODATA);
    ck_assert_mem_eq(&other, &untouched, sizeof other);
    /* The footage is enough by day only, so the second light stays unknown. */
    ck_assert_int_eq(learn(&other, 700, false, STILL_STORE_BYTES), 0);
    ck_assert(other.lights == 1 && other.light[0].known && !other.light[1].known);
    /* Each light needs enough footage. */
    ck_assert_int_eq(learn(&other, 1000, true, STILL_STORE_BYTES), -ENODATA);
}
END_TEST

START_TEST(learning_repeats)
{
    static struct still_memory again;
    ck_assert_int_eq(learn(&again, LEARNED, true, STILL_STORE_BYTES), 0);
    ck_assert(again.lights == 2 && again.light[0].known && again.light[1].known);
    ck_assert_mem_eq(&again, &memory, sizeof again);
}
END_TEST

/* Footage that exceeds the store of 512 ticks is thinned. The memory that is learned from it still serves. */
START_TEST(thinned)
{
    static struct still_memory thin;
    ck_assert_int_eq(learn(&thin, 5000, false, 512 * PIXELS / 2), 0);
    ck_assert(thin.lights == 1 && thin.light[0].known);
    for (int i = 0; i < still_cells(&thin.shape); i++)
        ck_assert(thin.light[0].limit[i] > 0 && thin.light[0].limit[i] < 1);
}
END_TEST

/* A memory that is calibrated again keeps what it learned. A seat that only the new footage shows gets a higher limit. */
START_TEST(calibrated_again)
{
    static struct still_memory again, same;
    struct still_builder *builder;
    for (int with_sitter = 0; with_sitter < 2; with_sitter++) {
        rng_seed(&rng, 9);
        sitter_parts = with_sitter ? 1 << STILL_CALIBRATED : 0;
        ck_assert_int_eq(still_builder_open(&builder, HEIGHT, WIDTH, STILL_STORE_BYTES), 0);
        feed_part(builder, STILL_CALIBRATED, LEARNED, true);
        ck_assert_int_eq(still_builder_finish(builder, &memory, with_sitter ? &again : &same), 0);
        still_builder_close(builder);
    }
    const struct slow_shape *shape = &memory.shape;
    size_t of_part = still_exemplars_at(&memory, 0, 1);
    for (int l = 0; l < STILL_LIGHTS; l++) {
        ck_assert(again.light[l].known);
        ck_assert_mem_eq(again.exemplar + still_exemplars_at(&again, l, STILL_LEARNED),
                         memory.exemplar + still_exemplars_at(&memory, l, STILL_LEARNED), of_part);
        ck_assert_mem_eq(again.light[l].largest[STILL_LEARNED], memory.light[l].largest[STILL_LEARNED],
                         sizeof again.light[l].largest[STILL_LEARNED]);
    }
    ck_assert_mem_ne(again.exemplar + still_exemplars_at(&again, 1, STILL_CALIBRATED),
                     memory.exemplar + still_exemplars_at(&memory, 1, STILL_CALIBRATED), of_part);
    int seat = SEAT_Y / SLOW_BLOCK * still_cell_columns(shape) + SEAT_X / SLOW_BLOCK;
    ck_assert(again.light[1].limit[seat] > 2 * same.light[1].limit[seat]);
    ck_assert(again.light[1].limit[seat] > 2 * memory.light[1].limit[seat]);

    /* A light that the new footage hardly shows is not known any more. */
    ck_assert_int_eq(still_builder_open(&builder, HEIGHT, WIDTH, STILL_STORE_BYTES), 0);
    feed_part(builder, STILL_CALIBRATED, 700, false);
    ck_assert_int_eq(still_builder_finish(builder, &memory, &again), 0);
    still_builder_close(builder);
    ck_assert(again.light[0].known != again.light[1].known);
    ck_assert_int_eq(still_builder_open(&builder, HEIGHT, WIDTH, STILL_STORE_BYTES), 0);
    feed_part(builder, STILL_CALIBRATED, 30, false);
    ck_assert_int_eq(still_builder_finish(builder, &memory, &again), -ENODATA);
    still_builder_close(builder);
}
END_TEST

/* A seat in which people come and go has a higher limit than the rest. */
START_TEST(usual_of_a_place)
{
    static struct still_memory of_seat;
    const struct still_light *light = &of_seat.light[1];
    sitter_parts = 3;
    ck_assert_int_eq(learn(&of_seat, LEARNED, true, STILL_STORE_BYTES), 0);
    int columns = still_cell_columns(&of_seat.shape), cells = still_cells(&of_seat.shape);
    float sum = 0;
    for (int i = 0; i < cells; i++)
        sum += light->limit[i] / (float)cells;
    ck_assert(light->limit[SEAT_Y / SLOW_BLOCK * columns + SEAT_X / SLOW_BLOCK] > 2 * sum);
    float level = still_level(light, 0);
    ck_assert(level < still_level(light, 0.5) && level > still_level(light, -1));
}
END_TEST

/* An event that only one part shows lies beyond the limits of the other part. So the tail says that such events are common. */
START_TEST(tail)
{
    static struct still_memory other;
    sitter_parts = 1u << STILL_CALIBRATED;
    ck_assert_int_eq(learn(&other, LEARNED, true, STILL_STORE_BYTES), 0);
    ck_assert(still_level(&other.light[0], 1) < 0 && still_level(&memory.light[0], 1) > 1);
}
END_TEST

/* The rise agrees with plain sums over random distances. Each cause for having no rise is tested. */
START_TEST(rises)
{
    enum { CELLS = 7, TICKS = 60, BRIGHTER = 20, SWITCH = 40 };
    static struct still_rise rise;
    float distance[TICKS][CELLS], got[CELLS];
    for (int t = 0; t < TICKS; t++) {
        for (int i = 0; i < CELLS; i++)
            distance[t][i] = rng_uniform(&rng);
        bool want = (t >= STILL_BACK && t < BRIGHTER) || (t >= BRIGHTER + STILL_BACK && t < SWITCH) ||
                    t >= SWITCH + SLOW_SAMPLES / SLOW_STEP + STILL_BACK;
        ck_assert_int_eq(still_rise_add(&rise, t >= SWITCH, t >= BRIGHTER ? 0.2f : 0, distance[t], CELLS, got), want);
        for (int i = 0; want && i < CELLS; i++) {
            float least = distance[t][i];
            for (int k = 1; k < STILL_PERSIST; k++)
                least = fminf(least, distance[t - k][i]);
            ck_assert_float_eq(got[i], least - distance[t - STILL_BACK][i]);
        }
    }
    still_rise_break(&rise);
    for (int t = 0; t < TICKS; t++)
        ck_assert_int_eq(still_rise_add(&rise, 1, 0, distance[t], CELLS, got), t >= STILL_BACK);
    ck_assert(!still_rise_add(&rise, -1, 0, distance[0], CELLS, got));
}
END_TEST

/* Distances agree with plain loops, over random descriptions and exemplars. */
START_TEST(distances)
{
    static const int weights[4] = {1, 2, 2, 1};
    static struct still_memory random;
    static int8_t blocks[SLOW_BLOCKS_MAX * SLOW_VALUES];
    static float got[SLOW_BLOCKS_MAX];
    ck_assert(slow_shape_of(&random.shape, 24, 32));
    random.exemplars = still_exemplars(&random.shape);
    for (size_t i = 0; i < sizeof random.exemplar; i++)
        random.exemplar[i] = (int8_t)rng_below(&rng, 256);
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (int8_t)rng_below(&rng, 256);
    for (unsigned parts = 1; parts < 4; parts++) {
        still_distances(&random, 1, parts, blocks, got);
        for (int i = 0; i < still_cells(&random.shape); i++) {
            double want = 0;
            for (int k = 0; k < 16; k++) {
                int r = i / still_cell_columns(&random.shape) + k / 4, c = i % still_cell_columns(&random.shape) + k % 4,
                    at = (r * random.shape.columns + c) * SLOW_VALUES, least = INT32_MAX;
                for (int e = 0; e < 2 * random.exemplars; e++) {
                    int part = e / random.exemplars, sum = 0;
                    const int8_t *exemplar = random.exemplar + still_exemplars_at(&random, 1, part) + at * random.exemplars +
                                             e % random.exemplars * SLOW_VALUES;
                    for (int v = 0; v < SLOW_VALUES; v++)
                        sum += (blocks[at + v] - exemplar[v]) * (blocks[at + v] - exemplar[v]);
                    if (parts >> part & 1 && sum < least)
                        least = sum;
                }
                want += weights[k / 4] * weights[k % 4] * least / (36.0 * SLOW_VALUES * 64 * 64);
            }
            ck_assert_float_eq_tol(got[i], (float)want, 1e-5f * (float)want);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("still");
    TCase *tests = tcase_create("still");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, left_is_found, 0, 2);
    tcase_add_test(tests, taken_is_found);
    tcase_add_test(tests, masks_and_zones);
    tcase_add_test(tests, other_scenes_are_foreign);
    tcase_add_loop_test(tests, light_is_not_found, 0, 6);
    tcase_add_test(tests, passers_by_are_not_found);
    tcase_add_test(tests, unknown_light);
    tcase_add_test(tests, gaps);
    tcase_add_test(tests, samples);
    tcase_add_test(tests, medians);
    tcase_add_test(tests, little_footage);
    tcase_add_test(tests, learning_repeats);
    tcase_add_test(tests, thinned);
    tcase_add_test(tests, calibrated_again);
    tcase_add_test(tests, usual_of_a_place);
    tcase_add_test(tests, tail);
    tcase_add_test(tests, rises);
    tcase_add_test(tests, distances);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
