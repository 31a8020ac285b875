/* The database of memaed: one SQLite file in state_dir that survives the process (docs/store.md). This room alone knows
 * SQLite. Tables have files of their own beside this one: alert_rows, event_rows, outbox_rows, score_rows, evidence_rows,
 * arming_rows, labels.
 *
 * The file is in WAL mode: one connection writes, and any number read at the same time without waiting for it. A commit is on the
 * disk when it returns (synchronous=FULL). Each connection is for one thread at a time.
 *
 * Functions return 0 or -errno, with path and cause in err. SQLite's results become:
 *   -EBUSY    another connection holds the lock for longer than the connection waits
 *   -ENOSPC   the disk is full              -EROFS    the file, or its folder, can only be read
 *   -EIO      reading or writing failed     -EUCLEAN  the file is damaged, or is no database
 *   -EACCES, -ENOMEM, -EEXIST (a constraint), -EINVAL (anything else) */
#ifndef MEMAED_IO_DATABASE_DATABASE_H
#define MEMAED_IO_DATABASE_DATABASE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct database;

#define STORE_ID "store_id"                             /* the number that names a database in cursors */
#define DATABASE_NAME "memaed.db"                       /* in state_dir */

struct database_opening {
    bool is_new;                        /* there was no file */
    int version_before;                 /* of the schema; 0: new */
    char set_aside[PATH_MAX];           /* the file was damaged, and is now here; "": it was sound */
    char damage[256];                   /* what was wrong with it */
};

/* Opens FOLDER/memaed.db to read and write. Creates it with mode 0600, checks its integrity (quick_check), and brings it to the
 * schema of this version. A damaged file is renamed to memaed.db.damaged-TIME, with its -wal and -shm, and a new one is opened.
 * *opening says what was found. A file of a newer version is refused (-EPROTONOSUPPORT). */
int database_open(struct database **ret, const char *folder, struct database_opening *opening, struct error *err);
/* Opens an existing database to read. No migration, no check. -ENOENT: there is none. -EPROTONOSUPPORT: it has another
 * version. */
int database_open_reader(struct database **ret, const char *folder, struct error *err);
void database_close(struct database *database);         /* takes NULL */

/* Sets how long a statement waits for another connection's lock; at first 1000, for a reader 200. */
void database_patience(struct database *database, int ms);

/* A transaction that writes. After a failure database_rollback() undoes it; outside of a transaction it does nothing. */
int database_begin(struct database *database, struct error *err);
int database_commit(struct database *database, struct error *err);
void database_rollback(struct database *database);

/* A number that the database keeps under a name: the store's id, the next entry of alerts, and so on. -ENOENT: none is kept. */
int database_number(struct database *database, const char *name, int64_t *ret, struct error *err);
int database_set_number(struct database *database, const char *name, int64_t value, struct error *err);

int database_version(void);             /* of the schema that this program knows */
int64_t database_size(struct database *database);       /* bytes of the file, without its WAL; 0: unknown */

/* Copies the database to a new file (mode 0600) while others read and write it. An existing file is not replaced. */
int database_backup(struct database *database, const char *path, struct error *err);
/* The whole integrity check, foreign keys included: calls line(arg, text) for each fault. 0; -EUCLEAN after a fault. */
int database_check(struct database *database, void (*line)(void *arg, const char *text), void *arg, struct error *err);

#endif
