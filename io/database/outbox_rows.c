#include "io/database/outbox_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/database/query.h"

int outbox_rows_add(struct database *database, const char *endpoint, int64_t seq, struct error *err)
{
    struct query query = query_begin(database, "INSERT OR IGNORE INTO outbox (endpoint, seq) VALUES (?, ?)");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    return query_run(&query, err);
}

int outbox_rows_next(struct database *database, const char *endpoint, struct outbox_row *ret, struct error *err)
{
    struct query query = query_begin(database, "SELECT seq, id, time_us, attempts, due_us, ready, body FROM outbox JOIN events USING (seq) "
                                     "WHERE endpoint = ?1 AND NOT EXISTS (SELECT 1 FROM endpoints WHERE name = ?1 AND "
                                     "disabled_us IS NOT NULL) ORDER BY seq LIMIT 1");
    query_bind_text(&query, endpoint);
    bool found = query_row(&query);
    struct outbox_row item = {.seq = 0};
    if (found) {
        item = (struct outbox_row){.seq = query_int(&query, 0), .time_us = query_int(&query, 2),
                                    .attempts = (int)query_int(&query, 3), .due_us = query_int(&query, 4),
                                    .ready = query_int(&query, 5) != 0, .body = strdup(query_text(&query, 6))};
        query_copy(&query, 1, item.id, sizeof item.id);
    }
    int r = query_end(&query, err);
    if (r == 0 && found && !item.body)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r < 0) {
        free(item.body);
        return r;
    }
    if (found)
        *ret = item;
    return found;
}

static int remove_row(struct database *database, const char *endpoint, int64_t seq, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM outbox WHERE endpoint = ? AND seq = ?");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    return query_run(&query, err);
}

int outbox_rows_delivered(struct database *database, const char *endpoint, int64_t seq, struct error *err)
{
    return remove_row(database, endpoint, seq, err);
}

int outbox_rows_failed(struct database *database, const char *endpoint, int64_t seq, int64_t due_us, const char *cause, struct error *err)
{
    struct query query = query_begin(database, "UPDATE outbox SET attempts = attempts + 1, due_us = ?, cause = ? WHERE endpoint = ? AND "
                                     "seq = ?");
    query_bind_int(&query, due_us);
    query_bind_text(&query, cause);
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    return query_run(&query, err);
}

/* Begins a transaction unless the caller has; *own says so. */
static int begin(struct database *database, bool *own, struct error *err)
{
    *own = sqlite3_get_autocommit(database->handle) != 0;
    return *own ? database_begin(database, err) : 0;
}

static int end(struct database *database, bool own, int r, struct error *err)
{
    if (r == 0 && own)
        r = database_commit(database, err);
    if (own)
        database_rollback(database);
    return r;
}

/* Moves the rows of the endpoint from outbox to dead_letters: with that seq, or all with 0. */
static int move_to_dead(struct database *database, const char *endpoint, int64_t seq, int64_t now_us, const char *reason, int *n,
                        struct error *err)
{
    bool own;
    int r = begin(database, &own, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database, "INSERT OR REPLACE INTO dead_letters (endpoint, seq, attempts, died_us, reason) "
                                     "SELECT endpoint, seq, attempts, ?3, ?4 FROM outbox WHERE endpoint = ?1 AND (seq = ?2 OR ?2 = 0)");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    query_bind_int(&query, now_us);
    query_bind_text(&query, reason);
    r = query_run(&query, err);
    if (r == 0) {
        query = query_begin(database, "DELETE FROM outbox WHERE endpoint = ?1 AND (seq = ?2 OR ?2 = 0)");
        query_bind_text(&query, endpoint);
        query_bind_int(&query, seq);
        r = query_run(&query, err);
    }
    if (n)
        *n = r == 0 ? sqlite3_changes(database->handle) : 0;
    return end(database, own, r, err);
}

