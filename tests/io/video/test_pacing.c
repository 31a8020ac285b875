/* The choice of pictures of a source at a lower rate: io/video/pacing.c. */
#include <math.h>

#include "tests/io/video/jittering.h"

struct run {
    int frames, picked, gaps;
    int index[4096];            /* of the picked frames */
    int64_t out_us[4096];
};

/* Paces n frames of a source whose timestamps jitter, and notes which are picked. */
static void run(struct run *ret, struct pacing *pacing, int n, double source_fps, double jitter_us, double start_us)
{
    *ret = (struct run){.frames = n};
    for (int i = 0; i < n; i++) {
        bool gap;
        int64_t out, t = (int64_t)(start_us + i * 1e6 / source_fps + jitter_us * uniform());
        if (next(pacing, t, &out, &gap)) {
            ret->index[ret->picked] = i;
            ret->out_us[ret->picked++] = out;
            ret->gaps += gap;
        }
    }
}

START_TEST(takes_every_frame_of_a_source_of_its_rate)
{
    static const double sources[] = {10, 10.01, 9.99, 10.3, 9.5, 8, 4, 1};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        for (int nominal = 0; nominal < 2; nominal++) {
            struct pacing pacing;
            struct run r;
            pacing_init(&pacing, 10, nominal ? sources[i] : 0);
            run(&r, &pacing, 1000, sources[i], 0, 12345);
            ck_assert_int_eq(r.picked, 1000);
            ck_assert_int_eq(r.gaps, 0);
            ck_assert_double_eq_tol(pacing_fps(&pacing), sources[i], 0.01);
        }
}
END_TEST

START_TEST(jitter_loses_no_frame)
{
    for (int i = 0; i < 50; i++) {
        struct pacing pacing;
        struct run r;
        pacing_init(&pacing, 10, 10);
        run(&r, &pacing, 1000, 10, 45e3, 0);
        ck_assert_int_eq(r.picked, 1000);
        ck_assert_int_eq(r.gaps, 0);
    }
}
END_TEST

START_TEST(takes_every_second_and_every_third)
{
    for (int i = 0; i < 50; i++)
        for (int every = 2; every <= 5; every++) {
            struct pacing pacing;
            struct run r;
            pacing_init(&pacing, 25. / every, i % 2 ? 25 : 0);
            run(&r, &pacing, 2000, 25, i % 2 ? 9e3 : 4e3, 1e9);
            ck_assert_int_eq(r.picked, (2000 + every - 1) / every);
            for (int k = 0; k < r.picked; k++)
                ck_assert_int_eq(r.index[k], k * every);
            ck_assert_int_eq(r.gaps, 0);
        }
}
END_TEST

/* After a first frame that came late, the grid moves to a phase where jitter does not decide between two frames. */
START_TEST(the_grid_finds_its_phase)
{
    for (int i = 0; i < 50; i++) {
        struct pacing pacing;
        bool gap;
        int64_t out;
        int last = 0;
        pacing_init(&pacing, 5, 10);
        for (int k = 0; k < 800; k++)
            if (next(&pacing, k * 100000 + (k ? (int64_t)(20e3 * uniform()) : 45000), &out, &gap)) {
                if (k > 150)
                    ck_assert_int_eq(k - last, 2);
                last = k;
            }
    }
}
END_TEST

/* Where the picked rate does not divide the source's rate, each picked frame is within one interval of the source of its
 * time. */
START_TEST(keeps_to_time)
{
    static const double rates[][2] = {{25, 10}, {30, 12}, {29.97, 10}, {12.5, 10}, {15, 10}, {24, 5}, {60, 7}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct pacing pacing;
        struct run r;
        pacing_init(&pacing, rates[i][1], rates[i][0]);
        run(&r, &pacing, 3000, rates[i][0], 0, -5e6);
        double expected = 3000 / rates[i][0] * rates[i][1];
        ck_assert_double_eq_tol(r.picked, expected, 0.01 * expected + 2);
        for (int k = 1; k < r.picked; k++) {
            double step = (double)(r.out_us[k] - r.out_us[k - 1]);
            ck_assert_double_le(step, 1e6 / rates[i][1] + 1e6 / rates[i][0]);
            ck_assert_double_ge(step, 1e6 / rates[i][1] - 1e6 / rates[i][0]);
        }
        for (int k = 0; k < r.picked; k++)
            ck_assert_double_eq_tol((double)r.out_us[k], r.index[k] * 1e6 / rates[i][0], 2);
    }
}
END_TEST

