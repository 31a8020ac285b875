/* core/utc: times of RFC 3339, read and written. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/utc.h"
#include "tests/suite.h"

START_TEST(times)
{
    static const struct { const char *text; int64_t us; } cases[] = {
        {"1970-01-01T00:00:00Z", 0}, {"1970-01-01t00:00:00z", 0}, {"1970-01-01T00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.999Z", -1000},
        {"2024-02-29T12:34:56.789Z", 1709210096789000}, {"2024-02-29T12:34:56.7890009+00:00", 1709210096789000},
        {"2024-02-29T14:34:56.789+02:00", 1709210096789000}, {"2024-02-28T23:04:56.789-13:30", 1709210096789000},
        {"2016-12-31T23:59:60Z", 1483228800000000}, {"9999-12-31T23:59:59.999999Z", 253402300799999999},
        {"0001-01-01T00:00:00Z", -62135596800000000}, {"0000-01-01T00:00:00Z", -62167219200000000},
        {"1969-12-31T23:59:59.999999Z", -1}, {"2000-02-29T00:00:00.5Z", 951782400500000},
        {"9999-12-31T23:59:59.9999999999Z", 253402300799999999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t us = 7;
        ck_assert_msg(utc_parse(cases[i].text, &us) == 0 && us == cases[i].us, "%s: %lld", cases[i].text, (long long)us);
    }
    static const char *const bad[] = {
        "", "2024", "2024-01-02", "2024-01-02T03:04Z", "2024-01-02T03:04:05", "2024-01-02T03:04:05Zx", "2024-01-02T03:04:05.Z",
        "2024-1-02T03:04:05Z", "02024-01-02T03:04:05Z", "2024-13-02T03:04:05Z", "2024-00-02T03:04:05Z", "2024-01-00T03:04:05Z",
        "2023-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2100-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-01-02T24:00:00Z",
        "2024-01-02T03:60:05Z", "2024-01-02T03:04:61Z", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+02:60",
        "2024-01-02T03:04:05+0200", "2024-01-02T03:04:05 02:00", "2024-01-02X03:04:05Z", "2024-01-02 03:04:05Z",
        "+024-01-02T03:04:05Z", "-024-01-01T00:00:00Z", "now", "2024-01-01T00:00:00ZZ", "2024-1-01T00:00:00Z",
        "2024-01-01T00:00:0", "2024-01-01T00:00:00.5",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 7;
        ck_assert_msg(utc_parse(bad[i], &us) == -EINVAL && us == 7, "%s", bad[i]);
    }
}
END_TEST

/* A time that is written reads as the same time. */
START_TEST(there_and_back)
{
    for (int64_t day = -719162; day <= 2932896; day += 13) {
        int64_t us = day * 86400000000 + day % 86399 * 1000 + 86399000000 / 2, back;
        char text[UTC_SIZE];
        utc_format(text, us);
        ck_assert_msg(utc_parse(text, &back) == 0 && back == us, "%s", text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utc");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, times);
    tcase_add_test(pure, there_and_back);
    suite_add_tcase(suite, pure);
    return suite_run(suite);
}
