/* io/database/alert_rows: the order of openings and closings, lists by cursor, alerts that a run left open, retention. Also:
 * labels that people give to an alert, its files (evidence), and arming. */
#include "core/health/kind.h"
#include "io/database/arming_rows.h"
#include "io/database/evidence_rows.h"
#include "io/database/labels.h"
#include "io/database/query.h"
#include "io/database/score_rows.h"
#include "tests/io/database/state_folder.h"

static struct alert_record list[64];
static struct record_range range;

/* Returns the ids of a list, as "1 2 3". The next list begins at *next. */
static const char *list_ids(struct alert_query query, uint64_t *next)
{
    static char text[256];
    size_t n;
    text[0] = '\0';
    query.most = query.most ? query.most : 64;
    must(alert_rows_read(database, &query, list, NULL, &n, next, &range, &err));
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%llu", i ? " " : "", (unsigned long long)list[i].id);
    return text;
}

/* The same for all alerts, whether they were told or suppressed. */
static const char *ids(struct alert_query query, uint64_t *next)
{
    query.filter.suppressed = ALERT_TOLD_OR_NOT;
    return list_ids(query, next);
}

START_TEST(a_record_comes_back_whole)
{
    struct alert_record alert = {.id = 1795832005702, .kind = ALERT_STILL, .camera = "gate", .opened_us = 1795832005702123,
                                 .suppressed = SUPPRESSED_RATE, .test = true, .health = health_bit(HEALTH_MOVED),
                                 .peak_score = -0.5062293, .peak_us = 1795832005923456, .opened_pts_us = -7,
                                 .peak_pts_us = 6400000, .voices = {{0.1f, -6.5580254f, NAN, NAN, 3}},
                                 .boxes = {2, {{0.0625f, 0.1667f, 0.9375f, 0.6666f, -0.4080478f}, {0, 0, 1, 1, 0.1f}}}};
    struct alert_record read;
    must(database_begin(database, &err));
    must(alert_rows_put(database, &alert, &err));
    must(database_commit(database, &err));
    ck_assert_uint_eq(alert.entry, 0);
    must(alert_rows_find(database, alert.id, &read, &err));
    ck_assert_int_eq(read.kind, ALERT_STILL);
    ck_assert_str_eq(read.camera, "gate");
    ck_assert(read.opened_us == alert.opened_us && read.closed_us == 0 && read.peak_us == alert.peak_us);
    ck_assert_int_eq(read.suppressed, SUPPRESSED_RATE);
    ck_assert(read.opened_pts_us == -7 && read.peak_pts_us == 6400000 && !read.interrupted && read.test);
    ck_assert_double_eq(read.peak_score, alert.peak_score);
    for (int v = 0; v < VOICES; v++)
        ck_assert(isnan(alert.voices.score[v]) ? isnan(read.voices.score[v]) : read.voices.score[v] == alert.voices.score[v]);
    ck_assert_int_eq(read.boxes.n, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(memcmp(&read.boxes.box[i], &alert.boxes.box[i], sizeof read.boxes.box[i]), 0);

    ck_assert_uint_eq(read.health, health_bit(HEALTH_MOVED));
    alert.health |= health_bit(HEALTH_FROZEN);
    alert.peak_score = 2;
    alert.peak_us++;
    must(alert_rows_peak(database, &alert, &err));
    must(alert_rows_find(database, alert.id, &read, &err));
    ck_assert_double_eq(read.peak_score, 2);
    ck_assert_uint_eq(read.health, alert.health);
    alert.health |= health_bit(HEALTH_BLUR);
    alert.closed_us = alert.peak_us + 5;
    alert.closed_pts_us = 77;
    must(database_begin(database, &err));
    must(alert_rows_put(database, &alert, &err));
    must(database_commit(database, &err));
    ck_assert_uint_eq(alert.entry, 1);
    struct alert_record late = alert;           /* its peak is written after its closing */
    late.peak_score = 9;
    late.health = 0;
    must(alert_rows_peak(database, &late, &err));
    must(alert_rows_find(database, alert.id, &read, &err));
    ck_assert(read.closed_us == alert.closed_us && read.closed_pts_us == 77 && read.peak_score == 2 && read.entry == 1);
    ck_assert_uint_eq(read.health, alert.health);
    ck_assert_int_eq(alert_rows_find(database, 1, &read, &err), -ENOENT);
    ck_assert_int_eq(alert_rows_find(database, UINT64_MAX, &read, &err), -ENOENT);
    uint64_t last;
    must(alert_rows_last_id(database, &last, &err));
    ck_assert_uint_eq(last, alert.id);
}
END_TEST

START_TEST(lists_in_the_order_of_openings_and_closings)
{
    uint64_t next, last;
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "");
    ck_assert_uint_eq(next, 0);
    ck_assert(range.oldest == 0 && range.next == 0);
    for (uint64_t id = 1; id <= 6; id++)
        put_alert(id, id % 2 ? "gate" : "yard", 0);
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "1 2 3 4 5 6");
    ck_assert_uint_eq(next, 6);
    put_alert(2, "yard", 9000);
    ck_assert_str_eq(ids((struct alert_query){.from = next}, &next), "2");      /* polling sees the closing */
    ck_assert_str_eq(ids((struct alert_query){.from = next}, &next), "");
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "1 3 4 5 6 2");       /* an alert is listed once */
    ck_assert(range.oldest == 0 && range.next == 7);
    ck_assert_str_eq(ids((struct alert_query){.from = 0, .most = 2}, &next), "1 3");
    ck_assert_str_eq(ids((struct alert_query){.from = next, .most = 2}, &next), "4 5");
    ck_assert_str_eq(ids((struct alert_query){.from = next, .most = 2}, &next), "6 2");
    ck_assert_str_eq(ids((struct alert_query){.from = next, .most = 2}, &next), "");
    ck_assert_str_eq(ids((struct alert_query){.from = 0, .filter.camera = "yard"}, &next), "4 6 2");
    ck_assert_uint_eq(next, 7);
    ck_assert_str_eq(ids((struct alert_query){.from = 0, .filter.camera = "yard", .most = 1}, &next), "4");
    ck_assert_uint_eq(next, 4);
    ck_assert_str_eq(ids((struct alert_query){.latest = true, .most = 3}, &next), "5 6 2");
    ck_assert_uint_eq(next, 7);
    ck_assert_str_eq(ids((struct alert_query){.latest = true, .filter.camera = "gate", .most = 2}, &next), "3 5");
    ck_assert_uint_eq(next, 7);
    ck_assert_str_eq(ids((struct alert_query){.from = UINT64_MAX}, &next), "");

    close_database();           /* entries and ids go on after a restart */
    open_database();
    must(alert_rows_last_id(database, &last, &err));
    ck_assert_uint_eq(last, 6);
    ck_assert_uint_eq(put_alert(7, "gate", 0).entry, 7);
}
END_TEST

