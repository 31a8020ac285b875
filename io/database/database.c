#include "io/database/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/base/new_file.h"
#include "io/database/migrations.h"
#include "io/database/query.h"

enum { WRITER_MS = 1000, READER_MS = 200, PAGES_AT_ONCE = 256 };

/* Files that SQLite keeps beside the database. */
static const char *const companions[] = {"", "-wal", "-shm"};

void database_close(struct database *database)
{
    if (!database)
        return;
    for (size_t i = 0; i < database->n_statements; i++)
        sqlite3_finalize(database->statements[i].statement);
    sqlite3_close(database->handle);
    free(database);
}

void database_patience(struct database *database, int ms)
{
    sqlite3_busy_timeout(database->handle, ms);
}

int database_begin(struct database *database, struct error *err)
{
    return database_execute(database, "BEGIN IMMEDIATE", err);
}

int database_commit(struct database *database, struct error *err)
{
    return database_execute(database, "COMMIT", err);
}

void database_rollback(struct database *database)
{
    if (!sqlite3_get_autocommit(database->handle))
        database_execute(database, "ROLLBACK", NULL);
}

int database_number(struct database *database, const char *name, int64_t *ret, struct error *err)
{
    struct query query = query_begin(database, "SELECT value FROM numbers WHERE name = ?");
    query_bind_text(&query, name);
    bool found = query_row(&query);
    int64_t value = found ? query_int(&query, 0) : 0;
    int r = query_end(&query, err);
    if (r < 0)
        return r;
    if (!found)
        return error_set(err, -ENOENT, "%s: expected a row %s in the table numbers, got none", database->path, name);
    *ret = value;
    return 0;
}

