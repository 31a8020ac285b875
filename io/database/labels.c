#include "io/database/labels.h"

#include <errno.h>

#include "io/database/query.h"

int labels_read(struct database *database, uint64_t alert, struct alert_labels *ret, struct error *err)
{
    struct query query = query_begin(database,
        "SELECT marked, note, acknowledged_us, acknowledged_by, normal_us, normal_by FROM alerts "
        "WHERE id = ?");
    query_bind_int(&query, (int64_t)alert);
    struct alert_labels labels = {.marked = false};
    bool found = query_row(&query);
    if (found) {
        labels = (struct alert_labels){.marked = query_int(&query, 0) != 0, .acknowledged_us = query_int(&query, 2),
                                 .normal_us = query_int(&query, 4)};
        query_copy(&query, 1, labels.note, sizeof labels.note);
        query_copy(&query, 3, labels.acknowledged_by, sizeof labels.acknowledged_by);
        query_copy(&query, 5, labels.normal_by, sizeof labels.normal_by);
    }
    int r = query_end(&query, err);
    if (r == 0 && !found)
        r = error_set(err, -ENOENT, "no alert has that id");
    if (r == 0)
        *ret = labels;
    return r;
}

/* Runs an UPDATE of one alert. */
static int update(struct query *query, struct error *err)
{
    struct database *database = query->database;
    int r = query_run(query, err);
    return r < 0 ? r : sqlite3_changes(database->handle) ? 0 : error_set(err, -ENOENT, "no alert has that id");
}

int labels_mark(struct database *database, uint64_t alert, bool marked, struct error *err)
{
    struct query query = query_begin(database, "UPDATE alerts SET marked = ? WHERE id = ?");
    query_bind_int(&query, marked);
    query_bind_int(&query, (int64_t)alert);
    return update(&query, err);
}

int labels_note(struct database *database, uint64_t alert, const char *note, struct error *err)
{
    struct query query = query_begin(database, "UPDATE alerts SET note = ? WHERE id = ?");
    query_bind_text(&query, *note ? note : NULL);
    query_bind_int(&query, (int64_t)alert);
    return update(&query, err);
}

int labels_acknowledge(struct database *database, uint64_t alert, int64_t now_us, const char *who, struct error *err)
{
    struct query query = query_begin(database, "UPDATE alerts SET acknowledged_us = ?, acknowledged_by = ? WHERE id = ?");
    query_bind_int_or_null(&query, now_us != 0, now_us);
    query_bind_text(&query, now_us ? who : NULL);
    query_bind_int(&query, (int64_t)alert);
    return update(&query, err);
}

static int set_normal(struct database *database, uint64_t alert, bool is_normal, int64_t now_us, const char *who,
                      struct error *err)
{
    struct query query = query_begin(database, "UPDATE alerts SET normal_us = ?, normal_by = ? WHERE id = ?");
    query_bind_int_or_null(&query, is_normal, now_us);
    query_bind_text(&query, is_normal ? who : NULL);
    query_bind_int(&query, (int64_t)alert);
    int r = update(&query, err);
    if (r < 0)
        return r;
    if (is_normal)
        query = query_begin(database, "INSERT OR REPLACE INTO labels (alert, labelled_us, by) VALUES (?1, ?2, ?3)");
    else
        query = query_begin(database, "UPDATE labels SET undone_us = ?2, undone_by = ?3 WHERE alert = ?1 AND undone_us IS NULL");
    query_bind_int(&query, (int64_t)alert);
    query_bind_int(&query, now_us);
    query_bind_text(&query, who);
    return query_run(&query, err);
}

int labels_normal(struct database *database, uint64_t alert, bool is_normal, int64_t now_us, const char *who, struct error *err)
{
    struct alert_labels before;
    bool own = sqlite3_get_autocommit(database->handle) != 0;
    int r = own ? database_begin(database, err) : 0;
    if (r == 0)
        r = labels_read(database, alert, &before, err);
    if (r == 0 && (before.normal_us != 0) != is_normal)
        r = set_normal(database, alert, is_normal, now_us, who, err);
    if (r == 0 && own)
        r = database_commit(database, err);
    if (own)
        database_rollback(database);
    return r;
}

static int carry_out(struct database *database, const struct alert_order *order, struct error *err)
{
    switch (order->action) {
    case ALERT_ACKNOWLEDGE: return labels_acknowledge(database, order->alert, order->time_us, order->by, err);
    case ALERT_MARK: return labels_mark(database, order->alert, true, err);
    case ALERT_UNMARK: return labels_mark(database, order->alert, false, err);
    case ALERT_NOTE: return labels_note(database, order->alert, order->note, err);
    case ALERT_NORMAL: return labels_normal(database, order->alert, true, order->time_us, order->by, err);
    case ALERT_NORMAL_UNDO: break;
    }
    return labels_normal(database, order->alert, false, order->time_us, order->by, err);
}

int labels_apply(struct database *database, const struct alert_order *order, struct alert_labels *ret, struct error *err)
{
    if (order->alert > INT64_MAX)
        return error_set(err, -ENOENT, "no alert has that id");
    int r = carry_out(database, order, err);
    return r < 0 ? r : labels_read(database, order->alert, ret, err);
}
