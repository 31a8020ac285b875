#include "io/database/outbox_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io/database/query.h"

int outbox_rows_add(struct database *database, const char *endpoint, int64_t seq, int64_t now_us, struct error *err)
{
    struct query query = query_begin(database, "INSERT OR IGNORE INTO outbox (endpoint, seq, queued_us) VALUES (?, ?, ?)");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    query_bind_int(&query, now_us);
    return query_run(&query, err);
}

int outbox_rows_next(struct database *database, const char *endpoint, int64_t from, struct outbox_row *ret, struct error *err)
{
    struct query query = query_begin(database,
        "SELECT seq, id, time_us, coalesce(queued_us, time_us), attempts, due_us, ready, body "
        "FROM outbox JOIN events USING (seq) WHERE endpoint = ? AND seq >= ? ORDER BY seq LIMIT 1");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, from);
    bool found = query_row(&query);
    struct outbox_row row = {.seq = 0};
    if (found) {
        row = (struct outbox_row){.seq = query_int(&query, 0), .time_us = query_int(&query, 2), .queued_us = query_int(&query, 3),
                                  .attempts = (int)query_int(&query, 4), .due_us = query_int(&query, 5),
                                  .ready = query_int(&query, 6) != 0, .body = strdup(query_text(&query, 7))};
        query_copy(&query, 1, row.id, sizeof row.id);
    }
    int r = query_end(&query, err);
    if (r == 0 && found && !row.body)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r < 0) {
        free(row.body);
        return r;
    }
    if (found)
        *ret = row;
    return found;
}

int outbox_rows_delivered(struct database *database, const char *endpoint, int64_t seq, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM outbox WHERE endpoint = ? AND seq = ?");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    return query_run(&query, err);
}

int outbox_rows_failed(struct database *database, const char *endpoint, int64_t seq, int attempts, int64_t due_us,
                       const char *cause, struct error *err)
{
    struct query query = query_begin(database,
        "UPDATE outbox SET attempts = ?, due_us = ?, cause = ? WHERE endpoint = ? AND seq = ?");
    query_bind_int(&query, attempts);
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

int outbox_rows_dead(struct database *database, const char *endpoint, int64_t seq, int attempts, int64_t now_us,
                     const char *reason, struct error *err)
{
    bool own;
    int r = begin(database, &own, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database, "INSERT OR REPLACE INTO dead_letters (endpoint, seq, attempts, died_us, reason) "
                                     "SELECT endpoint, seq, ?3, ?4, ?5 FROM outbox WHERE endpoint = ?1 AND seq = ?2");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, seq);
    query_bind_int(&query, attempts);
    query_bind_int(&query, now_us);
    query_bind_text(&query, reason);
    r = query_run(&query, err);
    if (r == 0)
        r = outbox_rows_delivered(database, endpoint, seq, err);
    return end(database, own, r, err);
}

int outbox_rows_revive(struct database *database, const char *endpoint, int64_t now_us, int *n, struct error *err)
{
    bool own;
    int r = begin(database, &own, err);
    if (r < 0)
        return r;
    struct query query = query_begin(database, "INSERT OR IGNORE INTO outbox (endpoint, seq, queued_us) "
                                     "SELECT endpoint, seq, ?2 FROM dead_letters WHERE endpoint = ?1");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, now_us);
    r = query_run(&query, err);
    if (r == 0) {
        query = query_begin(database, "DELETE FROM dead_letters WHERE endpoint = ?");
        query_bind_text(&query, endpoint);
        r = query_run(&query, err);
    }
    *n = r == 0 ? sqlite3_changes(database->handle) : 0;
    return end(database, own, r, err);
}

int outbox_rows_disable(struct database *database, const char *endpoint, int64_t now_us, const char *reason, const char *mark,
                        struct error *err)
{
    struct query query = query_begin(database, "INSERT OR REPLACE INTO endpoints (name, disabled_us, disabled_reason, mark) "
                                     "VALUES (?, ?, ?, ?)");
    query_bind_text(&query, endpoint);
    query_bind_int(&query, now_us);
    query_bind_text(&query, reason);
    query_bind_text(&query, mark);
    return query_run(&query, err);
}

int outbox_rows_enable(struct database *database, const char *endpoint, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM endpoints WHERE name = ?");
    query_bind_text(&query, endpoint);
    return query_run(&query, err);
}

