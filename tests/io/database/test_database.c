/* io/database/database and migrations: the file has mode 0600 and is found again; damaged files of several kinds are set aside;
 * a version that is too new is refused. Also: migrations, a full disk, readers beside a writer, backup and check. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "io/database/migrations.h"
#include "io/database/query.h"
#include "tests/io/database/state_folder.h"

static int64_t number_of(struct database *of, const char *name)
{
    int64_t value = -1;
    must(database_number(of, name, &value, &err));
    return value;
}

START_TEST(kept_over_restarts)
{
    struct database_opening opening;
    struct stat file;
    must(database_open(&database, folder, &opening, &err));
    ck_assert(opening.is_new && opening.version_before == 0);
    must(database_set_number(database, "x", INT64_MIN, &err));
    const char *const names[] = {"memaed.db", "memaed.db-wal", "memaed.db-shm"};
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(stat(path_of("%s", names[i]), &file) == 0, "%s", names[i]);
        ck_assert_int_eq(file.st_mode & 07777, 0600);
    }
    ck_assert_int_gt(database_size(database), 0);
    close_database();
    ck_assert_int_eq(chmod(path_of("memaed.db"), 0644), 0);
    must(database_open(&database, folder, &opening, &err));
    ck_assert(!opening.is_new && opening.version_before == database_version() && !*opening.set_aside);
    ck_assert(number_of(database, "x") == INT64_MIN);
    ck_assert_int_eq(stat(path_of("memaed.db"), &file), 0);
    ck_assert_int_eq(file.st_mode & 07777, 0600);
    int64_t value = 7;
    ck_assert_int_eq(database_number(database, "y", &value, &err), -ENOENT);
    ck_assert_int_eq(value, 7);
    struct query query = query_begin(database, "PRAGMA synchronous");
    ck_assert(query_row(&query) && query_int(&query, 0) == 2);          /* synchronous is FULL */
    must(query_end(&query, &err));
}
END_TEST

/* With DynamicUser=, systemd makes /var/lib/memaed a link. */
START_TEST(a_folder_behind_a_link)
{
    struct database_opening opening;
    struct database *reader;
    char link[128];
    must(mkdir(path_of("private"), 0700));
    snprintf(link, sizeof link, "%s/link", folder);
    must(symlink("private", link));
    must(database_open(&database, link, &opening, &err));
    must(database_open_reader(&reader, link, &err));
    database_close(reader);
    must(access(path_of("private/memaed.db"), F_OK));
}
END_TEST

