#include "daemon/watch/store/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/watch/store/connection.h"
#include "io/database/alert_rows.h"
#include "io/database/event_rows.h"
#include "io/database/evidence_rows.h"
#include "io/database/labels.h"
#include "io/database/score_rows.h"

struct reader {
    struct store *store;
    struct connection connection;
};

int reader_open(struct reader **ret, struct store *store, struct error *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, -ENOMEM, "out of memory");
    reader->store = store;
    int r = connection_renew(&reader->connection, store, err);
    if (r < 0) {
        reader_close(reader);
        return r;
    }
    *ret = reader;
    return 0;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    connection_close(&reader->connection);
    free(reader);
}

static int renew(struct reader *reader, struct error *err)
{
    return connection_renew(&reader->connection, reader->store, err);
}

static int tell(struct reader *reader, int r, const struct error *err)
{
    return connection_tell(&reader->connection, r, err);
}

int reader_alerts(struct reader *reader, const struct view_alerts_wanted *wanted, struct alert_record *ret,
                  struct alert_labels *labels, struct view_alerts *found)
{
    struct error err = {""};
    int r = renew(reader, &err);
    if (r == 0) {
        found->store = (uint64_t)reader->connection.id;
        r = alert_rows_read(reader->connection.database, &(struct alert_query){.from = wanted->from, .latest = wanted->latest,
                                                                    .filter = wanted->filter, .most = wanted->limit},
                            ret, labels, &found->n, &found->next, &found->range, &err);
    }
    return tell(reader, r, &err);
}

int reader_alert(struct reader *reader, uint64_t id, struct alert_record *ret, struct alert_labels *labels)
{
    struct error err = {""};
    int r = renew(reader, &err);
    if (r == 0)
        r = alert_rows_find(reader->connection.database, id, ret, &err);
    if (r == 0)
        r = labels_read(reader->connection.database, id, labels, &err);
    return tell(reader, r, &err);
}

int reader_evidence(struct reader *reader, uint64_t alert, struct evidence_row *ret, size_t *n)
{
    struct error err = {""};
    int r = renew(reader, &err);
    if (r == 0)
        r = evidence_rows_of(reader->connection.database, alert, ret, n, &err);
    return tell(reader, r, &err);
}

int reader_events(struct reader *reader, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  size_t *n, uint64_t *next, struct record_range *range)
{
    struct error err = {""};
    int r = renew(reader, &err);
    if (r == 0)
        r = event_rows_read(reader->connection.database, from, filter, ret, max, n, next, range, &err);
    return tell(reader, r, &err);
}

static int read_windows(struct reader *reader, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n,
                        struct error *err)
{
    struct score_row *rows = malloc((wanted->limit + 1) * sizeof *rows);
    if (!rows)
        return error_set(err, -ENOMEM, "out of memory");
    int r = score_rows_read(reader->connection.database, wanted->camera, wanted->from_us, wanted->to_us, rows, wanted->limit, n,
                            err);
    for (size_t i = 0; i < *n && r == 0; i++)
        ret[i] = (struct view_history){.time_us = rows[i].time_us, .window = rows[i].window, .score = rows[i].score,
                                       .reference = rows[i].reference, .p = (double)rows[i].p, .slow = rows[i].slow};
    free(rows);
    return r;
}

static int read_minutes(struct reader *reader, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n,
                        struct error *err)
{
    struct minute_row *rows = malloc((wanted->limit + 1) * sizeof *rows);
    if (!rows)
        return error_set(err, -ENOMEM, "out of memory");
    int r = minute_rows_read(reader->connection.database, wanted->camera, wanted->from_us, wanted->to_us, rows, wanted->limit, n,
                             err);
    for (size_t i = 0; i < *n && r == 0; i++)
        ret[i] = (struct view_history){.time_us = rows[i].time_us, .n = (uint64_t)rows[i].n, .n_slow = (uint64_t)rows[i].slow,
                                       .minimum = rows[i].minimum, .mean = rows[i].mean, .maximum = rows[i].maximum,
                                       .p = rows[i].p_least};
    free(rows);
    return r;
}

int reader_history(struct reader *reader, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n)
{
    struct error err = {""};
    *n = 0;
    int r = renew(reader, &err);
    if (r == 0)
        r = (wanted->by_minute ? read_minutes : read_windows)(reader, wanted, ret, n, &err);
    return tell(reader, r, &err);
}
