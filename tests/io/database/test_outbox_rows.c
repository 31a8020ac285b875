/* io/database/outbox_rows and event_rows: deliveries in order for each endpoint, attempts, dead letters, endpoints that are disabled. */
#include "io/database/labels.h"
#include "io/database/outbox_rows.h"
#include "tests/io/database/state_folder.h"

/* Returns the seq of the endpoint's next event; 0: there is none. */
static int64_t next(const char *endpoint)
{
    struct outbox_row item = {.seq = 0};
    int r = outbox_rows_next(database, endpoint, &item, &err);
    must(r);
    free(item.body);
    return r ? item.seq : 0;
}

static struct outbox_rows_counts counts_of(const char *endpoint)
{
    struct outbox_rows_counts counts;
    must(outbox_rows_counts(database, endpoint, &counts, &err));
    return counts;
}

/* Events 1 to 5 for a; 2 and 4 for b too. */
static void fill(void)
{
    open_database();
    for (int64_t i = 1; i <= 5; i++) {
        int64_t seq = put_event(i * 1000, 0);
        ck_assert_int_eq(seq, i);
        must(outbox_rows_add(database, "a", seq, &err));
        if (i % 2 == 0)
            must(outbox_rows_add(database, "b", seq, &err));
    }
    must(outbox_rows_add(database, "a", 5, &err));           /* twice is once */
}

START_TEST(in_order_for_each_endpoint)
{
    struct outbox_row item;
    fill();
    must(outbox_rows_next(database, "a", &item, &err));
    ck_assert(item.seq == 1 && item.attempts == 0 && item.due_us == 0 && item.time_us == 1000 && item.ready);
    ck_assert_str_eq(item.body, "{}");
    ck_assert_int_eq(memcmp(item.id, "msg_", 4), 0);
    ck_assert_uint_eq(strlen(item.id), EVENT_ID_SIZE - 1);
    char id[EVENT_ID_SIZE];
    memcpy(id, item.id, sizeof id);
    free(item.body);
    must(outbox_rows_failed(database, "a", 1, 77777, "status 500", &err));
    must(outbox_rows_failed(database, "a", 1, 99999, "status 500", &err));
    close_database();           /* attempts survive, and so does the id */
    open_database();
    must(outbox_rows_next(database, "a", &item, &err));
    ck_assert(item.seq == 1 && item.attempts == 2 && item.due_us == 99999);
    ck_assert_str_eq(item.id, id);
    free(item.body);
    ck_assert_int_eq(next("b"), 2);
    must(outbox_rows_delivered(database, "a", 1, &err));
    must(outbox_rows_delivered(database, "a", 1, &err));
    ck_assert_int_eq(next("a"), 2);
    must(outbox_rows_delivered(database, "b", 2, &err));
    ck_assert_int_eq(next("b"), 4);
    ck_assert_int_eq(next("a"), 2);
    ck_assert_int_eq(next("nobody"), 0);
    ck_assert(counts_of("a").queued == 4 && counts_of("a").dead == 0 && counts_of("a").oldest_us == 2000);
    ck_assert(counts_of("b").queued == 1 && counts_of("nobody").oldest_us == 0);
}
END_TEST

START_TEST(dead_letters)
{
    int n;
    fill();
    must(outbox_rows_failed(database, "a", 1, 1, "status 500", &err));
    must(outbox_rows_dead(database, "a", 1, 5000, "older than 24 h", &err));
    ck_assert_int_eq(outbox_rows_dead(database, "a", 0, 5000, "x", &err), -EINVAL);
    ck_assert_int_eq(next("a"), 2);
    ck_assert(counts_of("a").queued == 4 && counts_of("a").dead == 1);
    must(outbox_rows_dead_all(database, "b", 6000, "the endpoint was removed", &n, &err));
    ck_assert_int_eq(n, 2);
    ck_assert(counts_of("b").queued == 0 && counts_of("b").dead == 2 && counts_of("a").queued == 4);
    must(outbox_rows_revive(database, "b", 4, &n, &err));
    ck_assert(n == 1 && next("b") == 4 && counts_of("b").dead == 1);
    must(outbox_rows_revive(database, "b", 0, &n, &err));
    ck_assert(n == 1 && next("b") == 2);                /* in order again */
    must(outbox_rows_prune(database, 5001, 10, &n, &err));
    ck_assert(n == 1 && counts_of("a").dead == 0);
}
END_TEST

