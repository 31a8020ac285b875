/* core/filter: which events a filter takes. */
#include <check.h>

#include "core/filter.h"
#include "tests/suite.h"

START_TEST(events)
{
    const struct event_filter all = {.n_cameras = 0}, two = {.cameras = {"gate", "yard"}, .n_cameras = 2},
                              lost = {.cameras = {"gate"}, .n_cameras = 1, .types = event_bit(EVENT_CAMERA_LOST)};
    ck_assert(event_filter_takes(&all, EVENT_ALERT_OPENED, "x"));
    ck_assert(event_filter_takes(&two, EVENT_ALERT_OPENED, "yard"));
    ck_assert(!event_filter_takes(&two, EVENT_ALERT_OPENED, "yar"));
    ck_assert(event_filter_takes(&lost, EVENT_CAMERA_LOST, "gate"));
    ck_assert(!event_filter_takes(&lost, EVENT_CAMERA_LOST, "yard"));
    ck_assert(!event_filter_takes(&lost, EVENT_ALERT_OPENED, "gate"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, events);
    suite_add_tcase(suite, pure);
    return suite_run(suite);
}