START_TEST(alerts_that_were_left_open)
{
    struct alert_record alert;
    put_alert(1, "gate", 0);
    put_alert(2, "yard", 0);
    put_alert(3, "yard", 4000);
    must(database_begin(database, &err));
    must(score_rows_add(database, &(struct score_row){.camera = "gate", .time_us = 777000, .window = 1, .score = 1}, &err));
    ck_assert_int_eq(alert_rows_interrupt(database, &alert, &err), 1);
    ck_assert(alert.id == 1 && alert.interrupted && alert.closed_us == 777000 && alert.entry == 3);
    ck_assert_int_eq(alert_rows_interrupt(database, &alert, &err), 1);
    ck_assert(alert.id == 2 && alert.closed_us == 2500);        /* no score is known, so it closed at its peak */
    ck_assert_int_eq(alert_rows_interrupt(database, &alert, &err), 0);
    must(database_commit(database, &err));
    must(alert_rows_find(database, 1, &alert, &err));
    ck_assert(alert.interrupted && alert.closed_us == 777000);
    ck_assert_str_eq(alert_state_name(&alert), "interrupted");
    must(alert_rows_find(database, 3, &alert, &err));
    ck_assert(!alert.interrupted);
}
END_TEST

static void prune(int64_t before_us, int most, int expected)
{
    int deleted;
    must(database_begin(database, &err));
    must(alert_rows_prune(database, before_us, most, &deleted, &err));
    must(database_commit(database, &err));
    ck_assert_int_eq(deleted, expected);
}

