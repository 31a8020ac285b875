/* core/event: every type has a name of its own that leads back to it. */
#include <check.h>
#include <string.h>

#include "core/event.h"
#include "tests/suite.h"

START_TEST(test_names_lead_back)
{
    for (int i = 0; i < EVENT_TYPES; i++) {
        enum event_type found = EVENT_TYPES;
        const char *name = event_type_name((enum event_type)i);
        ck_assert_ptr_nonnull(name);
        ck_assert_ptr_nonnull(strchr(name, '.'));
        ck_assert(event_type_find(&found, name));
        ck_assert_int_eq(found, i);
        ck_assert_uint_eq(event_bit(found) & EVENT_ALL, event_bit(found));
    }
}
END_TEST

START_TEST(test_unknown_name)
{
    enum event_type found = EVENT_DRIFT_ENDED;
    ck_assert(!event_type_find(&found, "alert"));
    ck_assert(!event_type_find(&found, ""));
    ck_assert_int_eq(found, EVENT_DRIFT_ENDED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *tests = tcase_create("event");
    tcase_add_test(tests, test_names_lead_back);
    tcase_add_test(tests, test_unknown_name);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
