#include "core/evaluation/motion.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "tests/suite.h"

enum { SIZE = MOTION_SIDE * MOTION_SIDE };
static uint8_t pixels[MOTION_FRAMES][SIZE];
static const uint8_t *frames[MOTION_FRAMES];

static void clear(void)
{
    memset(pixels, 0, sizeof pixels);
    for (int t = 0; t < MOTION_FRAMES; t++)
        frames[t] = pixels[t];
}

START_TEST(known_cases)
{
    clear();
    ck_assert_double_eq(motion_score(frames), 0);

    /* The picture becomes lighter by one level: one of eight differences is (1 / 127.5)² everywhere. */
    for (int t = 4; t < MOTION_FRAMES; t++)
        memset(pixels[t], 1, SIZE);
    ck_assert_double_eq_tol(motion_score(frames), 1 / (8 * 127.5 * 127.5), 1e-15);

    /* One pixel in the corner flashes once, from black to white and back: it lies in one cell of the 16. */
    clear();
    pixels[3][0] = 255;
    ck_assert_double_eq_tol(motion_score(frames), 2 * 4 / (8. * 64 * 16), 1e-15);
    /* A pixel in the middle lies in four cells. */
    clear();
    pixels[3][61 * MOTION_SIDE + 50] = 255;
    ck_assert_double_eq_tol(motion_score(frames), 4 * 2 * 4 / (8. * 64 * 16), 1e-15);
}
END_TEST

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

START_TEST(agrees_with_the_definition)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    printf("test_motion: seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 5; round++) {
        static double cells[31 * 31];
        double mean = 0;
        int n = 0;

        clear();
        for (int t = 0; t < MOTION_FRAMES; t++)
            for (int i = 0; i < SIZE; i++)
                pixels[t][i] = (uint8_t)rng_below(&rng, (uint64_t)(1 + i / 64 % 256));
        for (int y = 0; y + 8 <= MOTION_SIDE; y += 4)
            for (int x = 0; x + 8 <= MOTION_SIDE; x += 4) {
                double sum = 0;

                for (int t = 1; t < MOTION_FRAMES; t++)
                    for (int i = 0; i < 64; i++) {
                        int at = (y + i / 8) * MOTION_SIDE + x + i % 8;
                        double d = (pixels[t][at] / 127.5 - 1) - (pixels[t - 1][at] / 127.5 - 1);
                        sum += d * d;
                    }
                cells[n++] = sum / (8 * 64);
            }
        qsort(cells, (size_t)n, sizeof *cells, falling);
        for (int i = 0; i < 16; i++)
            mean += cells[i] / 16;
        ck_assert_double_eq_tol(motion_score(frames), mean, 1e-12);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("motion");
    TCase *tests = tcase_create("motion");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, known_cases);
    tcase_add_test(tests, agrees_with_the_definition);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
