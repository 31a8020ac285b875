#include "io/database/arming_rows.h"

#include <string.h>

#include "io/database/query.h"

static int save(struct database *database, const char *camera, const char *kind, const struct arming_order *order,
                struct error *err)
{
    if (order->since_us == 0)
        return 0;
    struct query query = query_begin(database,
                                     "INSERT INTO arming (camera, kind, since_us, until_us, by) VALUES (?, ?, ?, ?, ?)");
    query_bind_text(&query, camera);
    query_bind_text(&query, kind);
    query_bind_int(&query, order->since_us);
    query_bind_int_or_null(&query, order->until_us != INT64_MAX, order->until_us);
    query_bind_text(&query, order->by);
    return query_run(&query, err);
}

int arming_rows_save(struct database *database, const char *camera, const struct arming_orders *orders, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM arming WHERE camera = ?");
    query_bind_text(&query, camera);
    int r = query_run(&query, err);
    if (r == 0)
        r = save(database, camera, "disarm", &orders->disarm, err);
    return r < 0 ? r : save(database, camera, "snooze", &orders->snooze, err);
}

/* A row of the left join is a camera with both orders; since_us is 0 where one is not there. */
static void read_order(const struct query *query, int column, struct arming_order *ret)
{
    *ret = (struct arming_order){.since_us = query_int(query, column)};
    if (ret->since_us == 0)
        return;
    ret->until_us = query_is_null(query, column + 1) ? INT64_MAX : query_int(query, column + 1);
    query_copy(query, column + 2, ret->by, sizeof ret->by);
}

int arming_rows_each(struct database *database, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                     void *arg, struct error *err)
{
    struct query query = query_begin(database, "SELECT c.camera, d.since_us, d.until_us, d.by, s.since_us, s.until_us, s.by FROM "
                                     "(SELECT DISTINCT camera FROM arming) AS c "
                                     "LEFT JOIN arming AS d ON d.camera = c.camera AND d.kind = 'disarm' "
                                     "LEFT JOIN arming AS s ON s.camera = c.camera AND s.kind = 'snooze' ORDER BY c.camera");
    while (query_row(&query)) {
        struct arming_orders orders;
        read_order(&query, 1, &orders.disarm);
        read_order(&query, 4, &orders.snooze);
        row(arg, query_text(&query, 0), &orders);
    }
    return query_end(&query, err);
}
