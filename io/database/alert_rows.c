#include "io/database/alert_rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/kind.h"
#include "io/base/record_json.h"
#include "io/database/query.h"

#define LAST_ID "alerts_last_id"
#define NEXT_ENTRY "alerts_next_entry"
#define DELETED_BELOW "alerts_deleted_below"    /* entry below which alerts have been deleted */

#define COLUMNS "id, entry, camera, kind, opened_us, closed_us, peak_score, peak_us, opened_pts_us, closed_pts_us, " \
                "peak_pts_us, voices, boxes, state, acknowledged_us, normal_us, marked, suppressed, zones, opened_by_zone, " \
                "test, health"
enum { N_COLUMNS = 22 };

/* ---- a row ---------------------------------------------------------------------------------------------------------- */

static float member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? (float)json_number_value(value) : NAN;
}

/* Ignores text that alert_rows_put() does not write, because another program may have written the row. */
static void parse_voices(struct voices *ret, const char *text)
{
    json_t *object = json_loads(text, 0, NULL);
    for (int v = 0; v < VOICES; v++)
        ret->score[v] = member(object, voice_name((enum voice)v));
    json_decref(object);
}

static void parse_boxes(struct boxes *ret, const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    size_t n = json_array_size(list);
    ret->n = 0;
    for (size_t i = 0; i < n && ret->n < BOXES_MAX; i++) {
        const json_t *box = json_array_get(list, i);
        ret->box[ret->n++] = (struct box){.x = member(box, "x"), .y = member(box, "y"), .width = member(box, "width"),
                                          .height = member(box, "height"), .score = member(box, "score")};
    }
    json_decref(list);
}

static void parse_zones(struct zone_names *ret, const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    size_t n = json_array_size(list);
    ret->n = 0;
    for (size_t i = 0; i < n && ret->n < ZONES_MOST; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name)
            snprintf(ret->name[ret->n++], ZONE_NAME_SIZE, "%s", name);
    }
    json_decref(list);
}

static unsigned parse_kinds(const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    unsigned kinds = 0;
    enum health_kind kind;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        kinds |= name && health_kind_find(&kind, name) ? health_bit(kind) : 0;
    }
    json_decref(list);
    return kinds;
}

static void read_row(const struct query *query, struct alert_record *ret)
{
    *ret = (struct alert_record){.id = (uint64_t)query_int(query, 0), .entry = (uint64_t)query_int(query, 1)};
    query_copy(query, 2, ret->camera, sizeof ret->camera);
    ret->kind = strcmp(query_text(query, 3), alert_kind_name(ALERT_STILL)) == 0 ? ALERT_STILL : ALERT_ANOMALY;
    ret->opened_us = query_int(query, 4);
    ret->closed_us = query_int(query, 5);
    ret->peak_score = query_real(query, 6);
    ret->peak_us = query_int(query, 7);
    ret->opened_pts_us = query_int(query, 8);
    ret->closed_pts_us = query_int(query, 9);
    ret->peak_pts_us = query_int(query, 10);
    parse_voices(&ret->voices, query_text(query, 11));
    parse_boxes(&ret->boxes, query_text(query, 12));
    ret->interrupted = strcmp(query_text(query, 13), "interrupted") == 0;
    alert_suppressed_find(&ret->suppressed, query_text(query, 17));
    parse_zones(&ret->zones, query_text(query, 18));
    query_copy(query, 19, ret->opened_by, sizeof ret->opened_by);
    ret->test = query_int(query, 20) != 0;
    ret->health = parse_kinds(query_text(query, 21));
}

/* ---- numbers -------------------------------------------------------------------------------------------------------- */

static int number(struct database *database, const char *name, uint64_t *ret, struct error *err)
{
    int64_t value = 0;
    int r = database_number(database, name, &value, err);
    if (r < 0 && r != -ENOENT)
        return r;
    *ret = (uint64_t)value;
    return 0;
}

int alert_rows_last_id(struct database *database, uint64_t *ret, struct error *err)
{
    return number(database, LAST_ID, ret, err);
}

