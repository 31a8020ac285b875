/* The time at which a picture was taken: io/video/timing/timing.c, as io/video/pacing.c uses it. */
#include <math.h>

#include "tests/io/video/jittering.h"

/* Gives the time stamp in us of picture i of a source of 25 a second. x: a parameter of the fault. */
typedef double stamp_of(int i, double x);

static double true_us(int i) { return 4e4 * i; }
static double by_camera(int i, double x) { return true_us(i) + 0 * x; }
static double constant(int i, double x) { return 0 * i + x; }
static double freezes(int i, double x) { return fmin(true_us(i), x); }
static double outlier(int i, double x) { return true_us(i) + (i % 50 == 49 ? x : 0); }
static double twin_outlier(int i, double x) { return true_us(i) + (i % 50 >= 48 ? x : 0); }
static double jitter(int i, double x) { return true_us(i) + x * uniform(); }
static double steps(int i, double x) { return true_us(i) + x * (i / 125); }
static double pairs(int i, double x) { return true_us(i / 2 * 2) + 0 * x; }
static double unit(int i, double x) { return true_us(i) * x; }
static double any(int i, double x) { return 0 * i + x * uniform(); }

struct live {
    int picked, breaks[SOURCE_BREAK_CORRUPT + 1];
    double blind_us;            /* the longest time between pictures picked */
    double error_us;            /* the output clock's error over the last 20 s */
    enum source_time time;
};

/* Plays 60 s of a live source of 25 a second, whose pictures arrive up to 10 ms late. */
static void play(struct live *ret, double fps, stamp_of *stamp, double x)
{
    struct pacing pacing;
    double last_us = 0, then_us = 0;
    int64_t out = 0, then_out = 0;
    *ret = (struct live){0};
    pacing_init(&pacing, fps, 0);
    for (int i = 0; i < 1500; i++) {
        enum source_break cause;
        if (pacing_next(&pacing, (int64_t)stamp(i, x), (int64_t)(1e12 + true_us(i) + 5e3 * (1 + uniform())), &out, &cause)) {
            ret->picked++;
            ret->breaks[cause]++;
            ret->blind_us = fmax(ret->blind_us, true_us(i) - last_us);
            last_us = true_us(i);
        }
        if (i == 1000) {
            then_us = true_us(i);
            then_out = out;
        }
    }
    ret->blind_us = fmax(ret->blind_us, true_us(1500) - last_us);
    ret->error_us = fabs((double)(out - then_out) - (true_us(1499) - then_us));
    ret->time = pacing_time(&pacing);
}

/* Whatever a live source's clock does, pictures are picked at the rate, without a break. The output clock stays right. */
START_TEST(lies_of_the_clock_are_bridged)
{
    static const struct {
        const char *name;
        stamp_of *stamp;
        double x;
        enum source_time time;
    } streams[] = {
        {"normal", by_camera, 0, SOURCE_TIME_STREAM},
        {"constant", constant, 1234, SOURCE_TIME_ARRIVAL},
        {"freezes after 8 s", freezes, 8e6, SOURCE_TIME_ARRIVAL},
        {"outlier by 37600 s", outlier, 37600e6, SOURCE_TIME_STREAM},
        {"outlier by 1 s", outlier, 1e6, SOURCE_TIME_STREAM},
        {"outlier by 0.3 s", outlier, 0.3e6, SOURCE_TIME_STREAM},
        {"outlier by -0.2 s", outlier, -0.2e6, SOURCE_TIME_STREAM},
        {"outlier by -5 s", outlier, -5e6, SOURCE_TIME_STREAM},
        {"two outliers by 37600 s", twin_outlier, 37600e6, SOURCE_TIME_STREAM},
        {"jitter of 30 ms", jitter, 30e3, SOURCE_TIME_STREAM},
        {"jitter of 60 ms", jitter, 60e3, SOURCE_TIME_STREAM},
        {"a second forwards every 5 s", steps, 1e6, SOURCE_TIME_STREAM},
        {"a second back every 5 s", steps, -1e6, SOURCE_TIME_STREAM},
        {"0.6 s back every 5 s", steps, -0.6e6, SOURCE_TIME_STREAM},
        {"an hour back every 5 s", steps, -3600e6, SOURCE_TIME_STREAM},
        {"pairs", pairs, 0, SOURCE_TIME_STREAM},
        {"hostile", any, 1e18, SOURCE_TIME_ARRIVAL},
        {"no time stamps", constant, (double)TIMING_NONE, SOURCE_TIME_ARRIVAL},
    };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        for (int fps = 5; fps <= 25; fps += 20) {
            struct live r;
            play(&r, fps, streams[i].stamp, streams[i].x);
            for (int cause = SOURCE_BREAK_GAP; cause <= SOURCE_BREAK_CORRUPT; cause++)
                ck_assert_msg(r.breaks[cause] == 0, "%s: %d breaks of cause %d", streams[i].name, r.breaks[cause], cause);
            ck_assert_msg(r.picked >= 56 * fps && r.picked <= 61 * fps, "%s at %d: %d picked", streams[i].name, fps, r.picked);
            ck_assert_msg(r.blind_us <= 0.75e6, "%s at %d: blind for %g s", streams[i].name, fps, 1e-6 * r.blind_us);
            ck_assert_msg(r.error_us < 0.5e6, "%s: the clock is wrong by %g s", streams[i].name, 1e-6 * r.error_us);
            ck_assert_msg(r.time == streams[i].time, "%s: time source %d", streams[i].name, r.time);
        }
}
END_TEST

