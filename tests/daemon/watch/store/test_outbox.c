/* daemon/watch/store/outbox: the outbox of webhooks over a real database and its writer. A delivered entry is not given again,
 * even if the database does not know yet. Order, attempts, dead letters and disabled endpoints survive a restart. Endpoints that
 * are removed lose their events. A database that cannot be written delays nobody. Another database in its place has other
 * events. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/store/outbox.h"
#include "io/base/clock.h"
#include "io/database/query.h"
#include "tests/io/database/state_folder.h"

#define SECOND_US INT64_C(1000000)
#define DIED_US INT64_C(4102444800000000)       /* the year 2100: such a letter is not old enough to be deleted */

static struct heartbeats beats;
static struct store *store;
static struct events *events;
static struct store_outbox *adapter;
static struct outbox outbox;
static atomic_int woken;

static void wake(void *arg)
{
    ck_assert_ptr_eq(arg, &outbox);
    atomic_fetch_add(&woken, 1);
}

/* Both endpoints, a and b, take every event but a webhook.disabled about themselves. */
static bool wants(const void *arg, size_t i, const char *name, const struct event *event)
{
    (void)arg;
    (void)i;
    return !event->webhook || strcmp(event->webhook, name) != 0;
}

/* The seq of events in a new database begins with the time at which it was made. In these tests it begins with 1. */
static void number_from_one(void)
{
    open_database();
    must(database_execute(database,
                          "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'events' AND NOT EXISTS (SELECT 1 FROM events)",
                          &err));
    must(database_set_number(database, "events_deleted_below", 0, &err));
    close_database();
}

static void open_with(int64_t hold_us)
{
    heartbeats_init(&beats);
    must(store_open(&store, &(struct store_options){.folder = folder, .retention = {24, 90, 365}, .hold_us = hold_us,
                                                    .heartbeats = &beats}, &err));
    number_from_one();
    const struct store_endpoints endpoints = {.n = 2, .names = {"a", "b"}, .wants = wants};
    store_set_endpoints(store, &endpoints);
    ck_assert_int_eq(events_open(&events), 0);
    ck_assert_int_eq(events_add(events, store_event_sink(store)), 0);
    must(store_outbox_open(&adapter, store, "", wake, &outbox, &err));
    outbox = store_outbox(adapter);
    ck_assert_int_eq(outbox.endpoints(outbox.context, (const char *const[]){"a", "b"}, 2), 0);
    must(store_start(store, &err));
}

static void open_all(void)
{
    open_with(0);
}

static void close_all(void)
{
    events_close(events);
    ck_assert(store_close(store, monotonic_us() + 20 * SECOND_US));
    store_outbox_close(adapter);
    store_free(store);
    events_free(events);
    heartbeats_destroy(&beats);
}

static void flush(void)
{
    struct store_stats stats;
    int64_t until_us = monotonic_us() + 60 * SECOND_US;
    store_flush(store, until_us);
    ck_assert_int_lt(monotonic_us(), until_us);
    store_stats(store, &stats);
    ck_assert_uint_eq(stats.events_queued, 0);
}

static void post(int n)
{
    for (int i = 0; i < n; i++)
        events_post(events, &(struct event){.type = EVENT_CAMERA_LOST, .time_us = 1000 * (i + 1), .camera = "gate",
                                            .reason = "x"});
    flush();
}

/* The seq of the endpoint's next entry; 0: none. */
static int64_t next(const char *key)
{
    struct outbox_entry entry = {.seq = 0};
    int r = outbox.next(outbox.context, key, &entry);
    ck_assert_int_ge(r, 0);
    ck_assert_int_eq(r, entry.seq != 0);
    if (r) {
        ck_assert_uint_eq(entry.size, strlen(entry.body));
        ck_assert_ptr_nonnull(strstr(entry.body, "\"type\":\""));
        ck_assert_int_eq(memcmp(entry.id, "msg_", 4), 0);
        free(entry.body);
    }
    return (int64_t)entry.seq;
}

static struct outbox_entry head(const char *key)
{
    struct outbox_entry entry;
    ck_assert_int_eq(outbox.next(outbox.context, key, &entry), 1);
    free(entry.body);
    entry.body = NULL;
    return entry;
}