int database_set_number(struct database *database, const char *name, int64_t value, struct error *err)
{
    struct query query = query_begin(database, "INSERT INTO numbers (name, value) VALUES (?, ?) "
                                     "ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    query_bind_text(&query, name);
    query_bind_int(&query, value);
    return query_run(&query, err);
}

int database_version(void)
{
    return (int)migrations.n;
}

int64_t database_size(struct database *database)
{
    struct stat file;
    return stat(database->path, &file) == 0 ? (int64_t)file.st_size : 0;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static int set_path(struct database *database, const char *folder, struct error *err)
{
    int n = snprintf(database->path, sizeof database->path, "%s/" DATABASE_NAME, folder);
    return n < (int)sizeof database->path - (int)sizeof ".damaged-20000101T000000Z-1000-wal" ? 0
           : error_set(err, -ENAMETOOLONG, "%s: the path is too long", folder);
}

/* Creates the file with its mode before SQLite does, which gives -wal and -shm the same mode. */
static int create(struct database *database, bool *is_new, struct error *err)
{
    int fd = open(database->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    *is_new = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(database->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, -errno, "%s: %s", database->path, strerror(errno));
    struct stat file;
    int r = fstat(fd, &file) < 0 ? error_set(err, -errno, "%s: %s", database->path, strerror(errno)) : 0;
    if (r == 0 && !S_ISREG(file.st_mode))
        r = error_set(err, -EINVAL, "%s: expected a regular file, got a device, a pipe or a socket", database->path);
    else if (r == 0 && (file.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0)
        r = error_set(err, -errno, "%s: cannot set its mode to 0600: %s", database->path, strerror(errno));
    close(fd);
    if (*is_new)
        new_file_sync_folder(database->path);
    return r;
}

static int connect(struct database *database, int flags, int patience_ms, struct error *err)
{
    /* Not SQLITE_OPEN_NOFOLLOW, which refuses a link in any folder above the file, too. */
    int status = sqlite3_open_v2(database->path, &database->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (status != SQLITE_OK)
        return database_fault(database, status, err);
    sqlite3_busy_timeout(database->handle, patience_ms);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return database_execute(database, "PRAGMA foreign_keys = ON", err);
}

static int quick_check(struct database *database, struct error *err)
{
    struct query query = query_begin(database, "PRAGMA quick_check(1)");
    char found[256] = "no answer";
    if (query_row(&query))
        query_copy(&query, 0, found, sizeof found);
    int r = query_end(&query, err);
    for (char *end = found; (end = strchr(end, '\n')) != NULL;)
        *end = ' ';
    return r < 0 ? r : strcmp(found, "ok") == 0 ? 0 : error_set(err, -EUCLEAN, "%s: %s", database->path, found);
}

static int open_once(struct database **ret, const char *folder, struct database_opening *opening, struct error *err)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database)
        return error_set(err, -ENOMEM, "%s: out of memory", folder);
    int r = set_path(database, folder, err);
    if (r == 0)
        r = create(database, &opening->is_new, err);
    if (r == 0)
        r = connect(database, SQLITE_OPEN_READWRITE, WRITER_MS, err);
    if (r == 0)
        r = quick_check(database, err);
    if (r == 0)
        r = database_execute(database,
                             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 8388608",
                             err);
    if (r == 0)
        r = migrations_apply(database, &migrations, &opening->version_before, err);
    if (r < 0) {
        database_close(database);
        return r;
    }
    *ret = database;
    return 0;
}

/* Renames the file and its companions. The name has the time, and a number where that name is taken. */
static int set_aside(const char *folder, char ret[PATH_MAX], struct error *err)
{
    char stamp[32], from[PATH_MAX], to[PATH_MAX + 16];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    for (int i = 0;; i++) {
        if (i == 1000)
            return error_set(err, -EEXIST, "%s: cannot set a damaged database aside: all 1000 names like this are taken; remove "
                             "those files", ret);
        if (i)
            snprintf(ret, PATH_MAX, "%s/" DATABASE_NAME ".damaged-%s-%d", folder, stamp, i);
        else
            snprintf(ret, PATH_MAX, "%s/" DATABASE_NAME ".damaged-%s", folder, stamp);
        if (access(ret, F_OK) < 0)
            break;
    }
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        snprintf(from, sizeof from, "%s/" DATABASE_NAME "%s", folder, companions[i]);
        snprintf(to, sizeof to, "%s%s", ret, companions[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return error_set(err, -errno, "%s: cannot set this damaged database aside: %s", from, strerror(errno));
    }
    new_file_sync_folder(from);
    return 0;
}

int database_open(struct database **ret, const char *folder, struct database_opening *opening, struct error *err)
{
    struct error own;
    *opening = (struct database_opening){.is_new = false};
    int r = open_once(ret, folder, opening, &own);
    if (r == -EUCLEAN) {
        snprintf(opening->damage, sizeof opening->damage, "%s", own.text);
        r = set_aside(folder, opening->set_aside, &own);
        if (r == 0)
            r = open_once(ret, folder, opening, &own);
    }
    return r < 0 ? error_set(err, r, "%s", own.text) : 0;
}

int database_open_reader(struct database **ret, const char *folder, struct error *err)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database)
        return error_set(err, -ENOMEM, "%s: out of memory", folder);
    int r = set_path(database, folder, err);
    if (r == 0 && access(database->path, F_OK) < 0)
        r = error_set(err, -errno, "%s: %s", database->path, strerror(errno));
    if (r == 0)
        r = connect(database, SQLITE_OPEN_READWRITE, READER_MS, err);
    if (r == 0)
        r = database_execute(database, "PRAGMA query_only = ON", err);
    if (r == 0)
        r = migrations_expect(database, &migrations, err);
    if (r < 0) {
        database_close(database);
        return r;
    }
    *ret = database;
    return 0;
}

/* ---- memaed db ------------------------------------------------------------------------------------------------------ */

int database_backup(struct database *database, const char *path, struct error *err)
{
    struct database to = {.handle = NULL};
    snprintf(to.path, sizeof to.path, "%s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(err, -errno, "%s: %s", path, errno == EEXIST ? "expected a new file, got one that exists; remove it, or "
                         "give another name" : strerror(errno));
    close(fd);
    int status = sqlite3_open_v2(path, &to.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int r = status == SQLITE_OK ? 0 : database_fault(&to, status, err);
    /* One read transaction for the whole copy: otherwise each commit of the daemon would begin the copy anew. In WAL mode it
     * delays nobody. */
    if (r == 0)
        r = database_execute(database, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
    sqlite3_backup *backup = r == 0 ? sqlite3_backup_init(to.handle, "main", database->handle, "main") : NULL;
    if (r == 0 && !backup)
        r = database_fault(&to, sqlite3_errcode(to.handle), err);
    while (r == 0 && (status = sqlite3_backup_step(backup, PAGES_AT_ONCE)) != SQLITE_DONE)
        if (status != SQLITE_OK) {
            sqlite3_backup_finish(backup);
            backup = NULL;
            r = database_fault(&to, status, err);
        }
    if (backup)
        status = sqlite3_backup_finish(backup);
    if (r == 0 && status != SQLITE_OK && status != SQLITE_DONE)
        r = database_fault(&to, status, err);
    database_rollback(database);
    sqlite3_close(to.handle);
    if (r < 0)
        unlink(path);
    else
        new_file_sync_folder(path);
    return r;
}

int database_check(struct database *database, void (*line)(void *arg, const char *text), void *arg, struct error *err)
{
    int faults = 0;
    struct query query = query_begin(database, "PRAGMA integrity_check(100)");
    while (query_row(&query))
        if (strcmp(query_text(&query, 0), "ok") != 0) {
            line(arg, query_text(&query, 0));
            faults++;
        }
    int r = query_end(&query, err);
    if (r < 0)
        return r;
    query = query_begin(database, "PRAGMA foreign_key_check");
    while (query_row(&query)) {
        char text[256];
        snprintf(text, sizeof text, "a row of %s has no row of %s that it names", query_text(&query, 0), query_text(&query, 2));
        line(arg, text);
        faults++;
    }
    r = query_end(&query, err);
    return r < 0 ? r : faults ? error_set(err, -EUCLEAN, "%s: %d faults", database->path, faults) : 0;
}