START_TEST(folders_that_do_not_serve)
{
    struct database_opening opening;
    ck_assert_int_eq(database_open(&database, "/nowhere/at/all", &opening, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all/memaed.db: No such file"));
    ck_assert_int_eq(database_open_reader(&database, folder, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path_of("memaed.db")));
    ck_assert_int_eq(symlink("/etc/passwd", path_of("memaed.db")), 0);
    ck_assert_int_eq(database_open(&database, folder, &opening, &err), -ELOOP);
    ck_assert_int_eq(unlink(path_of("memaed.db")), 0);
    ck_assert_int_eq(mkdir(path_of("memaed.db"), 0700), 0);
    ck_assert_int_lt(database_open(&database, folder, &opening, &err), 0);
    ck_assert_ptr_null(database);
}
END_TEST

/* ---- damage --------------------------------------------------------------------------------------------------------- */

static void fill(void)
{
    open_database();
    must(database_begin(database, &err));
    for (int64_t i = 0; i < 2000; i++)
        put_event(i, 0);
    must(database_commit(database, &err));
    close_database();           /* the last connection moves the WAL into the file */
}

static void overwrite(off_t at, size_t size, int byte)
{
    int fd = open(path_of("memaed.db"), O_WRONLY | O_CLOEXEC);
    char *bytes = malloc(size);
    ck_assert(fd >= 0 && bytes);
    memset(bytes, byte, size);
    ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
    free(bytes);
    close(fd);
}

static void damage_header(void) { overwrite(0, 100, 0x5a); }
static void damage_schema(void) { overwrite(100, 3000, 0xff); }
static void damage_middle(void) { overwrite(8 * 4096, 16 * 4096, 0xa5); }
static void cut_short(void) { ck_assert_int_eq(truncate(path_of("memaed.db"), 5 * 4096), 0); }
static void write_text(void)
{
    ck_assert_int_eq(truncate(path_of("memaed.db"), 0), 0);
    overwrite(0, 5000, 'x');
}

static void (*const damages[])(void) = {damage_header, damage_schema, damage_middle, cut_short, write_text};

START_TEST(damaged_files_are_set_aside)
{
    struct database_opening opening;
    struct stat before, after;
    fill();
    damages[_i]();
    int fd = open(path_of("memaed.db-wal"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "junk", 4), 4);
    close(fd);
    ck_assert_int_eq(stat(path_of("memaed.db"), &before), 0);
    must(database_open(&database, folder, &opening, &err));
    ck_assert(opening.is_new);
    ck_assert_ptr_nonnull(strstr(opening.damage, path_of("memaed.db")));
    ck_assert_ptr_nonnull(strstr(opening.set_aside, "/memaed.db.damaged-20"));
    ck_assert_int_eq(stat(opening.set_aside, &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
    ck_assert_int_eq(after.st_size, before.st_size);
    put_alert(1, "gate", 0);
    char first[PATH_MAX];
    memcpy(first, opening.set_aside, sizeof first);
    close_database();
    damage_header();            /* within the same second, the second file gets another name */
    must(database_open(&database, folder, &opening, &err));
    ck_assert_str_ne(opening.set_aside, first);
    ck_assert_int_eq(access(first, F_OK), 0);
}
END_TEST

/* A killed process leaves a WAL (write-ahead log). Its committed transactions are there, others are not. */
START_TEST(what_was_committed_survives)
{
    open_database();
    pid_t child = fork();
    if (child == 0) {
        struct database_opening opening;
        close_database();
        if (database_open(&database, folder, &opening, &err) < 0 || database_set_number(database, "done", 1, &err) < 0 ||
            database_begin(database, &err) < 0 || database_set_number(database, "open", 1, &err) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    close_database();
    open_database();
    ck_assert_int_eq(number_of(database, "done"), 1);
    int64_t value;
    ck_assert_int_eq(database_number(database, "open", &value, &err), -ENOENT);
}
END_TEST

/* ---- migrations ----------------------------------------------------------------------------------------------------- */

/* Versions that a later memaed might have, to test migrations with. */
static const char *const later[] = {
    "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);",
    "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 5; UPDATE a SET x = x + y;",
    "CREATE TABLE b (z INTEGER); INSERT INTO nowhere VALUES (1);",      /* its second statement fails */
};

static struct database *open_plain(void)
{
    struct database *plain = calloc(1, sizeof *plain);
    ck_assert_ptr_nonnull(plain);
    snprintf(plain->path, sizeof plain->path, "%s", path_of("plain.db"));
    ck_assert_int_eq(sqlite3_open(plain->path, &plain->handle), SQLITE_OK);
    return plain;
}

static int64_t one(struct database *of, const char *sql)
{
    struct query query = query_begin(of, sql);
    int64_t value = query_row(&query) ? query_int(&query, 0) : -1;
    ck_assert_msg(query_end(&query, &err) == 0, "%s", err.text);
    return value;
}

START_TEST(migrations_step_by_step)
{
    int before = -1;
    struct database *plain = open_plain();
    must(migrations_apply(plain, &(struct migrations){later, 1}, &before, &err));
    ck_assert_int_eq(before, 0);
    ck_assert_int_eq(one(plain, "SELECT x FROM a"), 1);
    must(migrations_apply(plain, &(struct migrations){later, 2}, &before, &err));
    ck_assert_int_eq(before, 1);
    ck_assert_int_eq(one(plain, "SELECT x + y FROM a"), 11);
    must(migrations_apply(plain, &(struct migrations){later, 2}, &before, &err));       /* nothing to do */
    ck_assert_int_eq(before, 2);
    ck_assert_int_eq(one(plain, "SELECT x FROM a LIMIT 1"), 6);
    must(migrations_expect(plain, &(struct migrations){later, 2}, &err));
    ck_assert_int_eq(migrations_expect(plain, &(struct migrations){later, 3}, &err), -EPROTONOSUPPORT);

    /* A step that fails leaves the version before it unchanged. */
    ck_assert_int_lt(migrations_apply(plain, &(struct migrations){later, 3}, &before, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "nowhere"));
    ck_assert_int_eq(one(plain, "PRAGMA user_version"), 2);
    ck_assert_int_eq(one(plain, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
    ck_assert_int_eq(migrations_apply(plain, &(struct migrations){later, 1}, &before, &err), -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(err.text, "has version 2 of the schema, expected 1: a newer memaed wrote it"));
    database_close(plain);
}
END_TEST

/* Version 4 adds the faults of the picture. Alerts from before have none. */
START_TEST(older_alerts_are_kept)
{
    int before = -1;
    struct database *plain = open_plain();
    must(migrations_apply(plain, &(struct migrations){migrations.scripts, 3}, &before, &err));
    must(database_execute(plain, "INSERT INTO alerts (id, entry, camera, kind, opened_us, peak_us, opened_pts_us, peak_pts_us, "
                          "voices, boxes, state) VALUES (7, 0, 'gate', 'anomaly', 1, 1, 0, 0, '{}', '[]', 'open')", &err));
    must(migrations_apply(plain, &migrations, &before, &err));
    ck_assert_int_eq(before, 3);
    ck_assert_int_eq(one(plain, "SELECT count(*) FROM alerts WHERE id = 7 AND health = '[]'"), 1);
    must(migrations_expect(plain, &migrations, &err));
    database_close(plain);
}
END_TEST

START_TEST(a_newer_file_is_refused)
{
    struct database_opening opening;
    open_database();
    put_alert(5, "gate", 0);
    must(database_execute(database, "PRAGMA user_version = 9999", &err));
    close_database();
    ck_assert_int_eq(database_open(&database, folder, &opening, &err), -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(err.text, "newer"));
    ck_assert_str_eq(opening.set_aside, "");
    ck_assert_int_eq(database_open_reader(&database, folder, &err), -EPROTONOSUPPORT);
    ck_assert_ptr_null(database);
}
END_TEST

/* ---- beside each other ---------------------------------------------------------------------------------------------- */

START_TEST(readers_do_not_wait_for_the_writer)
{
    struct database *reader, *other;
    struct database_opening opening;
    open_database();
    put_alert(1, "gate", 0);
    must(database_open_reader(&reader, folder, &err));
    must(database_begin(database, &err));
    must(database_set_number(database, "x", 1, &err));
    struct alert_record alert;
    must(alert_rows_find(reader, 1, &alert, &err));
    int64_t value;
    ck_assert_int_eq(database_number(reader, "x", &value, &err), -ENOENT);     /* not committed */
    ck_assert_int_lt(database_set_number(reader, "x", 2, &err), 0);            /* a reader cannot write */
    must(database_open(&other, folder, &opening, &err));                       /* a second writer waits, and gives up */
    database_patience(other, 10);
    ck_assert_int_eq(database_begin(other, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "database is locked"));
    must(database_commit(database, &err));
    ck_assert_int_eq(number_of(reader, "x"), 1);
    must(database_begin(other, &err));
    database_rollback(other);
    database_close(other);
    database_close(reader);
}
END_TEST

static bool count_event(void *arg, const struct event_row *event)
{
    (void)event;
    ++*(int *)arg;
    return true;
}

static void count_line(void *arg, const char *text)
{
    (void)text;
    ++*(int *)arg;
}

START_TEST(backup_and_check)
{
    struct database *reader;
    struct stat file;
    int lines = 0, events = 0;
    fill();
    open_database();
    must(database_begin(database, &err));
    put_event(1, 0);                            /* a writer is at work */
    must(database_open_reader(&reader, folder, &err));
    must(database_check(reader, count_line, &lines, &err));
    ck_assert_int_eq(lines, 0);
    must(mkdir(path_of("copy"), 0700));
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path_of("copy/memaed.db"));
    must(database_backup(reader, copy, &err));
    ck_assert_int_eq(stat(copy, &file), 0);
    ck_assert_int_eq(file.st_mode & 07777, 0600);
    ck_assert_int_eq(database_backup(reader, copy, &err), -EEXIST);
    ck_assert_ptr_nonnull(strstr(err.text, copy));
    ck_assert_int_eq(database_backup(reader, "/nowhere/copy", &err), -ENOENT);
    must(database_commit(database, &err));
    database_close(reader);
    must(database_open_reader(&reader, path_of("copy"), &err));
    must(event_rows_each(reader, 0, 0, count_event, &events, &err));
    ck_assert_int_eq(events, 2000);
    database_close(reader);
    close_database();
    must(database_open_reader(&reader, folder, &err));
    damage_middle();
    ck_assert_int_eq(database_check(reader, count_line, &lines, &err), -EUCLEAN);
    ck_assert_int_gt(lines, 0);
    database_close(reader);
}
END_TEST

/* A disk of 1 MiB becomes full. Committed transactions stay, and once there is room, writing goes on. */
START_TEST(a_full_disk)
{
    if (geteuid() != 0 || mount("tmpfs", folder, "tmpfs", 0, "size=1m") < 0) {
        fprintf(stderr, "SKIPPED: a_full_disk needs root and a tmpfs\n");
        return;
    }
    open_database();
    must(database_set_number(database, "before", 1, &err));
    int fd = open(path_of("ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char bytes[4096] = {1};
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
    int r = database_begin(database, &err);
    for (int64_t i = 0; i < 20000 && r == 0; i++) {
        struct event_row row = {.id = "x", .type = "camera.lost", .time_us = i, .camera = "gate", .body = "{}", .ready = true};
        char id[EVENT_ID_SIZE];
        event_new_id(id);
        row.id = id;
        r = event_rows_add(database, &row, &err);
    }
    if (r == 0)
        r = database_commit(database, &err);
    ck_assert_int_eq(r, -ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.text, path_of("memaed.db")));
    database_rollback(database);
    ck_assert_int_eq(number_of(database, "before"), 1);
    ck_assert_int_eq(unlink(path_of("ballast")), 0);
    must(database_set_number(database, "after", 1, &err));
    close_database();
    struct database_opening opening;
    must(database_open(&database, folder, &opening, &err));
    ck_assert_str_eq(opening.set_aside, "");
    ck_assert_int_eq(number_of(database, "after"), 1);
    close_database();

    /* There is no room for a new database. */
    char wipe[128];
    snprintf(wipe, sizeof wipe, "rm -f %s/memaed.db*", folder);
    ck_assert_int_eq(system(wipe), 0);
    fd = open(path_of("ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
    ck_assert_int_eq(database_open(&database, folder, &opening, &err), -ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.text, path_of("memaed.db")));
    ck_assert_int_eq(umount(folder), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("database");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, kept_over_restarts);
    tcase_add_test(tcase, a_folder_behind_a_link);
    tcase_add_test(tcase, folders_that_do_not_serve);
    tcase_add_loop_test(tcase, damaged_files_are_set_aside, 0, sizeof damages / sizeof damages[0]);
    tcase_add_test(tcase, what_was_committed_survives);
    tcase_add_test(tcase, migrations_step_by_step);
    tcase_add_test(tcase, older_alerts_are_kept);
    tcase_add_test(tcase, a_newer_file_is_refused);
    tcase_add_test(tcase, readers_do_not_wait_for_the_writer);
    tcase_add_test(tcase, backup_and_check);
    tcase_add_test(tcase, a_full_disk);
    Suite *suite = suite_create("database");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
