/* daemon/watch/store: an event, its alert and its outbox rows are one transaction, and the event is published after it. Posting
 * never waits. If the database cannot be written or is damaged, nothing is lost as long as it fits into the queue. Also: events
 * that wait for evidence; the reader. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/store/queue.h"
#include "daemon/watch/store/reader.h"
#include "daemon/watch/store/store.h"
#include "io/base/clock.h"
#include "io/database/evidence_rows.h"
#include "io/database/outbox_rows.h"
#include "io/database/query.h"
#include "io/database/score_rows.h"
#include "tests/io/database/state_folder.h"

#define SECOND_US INT64_C(1000000)

static struct heartbeats beats;
static struct store *store;
static struct events *events;
static struct alertlog *alerts;

/* The published events, with the alert's id: "alert.opened 7, camera.lost 0!, ". '!': the event is not ready. publish() checks
 * that the event is in the database. */
static struct {
    pthread_mutex_t mutex;
    char text[65536];
    int n;
    bool unread;                /* publish() does not look into the database */
    int64_t last_seq;
    char last_body[4096], last_id[64];
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool found_event(void *arg, const struct event_row *row)
{
    const struct store_event *event = arg;
    ck_assert_int_eq(row->seq, event->seq);
    ck_assert_str_eq(row->id, event->id);
    ck_assert_str_eq(row->body, event->body);
    ck_assert_int_eq(row->ready, event->ready);
    ck_assert_uint_eq(row->alert, event->alert);
    return false;
}

static void look(const struct store_event *event)
{
    struct database *reader;
    struct error own;
    ck_assert_msg(database_open_reader(&reader, folder, &own) == 0, "%s", own.text);
    ck_assert_int_eq(event_rows_each(reader, event->seq, 1, found_event, (void *)event, &own), 0);
    database_close(reader);
}

static void publish(void *arg, const struct store_event *event)
{
    ck_assert_ptr_eq(arg, &seen);
    pthread_mutex_lock(&seen.mutex);
    if (!seen.unread)
        look(event);
    snprintf(seen.text + strlen(seen.text), sizeof seen.text - strlen(seen.text), "%s %llu%s, ", event_type_name(event->type),
             (unsigned long long)event->alert, event->ready ? "" : "!");
    seen.n++;
    seen.last_seq = event->seq;
    snprintf(seen.last_body, sizeof seen.last_body, "%s", event->body);
    snprintf(seen.last_id, sizeof seen.last_id, "%s", event->id);
    pthread_mutex_unlock(&seen.mutex);
}

static int published_with(const char *type)     /* the number of events if one has that type; else -1 */
{
    pthread_mutex_lock(&seen.mutex);
    int n = strstr(seen.text, type) ? seen.n : -1;
    pthread_mutex_unlock(&seen.mutex);
    return n;
}

static void wait_published(int n)
{
    for (int64_t until = monotonic_us() + 20 * SECOND_US; published_with("") < n; usleep(1000))
        ck_assert_msg(monotonic_us() < until, "published: %s", seen.text);
}

static struct store_stats stats(void)
{
    struct store_stats ret;
    store_stats(store, &ret);
    return ret;
}

/* The endpoint `all` takes every event but its own webhook.disabled, `alerts` the openings of alerts at the gate. */
static bool wants(const void *arg, size_t i, const char *name, const struct event *event)
{
    ck_assert_ptr_null(arg);
    ck_assert_str_eq(name, i ? "alerts" : "all");
    return i == 0 ? !event->webhook || strcmp(event->webhook, name) != 0
                  : event->type == EVENT_ALERT_OPENED && strcmp(event->camera, "gate") == 0;
}

static void open_store(int64_t hold_us)
{
    seen.text[0] = '\0';
    seen.n = 0;
    heartbeats_init(&beats);
    must(store_open(&store, &(struct store_options){.folder = folder, .retention = {24, 90, 365}, .hold_us = hold_us,
                                                    .heartbeats = &beats, .publish = publish, .publish_arg = &seen}, &err));
    const struct store_endpoints endpoints = {.n = 2, .names = {"all", "alerts"}, .wants = wants};
    store_set_endpoints(store, &endpoints);
    ck_assert_int_eq(events_open(&events), 0);
    ck_assert_int_eq(events_add(events, store_event_sink(store)), 0);
    const struct alertlog_sink sink = store_alertlog_sink(store);
    ck_assert_int_eq(alertlog_open(&alerts, store_last_alert(store), &sink), 0);
}

static void start_store(int64_t hold_us)
{
    open_store(hold_us);
    must(store_start(store, &err));
}

static void close_store(void)
{
    ck_assert(store_close(store, monotonic_us() + 20 * SECOND_US));
    store_free(store);
    events_free(events);
    alertlog_close(alerts);
    char name[HEARTBEAT_NAME_SIZE];
    ck_assert(!heartbeats_stuck(&beats, INT64_MAX, name));      /* the store's beat has left */
    heartbeats_destroy(&beats);
    store = NULL;
}

static void begin(void)
{
    log_open(LOG_DEBUG);
    make_folder();
}

static struct alert_record open_alert(const char *camera)
{
    struct alert_record alert = {.opened_us = 1000000, .peak_us = 1000000, .peak_score = 1};
    snprintf(alert.camera, sizeof alert.camera, "%s", camera);
    alertlog_append(alerts, &alert);
    events_post(events, &(struct event){.type = EVENT_ALERT_OPENED, .time_us = 5, .camera = camera, .alert = &alert});
    return alert;
}

static void close_alert(struct alert_record *alert)
{
    alert->closed_us = alert->opened_us + 5;
    events_post(events, &(struct event){.type = EVENT_ALERT_CLOSED, .camera = alert->camera, .alert = alert});
}

static void post(enum event_type type)
{
    events_post(events, &(struct event){.type = type, .camera = "gate", .reason = "rtsp://eva:secret@h/x is gone"});
}

static struct database *open_reader(void)
{
    struct database *reader;
    must(database_open_reader(&reader, folder, &err));
    return reader;
}

/* The number of rows in the endpoint's outbox. */
static int64_t queued(const char *endpoint)
{
    struct database *reader = open_reader();
    struct outbox_rows_counts counts;
    must(outbox_rows_counts(reader, endpoint, &counts, &err));
    database_close(reader);
    return counts.queued;
}

/* ---- writing and publishing ----------------------------------------------------------------------------------------- */

/* Scores that the database refuses are dropped and counted. They hold up no event. */
START_TEST(scores_that_are_refused)
{
    start_store(0);
    struct database *other;
    struct database_opening opening;
    must(database_open(&other, folder, &opening, &err));
    must(database_execute(other, "DROP TABLE scores", &err));
    database_close(other);
    struct score_record score = {.time_us = 5};
    for (; score.window < 3; score.window++)
        alertlog_score(alerts, "gate", &score);
    for (int64_t until = monotonic_us() + 20 * SECOND_US; stats().scores_dropped < 3; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    ck_assert_uint_eq(stats().scores_queued, 0);
    post(EVENT_CAMERA_LOST);
    wait_published(1);
    ck_assert(!stats().failing && stats().failures == 0);
    close_store();
}
END_TEST

START_TEST(published_after_the_commit)
{
    start_store(0);
    struct alert_record alert = open_alert("gate");
    ck_assert_uint_eq(alert.id, 1000);
    wait_published(1);
    ck_assert_ptr_nonnull(strstr(seen.last_body,
                                 "{\"type\":\"alert.opened\",\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"data\":{\"id\":1000,"));
    close_alert(&alert);
    post(EVENT_CAMERA_LOST);
    wait_published(3);
    ck_assert_str_eq(seen.text, "alert.opened 1000, alert.closed 1000, camera.lost 0, ");
    ck_assert_ptr_null(strstr(seen.last_body, "secret"));
    ck_assert_int_eq(queued("all"), 3);
    ck_assert_int_eq(queued("alerts"), 1);
    store_set_endpoints(store, &(struct store_endpoints){.n = 0});
    post(EVENT_CAMERA_RESTORED);
    wait_published(4);
    ck_assert_int_eq(queued("all"), 3);
    struct store_stats s = stats();
    ck_assert(s.commits >= 3 && s.failures == 0 && !s.failing && s.commit_seconds > 0 && s.bytes > 0 && s.events_queued == 0);
    int64_t last_seq = seen.last_seq;
    close_store();

    start_store(0);             /* the next event has the next seq, the next alert the next id */
    ck_assert_uint_eq(store_last_alert(store), 1000);
    ck_assert_uint_eq(open_alert("gate").id, 1001);
    wait_published(1);
    ck_assert_int_eq(seen.last_seq, last_seq + 1);
    close_store();
}
END_TEST

START_TEST(what_was_open_is_interrupted)
{
    start_store(0);
    struct alert_record first = open_alert("gate"), second = open_alert("yard"), third = open_alert("zoo");
    close_alert(&second);
    first.peak_score = 9;
    first.peak_us = 7000000;
    alertlog_update(alerts, &first);
    wait_published(4);
    close_store();
    start_store(0);
    char expected[128];
    snprintf(expected, sizeof expected, "alert.closed %llu, alert.closed %llu, ", (unsigned long long)first.id,
             (unsigned long long)third.id);
    ck_assert_str_eq(seen.text, expected);              /* published before the store's thread starts */
    ck_assert_ptr_nonnull(strstr(seen.last_body, "\"state\":\"interrupted\""));
    ck_assert_int_eq(queued("all"), 6);
    struct database *reader = open_reader();
    struct alert_record alert;
    must(alert_rows_find(reader, first.id, &alert, &err));
    ck_assert(alert.interrupted && alert.peak_score == 9 && alert.closed_us == 7000000);
    must(alert_rows_find(reader, second.id, &alert, &err));
    ck_assert(!alert.interrupted);
    database_close(reader);
    close_store();
    start_store(0);
    ck_assert_str_eq(seen.text, "");
    close_store();
}
END_TEST

START_TEST(scores_and_peaks_follow)
{
    struct score_row rows[512];
    struct minute_row minute;
    struct alert_record read;
    size_t n = 0;
    start_store(0);
    struct alert_record alert = open_alert("gate");
    int64_t now_us = utc_us();
    for (int i = 0; i < 400; i++)
        alertlog_score(alerts, "gate", &(struct score_record){.window = (uint64_t)i, .time_us = now_us + i, .score = (float)i,
                                                              .reference = 1, .p_value = NAN, .is_slow = i == 3});
    for (int i = 2; i < 100; i++) {
        alert.peak_score = i;
        alertlog_update(alerts, &alert);
    }
    struct database *reader = open_reader();
    for (int64_t until = monotonic_us() + 20 * SECOND_US; n < 400; usleep(5000)) {
        ck_assert_int_lt(monotonic_us(), until);
        must(score_rows_read(reader, "gate", 0, INT64_MAX, rows, 512, &n, &err));
    }
    ck_assert(rows[3].slow && rows[3].score == 3 && rows[3].window == 3 && isnan(rows[3].p));
    must(minute_rows_read(reader, "gate", 0, INT64_MAX, &minute, 1, &n, &err));
    ck_assert(n == 1 && minute.minimum == 0 && minute.slow == 1);
    must(alert_rows_find(reader, alert.id, &read, &err));
    ck_assert_double_eq(read.peak_score, 99);
    ck_assert_uint_le(stats().commits, 6);              /* scores and peaks have no commit each */
    database_close(reader);
    close_store();
}
END_TEST

START_TEST(an_alert_that_no_event_tells)
{
    start_store(0);
    struct alert_record alert = {.id = 55, .opened_us = 55000, .camera = "gate"}, read;
    alertlog_append_untold(alerts, &alert);
    post(EVENT_CAMERA_LOST);
    wait_published(1);
    ck_assert_str_eq(seen.text, "camera.lost 0, ");
    struct database *reader = open_reader();
    must(alert_rows_find(reader, 55, &read, &err));
    ck_assert_int_eq(read.closed_us, 0);
    database_close(reader);
    close_store();
}
END_TEST

/* ---- evidence ------------------------------------------------------------------------------------------------------- */

START_TEST(an_event_waits_for_its_evidence)
{
    const struct evidence_row row = {.alert = 1000, .kind = EVIDENCE_SNAPSHOT,
                                     .path = "evidence/gate/1970-01-01/1000/snapshot.jpg", .bytes = 77, .made_us = 5};
    struct evidence_row rows[EVIDENCE_KINDS];
    size_t n;
    start_store(10 * SECOND_US);
    struct alert_record alert = open_alert("gate");
    post(EVENT_CAMERA_LOST);            /* this event waits for no evidence */
    wait_published(2);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, camera.lost 0, ");
    store_pictures_ready(store, 9999);     /* no such alert */
    store_add_evidence(store, &row);
    store_pictures_ready(store, 1000);
    wait_published(3);
    struct database *reader = open_reader();
    must(evidence_rows_after(reader, 999, rows, &n, &err));       /* the row came before the event was ready */
    database_close(reader);
    ck_assert(n == 1 && strcmp(rows[0].path, row.path) == 0 && rows[0].bytes == 77);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, camera.lost 0, alert.opened 1000, ");
    store_pictures_ready(store, 1000);
    close_alert(&alert);
    wait_published(4);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, camera.lost 0, alert.opened 1000, alert.closed 1000, ");
    close_store();
}
END_TEST

START_TEST(an_alert_closes_after_it_opened)
{
    start_store(10 * SECOND_US);
    struct alert_record alert = open_alert("gate");
    close_alert(&alert);
    wait_published(2);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, alert.closed 1000!, ");
    store_pictures_ready(store, 1000);
    wait_published(4);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, alert.closed 1000!, alert.opened 1000, alert.closed 1000, ");
    close_store();
}
END_TEST

START_TEST(rows_of_deleted_files_go)
{
    struct database *reader;
    start_store(0);
    struct alert_record alert = open_alert("gate");
    close_alert(&alert);
    wait_published(2);
    struct database_opening opening;
    struct evidence_row row = {.alert = alert.id, .kind = EVIDENCE_CLIP, .path = "evidence/gate/x/1/clip.mp4", .bytes = 5,
                               .made_us = 1};
    must(database_open(&reader, folder, &opening, &err));
    must(evidence_rows_add(reader, &row, &err));
    int n = 0;
    for (; store_evidence_gone(store, alert.id) == 0; n++);
    ck_assert_int_ge(n, QUEUE_GONE_MAX);        /* when the queue is full, it takes no more */
    size_t left = 1;
    for (int64_t until_us = monotonic_us() + 20 * SECOND_US; left > 0 && monotonic_us() < until_us; usleep(20000))
        must(evidence_rows_after(reader, alert.id - 1, &row, &left, &err));
    ck_assert_uint_eq(left, 0);
    database_close(reader);
    close_store();
}
END_TEST

START_TEST(but_not_for_ever)
{
    start_store(SECOND_US / 5);
    int64_t began_us = monotonic_us();
    open_alert("gate");
    wait_published(2);
    ck_assert_int_ge(monotonic_us() - began_us, SECOND_US / 5);
    ck_assert_int_lt(monotonic_us() - began_us, 10 * SECOND_US);
    ck_assert_str_eq(seen.text, "alert.opened 1000!, alert.opened 1000, ");
    close_store();
    start_store(100 * SECOND_US);
    open_alert("gate");
    wait_published(2);                  /* one event: the alert above was interrupted */
    close_store();                      /* closing does not wait for evidence */
    ck_assert_str_eq(seen.text, "alert.closed 1000, alert.opened 1001!, alert.opened 1001, ");
}
END_TEST

/* ---- a database that cannot be written ------------------------------------------------------------------------------ */

/* Takes the lock for writing, as another program might. */
static struct database *block(void)
{
    struct database *other;
    struct database_opening opening;
    must(database_open(&other, folder, &opening, &err));
    must(database_begin(other, &err));
    return other;
}

static void unblock(struct database *other)
{
    database_rollback(other);
    database_close(other);
}

START_TEST(posting_never_waits)
{
    start_store(0);
    struct database *other = block();
    int64_t longest_us = 0, last_us = monotonic_us();
    enum { EVENTS = 1000, SCORES = 20000 };
    for (int i = 0; i < SCORES; i++) {
        if (i < EVENTS)
            post(EVENT_CAMERA_LOST);
        alertlog_score(alerts, "gate", &(struct score_record){.window = (uint64_t)i, .time_us = i});
        int64_t now_us = monotonic_us();
        longest_us = now_us - last_us > longest_us ? now_us - last_us : longest_us;
        last_us = now_us;
    }
    ck_assert_int_lt(longest_us, SECOND_US);
    struct store_stats s = stats();
    ck_assert_int_ge((int64_t)s.scores_dropped, SCORES - 16384 - 512);
    ck_assert_uint_eq(s.events_dropped, 0);
    ck_assert_uint_eq(s.events_queued, EVENTS);         /* events that are being written count */
    for (int64_t until = monotonic_us() + 20 * SECOND_US; !stats().failing; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    char name[HEARTBEAT_NAME_SIZE];
    ck_assert(!heartbeats_stuck(&beats, monotonic_us(), name));
    ck_assert_int_eq(published_with(""), 0);
    unblock(other);
    wait_published(EVENTS);
    for (int64_t until = monotonic_us() + 20 * SECOND_US; stats().scores_queued > 0; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    ck_assert(!stats().failing && stats().failures > 0 && stats().events_dropped == 0);
    close_store();
}
END_TEST

START_TEST(a_full_queue_drops_and_counts)
{
    start_store(0);
    struct database *other = block();
    for (int i = 0; i < 5000; i++)
        post(EVENT_CAMERA_LOST);
    struct store_stats s = stats();
    ck_assert_uint_eq(s.events_queued + s.events_dropped, 5000);
    ck_assert_uint_ge(s.events_dropped, 5000 - 4096 - 64);
    int64_t began_us = monotonic_us();
    store_close(store, began_us + SECOND_US / 2);       /* it closes in time, though the lock is still held */
    ck_assert_int_lt(monotonic_us() - began_us, 2 * SECOND_US);
    unblock(other);
    ck_assert(store_close(store, INT64_MAX));
    store_free(store);
    events_free(events);
    alertlog_close(alerts);
}
END_TEST

START_TEST(a_damaged_database_is_replaced)
{
    struct reader *reader;
    struct view_alerts found;
    struct alert_record list[4];
    start_store(0);
    must(reader_open(&reader, store, &err));
    struct alert_record alert = open_alert("gate");
    wait_published(1);
    ck_assert_int_eq(reader_alerts(reader, &(struct view_alerts_wanted){.limit = 4}, list, NULL, &found), 0);
    ck_assert(found.n == 1 && found.next == 1);
    uint64_t id = found.store;
    seen.unread = true;
    char path[128], bytes[65536];
    memset(bytes, 0xa5, sizeof bytes);
    struct database *other;             /* a second connection, whose writes make the store read again */
    struct database_opening opening;
    must(database_open(&other, folder, &opening, &err));
    must(database_execute(other, "PRAGMA wal_checkpoint(TRUNCATE)", &err));
    must(database_set_number(other, "x", 1, &err));
    snprintf(path, sizeof path, "%s/memaed.db", folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, 4096), (ssize_t)sizeof bytes);
    close(fd);
    for (int i = 0; i < 50 && store_generation(store) == 0; i++) {
        post(EVENT_CAMERA_LOST);
        usleep(20000);
    }
    ck_assert_uint_eq(store_generation(store), 1);
    close_alert(&alert);                /* the new database gets a new row of it */
    for (int64_t until = monotonic_us() + 20 * SECOND_US; published_with("alert.closed") < 0; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    ck_assert_int_eq(reader_alerts(reader, &(struct view_alerts_wanted){.limit = 4}, list, NULL, &found), 0);
    ck_assert(found.n == 1 && list[0].id == alert.id && list[0].closed_us == alert.closed_us);
    ck_assert_uint_ne(found.store, id);                 /* so cursors of the old database are refused */
    ck_assert_uint_eq(stats().events_dropped, 0);
    reader_close(reader);
    database_close(other);
    close_store();
}
END_TEST

/* ---- many threads --------------------------------------------------------------------------------------------------- */

static void *post_many(void *arg)
{
    for (int i = 0; i < 100; i++) {
        struct alert_record alert = open_alert(arg);
        alertlog_update(alerts, &alert);
        alertlog_score(alerts, arg, &(struct score_record){.window = (uint64_t)i, .time_us = i});
        close_alert(&alert);
    }
    return NULL;
}

START_TEST(many_threads_and_a_reader)
{
    enum { THREADS = 4 };
    static char *const cameras[THREADS] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    struct reader *reader;
    struct view_alerts found = {.next = 0};
    struct alert_record list[64];
    struct alert_labels labels;
    struct view_history history[64];
    size_t openings = 0, closings = 0, n;
    start_store(0);
    must(reader_open(&reader, store, &err));
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, cameras[i]), 0);
    /* Polling sees every closing, and no alert twice in the same state. */
    for (int64_t until = monotonic_us() + 60 * SECOND_US; closings < THREADS * 100;) {
        ck_assert_int_lt(monotonic_us(), until);
        ck_assert_int_eq(reader_alerts(reader, &(struct view_alerts_wanted){.from = found.next, .limit = 7}, list, NULL, &found),
                         0);
        for (size_t i = 0; i < found.n; i++)
            *(list[i].closed_us ? &closings : &openings) += 1;
        ck_assert_int_eq(reader_history(reader, &(struct view_history_wanted){.camera = "a", .to_us = INT64_MAX, .limit = 64},
                                        history, &n), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(closings, THREADS * 100);
    ck_assert_uint_le(openings, THREADS * 100);
    ck_assert_int_eq(reader_alert(reader, list[0].id, list, &labels), 0);
    ck_assert_int_eq(reader_alert(reader, 3, list, &labels), -ENOENT);
    wait_published(2 * THREADS * 100);
    reader_close(reader);
    close_store();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, begin, remove_folder);
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, scores_that_are_refused);
    tcase_add_test(tcase, published_after_the_commit);
    tcase_add_test(tcase, what_was_open_is_interrupted);
    tcase_add_test(tcase, scores_and_peaks_follow);
    tcase_add_test(tcase, an_alert_that_no_event_tells);
    tcase_add_test(tcase, an_event_waits_for_its_evidence);
    tcase_add_test(tcase, an_alert_closes_after_it_opened);
    tcase_add_test(tcase, rows_of_deleted_files_go);
    tcase_add_test(tcase, but_not_for_ever);
    tcase_add_test(tcase, posting_never_waits);
    tcase_add_test(tcase, a_full_queue_drops_and_counts);
    tcase_add_test(tcase, a_damaged_database_is_replaced);
    tcase_add_test(tcase, many_threads_and_a_reader);
    Suite *suite = suite_create("store");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