/* Skipping frames that are not wanted changes nothing, as long as jitter stays within a tenth of an interval. */
START_TEST(skipping_what_is_not_wanted_changes_nothing)
{
    static const double rates[][2] = {{25, 10}, {25, 5}, {30, 10}, {29.97, 7}, {50, 3}, {25, 24}, {12.5, 10}, {10, 10}, {5, 10}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct pacing whole, skipping;
        double interval = 1e6 / rates[i][0];
        int skipped = 0, n = 2000;
        pacing_init(&whole, rates[i][1], i % 2 ? rates[i][0] : 0);
        skipping = whole;
        for (int k = 0; k < n; k++) {
            bool gap, gap_skipping;
            int64_t out, out_skipping, t = (int64_t)(7e6 + k * interval + (k > n / 2 ? 3e6 : 0) + 0.1 * interval * uniform());
            bool wanted = pacing_wants(&skipping, t, TIMING_NONE) || k == n / 2 + 1;     /* every picture is wanted after a gap */
            bool picked = next(&whole, t, &out, &gap);
            if (!wanted) {
                ck_assert_msg(!picked, "%g of %g: picture %d", rates[i][1], rates[i][0], k);
                pacing_skip(&skipping, t);
                skipped++;
                continue;
            }
            ck_assert_int_eq(next(&skipping, t, &out_skipping, &gap_skipping), picked);
            ck_assert_int_eq(out_skipping, out);
            if (picked)
                ck_assert_int_eq(gap_skipping, gap);
        }
        if (rates[i][0] > 2 * rates[i][1])
            ck_assert_int_gt(skipped, n / 5);
        if (rates[i][0] < 1.2 * rates[i][1])
            ck_assert_int_eq(skipped, 0);
    }
}
END_TEST

START_TEST(rate_0_takes_all)
{
    struct pacing pacing;
    struct run r;
    pacing_init(&pacing, 0, 0);
    run(&r, &pacing, 1000, 25, 30e3, 0);
    ck_assert_int_eq(r.picked, 1000);
    for (int k = 1; k < r.picked; k++)
        ck_assert_int_gt(r.out_us[k], r.out_us[k - 1]);
}
END_TEST

START_TEST(same_timestamp_twice)
{
    for (int fps = 0; fps <= 10; fps += 10) {
        struct pacing pacing;
        bool gap;
        int64_t out, last = -1;
        int picked = 0;
        pacing_init(&pacing, fps, 10);
        for (int i = 0; i < 100; i++)
            if (next(&pacing, i / 2 * 100000, &out, &gap)) {
                ck_assert(!gap);
                ck_assert_int_gt(out, last);
                last = out;
                picked++;
            }
        ck_assert_int_eq(picked, fps ? 50 : 100);
    }
}
END_TEST

/* Paces 20 frames at 10 a second, one that comes step_us later, then 20 more. Returns the gaps, and writes the output
 * clock's step. */
static int gaps_at(double fps, int64_t step_us, int64_t *out_step_us)
{
    struct pacing pacing;
    bool gap;
    int64_t out = 0, before, t = 0;
    int gaps = 0;
    pacing_init(&pacing, fps, 0);
    for (int i = 0; i < 20; i++, t += 100000)
        if (next(&pacing, t, &out, &gap))
            gaps += gap;
    ck_assert_int_eq(gaps, 0);
    t += step_us - 100000;
    before = out;
    bool picked = next(&pacing, t, &out, &gap);
    if (picked && gap)
        gaps++;
    *out_step_us = out - before;
    for (int i = 0; i < 20; i++) {
        int64_t last = out;
        if (next(&pacing, t += 100000, &out, &gap))
            gaps += gap;
        ck_assert_int_gt(out, last);
    }
    return gaps;
}

