/* core/health/measure: a quantile is that of the sorted values, and the larger ones are moved to the front. */
#include "core/health/measure.h"

#include <check.h>

#include "core/rng.h"
#include "tests/suite.h"

START_TEST(quantiles)
{
    struct rng rng;
    rng_seed(&rng, 3);
    for (int round = 0; round < 1000; round++) {
        float values[40];
        int n = 1 + (int)rng_below(&rng, 40), k, below = 0, equal = 0;
        float q = rng_uniform(&rng);
        for (int i = 0; i < n; i++)
            values[i] = (float)rng_below(&rng, 12);
        float got = measure_quantile(values, n, q);
        k = (int)(q * (float)(n - 1) + 0.5f);
        for (int i = 0; i < n; i++) {
            below += values[i] < got;
            equal += values[i] == got;
            ck_assert(i >= n - k || values[i] >= got);
        }
        ck_assert(below <= k && below + equal > k);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core/health/measure");
    TCase *tcase = tcase_create("measure");
    tcase_add_test(tcase, quantiles);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