static void deliver(const char *key, int64_t seq)
{
    ck_assert_int_eq(outbox.delivered(outbox.context, key, (uint64_t)seq, 1), 0);
}

static struct outbox_counts counts(const char *key)
{
    struct outbox_counts ret;
    ck_assert_int_eq(outbox.counts(outbox.context, key, &ret), 0);
    return ret;
}

static struct outbox_state state(const char *key)
{
    struct outbox_state ret;
    ck_assert_int_eq(outbox.state(outbox.context, key, &ret), 0);
    return ret;
}

/* Another program that holds the lock of the database. */
static struct database *blocker;

static void block(void)
{
    struct database_opening opening;
    must(database_open(&blocker, folder, &opening, &err));
    must(database_begin(blocker, &err));
}

static void unblock(void)
{
    database_rollback(blocker);
    database_close(blocker);
}

START_TEST(in_order_and_over_a_restart)
{
    open_all();
    int64_t before_us = utc_us();
    post(3);
    struct outbox_entry first = head("a");
    ck_assert(first.seq == 1 && first.time_us == 1000 && first.queued_us >= before_us - SECOND_US && first.queued_us <= utc_us());
    ck_assert(first.attempts == 0 && first.due_us == 0);
    ck_assert_int_eq(outbox.failed(outbox.context, "a", 1, 4, 77777, "HTTP status 500"), 0);
    deliver("b", 1);
    ck_assert_int_eq(next("b"), 2);
    deliver("b", 2);
    ck_assert(next("b") == 3 && next("a") == 1);
    ck_assert(counts("a").queued == 3 && counts("b").queued == 1 && counts("b").oldest_us >= before_us - SECOND_US);
    close_all();

    open_all();
    struct outbox_entry again = head("a");
    ck_assert(again.seq == 1 && again.attempts == 4 && again.due_us == 77777 && again.queued_us == first.queued_us);
    ck_assert_str_eq(again.id, first.id);
    ck_assert_int_eq(next("b"), 3);
    post(1);
    deliver("b", 3);
    ck_assert_int_eq(next("b"), 4);
    deliver("b", 4);
    ck_assert_int_eq(next("b"), 0);
    ck_assert(counts("b").queued == 0 && counts("b").oldest_us == 0);
    close_all();
}
END_TEST

START_TEST(a_delivery_that_is_not_written_yet)
{
    open_all();
    post(300);
    block();
    for (int64_t seq = 1; seq <= 256; seq++) {
        ck_assert_int_eq(next("a"), seq);
        if (seq % 2)
            deliver("a", seq);
        else
            ck_assert_int_eq(outbox.dead(outbox.context, "a", (uint64_t)seq, 1, DIED_US, "x"), 0);
    }
    ck_assert_int_eq(next("a"), 257);
    ck_assert_int_eq(next("b"), 1);
    ck_assert(counts("a").queued == 44 && counts("a").dead == 128 && counts("b").queued == 300);
    /* The outbox keeps 256 entries for the database in memory, and no more. */
    ck_assert_int_eq(outbox.delivered(outbox.context, "a", 257, 1), -EAGAIN);
    ck_assert_int_eq(next("a"), 257);
    deliver("b", 1);
    unblock();
    flush();
    ck_assert(next("a") == 257 && next("b") == 2);
    ck_assert(counts("a").queued == 44 && counts("a").dead == 128);
    deliver("a", 257);
    close_all();
    open_all();
    ck_assert(next("a") == 258 && next("b") == 2);
    ck_assert(counts("a").queued == 43 && counts("a").dead == 128 && counts("b").queued == 299);
    close_all();
}
END_TEST

