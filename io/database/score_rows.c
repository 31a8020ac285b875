#include "io/database/score_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/database/query.h"

/* The minute of a time, rounded down. */
static int64_t minute_of(int64_t time_us)
{
    return time_us / MINUTE_US - (time_us % MINUTE_US < 0);
}

static int add_to_minute(struct database *database, const struct score_row *row, struct error *err)
{
    struct query query = query_begin(database,
        "INSERT INTO score_minutes (camera, minute, n, slow, minimum, mean, maximum, p_least) "
        "VALUES (?1, ?2, 1, ?3, ?4, ?4, ?4, ?5) ON CONFLICT (camera, minute) DO UPDATE SET n = n + 1, "
        "slow = slow + excluded.slow, minimum = min(coalesce(minimum, excluded.minimum), coalesce(excluded.minimum, minimum)), "
        "maximum = max(coalesce(maximum, excluded.maximum), coalesce(excluded.maximum, maximum)), "
        "mean = coalesce(mean + (coalesce(excluded.mean, mean) - mean) / (n + 1), excluded.mean), "
        "p_least = min(coalesce(p_least, excluded.p_least), coalesce(excluded.p_least, p_least))");
    query_bind_text(&query, row->camera);
    query_bind_int(&query, minute_of(row->time_us));
    query_bind_int(&query, row->slow);
    query_bind_real(&query, (double)row->score);
    query_bind_real(&query, (double)row->p);
    return query_run(&query, err);
}

int score_rows_add(struct database *database, const struct score_row *row, struct error *err)
{
    struct query query = query_begin(database,
        "INSERT OR IGNORE INTO scores (camera, time_us, window, score, reference, p, slow) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_bind_text(&query, row->camera);
    query_bind_int(&query, row->time_us);
    query_bind_int(&query, (int64_t)row->window);
    query_bind_real(&query, (double)row->score);
    query_bind_real(&query, (double)row->reference);
    query_bind_real(&query, (double)row->p);
    query_bind_int(&query, row->slow);
    int r = query_run(&query, err);
    return r < 0 || sqlite3_changes(database->handle) == 0 ? r : add_to_minute(database, row, err);
}

int score_rows_read(struct database *database, const char *camera, int64_t from_us, int64_t to_us, struct score_row *ret,
                    size_t most, size_t *n, struct error *err)
{
    struct query query = query_begin(database,
        "SELECT time_us, window, score, reference, p, slow FROM scores WHERE camera = ? AND "
        "time_us >= ? AND time_us < ? ORDER BY time_us, window LIMIT ?");
    query_bind_text(&query, camera);
    query_bind_int(&query, from_us);
    query_bind_int(&query, to_us);
    query_bind_int(&query, (int64_t)most);
    size_t found = 0;
    for (; found < most && query_row(&query); found++) {
        ret[found] = (struct score_row){.time_us = query_int(&query, 0), .window = (uint64_t)query_int(&query, 1),
                                        .score = (float)query_real(&query, 2), .reference = (float)query_real(&query, 3),
                                        .p = (float)query_real(&query, 4), .slow = query_int(&query, 5) != 0};
        snprintf(ret[found].camera, sizeof ret[found].camera, "%s", camera);
    }
    *n = found;
    return query_end(&query, err);
}

static void read_minute(const struct query *query, struct minute_row *ret)
{
    *ret = (struct minute_row){.time_us = query_int(query, 1) * MINUTE_US, .n = query_int(query, 2), .slow = query_int(query, 3),
                               .minimum = query_real(query, 4), .mean = query_real(query, 5), .maximum = query_real(query, 6),
                               .p_least = query_real(query, 7)};
    query_copy(query, 0, ret->camera, sizeof ret->camera);
}

#define MINUTES "SELECT camera, minute, n, slow, minimum, mean, maximum, p_least FROM score_minutes "

int minute_rows_read(struct database *database, const char *camera, int64_t from_us, int64_t to_us, struct minute_row *ret,
                     size_t most, size_t *n, struct error *err)
{
    struct query query = query_begin(database, MINUTES "WHERE camera = ? AND minute >= ? AND minute < ? ORDER BY minute LIMIT ?");
    query_bind_text(&query, camera);
    query_bind_int(&query, from_us > INT64_MIN + 1 ? minute_of(from_us - 1) + 1 : from_us / MINUTE_US);
    query_bind_int(&query, to_us > INT64_MIN + 1 ? minute_of(to_us - 1) + 1 : to_us / MINUTE_US);
    query_bind_int(&query, (int64_t)most);
    size_t found = 0;
    for (; found < most && query_row(&query); found++)
        read_minute(&query, &ret[found]);
    *n = found;
    return query_end(&query, err);
}

int minute_rows_each(struct database *database, bool (*row)(void *arg, const struct minute_row *minute), void *arg,
                     struct error *err)
{
    struct query query = query_begin(database, MINUTES "ORDER BY camera, minute");
    struct minute_row minute;
    do {
        if (!query_row(&query))
            break;
        read_minute(&query, &minute);
    } while (row(arg, &minute));
    return query_end(&query, err);
}

int score_rows_next_camera(struct database *database, const char *after, char ret[RECORD_NAME_SIZE], struct error *err)
{
    struct query query = query_begin(database,
        "SELECT min(camera) FROM (SELECT min(camera) AS camera FROM scores WHERE camera > ?1 "
        "UNION ALL SELECT min(camera) FROM score_minutes WHERE camera > ?1)");
    query_bind_text(&query, after);
    char found[RECORD_NAME_SIZE] = "";
    if (query_row(&query))
        query_copy(&query, 0, found, sizeof found);
    int r = query_end(&query, err);
    if (r == 0)
        memcpy(ret, found, sizeof found);
    return r;
}

int score_rows_prune(struct database *database, const char *camera, int64_t windows_before_us, int64_t minutes_before_us,
                     int most, int *deleted, struct error *err)
{
    *deleted = 0;
    struct query query = query_begin(database,
        "DELETE FROM scores WHERE camera = ?1 AND (time_us, window) IN (SELECT time_us, window "
        "FROM scores WHERE camera = ?1 AND time_us < ?2 ORDER BY time_us LIMIT ?3)");
    query_bind_text(&query, camera);
    query_bind_int(&query, windows_before_us);
    query_bind_int(&query, most);
    int r = query_run(&query, err);
    if (r < 0)
        return r;
    *deleted += sqlite3_changes(database->handle);
    query = query_begin(database, "DELETE FROM score_minutes WHERE camera = ?1 AND minute IN (SELECT minute FROM score_minutes "
                        "WHERE camera = ?1 AND minute < ?2 ORDER BY minute LIMIT ?3)");
    query_bind_text(&query, camera);
    query_bind_int(&query, minutes_before_us == INT64_MIN ? INT64_MIN : minute_of(minutes_before_us));
    query_bind_int(&query, most);
    r = query_run(&query, err);
    *deleted += r == 0 ? sqlite3_changes(database->handle) : 0;
    return r;
}
