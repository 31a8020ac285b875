#include "io/database/migrations.h"

#include <errno.h>
#include <stdio.h>

#include "io/database/query.h"

/* Times are microseconds of UTC since 1970. docs/store.md says what each table is for. */
static const char version_1[] =
    "CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE alerts ("
    " id INTEGER PRIMARY KEY,"
    " entry INTEGER NOT NULL UNIQUE,"                   /* the place in the order of openings and closings */
    " camera TEXT NOT NULL,"
    " kind TEXT NOT NULL,"
    " opened_us INTEGER NOT NULL, closed_us INTEGER,"
    " peak_score REAL, peak_us INTEGER NOT NULL,"
    " opened_pts_us INTEGER NOT NULL, closed_pts_us INTEGER, peak_pts_us INTEGER NOT NULL,"
    " voices TEXT NOT NULL, boxes TEXT NOT NULL,"       /* JSON, as REST has them */
    " state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'interrupted')),"
    " suppressed TEXT NOT NULL DEFAULT '',"
    " zones TEXT, opened_by_zone TEXT, test INTEGER NOT NULL DEFAULT 0,"
    " marked INTEGER NOT NULL DEFAULT 0,"
    " acknowledged_us INTEGER, acknowledged_by TEXT, note TEXT,"
    " normal_us INTEGER, normal_by TEXT);"
    "CREATE INDEX alerts_of_camera ON alerts (camera, entry);"
    "CREATE INDEX alerts_open ON alerts (camera) WHERE state = 'open';"
    "CREATE INDEX alerts_old ON alerts (opened_us) WHERE marked = 0;"

    "CREATE TABLE events ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"                         /* msg_…, the same for all endpoints and attempts */
    " type TEXT NOT NULL, time_us INTEGER NOT NULL, camera TEXT NOT NULL,"
    " alert INTEGER,"                                   /* its id; NULL: a health event */
    " body TEXT NOT NULL,"                              /* JSON as it is sent */
    " ready INTEGER NOT NULL DEFAULT 1);"
    "CREATE INDEX events_old ON events (time_us);"
    "CREATE INDEX events_held ON events (seq) WHERE ready = 0;"

    "CREATE TABLE endpoints (name TEXT PRIMARY KEY, disabled_us INTEGER, disabled_reason TEXT) WITHOUT ROWID;"
    "CREATE TABLE outbox ("
    " endpoint TEXT NOT NULL,"
    " seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,"
    " attempts INTEGER NOT NULL DEFAULT 0, due_us INTEGER NOT NULL DEFAULT 0, cause TEXT,"
    " PRIMARY KEY (endpoint, seq)) WITHOUT ROWID;"
    "CREATE INDEX outbox_of_event ON outbox (seq);"
    "CREATE TABLE dead_letters ("
    " endpoint TEXT NOT NULL,"
    " seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,"
    " attempts INTEGER NOT NULL, died_us INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY (endpoint, seq)) WITHOUT ROWID;"
    "CREATE INDEX dead_letters_of_event ON dead_letters (seq);"

    "CREATE TABLE arming ("
    " camera TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('disarm', 'snooze')),"
    " since_us INTEGER NOT NULL, until_us INTEGER,"     /* NULL: until it is armed again */
    " by TEXT NOT NULL, PRIMARY KEY (camera, kind)) WITHOUT ROWID;"

    "CREATE TABLE scores ("
    " camera TEXT NOT NULL, time_us INTEGER NOT NULL, window INTEGER NOT NULL,"
    " score REAL, reference REAL, p REAL, slow INTEGER NOT NULL,"
    " PRIMARY KEY (camera, time_us, window)) WITHOUT ROWID;"
    "CREATE TABLE score_minutes ("
    " camera TEXT NOT NULL, minute INTEGER NOT NULL,"   /* since 1970 */
    " n INTEGER NOT NULL, slow INTEGER NOT NULL, minimum REAL, mean REAL, maximum REAL, p_least REAL,"
    " PRIMARY KEY (camera, minute)) WITHOUT ROWID;"

    "CREATE TABLE evidence ("
    " alert INTEGER NOT NULL REFERENCES alerts (id),"   /* no alert goes before its files */
    " kind TEXT NOT NULL CHECK (kind IN ('snapshot', 'why', 'clip', 'copy')),"
    " path TEXT NOT NULL UNIQUE,"                       /* in state_dir */
    " bytes INTEGER NOT NULL, made_us INTEGER NOT NULL, codec TEXT, codecs TEXT,"
    " PRIMARY KEY (alert, kind)) WITHOUT ROWID;"
    "CREATE INDEX evidence_old ON evidence (made_us, alert);"

    "CREATE TABLE labels ("                             /* \"this is normal\" */
    " alert INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,"
    " labelled_us INTEGER NOT NULL, by TEXT NOT NULL, undone_us INTEGER, undone_by TEXT,"
    " PRIMARY KEY (alert, labelled_us)) WITHOUT ROWID;";