START_TEST(dead_letters)
{
    struct outbox_dead *list;
    open_all();
    post(3);
    struct outbox_entry first = head("a");
    ck_assert_int_eq(outbox.dead(outbox.context, "a", 1, 5, DIED_US, "not delivered within 24.0 h"), 0);
    deliver("a", 2);
    flush();
    ck_assert_int_eq(next("a"), 3);
    ck_assert_int_eq(outbox.list_dead(outbox.context, "b", &list, 10), 0);
    outbox_dead_free(list, 0);
    ck_assert_int_eq(outbox.list_dead(outbox.context, "a", &list, 10), 1);
    ck_assert(list[0].seq == 1 && list[0].attempts == 5 && list[0].died_us == DIED_US && list[0].time_us == 1000);
    ck_assert_str_eq(list[0].id, first.id);
    ck_assert_str_eq(list[0].reason, "not delivered within 24.0 h");
    ck_assert_ptr_nonnull(strstr(list[0].body, "camera.lost"));
    outbox_dead_free(list, 1);
    ck_assert_int_eq(outbox.list_dead(outbox.context, "a", &list, 0), 0);
    outbox_dead_free(list, 0);

    ck_assert_int_eq(outbox.retry_dead(outbox.context, "b", 5000), 0);
    flush();
    block();
    atomic_store(&woken, 0);
    ck_assert_int_eq(outbox.retry_dead(outbox.context, "a", 5000), 1);
    ck_assert_int_eq(outbox.retry_dead(outbox.context, "a", 7000), 1);  /* the first order serves, the second adds none */
    ck_assert(next("a") == 0 && next("b") == 1);        /* no entry overtakes the dead letter */
    ck_assert_int_eq(atomic_load(&woken), 0);
    unblock();
    flush();
    ck_assert_int_eq(atomic_load(&woken), 1);
    struct outbox_entry again = head("a");
    ck_assert(again.seq == 1 && again.attempts == 0 && again.due_us == 0 && again.queued_us == 5000 && again.time_us == 1000);
    ck_assert_str_eq(again.id, first.id);
    ck_assert_int_eq(outbox.dead(outbox.context, "a", 1, 6, DIED_US, "again"), 0);
    ck_assert_int_eq(outbox.retry_dead(outbox.context, "a", 6000), 1);          /* even one that is not written yet */
    flush();
    ck_assert_int_eq(next("a"), 1);
    deliver("a", 1);
    ck_assert_int_eq(next("a"), 3);
    close_all();
}
END_TEST

START_TEST(disabled_endpoints)
{
    open_all();
    post(1);
    ck_assert_int_eq(state("a").disabled_us, 0);
    ck_assert_int_eq(outbox.disable(outbox.context, "a", 123, "it answered 410", "url-12345678"), 0);
    ck_assert(state("a").disabled_us == 123 && state("b").disabled_us == 0);
    events_post(events, &(struct event){.type = EVENT_WEBHOOK_DISABLED, .webhook = "a", .reason = "it answered 410"});
    flush();
    ck_assert(counts("a").queued == 1 && counts("b").queued == 2);      /* no endpoint is told of itself */
    close_all();
    open_all();
    ck_assert_int_eq(state("a").disabled_us, 123);
    ck_assert_str_eq(state("a").reason, "it answered 410");
    ck_assert_str_eq(state("a").mark, "url-12345678");
    ck_assert_int_eq(next("a"), 1);                     /* it keeps its entries; the sender has to leave it alone */
    ck_assert_int_eq(outbox.enable(outbox.context, "a"), 0);
    ck_assert_int_eq(state("a").disabled_us, 0);
    close_all();
    open_all();
    ck_assert_int_eq(state("a").disabled_us, 0);
    close_all();
}
END_TEST