START_TEST(suppressed_alerts_are_listed_apart)
{
    uint64_t next;
    must(database_begin(database, &err));
    for (uint64_t id = 1; id <= 4; id++) {
        struct alert_record alert = {.id = id, .camera = "gate", .suppressed = id % 2 ? SUPPRESSED_SNOOZED : SUPPRESSED_NOT};
        must(alert_rows_put(database, &alert, &err));
    }
    must(database_commit(database, &err));
    ck_assert_str_eq(list_ids((struct alert_query){.from = 0}, &next), "2 4");
    ck_assert_str_eq(list_ids((struct alert_query){.filter = {.suppressed = ALERT_NOT_TOLD, .camera = "gate"}}, &next), "1 3");
    ck_assert_str_eq(list_ids((struct alert_query){.latest = true, .most = 1}, &next), "4");
    /* A suppressed alert that is told later gets a new entry. */
    struct alert_record alert = {.id = 3, .camera = "gate"};
    must(database_begin(database, &err));
    must(alert_rows_put(database, &alert, &err));
    must(database_commit(database, &err));
    ck_assert_str_eq(list_ids((struct alert_query){.from = next}, &next), "3");
    ck_assert_str_eq(list_ids((struct alert_query){.filter.suppressed = ALERT_NOT_TOLD}, &next), "1");
}
END_TEST

START_TEST(old_alerts_go)
{
    uint64_t next;
    for (uint64_t id = 1; id <= 8; id++)
        put_alert(id, "gate", id == 4 ? 0 : (int64_t)id * 1000 + 1);
    must(labels_mark(database, 2, true, &err));
    must(evidence_rows_add(database, &(struct evidence_row){.alert = 3, .kind = EVIDENCE_CLIP, .path = "a", .bytes = 1}, &err));
    prune(7000, 1, 1);
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "2 3 4 5 6 7 8");
    ck_assert(range.oldest == 1 && range.next == 8);            /* entry 0 was alert 1 */
    prune(7000, 100, 2);
    prune(7000, 100, 0);
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "2 3 4 7 8");     /* marked, with a file, open, young */
    ck_assert(range.oldest == 1 && range.next == 8);
    must(labels_mark(database, 2, false, &err));
    must(evidence_rows_remove_all(database, 3, &err));
    put_alert(4, "gate", 9999);
    prune(7000, 100, 3);
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "7 8");
    ck_assert(range.oldest == 6 && range.next == 9);    /* from 6 on, no entry was deleted that a reader has not seen */
    prune(INT64_MAX, 100, 2);
    ck_assert_str_eq(ids((struct alert_query){.from = 0}, &next), "");
    ck_assert(range.oldest == 9 && range.next == 9);
    put_alert(9, "gate", 0);
    ck_assert_str_eq(ids((struct alert_query){.from = 9}, &next), "9");
}
END_TEST