static const char version_2[] =
    "ALTER TABLE outbox ADD COLUMN queued_us INTEGER;"  /* NULL: version 1 wrote the row, and it is the event's time */
    "ALTER TABLE endpoints ADD COLUMN mark TEXT NOT NULL DEFAULT '';";     /* names the URL that was disabled */

/* Lists of alerts are filtered by the columns of an index, without a look at the rows, which are ten times as large. */
#define FILTERED "kind, state, opened_us, closed_us, acknowledged_us, marked, suppressed"
static const char version_3[] =
    "DROP INDEX alerts_of_camera;"
    "CREATE INDEX alerts_of_camera ON alerts (camera, entry, " FILTERED ");"
    "CREATE INDEX alerts_listed ON alerts (entry, " FILTERED ");"
    "DROP INDEX evidence_old;";                         /* nothing reads evidence by its age */

static const char version_4[] =
    "ALTER TABLE alerts ADD COLUMN health TEXT NOT NULL DEFAULT '[]';"     /* JSON, as REST has it */;

static const char *const scripts[] = {version_1, version_2, version_3, version_4};

const struct migrations migrations = {scripts, sizeof scripts / sizeof scripts[0]};

static int read_version(struct database *database, int64_t *ret, struct error *err)
{
    struct query query = query_begin(database, "PRAGMA user_version");
    int64_t version = query_row(&query) ? query_int(&query, 0) : 0;
    int r = query_end(&query, err);
    if (r == 0)
        *ret = version;
    return r;
}

static int refuse(const struct database *database, int64_t version, const struct migrations *known, struct error *err)
{
    return error_set(err, -EPROTONOSUPPORT, "%s: has version %lld of the schema, expected %zu%s", database->path,
                     (long long)version, known->n, version > (int64_t)known->n ? ": a newer memaed wrote it; use that one, or "
                     "another state_dir" : ": `memaed run` brings it to this version");
}

int migrations_expect(struct database *database, const struct migrations *known, struct error *err)
{
    int64_t version;
    int r = read_version(database, &version, err);
    return r < 0 ? r : version == (int64_t)known->n ? 0 : refuse(database, version, known, err);
}

static int step(struct database *database, const char *script, int64_t version, struct error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)version);
    int r = database_begin(database, err);
    if (r == 0)
        r = database_execute(database, script, err);
    if (r == 0)
        r = database_execute(database, sql, err);
    if (r == 0)
        r = database_commit(database, err);
    database_rollback(database);
    return r;
}

int migrations_apply(struct database *database, const struct migrations *known, int *before, struct error *err)
{
    int64_t version;
    int r = read_version(database, &version, err);
    if (r < 0)
        return r;
    *before = (int)version;
    if (version < 0 || version > (int64_t)known->n)
        return refuse(database, version, known, err);
    for (; r == 0 && version < (int64_t)known->n; version++)
        r = step(database, known->scripts[version], version + 1, err);
    return r;
}
