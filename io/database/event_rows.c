#include "io/database/event_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "io/database/query.h"

int event_rows_new_id(char ret[EVENT_ID_SIZE])
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EIO;
    memcpy(ret, "msg_", sizeof "msg_");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(ret + 4 + 2 * i, 3, "%02x", random[i]);
    return 0;
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

int event_rows_each(struct database *database, int64_t from, size_t most, bool (*row)(void *arg, const struct event_row *event), void *arg,
                    struct error *err)
{
    struct query query = query_begin(database, "SELECT seq, id, type, time_us, camera, alert, body, ready FROM events WHERE seq >= ? "
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

int event_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE time_us < ? AND NOT EXISTS "
                                     "(SELECT 1 FROM alerts WHERE alerts.id = events.alert AND marked = 1) AND NOT EXISTS "
                                     "(SELECT 1 FROM outbox WHERE outbox.seq = events.seq) ORDER BY time_us LIMIT ?)");
    query_bind_int(&query, before_us);
    query_bind_int(&query, most);
    int r = query_run(&query, err);
    *deleted = r == 0 ? sqlite3_changes(database->handle) : 0;
    return r;
}
