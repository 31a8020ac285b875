/* io/database/event_rows: events as clients follow them, with filters, held events and deleted ones. */
#include "tests/io/database/state_folder.h"

#include <inttypes.h>

#include "io/database/labels.h"

static const struct event_filter all = {.n_cameras = 0};
static struct record_range range;
static uint64_t next;

/* Returns the seqs of at most `most` events from `from` on, as "1 2 3 ". Sets next and range. */
static const char *follow(uint64_t from, const struct event_filter *filter, size_t most)
{
    static char text[256];
    struct event_record events[16];
    size_t n = 99;
    must(event_rows_read(database, from, filter, events, most, &n, &next, &range, &err));
    *text = '\0';
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(events[i].body, "{}");
        snprintf(text + strlen(text), sizeof text - strlen(text), "%" PRIu64 " ", events[i].seq);
        free(events[i].body);
    }
    return text;
}

static void put(const char *type, const char *camera, bool ready)
{
    char id[EVENT_ID_SIZE];
    ck_assert_int_eq(event_new_id(id), 0);
    must(event_rows_add(database, &(struct event_row){.id = id, .type = type, .time_us = 1000, .camera = camera, .body = "{}",
                                                      .ready = ready}, &err));
}

START_TEST(in_order_by_filter)
{
    ck_assert_str_eq(follow(1, &all, 16), "");
    ck_assert(range.oldest == 1 && range.next == 1 && next == 1);
    put("camera.lost", "gate", true);
    put("camera.lost", "yard", true);
    put("alert.opened", "gate", true);
    put("from.the.future", "gate", true);               /* an unknown type is left out */
    put("alert.closed", "gate", true);
    ck_assert_str_eq(follow(0, &all, 16), "1 2 3 5 ");
    ck_assert(range.oldest == 1 && range.next == 6 && next == 6);
    ck_assert_str_eq(follow(2, &all, 2), "2 3 ");
    ck_assert_uint_eq(next, 4);
    ck_assert_str_eq(follow(6, &all, 2), "");
    ck_assert_str_eq(follow(UINT64_MAX, &all, 0), "");
    ck_assert_uint_eq(next, 6);
    const struct event_filter gate = {.cameras = {"gate"}, .n_cameras = 1}, opened = {.types = event_bit(EVENT_ALERT_OPENED)};
    ck_assert_str_eq(follow(1, &gate, 16), "1 3 5 ");
    ck_assert_str_eq(follow(1, &opened, 16), "3 ");
    ck_assert_uint_eq(next, 6);
}
END_TEST

/* A filter sees the alert as the event's body has it, not as it is now. */
START_TEST(by_zone_and_score)
{
    static const char *const data[] = {"\"peak_score\":1.5,\"zones\":[\"lawn\",\"door\"],\"test\":false",
                                       "\"peak_score\":3.0,\"zones\":[],\"test\":false",
                                       "\"peak_score\":0.0,\"zones\":[],\"test\":true"};
    const struct event_filter door = {.alerts = {.zones = {"door"}, .n_zones = 1}},
                              high = {.alerts = {.has_min_score = true, .min_score = 3}};
    put_alert(9, "gate", 10000);
    for (size_t i = 0; i < 3; i++) {
        char id[EVENT_ID_SIZE], body[200];
        snprintf(body, sizeof body, "{\"type\":\"alert.opened\",\"data\":{%s}}", data[i]);
        ck_assert_int_eq(event_new_id(id), 0);
        must(event_rows_add(database, &(struct event_row){.id = id, .type = "alert.opened", .time_us = 1000 + (int64_t)i,
                                                          .camera = "gate", .alert = 9, .body = body, .ready = true}, &err));
    }
    put("camera.lost", "gate", true);
    struct event_record events[4];
    size_t n;
    static const struct { uint64_t seq[4]; size_t n; } expected[] = {{{1, 3, 4}, 3}, {{2, 3, 4}, 3}};
    for (int i = 0; i < 2; i++) {
        must(event_rows_read(database, 1, i == 0 ? &door : &high, events, 4, &n, &next, &range, &err));
        ck_assert_uint_eq(n, expected[i].n);
        for (size_t k = 0; k < n; k++) {
            ck_assert_uint_eq(events[k].seq, expected[i].seq[k]);
            ck_assert_int_eq(events[k].time_us, events[k].seq == 4 ? 1000 : 999 + (int64_t)events[k].seq);
            free(events[k].body);
        }
    }
}
END_TEST

/* An event that waits for its evidence holds back the events after it. */
START_TEST(held_events_keep_the_order)
{
    put("camera.lost", "gate", true);
    put("alert.opened", "gate", false);
    put("camera.lost", "gate", true);
    ck_assert_str_eq(follow(1, &all, 16), "1 ");
    ck_assert(range.next == 2 && next == 2);
    must(event_rows_ready(database, 2, &err));
    ck_assert_str_eq(follow(2, &all, 16), "2 3 ");
}
END_TEST

START_TEST(one_reading_is_bounded)
{
    const struct event_filter none = {.cameras = {"nobody"}, .n_cameras = 1};
    must(database_begin(database, &err));
    for (int i = 0; i < EVENT_ROWS_SCANNED + 5; i++)
        put("camera.lost", "gate", true);
    must(database_commit(database, &err));
    ck_assert_str_eq(follow(1, &none, 16), "");
    ck_assert_uint_eq(next, EVENT_ROWS_SCANNED + 1);
    ck_assert_str_eq(follow(next, &none, 16), "");
    ck_assert(next == EVENT_ROWS_SCANNED + 6 && range.next == next);
}
END_TEST

/* A reader that had not seen a deleted event has missed it, even if an older event is kept because its alert is marked. */
START_TEST(deleted_events)
{
    int n;
    put_alert(9, "gate", 10000);
    put_event(1000, 9);
    put_event(1000, 0);
    put_event(5000, 0);
    must(labels_mark(database, 9, true, &err));
    must(event_rows_prune(database, 2000, 10, &n, &err));
    ck_assert_int_eq(n, 1);
    ck_assert_str_eq(follow(2, &all, 16), "3 ");
    ck_assert(range.oldest == 3 && range.next == 4);
    must(event_rows_prune(database, 2000, 10, &n, &err));
    must(event_rows_prune(database, 9000, 10, &n, &err));
    ck_assert_str_eq(follow(1, &all, 16), "");
    ck_assert(range.oldest == 4 && range.next == 4 && next == 4);
}
END_TEST

START_TEST(numbers_begin_where_they_are_told)
{
    must(event_rows_begin_at(database, 1795832005000, &err));
    ck_assert_str_eq(follow(17, &all, 16), "");
    ck_assert(range.oldest == 1795832005000 && range.next == range.oldest);
    ck_assert_int_eq(put_event(1, 0), 1795832005000);
    ck_assert_str_eq(follow(17, &all, 16), "1795832005000 ");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("events");
    tcase_add_checked_fixture(tcase, set_up, remove_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, in_order_by_filter);
    tcase_add_test(tcase, by_zone_and_score);
    tcase_add_test(tcase, held_events_keep_the_order);
    tcase_add_test(tcase, one_reading_is_bounded);
    tcase_add_test(tcase, deleted_events);
    tcase_add_test(tcase, numbers_begin_where_they_are_told);
    Suite *suite = suite_create("event rows");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
