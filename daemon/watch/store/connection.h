/* A connection that reads the store's database. It is opened again if another database has replaced the one before.
 * One thread at a time. */
#ifndef MEMAED_DAEMON_WATCH_STORE_CONNECTION_H
#define MEMAED_DAEMON_WATCH_STORE_CONNECTION_H

#include "daemon/watch/store/store.h"
#include "io/database/database.h"

/* Begins as zeros. */
struct connection {
    struct database *database;          /* NULL: not open */
    unsigned generation;                /* of the store */
    int64_t id;                         /* the store's, which cursors hold */
    bool failed;                        /* the log says so */
};

/* Sees to it that the database is open and the present one. 0 or -errno; -EIO if it is gone, because -ENOENT is for rows. */
int connection_renew(struct connection *connection, struct store *store, struct error *err);
/* Logs the first failure in a row, and returns r. -ENOENT is no failure. */
int connection_tell(struct connection *connection, int r, const struct error *err);
void connection_close(struct connection *connection);

#endif
