#include "io/database/evidence_rows.h"

#include <string.h>

#include "io/database/query.h"

static const char *const kind_names[EVIDENCE_KINDS] = {"snapshot", "why", "clip", "copy"};

const char *evidence_kind_name(enum evidence_kind kind)
{
    return kind_names[kind];
}

int evidence_rows_add(struct database *database, const struct evidence_row *row, struct error *err)
{
    struct query query = query_begin(database, "INSERT INTO evidence (alert, kind, path, bytes, made_us, codec, codecs) "
                                     "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (alert, kind) DO UPDATE SET path = excluded.path, "
                                     "bytes = excluded.bytes, made_us = excluded.made_us, "
                                     "codec = coalesce(excluded.codec, codec), "
                                     "codecs = iif(excluded.codec IS NULL, codecs, excluded.codecs)");
    query_bind_int(&query, (int64_t)row->alert);
    query_bind_text(&query, kind_names[row->kind]);
    query_bind_text(&query, row->path);
    query_bind_int(&query, row->bytes);
    query_bind_int(&query, row->made_us);
    query_bind_text(&query, *row->codec ? row->codec : NULL);
    query_bind_text(&query, *row->codecs ? row->codecs : NULL);
    return query_run(&query, err);
}

int evidence_rows_remove_all(struct database *database, uint64_t alert, struct error *err)
{
    struct query query = query_begin(database, "DELETE FROM evidence WHERE alert = ?");
    query_bind_int(&query, (int64_t)alert);
    return query_run(&query, err);
}

int evidence_rows_held(struct database *database, uint64_t alert, bool *ret, struct error *err)
{
    struct query query = query_begin(database, "SELECT marked OR state = 'open' FROM alerts WHERE id = ?");
    query_bind_int(&query, (int64_t)alert);
    bool held = query_row(&query) && query_int(&query, 0);
    int r = query_end(&query, err);
    if (r == 0)
        *ret = held;
    return r;
}

static int read_rows(struct query *query, struct evidence_row *ret, size_t *n, struct error *err)
{
    size_t found = 0;
    while (found < EVIDENCE_KINDS && query_row(query)) {
        struct evidence_row *row = &ret[found];
        *row = (struct evidence_row){.alert = (uint64_t)query_int(query, 0), .kind = EVIDENCE_KINDS, .bytes = query_int(query, 3),
                                     .made_us = query_int(query, 4)};
        for (int k = 0; k < EVIDENCE_KINDS; k++)
            if (strcmp(query_text(query, 1), kind_names[k]) == 0)
                row->kind = (enum evidence_kind)k;
        query_copy(query, 2, row->path, sizeof row->path);
        query_copy(query, 5, row->codec, sizeof row->codec);
        query_copy(query, 6, row->codecs, sizeof row->codecs);
        found += row->kind != EVIDENCE_KINDS;
    }
    int r = query_end(query, err);
    if (r == 0)
        *n = found;
    return r;
}

int evidence_rows_of(struct database *database, uint64_t alert, struct evidence_row *ret, size_t *n, struct error *err)
{
    struct query query = query_begin(database, "SELECT alert, kind, path, bytes, made_us, codec, codecs FROM evidence "
                                     "WHERE alert = ? ORDER BY made_us, kind");
    query_bind_int(&query, (int64_t)alert);
    return read_rows(&query, ret, n, err);
}

int evidence_rows_after(struct database *database, uint64_t after, struct evidence_row *ret, size_t *n, struct error *err)
{
    struct query query = query_begin(database, "SELECT alert, kind, path, bytes, made_us, codec, codecs FROM evidence "
                                     "WHERE alert = (SELECT min(alert) FROM evidence WHERE alert > ?) ORDER BY made_us, kind");
    query_bind_int(&query, (int64_t)after);
    return read_rows(&query, ret, n, err);
}
