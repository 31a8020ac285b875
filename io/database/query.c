#include "io/database/query.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int errno_of(int status)
{
    switch (status & 0xff) {
    case SQLITE_BUSY: case SQLITE_LOCKED: return EBUSY;
    case SQLITE_FULL: return ENOSPC;
    case SQLITE_READONLY: return EROFS;
    case SQLITE_IOERR: case SQLITE_PROTOCOL: return EIO;
    case SQLITE_CORRUPT: case SQLITE_NOTADB: return EUCLEAN;
    case SQLITE_CANTOPEN: case SQLITE_PERM: case SQLITE_AUTH: return EACCES;
    case SQLITE_NOMEM: return ENOMEM;
    case SQLITE_CONSTRAINT: return EEXIST;
    default: return EINVAL;
    }
}

int database_fault(const struct database *database, int status, struct error *err)
{
    int code = errno_of(status);
    int system = database->handle ? sqlite3_system_errno(database->handle) : 0;
    /* SQLite tells a write beyond the disk's end or a quota as an I/O error in some places. */
    if (code == EIO && (system == ENOSPC || system == EDQUOT))
        code = ENOSPC;
    const char *text = database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(status);
    bool has_cause = system && (code == EIO || code == EACCES || code == ENOSPC || code == EROFS);
    return error_set(err, -code, "%s: %s%s%s", database->path, text, has_cause ? ": " : "", has_cause ? strerror(system) : "");
}

int database_execute(struct database *database, const char *sql, struct error *err)
{
    int status = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
    return status == SQLITE_OK ? 0 : database_fault(database, status, err);
}

struct query query_begin(struct database *database, const char *sql)
{
    struct query query = {.database = database, .status = SQLITE_OK};
    for (size_t i = 0; i < database->n_statements; i++)
        if (database->statements[i].sql == sql) {
            query.statement = database->statements[i].statement;
            return query;
        }
    query.status = sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &query.statement, NULL);
    if (query.status != SQLITE_OK)
        return query;
    assert(database->n_statements < STATEMENTS_MAX);
    database->statements[database->n_statements].sql = sql;
    database->statements[database->n_statements++].statement = query.statement;
    return query;
}

void query_bind_int(struct query *query, int64_t value)
{
    if (query->status == SQLITE_OK)
        query->status = sqlite3_bind_int64(query->statement, ++query->bound, value);
}

void query_bind_int_or_null(struct query *query, bool has, int64_t value)
{
    if (has)
        query_bind_int(query, value);
    else if (query->status == SQLITE_OK)
        query->status = sqlite3_bind_null(query->statement, ++query->bound);
}

void query_bind_real(struct query *query, double value)
{
    if (!isfinite(value))
        query_bind_int_or_null(query, false, 0);
    else if (query->status == SQLITE_OK)
        query->status = sqlite3_bind_double(query->statement, ++query->bound, value);
}

void query_bind_text(struct query *query, const char *text)
{
    if (!text)
        query_bind_int_or_null(query, false, 0);
    else if (query->status == SQLITE_OK)
        query->status = sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_STATIC);
}

bool query_row(struct query *query)
{
    if (query->status != SQLITE_OK && query->status != SQLITE_ROW)
        return false;
    query->status = sqlite3_step(query->statement);
    return query->status == SQLITE_ROW;
}

int64_t query_int(const struct query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double query_real(const struct query *query, int column)
{
    return query_is_null(query, column) ? (double)NAN : sqlite3_column_double(query->statement, column);
}

const char *query_text(const struct query *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query->statement, column);
    return text ? text : "";
}

bool query_is_null(const struct query *query, int column)
{
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

void query_copy(const struct query *query, int column, char *out, size_t size)
{
    snprintf(out, size, "%s", query_text(query, column));
}

int query_end(struct query *query, struct error *err)
{
    bool failed = query->status != SQLITE_OK && query->status != SQLITE_ROW && query->status != SQLITE_DONE;
    int r = failed ? database_fault(query->database, query->status, err) : 0;
    if (query->statement) {
        sqlite3_reset(query->statement);
        sqlite3_clear_bindings(query->statement);
    }
    return r;
}

int query_run(struct query *query, struct error *err)
{
    while (query_row(query))
        ;
    return query_end(query, err);
}