static void append(void *arg, const char *endpoint)
{
    strcat(strcat(arg, endpoint), " ");
}

START_TEST(disabled_endpoints)
{
    fill();
    char names[64] = "";
    must(outbox_rows_disable(database, "a", 123, "it answered 410", &err));
    must(outbox_rows_disable(database, "c", 124, "it answered 410", &err));
    ck_assert_int_eq(next("a"), 0);
    ck_assert_int_eq(next("b"), 2);
    struct outbox_rows_counts counts = counts_of("a");
    ck_assert(counts.is_disabled && counts.disabled_us == 123 && counts.queued == 5);
    ck_assert_str_eq(counts.reason, "it answered 410");
    must(outbox_rows_endpoints(database, append, names, &err));
    ck_assert_str_eq(names, "a b c ");
    must(outbox_rows_enable(database, "a", &err));
    ck_assert_int_eq(next("a"), 1);
    ck_assert(!counts_of("a").is_disabled);
}
END_TEST

static bool append_seq(void *arg, const struct event_row *event)
{
    snprintf((char *)arg + strlen(arg), 64 - strlen(arg), "%d%s ", (int)event->seq, event->ready ? "" : "!");
    return event->seq != 99;
}

START_TEST(events_and_their_retention)
{
    char seen[64] = "", id[EVENT_ID_SIZE];
    int n;
    fill();
    put_alert(9, "gate", 10000);
    int64_t of_alert = put_event(1500, 9);
    must(event_rows_each(database, 2, 3, append_seq, seen, &err));
    ck_assert_str_eq(seen, "2 3 4 ");
    must(labels_mark(database, 9, true, &err));
    must(event_rows_prune(database, 3000, 1, &n, &err));
    ck_assert_int_eq(n, 1);
    must(event_rows_prune(database, 3000, 10, &n, &err));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(next("a"), 3);                     /* their deliveries went with them */
    ck_assert_int_eq(next("b"), 4);
    ck_assert_int_eq(event_rows_new_id(id), 0);
    struct event_row held = {.id = id, .type = "alert.opened", .time_us = 1, .camera = "gate", .alert = 9, .body = "{}"};
    must(event_rows_add(database, &held, &err));
    ck_assert_int_eq(held.seq, of_alert + 1);
    must(outbox_rows_add(database, "c", held.seq, &err));
    struct outbox_row item;
    must(outbox_rows_next(database, "c", &item, &err));
    ck_assert(!item.ready);
    free(item.body);
    must(event_rows_ready(database, held.seq, &err));
    must(outbox_rows_next(database, "c", &item, &err));
    ck_assert(item.ready);
    free(item.body);
    ck_assert_int_eq(event_rows_add(database, &held, &err), -EEXIST);   /* an id is used once */
    must(event_rows_all_ready(database, &n, &err));
    ck_assert_int_eq(n, 0);
    must(labels_mark(database, 9, false, &err));
    must(event_rows_prune(database, INT64_MAX, 100, &n, &err));
    close_database();
    open_database();
    ck_assert_int_eq(put_event(1, 0), held.seq + 1);    /* a seq is never used again */
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("outbox");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, in_order_for_each_endpoint);
    tcase_add_test(tcase, dead_letters);
    tcase_add_test(tcase, disabled_endpoints);
    tcase_add_test(tcase, events_and_their_retention);
    Suite *suite = suite_create("outbox");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