START_TEST(endpoints_that_are_gone)
{
    struct outbox_entry entry;
    struct outbox_counts none;
    struct outbox_state nothing;
    open_all();
    post(2);
    ck_assert_int_eq(outbox.disable(outbox.context, "a", 123, "it answered 410", "url-1"), 0);
    block();
    ck_assert_int_eq(outbox.endpoints(outbox.context, (const char *const[]){"b", "c"}, 2), 0);
    ck_assert_int_eq(outbox.next(outbox.context, "a", &entry), -ENOENT);
    ck_assert_int_eq(outbox.counts(outbox.context, "a", &none), -ENOENT);
    ck_assert_int_eq(outbox.state(outbox.context, "a", &nothing), -ENOENT);
    ck_assert_int_eq(outbox.delivered(outbox.context, "a", 1, 1), -ENOENT);
    ck_assert_int_eq(outbox.disable(outbox.context, "a", 1, "x", "y"), -ENOENT);
    ck_assert_int_eq(outbox.retry_dead(outbox.context, "a", 1), -ENOENT);
    ck_assert_int_eq(outbox.list_dead(outbox.context, "a", &(struct outbox_dead *){NULL}, 1), -ENOENT);
    ck_assert(next("b") == 1 && next("c") == 0);
    /* The endpoint comes back before the database knows that it was removed. */
    ck_assert_int_eq(outbox.endpoints(outbox.context, (const char *const[]){"a", "b"}, 2), 0);
    ck_assert(next("a") == 0 && next("b") == 1 && state("a").disabled_us == 0);
    unblock();
    flush();
    ck_assert(next("a") == 0 && next("b") == 1 && counts("a").queued == 0 && counts("b").queued == 2);
    post(1);
    ck_assert_int_eq(next("a"), 3);
    close_all();
    open_all();
    ck_assert(next("a") == 3 && next("b") == 1 && state("a").disabled_us == 0);
    ck_assert_int_eq(outbox.endpoints(outbox.context, NULL, 0), 0);
    close_all();
    open_all();
    ck_assert(next("a") == 0 && next("b") == 0);
    close_all();
}
END_TEST

START_TEST(only_what_is_ready)
{
    open_with(3600 * SECOND_US);
    const struct alert_record alert = {.id = 7, .camera = "gate", .opened_us = 7000, .peak_us = 7000};
    events_post(events, &(struct event){.type = EVENT_ALERT_OPENED, .time_us = 7000, .camera = "gate", .alert = &alert});
    events_post(events, &(struct event){.type = EVENT_CAMERA_LOST, .camera = "gate", .reason = "x"});
    for (int64_t until = monotonic_us() + 20 * SECOND_US; counts("a").queued < 2; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    ck_assert_int_eq(next("a"), 0);                     /* no entry overtakes the one that waits */
    store_pictures_ready(store, 7);
    for (int64_t until = monotonic_us() + 20 * SECOND_US; next("a") == 0; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    ck_assert_int_eq(next("a"), 1);
    close_all();
}
END_TEST

/* The events of the new database have the numbers of the old one's. */
START_TEST(another_database_in_its_place)
{
    char path[128], bytes[65536];
    struct database *other;             /* a second connection, whose writes make the store read again */
    struct database_opening opening;
    open_all();
    post(3);
    struct outbox_entry old = head("a");
    memset(bytes, 0xa5, sizeof bytes);
    must(database_open(&other, folder, &opening, &err));
    must(database_execute(other, "PRAGMA wal_checkpoint(TRUNCATE)", &err));
    must(database_set_number(other, "x", 1, &err));
    snprintf(path, sizeof path, "%s/memaed.db", folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, 4096), (ssize_t)sizeof bytes);
    close(fd);
    for (int64_t until = monotonic_us() + 60 * SECOND_US; store_generation(store) == 0; usleep(10000)) {
        events_post(events, &(struct event){.type = EVENT_CAMERA_LOST, .camera = "gate", .reason = "x"});
        ck_assert_int_lt(monotonic_us(), until);
    }
    flush();
    deliver("a", (int64_t)old.seq);                     /* of the old database: no entry of the new one is removed */
    flush();
    int64_t first = next("a");
    ck_assert_int_gt(first, (int64_t)old.seq);
    ck_assert_str_ne(head("a").id, old.id);
    deliver("a", first);
    ck_assert_int_ne(next("a"), first);
    database_close(other);
    close_all();
}
END_TEST

static void begin(void)
{
    log_open(LOG_DEBUG);
    make_folder();
}

int main(void)
{
    TCase *tcase = tcase_create("outbox of the store");
    tcase_add_checked_fixture(tcase, begin, remove_folder);
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, in_order_and_over_a_restart);
    tcase_add_test(tcase, a_delivery_that_is_not_written_yet);
    tcase_add_test(tcase, dead_letters);
    tcase_add_test(tcase, disabled_endpoints);
    tcase_add_test(tcase, endpoints_that_are_gone);
    tcase_add_test(tcase, only_what_is_ready);
    tcase_add_test(tcase, another_database_in_its_place);
    Suite *suite = suite_create("outbox of the store");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
