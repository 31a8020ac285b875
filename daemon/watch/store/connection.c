#include "daemon/watch/store/connection.h"

#include <errno.h>

#include "daemon/base/log.h"

int connection_renew(struct connection *connection, struct store *store, struct error *err)
{
    unsigned generation = store_generation(store);
    if (connection->database && connection->generation == generation)
        return 0;
    connection_close(connection);
    connection->generation = generation;
    int r = database_open_reader(&connection->database, store_folder(store), err);
    if (r == 0 && (r = database_number(connection->database, STORE_ID, &connection->id, err)) < 0)
        connection_close(connection);
    return r == -ENOENT ? -EIO : r;
}

int connection_tell(struct connection *connection, int r, const struct error *err)
{
    bool failed = r < 0 && r != -ENOENT;
    if (failed && !connection->failed)
        log_event(LOG_ERR, "database_unread", "reason", err->text, NULL);
    connection->failed = failed;
    return r;
}

void connection_close(struct connection *connection)
{
    database_close(connection->database);
    connection->database = NULL;
}
