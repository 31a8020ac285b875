/* A statement of SQL, for the files of io/database alone. Statements are prepared once for each connection, and found again by
 * the address of their text, which must be a literal. A statement that fails keeps its failure until query_end(), so that
 * callers check once. */
#ifndef MEMAED_IO_DATABASE_QUERY_H
#define MEMAED_IO_DATABASE_QUERY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/database/database.h"

enum { STATEMENTS_MAX = 128 };          /* more than io/database has */

struct database {
    sqlite3 *handle;
    char path[PATH_MAX];
    struct { const char *sql; sqlite3_stmt *statement; } statements[STATEMENTS_MAX];
    size_t n_statements;
};

struct query {
    struct database *database;
    sqlite3_stmt *statement;
    int status;                         /* of SQLite */
    int bound;                          /* parameters so far */
};

struct query query_begin(struct database *database, const char *sql);
/* Bind the next parameter. Text is borrowed until query_end(); NULL is NULL, and so is a real that is not finite. */
void query_bind_int(struct query *query, int64_t value);
void query_bind_int_or_null(struct query *query, bool has, int64_t value);
void query_bind_real(struct query *query, double value);
void query_bind_text(struct query *query, const char *text);
/* true: there is a row. false: the statement is done, or has failed. */
bool query_row(struct query *query);
/* Columns of the row. A NULL is 0, NAN, "". Text is borrowed until the next row. */
int64_t query_int(const struct query *query, int column);
double query_real(const struct query *query, int column);
const char *query_text(const struct query *query, int column);
bool query_is_null(const struct query *query, int column);
void query_copy(const struct query *query, int column, char *out, size_t size);
/* Ends the use of the statement. 0 or -errno. */
int query_end(struct query *query, struct error *err);
/* Runs the statement to its end: query_row() until it is done, then query_end(). */
int query_run(struct query *query, struct error *err);

/* The errno for a result of SQLite, and the text in err. */
int database_fault(const struct database *database, int status, struct error *err);
/* Runs statements without parameters. */
int database_execute(struct database *database, const char *sql, struct error *err);

#endif
