/* daemon/watch/store: labels that people give to alerts; a connection whose database is gone. */
#include "daemon/watch/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "daemon/watch/store/connection.h"
#include "daemon/watch/store/reader.h"
#include "io/base/clock.h"
#include "tests/io/database/state_folder.h"

#define SECOND_US INT64_C(1000000)

static struct store *store;
static struct heartbeats heartbeats;

static void open_store(void)
{
    make_folder();
    heartbeats_init(&heartbeats);
    must(store_open(&store, &(struct store_options){.folder = folder, .heartbeats = &heartbeats}, &err));
}

static void close_store(void)
{
    ck_assert(store_close(store, monotonic_us() + 5 * SECOND_US));
    store_free(store);
    store = NULL;
    heartbeats_destroy(&heartbeats);
}

static struct {
    pthread_mutex_t mutex;
    int n, status;
    struct alert_labels labels;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void tell(void *arg, int status, const struct alert_labels *labels)
{
    ck_assert_ptr_eq(arg, &told);
    pthread_mutex_lock(&told.mutex);
    told.n++;
    told.status = status;
    told.labels = *labels;
    pthread_mutex_unlock(&told.mutex);
}

static int n_told(void)
{
    pthread_mutex_lock(&told.mutex);
    int n = told.n;
    pthread_mutex_unlock(&told.mutex);
    return n;
}

static int label(uint64_t alert, enum alert_action action)
{
    int n = n_told();
    ck_assert_int_eq(store_label(store, &(struct alert_order){alert, action, 123, "eva", "a cat"}, tell, &told), 0);
    for (int64_t until = monotonic_us() + 20 * SECOND_US; n_told() == n; usleep(1000))
        ck_assert_int_lt(monotonic_us(), until);
    return told.status;
}

START_TEST(committed_before_the_answer)
{
    struct reader *reader;
    struct alert_record alert = {.id = 1000, .camera = "gate", .opened_us = 1000000}, read;
    struct alert_labels labels;
    must(store_start(store, &err));
    must(reader_open(&reader, store, &err));
    struct alertlog_sink sink = store_alertlog_sink(store);
    sink.untold(sink.arg, &alert);
    ck_assert_int_eq(label(1000, ALERT_ACKNOWLEDGE), 0);        /* the opening may not be written yet */
    ck_assert_int_eq(told.labels.acknowledged_us, 123);
    ck_assert_int_eq(reader_alert(reader, 1000, &read, &labels), 0);
    ck_assert_str_eq(labels.acknowledged_by, "eva");
    ck_assert_int_eq(label(1000, ALERT_NOTE), 0);
    ck_assert_str_eq(told.labels.note, "a cat");
    ck_assert_int_eq(label(4711, ALERT_MARK), -ENOENT);
    ck_assert_int_eq(label(1000, ALERT_NORMAL), 0);
    alert.closed_us = 2000000;
    sink.untold(sink.arg, &alert);
    ck_assert_int_eq(label(1000, ALERT_MARK), 0);               /* closing kept the label from before */
    ck_assert(told.labels.marked && told.labels.normal_us == 123 && told.labels.acknowledged_us == 123);
    ck_assert_int_eq(reader_alert(reader, 1000, &read, &labels), 0);
    ck_assert(read.closed_us == 2000000 && labels.marked);
    struct store_stats stats;
    store_stats(store, &stats);
    ck_assert(stats.events_dropped == 0 && stats.failures == 0);
    reader_close(reader);
    close_store();
}
END_TEST

/* A caller who waits for a label gets an answer, even if the store ends without having written it. */
START_TEST(given_up)
{
    int n = n_told();
    ck_assert_int_eq(store_label(store, &(struct alert_order){.alert = 1}, tell, &told), 0);
    ck_assert_int_eq(n_told(), n);
    close_store();
    ck_assert(n_told() == n + 1 && told.status == -ECANCELED);
}
END_TEST

/* A missing database is a fault. It is not reported as a missing alert. */
START_TEST(a_database_that_is_gone)
{
    struct connection connection = {0};
    must(connection_renew(&connection, store, &err));
    connection_close(&connection);
    ck_assert_int_eq(unlink(path_of("memaed.db")), 0);
    ck_assert_int_eq(connection_renew(&connection, store, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "memaed.db: No such file or directory"));
    ck_assert(!connection.database && !connection.failed);
    ck_assert(connection_tell(&connection, -ENOENT, &err) == -ENOENT && !connection.failed);
    ck_assert(connection_tell(&connection, -EIO, &err) == -EIO && connection.failed);
    close_store();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("labels");
    tcase_add_checked_fixture(tcase, open_store, remove_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, committed_before_the_answer);
    tcase_add_test(tcase, given_up);
    tcase_add_test(tcase, a_database_that_is_gone);
    Suite *suite = suite_create("store labels");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