/* A row with faulty texts, which another program wrote, does no harm. */
START_TEST(a_row_with_a_wrong_text)
{
    struct alert_record alert;
    char command[256];
    put_alert(1, "gate", 0);
    close_database();
    snprintf(command, sizeof command, "python3 -c \"import sqlite3; c = sqlite3.connect('%s'); "
             "c.execute('UPDATE alerts SET voices = ?, boxes = ?, kind = ?, health = ?', "
             "('{', '[{}, 7]' + 'x', 'odd', '[7, \\\"loud\\\", \\\"blur\\\"]')); c.commit()\"",
             path_of("memaed.db"));
    ck_assert_int_eq(system(command), 0);
    open_database();
    must(alert_rows_find(database, 1, &alert, &err));
    ck_assert(alert.boxes.n == 0 && isnan(alert.voices.score[0]) && alert.kind == ALERT_ANOMALY);
    ck_assert_uint_eq(alert.health, health_bit(HEALTH_BLUR));
}
END_TEST

START_TEST(what_people_say)
{
    struct alert_labels labels;
    put_alert(1, "gate", 0);
    ck_assert_int_eq(labels_read(database, 2, &labels, &err), -ENOENT);
    ck_assert_int_eq(labels_mark(database, 2, true, &err), -ENOENT);
    ck_assert_int_eq(labels_normal(database, 2, true, 5, "eva", &err), -ENOENT);
    must(labels_read(database, 1, &labels, &err));
    ck_assert(!labels.marked && !*labels.note && labels.acknowledged_us == 0 && labels.normal_us == 0);
    must(labels_mark(database, 1, true, &err));
    must(labels_note(database, 1, "a cat", &err));
    must(labels_acknowledge(database, 1, 100, "eva", &err));
    must(labels_normal(database, 1, true, 200, "ole", &err));
    must(labels_normal(database, 1, true, 201, "eva", &err));   /* the first label counts */
    put_alert(1, "gate", 9000);                                 /* closing keeps the labels */
    must(labels_read(database, 1, &labels, &err));
    ck_assert(labels.marked && labels.acknowledged_us == 100 && labels.normal_us == 200);
    ck_assert_str_eq(labels.note, "a cat");
    ck_assert_str_eq(labels.acknowledged_by, "eva");
    ck_assert_str_eq(labels.normal_by, "ole");
    must(labels_normal(database, 1, false, 300, "ida", &err));
    must(labels_acknowledge(database, 1, 0, "eva", &err));
    must(labels_note(database, 1, "", &err));
    must(labels_read(database, 1, &labels, &err));
    ck_assert(labels.normal_us == 0 && labels.acknowledged_us == 0 && !*labels.acknowledged_by && !*labels.note);
    must(labels_normal(database, 1, true, 400, "ole", &err));   /* another label, after the first was undone */
}
END_TEST