static int take_entry(struct database *database, uint64_t *ret, struct error *err)
{
    uint64_t next;
    int r = number(database, NEXT_ENTRY, &next, err);
    if (r == 0)
        r = database_set_number(database, NEXT_ENTRY, (int64_t)next + 1, err);
    if (r == 0)
        *ret = next;
    return r;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

struct texts {
    char *voices, *boxes, *zones, *health;
};

static int make_texts(struct texts *ret, const struct alert_record *alert, struct error *err)
{
    *ret = (struct texts){record_json_dump(voices_json(&alert->voices)), record_json_dump(boxes_json(&alert->boxes)),
                          record_json_dump(zones_json(&alert->zones)), record_json_dump(kinds_json(alert->health))};
    return ret->voices && ret->boxes && ret->zones && ret->health ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static void free_texts(struct texts *texts)
{
    free(texts->voices);
    free(texts->boxes);
    free(texts->zones);
    free(texts->health);
}

static int put(struct database *database, const struct alert_record *alert, const struct texts *texts, struct error *err)
{
    bool is_closed = alert->closed_us != 0;
    struct query query = query_begin(database,
        "INSERT INTO alerts (id, entry, camera, kind, opened_us, closed_us, peak_score, peak_us, "
        "opened_pts_us, closed_pts_us, peak_pts_us, voices, boxes, state, suppressed, zones, opened_by_zone, test, health) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, closed_us = excluded.closed_us, peak_score = "
        "excluded.peak_score, peak_us = excluded.peak_us, closed_pts_us = excluded.closed_pts_us, peak_pts_us = "
        "excluded.peak_pts_us, voices = excluded.voices, boxes = excluded.boxes, state = excluded.state, suppressed = "
        "excluded.suppressed, zones = excluded.zones, health = excluded.health");
    query_bind_int(&query, (int64_t)alert->id);
    query_bind_int(&query, (int64_t)alert->entry);
    query_bind_text(&query, alert->camera);
    query_bind_text(&query, alert_kind_name(alert->kind));
    query_bind_int(&query, alert->opened_us);
    query_bind_int_or_null(&query, is_closed, alert->closed_us);
    query_bind_real(&query, alert->peak_score);
    query_bind_int(&query, alert->peak_us);
    query_bind_int(&query, alert->opened_pts_us);
    query_bind_int_or_null(&query, is_closed && !alert->interrupted, alert->closed_pts_us);
    query_bind_int(&query, alert->peak_pts_us);
    query_bind_text(&query, texts->voices);
    query_bind_text(&query, texts->boxes);
    query_bind_text(&query, alert_state_name(alert));
    query_bind_text(&query, alert_suppressed_name(alert->suppressed));
    query_bind_text(&query, texts->zones);
    query_bind_text(&query, alert->opened_by);
    query_bind_int(&query, alert->test);
    query_bind_text(&query, texts->health);
    return query_run(&query, err);
}

int alert_rows_put(struct database *database, struct alert_record *alert, struct error *err)
{
    struct texts texts;
    uint64_t last_id;
    int r = make_texts(&texts, alert, err);
    if (r == 0)
        r = take_entry(database, &alert->entry, err);
    if (r == 0)
        r = put(database, alert, &texts, err);
    if (r == 0)
        r = number(database, LAST_ID, &last_id, err);
    if (r == 0 && alert->id > last_id)
        r = database_set_number(database, LAST_ID, (int64_t)alert->id, err);
    free_texts(&texts);
    return r;
}

int alert_rows_peak(struct database *database, const struct alert_record *alert, struct error *err)
{
    struct texts texts;
    int r = make_texts(&texts, alert, err);
    if (r == 0) {
        struct query query = query_begin(database, "UPDATE alerts SET peak_score = ?, peak_us = ?, peak_pts_us = ?, voices = ?, "
                                         "boxes = ?, zones = ?, health = ? WHERE id = ? AND state = 'open'");
        query_bind_real(&query, alert->peak_score);
        query_bind_int(&query, alert->peak_us);
        query_bind_int(&query, alert->peak_pts_us);
        query_bind_text(&query, texts.voices);
        query_bind_text(&query, texts.boxes);
        query_bind_text(&query, texts.zones);
        query_bind_text(&query, texts.health);
        query_bind_int(&query, (int64_t)alert->id);
        r = query_run(&query, err);
    }
    free_texts(&texts);
    return r;
}

/* The last time that the database knows of a camera: of its scores and of the alert itself. */
static int last_seen(struct database *database, const struct alert_record *alert, int64_t *ret, struct error *err)
{
    struct query query = query_begin(database, "SELECT max(coalesce((SELECT max(time_us) FROM scores WHERE camera = ?1), 0), "
                                     "coalesce((SELECT max(minute) * 60000000 FROM score_minutes WHERE camera = ?1), 0))");
    query_bind_text(&query, alert->camera);
    int64_t last = query_row(&query) ? query_int(&query, 0) : 0;
    int r = query_end(&query, err);
    if (r < 0)
        return r;
    last = last > alert->peak_us ? last : alert->peak_us;
    *ret = last > alert->opened_us ? last : alert->opened_us;
    return 0;
}

int alert_rows_interrupt(struct database *database, struct alert_record *ret, struct error *err)
{
    struct query query = query_begin(database, "SELECT " COLUMNS " FROM alerts WHERE state = 'open' ORDER BY id LIMIT 1");
    bool found = query_row(&query);
    if (found)
        read_row(&query, ret);
    int r = query_end(&query, err);
    if (r < 0 || !found)
        return r;
    ret->interrupted = true;
    r = last_seen(database, ret, &ret->closed_us, err);
    if (r == 0)
        r = alert_rows_put(database, ret, err);
    return r < 0 ? r : 1;
}

int alert_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err)
{
    uint64_t below, highest = 0;
    *deleted = 0;
    int r = number(database, DELETED_BELOW, &below, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database,
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE opened_us < ? AND marked = 0 "
        "AND state <> 'open' AND NOT EXISTS (SELECT 1 FROM evidence WHERE alert = alerts.id) "
        "ORDER BY opened_us LIMIT ?) RETURNING entry");
    query_bind_int(&query, before_us);
    query_bind_int(&query, most);
    while (query_row(&query)) {
        uint64_t entry = (uint64_t)query_int(&query, 0);
        highest = entry > highest ? entry : highest;
        ++*deleted;
    }
    r = query_end(&query, err);
    if (r == 0 && *deleted && highest + 1 > below)
        r = database_set_number(database, DELETED_BELOW, (int64_t)highest + 1, err);
    return r;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* Marked alerts outlive others that were deleted: reading can go on from the oldest that is left. */
static int read_range(struct database *database, struct record_range *ret, struct error *err)
{
    uint64_t below, next;
    int r = number(database, DELETED_BELOW, &below, err);
    if (r == 0)
        r = number(database, NEXT_ENTRY, &next, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database, "SELECT min(entry) FROM alerts");
    uint64_t oldest = query_row(&query) && !query_is_null(&query, 0) ? (uint64_t)query_int(&query, 0) : next;
    r = query_end(&query, err);
    if (r == 0)
        *ret = (struct record_range){.oldest = oldest < below ? oldest : below, .next = next};
    return r;
}

/* Each has an index with all columns that a filter looks at (version_3 of io/database/migrations.c). */
#define OF_CAMERA "INDEXED BY alerts_of_camera WHERE camera = ?2"
#define OF_ANY_CAMERA "INDEXED BY alerts_listed WHERE ?2 IS NULL"
#define SELECT_IN(order, cameras) "SELECT " COLUMNS ", note, acknowledged_by, normal_by FROM alerts " cameras " AND entry >= ?1" \
    " AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR closed_us IS NULL OR closed_us >= ?5)" \
    " AND (?6 IS NULL OR opened_us < ?6) AND (?7 IS NULL OR (acknowledged_us IS NOT NULL) = ?7) AND (?8 IS NULL OR marked = ?8)" \
    " AND (?9 IS NULL OR (suppressed <> '') = ?9) ORDER BY entry " order " LIMIT ?10"

static struct query begin_read(struct database *database, const struct alert_query *wanted)
{
    static const char *const states[] = {NULL, "open", "closed", "interrupted"};        /* [enum alert_filter_state] */
    const struct alert_filter *filter = &wanted->filter;
    bool of_camera = *filter->camera != '\0';
    struct query query =
        query_begin(database, wanted->latest ? of_camera ? SELECT_IN("DESC", OF_CAMERA) : SELECT_IN("DESC", OF_ANY_CAMERA)
                                             : of_camera ? SELECT_IN("ASC", OF_CAMERA) : SELECT_IN("ASC", OF_ANY_CAMERA));
    query_bind_int(&query, wanted->latest ? 0 : wanted->from > INT64_MAX ? INT64_MAX : (int64_t)wanted->from);
    query_bind_text(&query, of_camera ? filter->camera : NULL);
    query_bind_text(&query, filter->has_kind ? alert_kind_name(filter->kind) : NULL);
    query_bind_text(&query, states[filter->state]);
    query_bind_int_or_null(&query, filter->has_from, filter->from_us);
    query_bind_int_or_null(&query, filter->has_to, filter->to_us);
    query_bind_int_or_null(&query, filter->acknowledged != FILTER_ANY, filter->acknowledged == FILTER_YES);
    query_bind_int_or_null(&query, filter->marked != FILTER_ANY, filter->marked == FILTER_YES);
    query_bind_int_or_null(&query, filter->suppressed != ALERT_TOLD_OR_NOT, filter->suppressed == ALERT_NOT_TOLD);
    query_bind_int(&query, (int64_t)wanted->most);
    return query;
}

/* Reads the labels in a row of SELECT_IN. */
static void read_labels(const struct query *query, struct alert_labels *ret)
{
    *ret = (struct alert_labels){.acknowledged_us = query_int(query, 14), .normal_us = query_int(query, 15),
                                 .marked = query_int(query, 16) != 0};
    query_copy(query, N_COLUMNS, ret->note, sizeof ret->note);
    query_copy(query, N_COLUMNS + 1, ret->acknowledged_by, sizeof ret->acknowledged_by);
    query_copy(query, N_COLUMNS + 2, ret->normal_by, sizeof ret->normal_by);
}

static void reverse(struct alert_record *alerts, struct alert_labels *labels, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct alert_record alert = alerts[i];
        alerts[i] = alerts[n - 1 - i];
        alerts[n - 1 - i] = alert;
        if (labels) {
            struct alert_labels label = labels[i];
            labels[i] = labels[n - 1 - i];
            labels[n - 1 - i] = label;
        }
    }
}

int alert_rows_read(struct database *database, const struct alert_query *wanted, struct alert_record *ret,
                    struct alert_labels *labels, size_t *n, uint64_t *next, struct record_range *range, struct error *err)
{
    struct record_range found_range;
    size_t found = 0;
    int r = database_execute(database, "BEGIN", err);           /* list and range are of one moment */
    if (r == 0)
        r = read_range(database, &found_range, err);
    if (r == 0) {
        struct query query = begin_read(database, wanted);
        for (; found < wanted->most && query_row(&query); found++) {
            read_row(&query, &ret[found]);
            if (labels)
                read_labels(&query, &labels[found]);
        }
        r = query_end(&query, err);
    }
    database_rollback(database);
    if (r < 0)
        return r;
    if (wanted->latest)
        reverse(ret, labels, found);
    *range = found_range;
    *n = found;
    /* A full answer may have more behind it; else all entries up to the end have been looked at. */
    *next = found == wanted->most && found > 0 && !wanted->latest ? ret[found - 1].entry + 1 : found_range.next;
    return 0;
}

int alert_rows_find(struct database *database, uint64_t id, struct alert_record *ret, struct error *err)
{
    if (id > INT64_MAX)
        return error_set(err, -ENOENT, "no alert has that id");
    struct query query = query_begin(database, "SELECT " COLUMNS " FROM alerts WHERE id = ?");
    query_bind_int(&query, (int64_t)id);
    struct alert_record alert;
    bool found = query_row(&query);
    if (found)
        read_row(&query, &alert);
    int r = query_end(&query, err);
    if (r < 0)
        return r;
    if (!found)
        return error_set(err, -ENOENT, "no alert has that id");
    *ret = alert;
    return 0;
}

int alert_rows_each(struct database *database, bool (*row)(void *arg, const struct alert_record *alert), void *arg,
                    struct error *err)
{
    struct query query = query_begin(database, "SELECT " COLUMNS " FROM alerts ORDER BY id");
    struct alert_record alert;
    do {
        if (!query_row(&query))
            break;
        read_row(&query, &alert);
    } while (row(arg, &alert));
    return query_end(&query, err);
}