/* ["a","b"]; the caller's. NULL: memory is short. */
static char *list(const char *const *keys, size_t n)
{
    json_t *array = json_array();
    bool whole = array != NULL;
    for (size_t i = 0; i < n && whole; i++)
        whole = json_array_append_new(array, json_string(keys[i])) == 0;
    char *text = whole ? json_dumps(array, 0) : NULL;
    json_decref(array);
    return text;
}

#define OF_SCOPE(column) " AND iif(?2 = '', instr(" column ", ':') = 0, substr(" column ", 1, length(?2)) = ?2)"

int outbox_rows_keep(struct database *database, const char *scope, const char *const *keys, size_t n, int *dropped,
                     struct error *err)
{
    static const char *const deletes[] = {
        "DELETE FROM outbox WHERE endpoint NOT IN (SELECT value FROM json_each(?1))" OF_SCOPE("endpoint"),
        "DELETE FROM dead_letters WHERE endpoint NOT IN (SELECT value FROM json_each(?1))" OF_SCOPE("endpoint"),
        "DELETE FROM endpoints WHERE name NOT IN (SELECT value FROM json_each(?1))" OF_SCOPE("name"),
    };
    char *kept = list(keys, n);
    if (!kept)
        return error_set(err, -ENOMEM, "out of memory");
    bool own;
    int r = begin(database, &own, err), waited = 0;
    if (r == 0) {
        for (size_t i = 0; i < sizeof deletes / sizeof deletes[0] && r == 0; i++) {
            struct query query = query_begin(database, deletes[i]);
            query_bind_text(&query, kept);
            query_bind_text(&query, scope);
            r = query_run(&query, err);
            if (r == 0 && i == 0)
                waited = sqlite3_changes(database->handle);
        }
        r = end(database, own, r, err);
    }
    if (r == 0)
        *dropped = waited;
    free(kept);
    return r;
}

int outbox_rows_counts(struct database *database, const char *endpoint, struct outbox_rows_counts *ret, struct error *err)
{
    struct outbox_rows_counts counts = {.queued = 0};
    struct query query = query_begin(database, "SELECT (SELECT count(*) FROM outbox WHERE endpoint = ?1), "
                                     "(SELECT count(*) FROM dead_letters WHERE endpoint = ?1)");
    query_bind_text(&query, endpoint);
    if (query_row(&query)) {
        counts.queued = query_int(&query, 0);
        counts.dead = query_int(&query, 1);
    }
    int r = query_end(&query, err);
    if (r == 0)
        *ret = counts;
    return r;
}

int outbox_rows_state(struct database *database, const char *endpoint, struct outbox_rows_state *ret, struct error *err)
{
    struct outbox_rows_state state = {.disabled_us = 0};
    struct query query = query_begin(database, "SELECT disabled_us, disabled_reason, mark FROM endpoints WHERE name = ?");
    query_bind_text(&query, endpoint);
    if (query_row(&query)) {
        state.disabled_us = query_int(&query, 0);
        query_copy(&query, 1, state.reason, sizeof state.reason);
        query_copy(&query, 2, state.mark, sizeof state.mark);
    }
    int r = query_end(&query, err);
    if (r == 0)
        *ret = state;
    return r;
}

int outbox_rows_each_dead(struct database *database, const char *endpoint,
                          bool (*row)(void *arg, const struct outbox_dead_row *dead), void *arg, struct error *err)
{
    struct query query = query_begin(database, "SELECT seq, time_us, died_us, attempts, id, reason, body FROM dead_letters "
                                     "JOIN events USING (seq) WHERE endpoint = ? ORDER BY seq");
    query_bind_text(&query, endpoint);
    struct outbox_dead_row dead;
    do {
        if (!query_row(&query))
            break;
        dead = (struct outbox_dead_row){.seq = query_int(&query, 0), .time_us = query_int(&query, 1),
                                        .died_us = query_int(&query, 2), .attempts = (int)query_int(&query, 3),
                                        .id = query_text(&query, 4), .reason = query_text(&query, 5),
                                        .body = query_text(&query, 6)};
    } while (row(arg, &dead));
    return query_end(&query, err);
}

int outbox_rows_prune(struct database *database, int64_t before_us, int most, int *deleted, struct error *err)
{
    struct query query = query_begin(database,
        "DELETE FROM dead_letters WHERE (endpoint, seq) IN (SELECT endpoint, seq FROM dead_letters "
        "WHERE died_us < ? LIMIT ?)");
    query_bind_int(&query, before_us);
    query_bind_int(&query, most);
    int r = query_run(&query, err);
    *deleted = r == 0 ? sqlite3_changes(database->handle) : 0;
    return r;
}
