/* io/base/zone: time zones of the machine's tzdata, just before and after a change of the clock. */
#include <errno.h>
#include <string.h>

#include "io/base/zone.h"
#include "tests/suite.h"

START_TEST(test_known)
{
    static const struct { const char *name; int64_t utc_s; int offset_s; } known[] = {
        {"Europe/Berlin", 1774745999, 3600}, {"Europe/Berlin", 1774746000, 7200},       /* 2026-03-29 01:00 UTC */
        {"Europe/Berlin", 1792889999, 7200}, {"Europe/Berlin", 1792890000, 3600},       /* 2026-10-25 01:00 UTC */
        {"Asia/Kathmandu", 1774746000, 20700}, {"America/St_Johns", 1767225600, -12600},
        {"Europe/Berlin", 4087778400, 7200},    /* 2099-07-15: by the rule behind the table */
        {"UTC", 0, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct zone *zone;
        ck_assert_int_eq(zone_open(&zone, known[i].name, NULL), 0);
        ck_assert_msg(zone_offset_s(zone, known[i].utc_s) == known[i].offset_s, "%s at %lld: %d", known[i].name,
                      (long long)known[i].utc_s, zone_offset_s(zone, known[i].utc_s));
        zone_close(zone);
    }
}
END_TEST

START_TEST(test_unknown)
{
    static const char *const wrong[] = {"Europe/Berln", "../../../etc/passwd", "/etc/passwd", "Europe", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct zone *zone = NULL;
        struct error err;
        ck_assert_int_eq(zone_open(&zone, wrong[i], &err), -EINVAL);
        ck_assert_ptr_null(zone);
        ck_assert_ptr_nonnull(strstr(err.text, wrong[i]));
    }
}
END_TEST

START_TEST(test_local)
{
    struct zone *zone;
    ck_assert_int_eq(zone_open(&zone, NULL, NULL), 0);
    int offset = zone_offset_s(zone, 1774746000);
    ck_assert(offset > -86400 && offset < 86400);
    zone_close(zone);
    zone_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone");
    TCase *tests = tcase_create("zone");
    tcase_add_test(tests, test_known);
    tcase_add_test(tests, test_unknown);
    tcase_add_test(tests, test_local);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
