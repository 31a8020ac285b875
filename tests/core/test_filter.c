/* core/filter: which alerts and events a filter takes. */
#include <check.h>

#include "core/filter.h"
#include "tests/suite.h"

START_TEST(alerts)
{
    static const struct alert_record closed = {.kind = ALERT_ANOMALY, .camera = "gate", .opened_us = 100, .closed_us = 200},
                                     open = {.kind = ALERT_STILL, .camera = "yard", .opened_us = 150};
    static const struct { struct alert_filter filter; bool closed, open; } cases[] = {
        {{.state = ALERT_ANY}, true, true},
        {{.camera = "gate"}, true, false}, {{.camera = "yard"}, false, true}, {{.camera = "gat"}, false, false},
        {{.state = ALERT_IS_OPEN}, false, true}, {{.state = ALERT_IS_CLOSED}, true, false},
        {{.kinds = 1u << ALERT_ANOMALY}, true, false}, {{.kinds = 1u << ALERT_STILL}, false, true},
        {{.kinds = 1u << ALERT_STILL | 1u << ALERT_ANOMALY}, true, true},
        {{.has_from = true, .from_us = 200}, true, true}, {{.has_from = true, .from_us = 201}, false, true},
        {{.has_to = true, .to_us = 100}, false, false}, {{.has_to = true, .to_us = 101}, true, false},
        {{.has_to = true, .to_us = 151}, true, true},
        {{.has_from = true, .from_us = -5, .has_to = true}, false, false},
        {{.has_from = true, .from_us = 120, .has_to = true, .to_us = 130}, true, false},
        {{"gate", ALERT_IS_OPEN, 0, false, false, 0, 0}, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(alert_filter_takes(&cases[i].filter, &closed) == cases[i].closed, "closed, case %zu", i);
        ck_assert_msg(alert_filter_takes(&cases[i].filter, &open) == cases[i].open, "open, case %zu", i);
    }
}
END_TEST

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
    tcase_add_test(pure, alerts);
    tcase_add_test(pure, events);
    suite_add_tcase(suite, pure);
    return suite_run(suite);
}
