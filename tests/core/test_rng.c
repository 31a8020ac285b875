#include "core/rng.h"
#include "tests/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Output of the reference implementations of splitmix64 and xoshiro256++ (prng.di.unimi.it) for seed 1234567. */
START_TEST(the_sequence_is_the_published_one)
{
    struct rng rng;

    rng_seed(&rng, 1234567);
    ck_assert_uint_eq(rng.s[0], UINT64_C(6457827717110365317));
    ck_assert_uint_eq(rng.s[1], UINT64_C(3203168211198807973));
    ck_assert_uint_eq(rng.s[2], UINT64_C(9817491932198370423));
    ck_assert_uint_eq(rng.s[3], UINT64_C(4593380528125082431));

    rng = (struct rng){{1, 2, 3, 4}};
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(41943041));
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(58720359));
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(3588806011781223));
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(3591011842654386));
}
END_TEST

START_TEST(a_seed_is_a_sequence)
{
    struct rng a, b, c;
    int same = 0;

    rng_seed(&a, 0);
    rng_seed(&b, 0);
    rng_seed(&c, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_next(&a);
        ck_assert_uint_eq(x, rng_next(&b));
        same += x == rng_next(&c);
    }
    ck_assert_int_eq(same, 0);
}
END_TEST

START_TEST(uniform_fills_its_range)
{
    struct rng rng;
    double sum = 0, sum2 = 0;
    float min = 1, max = 0;
    enum { N = 100000 };

    rng_seed(&rng, 3);
    for (int i = 0; i < N; i++) {
        float x = rng_uniform(&rng);
        ck_assert(x >= 0 && x < 1);
        sum += x;
        sum2 += x * x;
        min = fminf(min, x);
        max = fmaxf(max, x);
    }
    ck_assert_double_eq_tol(sum / N, 0.5, 0.005);
    ck_assert_double_eq_tol(sum2 / N, 1.0 / 3, 0.005);
    ck_assert(min < 0.001f && max > 0.999f);
}
END_TEST

START_TEST(below_is_even)
{
    struct rng rng;
    long count[7] = {0}, upper = 0;
    enum { N = 70000 };

    rng_seed(&rng, 4);
    for (int i = 0; i < N; i++)
        count[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)         /* five sigma: 5 * sqrt(70000 * 6 / 49) */
        ck_assert_int_lt(labs(count[i] - N / 7), 463);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(rng_below(&rng, 1), 0);
    /* A third of 3 * 2^62 numbers lies above 2^63. x % n without redrawing would put a quarter there. */
    for (int i = 0; i < 10000; i++) {
        uint64_t x = rng_below(&rng, UINT64_C(3) << 62);
        ck_assert_uint_lt(x, UINT64_C(3) << 62);
        upper += x >> 63;
    }
    ck_assert_int_lt(labs(upper - 3333), 240);
}
END_TEST

START_TEST(normal_has_its_moments)
{
    struct rng rng;
    double sum = 0, sum2 = 0, sum4 = 0;
    enum { N = 100000 };

    rng_seed(&rng, 5);
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&rng);
        sum += x;
        sum2 += x * x;
        sum4 += x * x * x * x;
    }
    ck_assert_double_eq_tol(sum / N, 0, 0.016);
    ck_assert_double_eq_tol(sum2 / N, 1, 0.023);
    ck_assert_double_eq_tol(sum4 / N, 3, 0.16);
}
END_TEST

START_TEST(shuffle_gives_every_order)
{
    struct rng rng;
    int count[27] = {0}, orders = 0;
    enum { N = 60000 };

    rng_seed(&rng, 6);
    for (int i = 0; i < N; i++) {
        unsigned short item[3] = {0, 1, 2};
        rng_shuffle(&rng, item, 3, sizeof item[0]);
        ck_assert_int_eq(item[0] + item[1] + item[2], 3);
        count[item[0] * 9 + item[1] * 3 + item[2]]++;
    }
    for (int i = 0; i < 27; i++) {
        orders += count[i] > 0;
        if (count[i] > 0)
            ck_assert_int_lt(abs(count[i] - N / 6), 460);
    }
    ck_assert_int_eq(orders, 6);
    rng_shuffle(&rng, NULL, 0, 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *tests = tcase_create("rng");
    tcase_add_test(tests, the_sequence_is_the_published_one);
    tcase_add_test(tests, a_seed_is_a_sequence);
    tcase_add_test(tests, uniform_fills_its_range);
    tcase_add_test(tests, below_is_even);
    tcase_add_test(tests, normal_has_its_moments);
    tcase_add_test(tests, shuffle_gives_every_order);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