int outbox_rows_dead(struct database *database, const char *endpoint, int64_t seq, int64_t now_us, const char *reason, struct error *err)
{
    return seq > 0 ? move_to_dead(database, endpoint, seq, now_us, reason, NULL, err) : error_set(err, -EINVAL, "no event has seq 0");
}

int outbox_rows_dead_all(struct database *database, const char *endpoint, int64_t now_us, const char *reason, int *n, struct error *err)
{
    return move_to_dead(database, endpoint, 0, now_us, reason, n, err);
}

int outbox_rows_revive(struct database *database, const char *endpoint, int64_t seq, int *n, struct error *err)
{
    bool own;
    int r = begin(database, &own, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database, "INSERT OR IGNORE INTO outbox (endpoint, seq) SELECT endpoint, seq FROM dead_letters "
                                     "WHERE endpoint = ?1 AND (seq = ?2 OR ?2 = 0)");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    r = query_run(&query, err);
    if (r == 0) {
        query = query_begin(database, "DELETE FROM dead_letters WHERE endpoint = ?1 AND (seq = ?2 OR ?2 = 0)");
        query_bind_text(&query, endpoint);
        query_bind_int(&query, seq);
        r = query_run(&query, err);
    }
    *n = r == 0 ? sqlite3_changes(database->handle) : 0;
    return end(database, own, r, err);
}

int outbox_rows_disable(struct database *database, const char *endpoint, int64_t now_us, const char *reason, struct error *err)
{
    struct query query = query_begin(database, "INSERT INTO endpoints (name, disabled_us, disabled_reason) VALUES (?, ?, ?) "
                                     "ON CONFLICT (name) DO UPDATE SET disabled_us = excluded.disabled_us, "
                                     "disabled_reason = excluded.disabled_reason");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, now_us);
    query_bind_text(&query, reason);
    return query_run(&query, err);
}

int outbox_rows_enable(struct database *database, const char *endpoint, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM endpoints WHERE name = ?");
    query_bind_text(&query, endpoint);
    return query_run(&query, err);
}

int outbox_rows_counts(struct database *database, const char *endpoint, struct outbox_rows_counts *ret, struct error *err)
{
    struct outbox_rows_counts counts = {.queued = 0};
    struct query query = query_begin(database, "SELECT (SELECT count(*) FROM outbox WHERE endpoint = ?1), "
                                     "(SELECT count(*) FROM dead_letters WHERE endpoint = ?1), "
                                     "(SELECT time_us FROM outbox JOIN events USING (seq) WHERE endpoint = ?1 ORDER BY seq LIMIT 1), "
                                     "(SELECT disabled_us FROM endpoints WHERE name = ?1), "
                                     "(SELECT disabled_reason FROM endpoints WHERE name = ?1)");
    query_bind_text(&query, endpoint);
    if (query_row(&query)) {
        counts.queued = query_int(&query, 0);
        counts.dead = query_int(&query, 1);
        counts.oldest_us = query_int(&query, 2);
        counts.is_disabled = !query_is_null(&query, 3);
        counts.disabled_us = query_int(&query, 3);
        query_copy(&query, 4, counts.reason, sizeof counts.reason);
    }
    int r = query_end(&query, err);
    if (r == 0)
        *ret = counts;
    return r;
}

int outbox_rows_endpoints(struct database *database, void (*name)(void *arg, const char *endpoint), void *arg, struct error *err)
{
    struct query query = query_begin(database, "SELECT endpoint FROM outbox UNION SELECT endpoint FROM dead_letters UNION "
                                     "SELECT name FROM endpoints ORDER BY 1");
    while (query_row(&query))
        name(arg, query_text(&query, 0));
    return query_end(&query, err);
}

int outbox_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM dead_letters WHERE (endpoint, seq) IN (SELECT endpoint, seq FROM dead_letters "
                                     "WHERE died_us < ? LIMIT ?)");
    query_bind_int(&query, before_us);
    query_bind_int(&query, most);
    int r = query_run(&query, err);
    *deleted = r == 0 ? sqlite3_changes(database->handle) : 0;
    return r;
}