START_TEST(files_of_alerts)
{
    struct evidence_row rows[8];
    size_t n;
    put_alert(1, "gate", 2000);
    put_alert(2, "gate", 3000);
    put_alert(3, "gate", 0);
    struct evidence_row row = {.alert = 1, .kind = EVIDENCE_CLIP, .path = "evidence/1/clip.mp4", .bytes = 100, .made_us = 50,
                               .codec = "h264", .codecs = "avc1.64001f"};
    must(evidence_rows_add(database, &row, &err));
    row = (struct evidence_row){.alert = 2, .kind = EVIDENCE_SNAPSHOT, .path = "evidence/2/snapshot.jpg", .bytes = 7,
                                .made_us = 40};
    must(evidence_rows_add(database, &row, &err));
    row = (struct evidence_row){.alert = 3, .kind = EVIDENCE_CLIP, .path = "evidence/3/clip.mp4", .bytes = 1000, .made_us = 1};
    must(evidence_rows_add(database, &row, &err));
    row.alert = 4;
    row.path[0] = 'x';
    ck_assert_int_eq(evidence_rows_add(database, &row, &err), -EEXIST);      /* there is no alert 4 */
    must(evidence_rows_after(database, 0, rows, &n, &err));
    ck_assert(n == 1 && rows[0].alert == 1 && rows[0].kind == EVIDENCE_CLIP && rows[0].bytes == 100);
    ck_assert_str_eq(rows[0].codecs, "avc1.64001f");
    must(labels_mark(database, 2, true, &err));
    row = (struct evidence_row){.alert = 1, .kind = EVIDENCE_CLIP, .path = "evidence/1/clip.mp4", .bytes = 300, .made_us = 60};
    must(evidence_rows_add(database, &row, &err));                           /* the clip has grown */
    must(evidence_rows_remove_all(database, 3, &err));

    bool held[4];
    for (uint64_t alert = 1; alert <= 4; alert++)
        must(evidence_rows_held(database, alert, &held[alert - 1], &err));
    ck_assert(!held[0] && held[1] && held[2] && !held[3]);                   /* 2 is marked, 3 is open, 4 is unknown */
    must(evidence_rows_after(database, 0, rows, &n, &err));
    ck_assert(n == 1 && rows[0].alert == 1 && rows[0].bytes == 300);
    ck_assert_str_eq(rows[0].codec, "h264");                                 /* kept, because the last row named no codec */
    ck_assert_str_eq(rows[0].codecs, "avc1.64001f");
    must(evidence_rows_after(database, 1, rows, &n, &err));
    ck_assert(n == 1 && rows[0].alert == 2 && rows[0].kind == EVIDENCE_SNAPSHOT);
    must(evidence_rows_after(database, 2, rows, &n, &err));
    ck_assert_uint_eq(n, 0);
    row = (struct evidence_row){.alert = 1, .kind = EVIDENCE_COPY, .path = "evidence/1/copy.mp4", .bytes = 30, .made_us = 70,
                                .codec = "h264", .codecs = "avc1.640028"};
    must(evidence_rows_add(database, &row, &err));
    must(evidence_rows_of(database, 1, rows, &n, &err));
    ck_assert(n == 2 && rows[0].kind == EVIDENCE_CLIP && rows[1].kind == EVIDENCE_COPY && rows[1].bytes == 30);
    ck_assert_str_eq(rows[1].codecs, "avc1.640028");
    must(evidence_rows_of(database, 3, rows, &n, &err));
    ck_assert_uint_eq(n, 0);
    must(evidence_rows_remove_all(database, 2, &err));
    must(evidence_rows_after(database, 1, rows, &n, &err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

static struct arming_orders kept[4];
static int n_kept;

static void keep(void *arg, const char *camera, const struct arming_orders *orders)
{
    strcat(strcat(arg, camera), " ");
    kept[n_kept++] = *orders;
}

START_TEST(arming_survives)
{
    char cameras[64] = "";
    must(arming_rows_save(database, "gate", &(struct arming_orders){.snooze = {10, 500, "eva"}}, &err));
    must(arming_rows_save(database, "gate", &(struct arming_orders){{30, INT64_MAX, ""}, {20, 900, "ole"}}, &err));
    must(arming_rows_save(database, "yard", &(struct arming_orders){.snooze = {30, 100, "eva"}}, &err));
    must(arming_rows_save(database, "zoo", &(struct arming_orders){.disarm = {30, 40, "eva"}}, &err));
    must(arming_rows_save(database, "zoo", &(struct arming_orders){{0, 0, ""}, {0, 0, ""}}, &err));
    close_database();
    open_database();
    must(arming_rows_each(database, keep, cameras, &err));
    ck_assert_str_eq(cameras, "gate yard ");
    ck_assert(kept[0].disarm.since_us == 30 && kept[0].disarm.until_us == INT64_MAX && !*kept[0].disarm.by);
    ck_assert(kept[0].snooze.since_us == 20 && kept[0].snooze.until_us == 900);
    ck_assert_str_eq(kept[0].snooze.by, "ole");
    ck_assert(kept[1].disarm.since_us == 0 && kept[1].snooze.until_us == 100);
}
END_TEST

START_TEST(filtered)
{
    uint64_t next;
    put_alert(1, "gate", 2500);
    put_alert(2, "gate", 0);
    put_alert(3, "yard", 7500);
    put_alert(4, "yard", 8500);
    struct alert_record still = {.id = 5, .kind = ALERT_STILL, .camera = "yard", .opened_us = 5000};
    must(database_begin(database, &err));
    must(alert_rows_put(database, &still, &err));
    must(database_commit(database, &err));
    must(labels_acknowledge(database, 3, 9000, "", &err));
    must(labels_mark(database, 4, true, &err));
    const struct { struct alert_filter filter; const char *ids; } cases[] = {
        {{.state = ALERT_IS_OPEN}, "2 5"}, {{.state = ALERT_IS_CLOSED}, "1 3 4"}, {{.state = ALERT_IS_INTERRUPTED}, ""},
        {{.camera = "yard", .state = ALERT_IS_CLOSED}, "3 4"}, {{.has_kind = true, .kind = ALERT_STILL}, "5"},
        {{.has_kind = true, .kind = ALERT_ANOMALY}, "1 2 3 4"}, {{.has_from = true, .from_us = 2500}, "1 2 3 4 5"},
        {{.has_from = true, .from_us = 2501}, "2 3 4 5"}, {{.has_to = true, .to_us = 3000}, "1 2"},
        {{.has_to = true, .to_us = 3001}, "1 2 3"}, {{.has_from = true, .from_us = 8000, .has_to = true, .to_us = 5000}, "2 4"},
        {{.acknowledged = FILTER_YES}, "3"}, {{.acknowledged = FILTER_NO}, "1 2 4 5"}, {{.marked = FILTER_YES}, "4"},
        {{.camera = "yard", .marked = FILTER_NO}, "3 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(ids((struct alert_query){.filter = cases[i].filter}, &next), cases[i].ids);
        ck_assert_uint_eq(next, 5);
        ck_assert_str_eq(ids((struct alert_query){.filter = cases[i].filter, .latest = true}, &next), cases[i].ids);
    }
    const struct alert_filter closed = {.state = ALERT_IS_CLOSED};
    ck_assert_str_eq(ids((struct alert_query){.filter = closed, .most = 2}, &next), "1 3");
    ck_assert_str_eq(ids((struct alert_query){.filter = closed, .most = 2, .from = next}, &next), "4");
    ck_assert_str_eq(ids((struct alert_query){.filter = closed, .most = 2, .latest = true}, &next), "3 4");
}
END_TEST

/* Returns how many pages the connection has read since the last call. */
static int pages(void)
{
    int hits, misses, most;
    ck_assert_int_eq(sqlite3_db_status(database->handle, SQLITE_DBSTATUS_CACHE_HIT, &hits, &most, 1), SQLITE_OK);
    ck_assert_int_eq(sqlite3_db_status(database->handle, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 1), SQLITE_OK);
    return hits + misses;
}

/* Writes SQLite's plan of the statement that was prepared last. */
static void plan(char *ret, size_t size)
{
    sqlite3_stmt *statement;
    char sql[4096];
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", database->statements[database->n_statements - 1].sql);
    ck_assert_int_eq(sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    snprintf(ret, size, "%s", (const char *)sqlite3_column_text(statement, 3));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_DONE);     /* the plan has no sort */
    sqlite3_finalize(statement);
}

/* A filter that takes few of 100,000 alerts reads an index and the rows that it takes, and no other rows. */
START_TEST(filters_read_an_index)
{
    static const struct { struct alert_query query; const char *plan; int most_pages; } cases[] = {
        {{.filter.state = ALERT_IS_INTERRUPTED}, "SEARCH alerts USING INDEX alerts_listed (entry>?)", 4000},
        {{.filter.state = ALERT_IS_INTERRUPTED, .latest = true}, "SEARCH alerts USING INDEX alerts_listed (entry>?)", 4000},
        {{.filter = {.camera = "gate", .state = ALERT_IS_INTERRUPTED}},
         "SEARCH alerts USING INDEX alerts_of_camera (camera=? AND entry>?)", 400},
        {{.filter = {.camera = "gate", .state = ALERT_IS_INTERRUPTED}, .latest = true},
         "SEARCH alerts USING INDEX alerts_of_camera (camera=? AND entry>?)", 400},
    };
    must(database_execute(database,
                          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO alerts "
                          "(id, entry, camera, kind, opened_us, closed_us, peak_us, opened_pts_us, peak_pts_us, voices, boxes, "
                          "state) SELECT i, i, iif(i % 50, 'yard', 'gate'), 'anomaly', i, i + 1, i, 0, 0, printf('%200s', ''), "
                          "printf('%400s', ''), iif(i = 50000, 'interrupted', 'closed') FROM n", &err));
    must(database_set_number(database, "alerts_next_entry", 100001, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char how[256];
        uint64_t next;
        pages();
        ck_assert_str_eq(ids(cases[i].query, &next), "50000");
        int n = pages();
        ck_assert_msg(n > 0 && n <= cases[i].most_pages, "case %zu: %d pages", i, n);
        plan(how, sizeof how);
        ck_assert_str_eq(how, cases[i].plan);
    }
}
END_TEST

START_TEST(lists_have_labels)
{
    struct alert_labels labels[2], after;
    uint64_t next;
    size_t n;
    put_alert(1, "gate", 0);
    put_alert(2, "gate", 0);
    static const struct alert_order orders[] = {
        {1, ALERT_ACKNOWLEDGE, 100, "eva", ""}, {1, ALERT_NOTE, 101, "", "a cat"}, {2, ALERT_MARK, 102, "", ""},
        {2, ALERT_NORMAL, 103, "ole", ""},
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        must(labels_apply(database, &orders[i], &after, &err));
    ck_assert(after.marked && after.normal_us == 103);
    for (int latest = 0; latest < 2; latest++) {
        must(alert_rows_read(database, &(struct alert_query){.most = 2, .latest = latest}, list, labels, &n, &next, &range,
                             &err));
        ck_assert(n == 2 && list[0].id == 1 && !labels[0].marked && labels[0].acknowledged_us == 100 && labels[0].normal_us == 0);
        ck_assert_str_eq(labels[0].acknowledged_by, "eva");
        ck_assert_str_eq(labels[0].note, "a cat");
        ck_assert(labels[1].marked && labels[1].normal_us == 103 && labels[1].acknowledged_us == 0);
        ck_assert_str_eq(labels[1].normal_by, "ole");
    }
    must(labels_apply(database, &(struct alert_order){2, ALERT_UNMARK, 104, "", ""}, &after, &err));
    must(labels_apply(database, &(struct alert_order){2, ALERT_NORMAL_UNDO, 105, "eva", ""}, &after, &err));
    ck_assert(!after.marked && after.normal_us == 0);
    for (int action = ALERT_ACKNOWLEDGE; action <= ALERT_NORMAL_UNDO; action++)
        for (size_t i = 0; i < 2; i++)
            ck_assert_int_eq(labels_apply(database,
                                          &(struct alert_order){i ? 3 : UINT64_MAX, (enum alert_action)action, 1, "", ""},
                                          &after, &err), -ENOENT);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("rows");
    tcase_add_checked_fixture(tcase, set_up, remove_folder);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_record_comes_back_whole);
    tcase_add_test(tcase, lists_in_the_order_of_openings_and_closings);
    tcase_add_test(tcase, alerts_that_were_left_open);
    tcase_add_test(tcase, suppressed_alerts_are_listed_apart);
    tcase_add_test(tcase, old_alerts_go);
    tcase_add_test(tcase, a_row_with_a_wrong_text);
    tcase_add_test(tcase, what_people_say);
    tcase_add_test(tcase, files_of_alerts);
    tcase_add_test(tcase, arming_survives);
    tcase_add_test(tcase, filtered);
    tcase_add_test(tcase, filters_read_an_index);
    tcase_add_test(tcase, lists_have_labels);
    Suite *suite = suite_create("alert rows");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
