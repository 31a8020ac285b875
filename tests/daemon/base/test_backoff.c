/* daemon/base/backoff: bounds, growth, jitter. */
#include <check.h>
#include <stdbool.h>

#include "daemon/base/backoff.h"
#include "tests/suite.h"

START_TEST(grows_from_half_a_second_to_half_a_minute)
{
    bool differs = false;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct backoff backoff, other;
        backoff_init(&backoff, seed);
        backoff_init(&other, seed + 1000);
        for (int round = 0; round < 2; round++) {
            int64_t base = BACKOFF_FIRST_US;
            for (int i = 0; i < 12; i++) {
                int64_t delay = backoff_next_us(&backoff);
                ck_assert_int_ge(delay, base * 3 / 4);
                ck_assert_int_le(delay, base * 5 / 4);
                ck_assert_int_le(delay, BACKOFF_LAST_US);
                differs |= delay != backoff_next_us(&other);
                base = 2 * base < BACKOFF_LAST_US ? 2 * base : BACKOFF_LAST_US;
            }
            backoff_reset(&backoff);
            backoff_reset(&other);
        }
    }
    ck_assert(differs);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("backoff");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, grows_from_half_a_second_to_half_a_minute);
    Suite *suite = suite_create("backoff");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