/* A clock in a wrong unit, as of milliseconds in a field of 90 kHz. Arrivals take over within 4 s, with one break at most. */
START_TEST(a_wrong_unit_is_noticed)
{
    static const double factors[] = {1. / 90, 0.2, 5, 11.1, 90};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        for (int fps = 5; fps <= 25; fps += 20) {
            struct live r;
            play(&r, fps, unit, factors[i]);
            ck_assert_msg(r.time == SOURCE_TIME_ARRIVAL && r.breaks[SOURCE_BREAK_CLOCK] <= 1 && r.breaks[SOURCE_BREAK_GAP] == 0,
                          "%g: %d, %d breaks", factors[i], r.time, r.breaks[SOURCE_BREAK_CLOCK]);
            ck_assert_msg(r.blind_us < 4e6 && r.picked >= 55 * fps && r.error_us < 0.5e6, "%g at %d: %g, %d picked", factors[i],
                          fps, 1e-6 * r.blind_us, r.picked);
        }
    static const double halves[] = {0.5, 0.6, 1.7, 2};          /* with these it takes up to 25 s */
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        for (int fps = 5; fps <= 25; fps += 20) {
            struct live r;
            play(&r, fps, unit, halves[i]);
            ck_assert_msg(r.time == SOURCE_TIME_ARRIVAL && r.breaks[SOURCE_BREAK_CLOCK] == 1 && r.breaks[SOURCE_BREAK_GAP] == 0,
                          "%g: %d, %d breaks", halves[i], r.time, r.breaks[SOURCE_BREAK_CLOCK]);
            ck_assert_msg(r.error_us < 0.5e6, "%g at %d: the clock is wrong by %g s", halves[i], fps, 1e-6 * r.error_us);
        }
    static const double nearly[] = {0.75, 0.9, 1.1, 1.4};       /* a clock that is a little fast or slow is still the stream's */
    for (size_t i = 0; i < sizeof nearly / sizeof *nearly; i++) {
        struct live r;
        play(&r, 25, unit, nearly[i]);
        ck_assert_int_eq(r.time, SOURCE_TIME_STREAM);
        ck_assert_int_eq(r.breaks[SOURCE_UNBROKEN], r.picked);
    }
}
END_TEST

/* A small step back counts as jitter, so the output clock falls behind by it. */
START_TEST(a_small_step_back_breaks_nothing)
{
    struct live r;
    play(&r, 25, steps, -0.3e6);
    ck_assert_int_eq(r.breaks[SOURCE_UNBROKEN], r.picked);
    ck_assert_int_ge(r.picked, 1400);
    ck_assert_double_eq_tol(r.error_us, 4 * 0.3e6, 0.1e6);
}
END_TEST

START_TEST(a_clock_that_mends_is_followed_again)
{
    struct pacing pacing;
    pacing_init(&pacing, 25, 0);
    enum source_break cause = SOURCE_UNBROKEN;
    int64_t out, before = -1;
    for (int i = 0; i < 2500; i++) {
        int64_t stamp = i < 500 ? 0 : 40000 * i;
        bool picked = pacing_next(&pacing, stamp, 40000 * i, &out, &cause);
        ck_assert_msg(picked || i < 50, "%d", i);
        ck_assert_int_eq(cause, SOURCE_UNBROKEN);
        ck_assert_int_gt(out, before);
        before = out;
        if (i == 499 || i == 900)
            ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_ARRIVAL);
    }
    ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_STREAM);
}
END_TEST

/* Feeds the pictures first to last - 1 of a live source of 25 a second, with shifted time stamps. Returns the breaks. */
static int feed(struct pacing *pacing, int first, int last, double stamp_off_us, double arrival_us, double arrival_step_us,
                enum source_break *cause)
{
    int breaks = 0;
    for (int i = first; i < last; i++) {
        int64_t out;
        enum source_break why;
        if (pacing_next(pacing, (int64_t)(true_us(i) + stamp_off_us),
                        (int64_t)(arrival_us + (i - first) * arrival_step_us), &out, &why) && why != SOURCE_UNBROKEN) {
            *cause = why;
            breaks++;
        }
    }
    return breaks;
}

