/* core/filter: which events a filter takes. */
#include <check.h>

#include "core/filter.h"
#include "tests/suite.h"

static bool takes(const struct event_filter *filter, enum event_type type, const char *camera, const struct alert_record *alert)
{
    return event_filter_takes(filter, &(struct event){.type = type, .camera = camera, .alert = alert});
}

START_TEST(events)
{
    const struct event_filter all = {.n_cameras = 0}, two = {.cameras = {"gate", "yard"}, .n_cameras = 2},
                              lost = {.cameras = {"gate"}, .n_cameras = 1, .types = event_bit(EVENT_CAMERA_LOST)};
    ck_assert(takes(&all, EVENT_ALERT_OPENED, "x", NULL));
    ck_assert(takes(&two, EVENT_ALERT_OPENED, "yard", NULL));
    ck_assert(!takes(&two, EVENT_ALERT_OPENED, "yar", NULL));
    ck_assert(!takes(&two, EVENT_STORAGE_FULL, NULL, NULL));
    ck_assert(takes(&lost, EVENT_CAMERA_LOST, "gate", NULL));
    ck_assert(!takes(&lost, EVENT_CAMERA_LOST, "yard", NULL));
    ck_assert(!takes(&lost, EVENT_ALERT_OPENED, "gate", NULL));
}
END_TEST

/* Zones and the score, of a client and of a sink alike. */
START_TEST(alerts)
{
    const struct alert_limits none = {.n_zones = 0}, zones = {.zones = {"door", "road"}, .n_zones = 2},
                              score = {.has_min_score = true, .min_score = 2.5},
                              both = {.zones = {"road"}, .n_zones = 1, .has_min_score = true, .min_score = -1};
    const struct alert_record low = {.peak_score = -0.5, .zones = {.n = 2, .name = {"lawn", "road"}}}, high = {.peak_score = 2.5},
                              test = {.test = true, .peak_score = -9};
    const struct { const struct alert_limits *limits; const struct alert_record *alert; bool taken; } rows[] = {
        {&none, &low, true}, {&zones, &low, true}, {&zones, &high, false}, {&score, &low, false}, {&score, &high, true},
        {&both, &low, true}, {&both, &high, false}, {&zones, &test, true}, {&score, &test, true}, {&both, NULL, true}};
    ck_assert(!alert_limits_any(&none) && alert_limits_any(&zones) && alert_limits_any(&score));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct event_filter client = {.alerts = *rows[i].limits};
        const struct sink_filter sink = {.types = EVENT_ALL, .alerts = *rows[i].limits};
        ck_assert_msg(takes(&client, EVENT_ALERT_CLOSED, "x", rows[i].alert) == rows[i].taken, "%zu", i);
        const struct event event = {.type = EVENT_ALERT_CLOSED, .camera = "x", .alert = rows[i].alert};
        ck_assert_msg(sink_filter_takes(&sink, &event) == rows[i].taken, "%zu", i);
        ck_assert(takes(&client, EVENT_CAMERA_LOST, "x", NULL));
    }
}
END_TEST

START_TEST(sinks)
{
    char gate[] = "gate", *cameras[] = {gate};
    const struct sink_filter nothing = {.types = 0}, one = {.types = event_bit(EVENT_CAMERA_LOST) | event_bit(EVENT_STORAGE_FULL),
                                                            .cameras = cameras, .n_cameras = 1};
    const struct event lost = {.type = EVENT_CAMERA_LOST, .camera = "gate"}, other = {.type = EVENT_CAMERA_LOST, .camera = "gat"},
                       back = {.type = EVENT_CAMERA_RESTORED, .camera = "gate"}, full = {.type = EVENT_STORAGE_FULL};
    ck_assert(!sink_filter_takes(&nothing, &lost));
    ck_assert(sink_filter_takes(&one, &lost) && sink_filter_takes(&one, &full));
    ck_assert(!sink_filter_takes(&one, &other) && !sink_filter_takes(&one, &back));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, events);
    tcase_add_test(pure, alerts);
    tcase_add_test(pure, sinks);
    suite_add_tcase(suite, pure);
    return suite_run(suite);
}
