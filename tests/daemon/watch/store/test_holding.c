/* daemon/watch/store/holding: which events wait for pictures, and until when. Alerts wait as they open, faults of a picture as
 * they open and as they close. */
#include "daemon/watch/store/holding.h"

#include <check.h>

#include "io/base/clock.h"
#include "tests/suite.h"

#define HOLD_US INT64_C(3000000)

static struct queue_item *item_of(enum event_type type, uint64_t id)
{
    const struct alert_record alert = {.id = id, .camera = "gate"};
    const struct event_health fault = {.id = id, .kind = "black", .unit = "levels"};
    const bool is_alert = type == EVENT_ALERT_OPENED || type == EVENT_ALERT_CLOSED;
    const bool is_fault = type == EVENT_HEALTH_OPENED || type == EVENT_HEALTH_CLOSED;
    struct queue_item *item;
    ck_assert_int_eq(queue_item_make(&item, &(struct event){.type = type, .time_us = 1, .camera = "gate", .reason = "",
                                                            .alert = is_alert ? &alert : NULL,
                                                            .health = is_fault ? &fault : NULL}), 0);
    return item;
}

/* Waits for so long from now on. */
static void expect_wait(const struct queue_item *item, int64_t hold_us)
{
    int64_t left_us = item->held_until_us - monotonic_us();
    ck_assert(left_us <= hold_us && left_us > hold_us - 1000000);
}

START_TEST(those_with_pictures_wait)
{
    static const struct { enum event_type type; bool waits; } rows[] = {
        {EVENT_ALERT_OPENED, true}, {EVENT_ALERT_CLOSED, false}, {EVENT_HEALTH_OPENED, true}, {EVENT_HEALTH_CLOSED, true},
        {EVENT_CAMERA_LOST, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct queue_item *item = item_of(rows[i].type, 7);
        holding_set(item, item, NULL, HOLD_US);
        if (rows[i].waits)
            expect_wait(item, HOLD_US);
        else
            ck_assert_int_eq(item->held_until_us, 0);
        holding_set(item, item, NULL, 0);
        ck_assert_int_eq(item->held_until_us, 0);
        queue_item_free(item);
    }
}
END_TEST

/* What belongs to one alert or fault is let go together. A closing alert waits as long as its opening, and not otherwise. */
START_TEST(they_wait_for_their_own)
{
    struct queue_item *items[] = {item_of(EVENT_ALERT_OPENED, 7), item_of(EVENT_HEALTH_OPENED, 8), item_of(EVENT_ALERT_CLOSED, 7),
                                  item_of(EVENT_HEALTH_CLOSED, 8), item_of(EVENT_ALERT_CLOSED, 9)};
    for (int i = 0; i < 4; i++)
        items[i]->next = items[i + 1];
    for (int i = 0; i < 5; i++)
        holding_set(items[i], items[0], NULL, HOLD_US);
    ck_assert_int_eq(items[2]->held_until_us, items[0]->held_until_us);
    expect_wait(items[3], HOLD_US);
    ck_assert_int_eq(items[4]->held_until_us, 0);
    holding_end(items[0], 8, 55);
    ck_assert(items[1]->held_until_us == 55 && items[3]->held_until_us == 55);
    expect_wait(items[0], HOLD_US);
    holding_end(items[0], 7, 44);
    ck_assert(items[0]->held_until_us == 44 && items[2]->held_until_us == 44 && items[1]->held_until_us == 55);
    for (int i = 0; i < 5; i++)
        queue_item_free(items[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("holding");
    TCase *tcase = tcase_create("holding");
    tcase_add_test(tcase, those_with_pictures_wait);
    tcase_add_test(tcase, they_wait_for_their_own);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
