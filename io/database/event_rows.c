#include "io/database/event_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io/database/query.h"

#define DELETED_BELOW "events_deleted_below"    /* seq below which events have been deleted, or never were */

int event_rows_begin_at(struct database *database, int64_t first, struct error *err)
{
    struct query query = query_begin(database, "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)");
    query_bind_int(&query, first - 1);
    int r = query_run(&query, err);
    return r < 0 ? r : database_set_number(database, DELETED_BELOW, first, err);
}

int event_rows_add(struct database *database, struct event_row *event, struct error *err)
{
    struct query query = query_begin(database, "INSERT INTO events (id, type, time_us, camera, alert, body, ready) "
                                     "VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_bind_text(&query, event->id);
    query_bind_text(&query, event->type);
    query_bind_int(&query, event->time_us);
    query_bind_text(&query, event->camera);
    query_bind_int_or_null(&query, event->alert != 0, (int64_t)event->alert);
    query_bind_text(&query, event->body);
    query_bind_int(&query, event->ready);
    int r = query_run(&query, err);
    if (r == 0)
        event->seq = sqlite3_last_insert_rowid(database->handle);
    return r;
}

int event_rows_ready(struct database *database, int64_t seq, struct error *err)
{
    struct query query = query_begin(database, "UPDATE events SET ready = 1 WHERE seq = ?");
    query_bind_int(&query, seq);
    return query_run(&query, err);
}

int event_rows_all_ready(struct database *database, int *n, struct error *err)
{
    struct query query = query_begin(database, "UPDATE events SET ready = 1 WHERE ready = 0");
    int r = query_run(&query, err);
    *n = r == 0 ? sqlite3_changes(database->handle) : 0;
    return r;
}

int event_rows_each(struct database *database, int64_t from, size_t most, bool (*row)(void *arg, const struct event_row *event),
                    void *arg, struct error *err)
{
    struct query query = query_begin(database,
        "SELECT seq, id, type, time_us, camera, alert, body, ready FROM events WHERE seq >= ? "
        "ORDER BY seq LIMIT ?");
    query_bind_int(&query, from);
    query_bind_int(&query, most ? (int64_t)most : -1);
    struct event_row event;
    do {
        if (!query_row(&query))
            break;
        event = (struct event_row){.seq = query_int(&query, 0), .id = query_text(&query, 1), .type = query_text(&query, 2),
                                   .time_us = query_int(&query, 3), .camera = query_text(&query, 4),
                                   .alert = (uint64_t)query_int(&query, 5), .body = query_text(&query, 6),
                                   .ready = query_int(&query, 7) != 0};
    } while (row(arg, &event));
    return query_end(&query, err);
}

/* A reading of events: the filter, the records found, and where the next reading begins. */
struct reading {
    const struct event_filter *filter;
    struct event_record *ret;
    size_t max, n;
    uint64_t next, end;
    bool failed;                /* out of memory */
};

/* Reads the fields that struct alert_limits looks at from the alert in a body. */
static void read_alert(struct alert_record *ret, const char *body)
{
    json_t *root = json_loads(body, 0, NULL);
    const json_t *data = json_object_get(root, "data"), *zones = json_object_get(data, "zones");
    *ret = (struct alert_record){.test = json_is_true(json_object_get(data, "test")),
                                 .peak_score = json_number_value(json_object_get(data, "peak_score"))};
    for (size_t i = 0; i < json_array_size(zones) && ret->zones.n < ZONES_MOST; i++) {
        const char *name = json_string_value(json_array_get(zones, i));
        snprintf(ret->zones.name[ret->zones.n++], ZONE_NAME_SIZE, "%s", name ? name : "");
    }
    json_decref(root);
}

static bool takes(const struct event_filter *filter, enum event_type type, const struct event_row *row)
{
    struct alert_record alert;
    struct event event = {.type = type, .time_us = row->time_us, .camera = row->camera};
    if (row->alert && alert_limits_any(&filter->alerts)) {
        read_alert(&alert, row->body);
        event.alert = &alert;
    }
    return event_filter_takes(filter, &event);
}

static bool read_row(void *arg, const struct event_row *row)
{
    struct reading *reading = arg;
    enum event_type type;
    if ((uint64_t)row->seq >= reading->end || reading->n == reading->max)
        return false;
    if (event_type_find(&type, row->type) && takes(reading->filter, type, row)) {
        char *body = strdup(row->body);
        reading->failed = !body;
        if (!body)
            return false;
        reading->ret[reading->n++] = (struct event_record){.seq = (uint64_t)row->seq, .type = type, .time_us = row->time_us,
                                                           .body = body};
    }
    reading->next = (uint64_t)row->seq + 1;
    return true;
}

static int read_range(struct database *database, struct record_range *ret, struct error *err)
{
    int64_t oldest = 1, next = 0;
    int r = database_number(database, DELETED_BELOW, &oldest, err);
    if (r < 0 && r != -ENOENT)
        return r;
    struct query query = query_begin(database, "SELECT coalesce((SELECT min(seq) FROM events WHERE ready = 0), "
                                     "(SELECT seq + 1 FROM sqlite_sequence WHERE name = 'events'))");
    if (query_row(&query))
        next = query_int(&query, 0);
    r = query_end(&query, err);
    if (r == 0)
        *ret = (struct record_range){.oldest = (uint64_t)oldest, .next = (uint64_t)(next > oldest ? next : oldest)};
    return r;
}

int event_rows_read(struct database *database, uint64_t from, const struct event_filter *filter, struct event_record *ret,
                    size_t max, size_t *n, uint64_t *next, struct record_range *range, struct error *err)
{
    int r = database_execute(database, "BEGIN", err);           /* events and range are of one moment */
    if (r == 0)
        r = read_range(database, range, err);
    if (r == 0) {
        uint64_t first = from < range->oldest ? range->oldest : from > range->next ? range->next : from;
        struct reading reading = {.filter = filter, .ret = ret, .max = max, .next = first, .end = range->next};
        r = event_rows_each(database, (int64_t)first, EVENT_ROWS_SCANNED, read_row, &reading, err);
        if (r == 0 && reading.failed)
            r = error_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; r < 0 && i < reading.n; i++)
            free(reading.ret[i].body);
        if (r == 0) {
            *n = reading.n;
            *next = reading.next;
        }
    }
    database_rollback(database);
    return r;
}

int event_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err)
{
    int64_t below = 0, highest = 0;
    *deleted = 0;
    int r = database_number(database, DELETED_BELOW, &below, err);
    if (r < 0 && r != -ENOENT)
        return r;
    struct query query = query_begin(database,
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE time_us < ? AND NOT EXISTS "
        "(SELECT 1 FROM alerts WHERE alerts.id = events.alert AND marked = 1) AND NOT EXISTS "
        "(SELECT 1 FROM outbox WHERE outbox.seq = events.seq) ORDER BY time_us LIMIT ?) RETURNING seq");
    query_bind_int(&query, before_us);
    query_bind_int(&query, most);
    for (; query_row(&query); ++*deleted)
        highest = query_int(&query, 0) > highest ? query_int(&query, 0) : highest;
    r = query_end(&query, err);
    return r == 0 && highest >= below && *deleted ? database_set_number(database, DELETED_BELOW, highest + 1, err) : r;
}