START_TEST(tells_gaps)
{
    int64_t step;
    ck_assert_int_eq(gaps_at(10, 100000, &step), 0);
    ck_assert_int_eq(step, 100000);
    ck_assert_int_eq(gaps_at(10, 500000, &step), 0);
    ck_assert_int_eq(step, 500000);
    ck_assert_int_eq(gaps_at(10, 500001, &step), 1);
    ck_assert_int_eq(step, 500001);
    ck_assert_int_eq(gaps_at(0, 60000000, &step), 1);
    ck_assert_int_eq(step, 60000000);
    ck_assert_int_eq(gaps_at(5, 1000000, &step), 1);
    ck_assert_int_eq(gaps_at(10, -400000, &step), 0);
    ck_assert_int_eq(step, 1);
    ck_assert_int_eq(gaps_at(10, -500000, &step), 1);
    ck_assert_int_eq(step, 100000);
    ck_assert_int_eq(gaps_at(10, -5000000, &step), 1);
    ck_assert_int_eq(step, 100000);
    ck_assert_int_eq(gaps_at(10, PACING_MAX_STEP_US, &step), 1);
    ck_assert_int_eq(step, PACING_MAX_STEP_US);
    ck_assert_int_eq(gaps_at(10, PACING_MAX_STEP_US + 1, &step), 1);
    ck_assert_int_eq(step, 100000);
}
END_TEST

START_TEST(a_break_is_told_once)
{
    struct pacing pacing;
    bool gap;
    int64_t out;
    pacing_init(&pacing, 5, 10);
    pacing_break(&pacing, SOURCE_BREAK_LOST);              /* a break before the first picture is none */
    ck_assert(next(&pacing, 0, &out, &gap));
    ck_assert(!gap);
    pacing_break(&pacing, SOURCE_BREAK_LOST);
    ck_assert(next(&pacing, 100000, &out, &gap));        /* picked, though off the grid */
    ck_assert(gap);
    ck_assert(!next(&pacing, 200000, &out, &gap));
    ck_assert(next(&pacing, 300000, &out, &gap));
    ck_assert(!gap);
}
END_TEST

/* A source that is slow from the start, slower than its container says, or that slows down gives no endless row of gaps. */
START_TEST(slow_sources)
{
    struct pacing pacing;
    struct run r;
    pacing_init(&pacing, 10, 0);
    run(&r, &pacing, 100, 0.5, 0, 0);
    ck_assert_int_eq(r.picked, 100);
    ck_assert_int_eq(r.gaps, 0);

    pacing_init(&pacing, 10, 25);
    run(&r, &pacing, 100, 0.5, 0, 0);
    ck_assert_int_eq(r.picked, 100);
    ck_assert_int_eq(r.gaps, 2);
    ck_assert_double_eq_tol(pacing_fps(&pacing), 0.5, 1e-9);

    pacing_init(&pacing, 10, 25);
    run(&r, &pacing, 100, 25, 0, 0);
    run(&r, &pacing, 100, 1, 0, 5e6);
    ck_assert_int_eq(r.picked, 100);
    ck_assert_int_eq(r.gaps, 2);
}
END_TEST

START_TEST(any_timestamps)
{
    struct pacing pacing;
    static const double rates[] = {0, 10, 1e-3, 1e6};
    for (size_t rate = 0; rate < 4; rate++) {
        pacing_init(&pacing, rates[rate], rate % 2 ? 1e9 : 0);
        int64_t last = -1;
        for (int i = 0; i < 20000; i++) {
            bool gap;
            int64_t out;
            uint64_t bits = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
            int64_t t = random() % 8 == 0 ? INT64_MIN : random() % 8 == 0 ? INT64_MAX : (int64_t)(bits >> random() % 64);
            next(&pacing, random() % 2 ? t : -(t >> 1), &out, &gap);
            ck_assert_int_gt(out, last);
            last = out;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pacing");
    TCase *tc = seeded_case("pacing");
    tcase_add_test(tc, takes_every_frame_of_a_source_of_its_rate);
    tcase_add_test(tc, jitter_loses_no_frame);
    tcase_add_test(tc, takes_every_second_and_every_third);
    tcase_add_test(tc, the_grid_finds_its_phase);
    tcase_add_test(tc, keeps_to_time);
    tcase_add_test(tc, skipping_what_is_not_wanted_changes_nothing);
    tcase_add_test(tc, rate_0_takes_all);
    tcase_add_test(tc, same_timestamp_twice);
    tcase_add_test(tc, tells_gaps);
    tcase_add_test(tc, a_break_is_told_once);
    tcase_add_test(tc, slow_sources);
    tcase_add_test(tc, any_timestamps);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