START_TEST(lost_pictures_are_a_gap)
{
    struct pacing pacing;
    enum source_break cause = SOURCE_UNBROKEN;
    pacing_init(&pacing, 25, 25);
    ck_assert_int_eq(feed(&pacing, 0, 250, 0, 0, 4e4, &cause), 0);
    /* For 2 s there is no picture, neither in the stream nor on the network. */
    ck_assert_int_eq(feed(&pacing, 300, 500, 0, true_us(300), 4e4, &cause), 1);
    ck_assert_int_eq(cause, SOURCE_BREAK_GAP);
    /* The network stalls for 2 s, then the pictures come at once. Nothing is lost. */
    ck_assert_int_eq(feed(&pacing, 500, 550, 0, true_us(550), 500, &cause), 0);
    ck_assert_int_eq(feed(&pacing, 550, 800, 0, true_us(550) + 25e3, 4e4, &cause), 0);
    /* The network stalls for 3 s. Pictures of one second come late, the others are lost. */
    ck_assert_int_eq(feed(&pacing, 800, 825, 0, true_us(875), 500, &cause), 0);
    ck_assert_int_eq(feed(&pacing, 875, 1000, 0, true_us(875) + 15e3, 4e4, &cause), 1);
    ck_assert_int_eq(cause, SOURCE_BREAK_GAP);
    /* A camera starts again after 10 s, and its clock at 0. By the arrivals that is one gap. */
    ck_assert_int_eq(feed(&pacing, 1250, 1500, -true_us(1250), true_us(1250), 4e4, &cause), 1);
    ck_assert_int_eq(cause, SOURCE_BREAK_GAP);
    ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_STREAM);
}
END_TEST

/* A server sends the pictures since the last key frame at once. */
START_TEST(a_burst_at_the_start_is_no_wrong_clock)
{
    struct pacing pacing;
    enum source_break cause;
    pacing_init(&pacing, 25, 25);
    ck_assert_int_eq(feed(&pacing, 0, 125, 0, 0, 500, &cause), 0);
    ck_assert_int_eq(feed(&pacing, 125, 500, 0, 62e3, 4e4, &cause), 0);
    ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_STREAM);
}
END_TEST

/* A server sends 10 s of pictures at once, and a network delivers the others in bursts of 3 s. */
START_TEST(bursts_make_no_clock_wrong)
{
    struct pacing pacing;
    enum source_break cause;
    pacing_init(&pacing, 25, 25);
    ck_assert_int_eq(feed(&pacing, 0, 250, 0, 0, 500, &cause), 0);
    for (int burst = 0; burst < 40; burst++)
        ck_assert_int_eq(feed(&pacing, 250 + 75 * burst, 325 + 75 * burst, 0, 3e6 * (burst + 1), 0, &cause), 0);
    ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_STREAM);
}
END_TEST

/* A file without time stamps, or with a clock that stands still, goes by its rate. */
START_TEST(a_file_without_times_goes_by_its_rate)
{
    for (int none = 0; none < 2; none++) {
        struct pacing pacing;
        int64_t out = 0;
        bool gap;
        int picked = 0, gaps = 0;
        pacing_init(&pacing, 10, 10);
        for (int i = 0; i < 100; i++)
            if (next(&pacing, none ? TIMING_NONE : 77, &out, &gap)) {
                picked++;
                gaps += gap;
            }
        ck_assert_int_eq(pacing_time(&pacing), SOURCE_TIME_RATE);
        ck_assert_int_eq(gaps, none ? 0 : 1);
        ck_assert_int_ge(picked, none ? 100 : 92);
        if (none)
            ck_assert_int_eq(out, 9900000);
    }
}
END_TEST

/* Jitter in the time stamps of a file does not break the sequence. */
START_TEST(jitter_of_a_file_is_bridged)
{
    struct pacing pacing;
    pacing_init(&pacing, 25, 25);
    bool gap = false;
    int64_t out;
    int picked = 0;
    for (int i = 0; i < 1000; i++) {
        picked += next(&pacing, (int64_t)jitter(i, 30e3), &out, &gap);
        ck_assert(!gap);
    }
    ck_assert_int_ge(picked, 970);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timing");
    TCase *tc = seeded_case("timing");
    tcase_add_test(tc, lies_of_the_clock_are_bridged);
    tcase_add_test(tc, a_wrong_unit_is_noticed);
    tcase_add_test(tc, a_small_step_back_breaks_nothing);
    tcase_add_test(tc, a_clock_that_mends_is_followed_again);
    tcase_add_test(tc, lost_pictures_are_a_gap);
    tcase_add_test(tc, a_burst_at_the_start_is_no_wrong_clock);
    tcase_add_test(tc, bursts_make_no_clock_wrong);
    tcase_add_test(tc, a_file_without_times_goes_by_its_rate);
    tcase_add_test(tc, jitter_of_a_file_is_bridged);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
