/* io/database/outbox_rows and event_rows: deliveries in order for each endpoint, attempts, dead letters, endpoints that are
 * disabled. */
#include "io/database/labels.h"
#include "io/database/outbox_rows.h"
#include "tests/io/database/state_folder.h"

/* Returns the seq of the endpoint's next event; 0: there is none. */
static int64_t next(const char *endpoint)
{
    struct outbox_row item = {.seq = 0};
    int r = outbox_rows_next(database, endpoint, INT64_MIN, &item, &err);
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

/* Queues events 1 to 5 for a, and 2 and 4 for b too. */
static void fill(void)
{
    open_database();
    for (int64_t i = 1; i <= 5; i++) {
        int64_t seq = put_event(i * 1000, 0);
        ck_assert_int_eq(seq, i);
        must(outbox_rows_add(database, "a", seq, 50000 + seq, &err));
        if (i % 2 == 0)
            must(outbox_rows_add(database, "b", seq, 50000 + seq, &err));
    }
    must(outbox_rows_add(database, "a", 5, 50000 + 5, &err));           /* adding it again changes nothing */
}

START_TEST(in_order_for_each_endpoint)
{
    struct outbox_row item;
    fill();
    must(outbox_rows_next(database, "a", INT64_MIN, &item, &err));
    ck_assert(item.seq == 1 && item.attempts == 0 && item.due_us == 0 && item.time_us == 1000 && item.queued_us == 50001 &&
              item.ready);
    ck_assert_str_eq(item.body, "{}");
    ck_assert_int_eq(memcmp(item.id, "msg_", 4), 0);
    ck_assert_uint_eq(strlen(item.id), EVENT_ID_SIZE - 1);
    char id[EVENT_ID_SIZE];
    memcpy(id, item.id, sizeof id);
    free(item.body);
    must(outbox_rows_failed(database, "a", 1, 1, 77777, "status 500", &err));
    must(outbox_rows_failed(database, "a", 1, 2, 99999, "status 500", &err));
    close_database();           /* attempts and the id survive a restart */
    open_database();
    must(outbox_rows_next(database, "a", INT64_MIN, &item, &err));
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
    ck_assert(counts_of("a").queued == 4 && counts_of("a").dead == 0);
    ck_assert(counts_of("b").queued == 1 && counts_of("nobody").queued == 0);
}
END_TEST

static bool append_dead(void *arg, const struct outbox_dead_row *dead)
{
    char *text = arg;
    sprintf(text + strlen(text), "%d %d %d %d %s %s, ", (int)dead->seq, (int)dead->time_us, (int)dead->died_us, dead->attempts,
            dead->reason, dead->body);
    ck_assert_int_eq(memcmp(dead->id, "msg_", 4), 0);
    return dead->seq < 3;
}

START_TEST(dead_letters)
{
    struct outbox_row item;
    char dead[256] = "";
    int n;
    fill();
    must(outbox_rows_failed(database, "a", 1, 1, 1, "status 500", &err));
    for (int64_t seq = 1; seq <= 4; seq++)
        must(outbox_rows_dead(database, "a", seq, 7, 5000 + seq, "older than 24 h", &err));
    must(outbox_rows_dead(database, "a", 77, 7, 5000, "x", &err));      /* there is no event 77 */
    ck_assert_int_eq(next("a"), 5);
    ck_assert(counts_of("a").queued == 1 && counts_of("a").dead == 4 && counts_of("b").dead == 0);
    must(outbox_rows_each_dead(database, "a", append_dead, dead, &err));
    ck_assert_str_eq(dead,
                     "1 1000 5001 7 older than 24 h {}, 2 2000 5002 7 older than 24 h {}, 3 3000 5003 7 older than 24 h {}, ");
    must(outbox_rows_prune(database, 5002, 10, &n, &err));
    ck_assert(n == 1 && counts_of("a").dead == 3);
    must(outbox_rows_revive(database, "a", 6000, &n, &err));
    ck_assert(n == 3 && counts_of("a").dead == 0 && counts_of("a").queued == 4);
    must(outbox_rows_next(database, "a", INT64_MIN, &item, &err));      /* in their order, without attempts */
    ck_assert(item.seq == 2 && item.attempts == 0 && item.due_us == 0 && item.queued_us == 6000 && item.time_us == 2000);
    free(item.body);
    must(outbox_rows_next(database, "a", 5, &item, &err));
    ck_assert(item.seq == 5);
    free(item.body);
    must(outbox_rows_revive(database, "b", 6000, &n, &err));
    ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(endpoints)
{
    struct outbox_rows_state state;
    int n;
    fill();
    must(outbox_rows_state(database, "a", &state, &err));
    ck_assert(state.disabled_us == 0 && !*state.reason);
    must(outbox_rows_disable(database, "a", 122, "it answered 410", "url-0", &err));
    must(outbox_rows_disable(database, "a", 123, "it answered 410", "url-1", &err));
    must(outbox_rows_disable(database, "c", 124, "it answered 410", "url-2", &err));
    close_database();
    open_database();
    must(outbox_rows_state(database, "a", &state, &err));
    ck_assert(state.disabled_us == 123);
    ck_assert_str_eq(state.reason, "it answered 410");
    ck_assert_str_eq(state.mark, "url-1");
    ck_assert(counts_of("a").queued == 5 && next("a") == 1);            /* the rows of a disabled endpoint wait */
    must(outbox_rows_enable(database, "c", &err));
    must(outbox_rows_state(database, "c", &state, &err));
    ck_assert(state.disabled_us == 0);

    must(outbox_rows_dead(database, "a", 1, 7, 1, "x", &err));
    must(outbox_rows_disable(database, "b", 125, "it answered 410", "url-3", &err));
    must(outbox_rows_keep(database, "", (const char *const[]){"b", "a\"'"}, 2, &n, &err));
    ck_assert(n == 4 && counts_of("a").queued == 0 && counts_of("a").dead == 0 && counts_of("b").queued == 2);
    must(outbox_rows_state(database, "a", &state, &err));
    ck_assert(state.disabled_us == 0);
    must(outbox_rows_state(database, "b", &state, &err));
    ck_assert(state.disabled_us == 125);
    must(outbox_rows_keep(database, "", NULL, 0, &n, &err));
    ck_assert(n == 2 && next("b") == 0);
}
END_TEST

/* A kind of sink sets only the endpoints of its own scope. Those of other scopes stay. */
START_TEST(scopes)
{
    int n;
    fill();
    must(outbox_rows_add(database, "mqtt:a", 1, 1000, &err));
    must(outbox_rows_add(database, "mqtt:b", 1, 1000, &err));
    must(outbox_rows_add(database, "mqt", 1, 1000, &err));
    must(outbox_rows_dead(database, "mqtt:b", 1, 1, 1, "x", &err));
    must(outbox_rows_disable(database, "mqtt:a", 1, "it answered 410", "url-1", &err));
    must(outbox_rows_keep(database, "", (const char *const[]){"a"}, 1, &n, &err));
    ck_assert(n == 3 && counts_of("a").queued == 5 && counts_of("mqt").queued == 0);
    ck_assert(counts_of("mqtt:a").queued == 1 && counts_of("mqtt:b").dead == 1);
    must(outbox_rows_keep(database, "mqtt:", (const char *const[]){"mqtt:a"}, 1, &n, &err));
    ck_assert(n == 0 && counts_of("mqtt:a").queued == 1 && counts_of("mqtt:b").dead == 0 && counts_of("a").queued == 5);
    struct outbox_rows_state state;
    must(outbox_rows_state(database, "mqtt:a", &state, &err));
    ck_assert_int_eq(state.disabled_us, 1);
    must(outbox_rows_keep(database, "mqtt:", NULL, 0, &n, &err));
    ck_assert(n == 1 && counts_of("a").queued == 5);
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
    must(event_rows_prune(database, 3000, 10, &n, &err));
    ck_assert(n == 0 && next("a") == 1);                /* undelivered events stay */
    for (int64_t seq = 1; seq <= 2; seq++)
        must(outbox_rows_delivered(database, "a", seq, &err));
    must(outbox_rows_dead(database, "b", 2, 1, 1, "x", &err));
    must(event_rows_prune(database, 3000, 1, &n, &err));
    ck_assert_int_eq(n, 1);
    must(event_rows_prune(database, 3000, 10, &n, &err));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(next("a"), 3);
    ck_assert(next("b") == 4 && counts_of("b").dead == 0);      /* dead letters go with their events */
    ck_assert_int_eq(event_new_id(id), 0);
    struct event_row held = {.id = id, .type = "alert.opened", .time_us = 1, .camera = "gate", .alert = 9, .body = "{}"};
    must(event_rows_add(database, &held, &err));
    ck_assert_int_eq(held.seq, of_alert + 1);
    must(outbox_rows_add(database, "c", held.seq, 50000 + held.seq, &err));
    struct outbox_row item;
    must(outbox_rows_next(database, "c", INT64_MIN, &item, &err));
    ck_assert(!item.ready);
    free(item.body);
    must(event_rows_ready(database, held.seq, &err));
    must(outbox_rows_next(database, "c", INT64_MIN, &item, &err));
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
    tcase_add_test(tcase, endpoints);
    tcase_add_test(tcase, scopes);
    tcase_add_test(tcase, events_and_their_retention);
    Suite *suite = suite_create("outbox");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
