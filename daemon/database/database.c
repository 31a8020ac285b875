/* memaed db backup, check, export: the database of state_dir, also while the daemon uses it. They only read, and never delay the
 * daemon. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/options.h"
#include "daemon/commands.h"
#include "io/base/record_json.h"
#include "io/config/config.h"
#include "io/database/alert_rows.h"
#include "io/database/database.h"
#include "io/database/event_rows.h"
#include "io/database/score_rows.h"

struct db_values {
    const char *folder, *config;
    struct option_list output;          /* of backup */
};

static const struct command_option db_options[] = {
    {"state-dir", 's', OPTION_TEXT(struct db_values, folder), .argument = "DIR", .path = OPTION_FOLDER,
     .help = "The folder with the database (default: that of --config, else /var/lib/memaed)."},
    {"config", 'c', OPTION_TEXT(struct db_values, config), .argument = "FILE", .path = OPTION_FILE,
     .help = "The configuration whose state_dir is meant."},
    {0},
};

static void print_fault(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* Opens the database that the options name, to read. 0 or -errno with the cause in err. */
static int open_database(struct database **ret, const struct db_values *o, struct error *err)
{
    struct config *config = NULL;
    if (o->folder && o->config)
        return error_set(err, -EINVAL, "expected either --state-dir or --config, got both");
    /* A model that is missing now does not matter here. */
    if (o->config && config_load_unlearned(&config, o->config, print_fault, NULL) < 0)
        return error_set(err, -EINVAL, "%s: the configuration has faults, which the lines above name", o->config);
    int r = database_open_reader(ret, o->folder ? o->folder : config ? config->state_dir : "/var/lib/memaed", err);
    config_unref(config);
    return r;
}

/* ---- export --------------------------------------------------------------------------------------------------------- */

/* The state of the output: whether a row could not be written, and the cause. */
struct lines {
    struct error err;                   /* of status */
    int status;                         /* 0 or -errno */
};

/* Writes {"table": TABLE, "row": ROW}; takes row. */
static bool write_line(struct lines *lines, const char *table, json_t *row)
{
    char *text = record_json_dump(json_pack("{s:s, s:o}", "table", table, "row", row));
    if (!text)
        lines->status = error_set(&lines->err, -ENOMEM, "out of memory");
    else if (puts(text) < 0)
        lines->status = error_set(&lines->err, errno ? -errno : -EIO, "standard output: %s", strerror(errno ? errno : EIO));
    free(text);
    return lines->status == 0;
}

static bool write_alert(void *arg, const struct alert_record *alert)
{
    return write_line(arg, "alerts", alert_json(alert));
}

static bool write_event(void *arg, const struct event_row *event)
{
    struct lines *lines = arg;
    json_error_t where;
    json_t *body = json_loads(event->body, 0, &where);
    if (!body) {
        lines->status = error_set(&lines->err, -EUCLEAN, "event %" PRId64 ": the body is no JSON: %s", event->seq, where.text);
        return false;
    }
    return write_line(lines, "events", json_pack("{s:o, s:s, s:o, s:b}", "seq", record_json_count((uint64_t)event->seq), "id",
                                                 event->id, "body", body, "ready", event->ready));
}

static bool write_minute(void *arg, const struct minute_row *m)
{
    return write_line(arg, "score_minutes",
                      json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "camera", m->camera, "time",
                                record_json_time(m->time_us), "windows", record_json_count((uint64_t)m->n), "slow",
                                record_json_count((uint64_t)m->slow), "minimum", record_json_number(m->minimum), "mean",
                                record_json_number(m->mean), "maximum", record_json_number(m->maximum), "p_least",
                                record_json_number(m->p_least)));
}

static int export(struct database *database, struct error *err)
{
    struct lines lines = {0};
    int r = alert_rows_each(database, write_alert, &lines, err);
    if (r == 0 && lines.status == 0)
        r = event_rows_each(database, 0, 0, write_event, &lines, err);
    if (r == 0 && lines.status == 0)
        r = minute_rows_each(database, write_minute, &lines, err);
    if (r == 0 && lines.status == 0 && fflush(stdout) != 0)
        lines.status = error_set(&lines.err, -errno, "standard output: %s", strerror(errno));
    return r < 0 ? r : lines.status < 0 ? error_set(err, lines.status, "%s", lines.err.text) : 0;
}

/* ---- the commands --------------------------------------------------------------------------------------------------- */

/* Runs one of the commands on the database. Returns the exit status. */
static int run_on(const struct command *command, int argc, char **argv,
                  int (*run)(struct database *database, const struct db_values *o, struct error *err))
{
    struct db_values o = {0};
    struct database *database = NULL;
    struct error err;
    int status;
    if (command_parse(command, &o, argc, argv, &status)) {
        int r = open_database(&database, &o, &err);
        if (r == 0)
            r = run(database, &o, &err);
        status = r < 0 ? command_failed(command, &err) : 0;
        database_close(database);
    }
    command_clear(command, &o);
    return status;
}

static int run_backup(struct database *database, const struct db_values *o, struct error *err)
{
    return database_backup(database, o->output.values[0], err);
}

static int run_check(struct database *database, const struct db_values *o, struct error *err)
{
    (void)o;
    int r = database_check(database, print_fault, NULL, err);
    if (r == 0)
        printf("ok: version %d of the schema, %" PRId64 " bytes\n", database_version(), database_size(database));
    return r;
}

static int run_export(struct database *database, const struct db_values *o, struct error *err)
{
    (void)o;
    return export(database, err);
}

static int command_backup(int argc, char **argv) { return run_on(&db_backup_command, argc, argv, run_backup); }
static int command_check(int argc, char **argv) { return run_on(&db_check_command, argc, argv, run_check); }
static int command_export(int argc, char **argv) { return run_on(&db_export_command, argc, argv, run_export); }

#define STATUS_NOTES "Exit status: 0; 1 where the database cannot be read or has a fault; 2 wrong usage."

const struct command db_backup_command = {
    .name = "db backup",
    .summary = "copy the database to a file, also while memaed runs",
    .forms = "[--state-dir DIR | --config FILE] OUTPUT",
    .about = "Copies the database of state_dir to a new file with mode 0600: all of it as of one moment. memaed may write "
             "meanwhile, and does not wait. To restore it, stop memaed and put the file in place of memaed.db, without "
             "memaed.db-wal and memaed.db-shm.",
    .options = db_options,
    .notes = STATUS_NOTES,
    OPERANDS(struct db_values, output, "OUTPUT"), .operand_path = OPTION_FILE, .least = 1, .most = 1,
    .run = command_backup,
};

const struct command db_check_command = {
    .name = "db check",
    .summary = "check the database, also while memaed runs",
    .forms = "[--state-dir DIR | --config FILE]",
    .about = "Checks the version and the integrity of the whole database of state_dir, and prints each fault to standard error.",
    .options = db_options,
    .notes = STATUS_NOTES,
    .run = command_check,
};

const struct command db_export_command = {
    .name = "db export",
    .summary = "print alerts, events and scores as JSON lines",
    .forms = "[--state-dir DIR | --config FILE]",
    .about = "Prints the alerts, the events and the scores of minutes in the database of state_dir, one JSON object a line: "
             "{\"table\": \"alerts\", \"row\": {...}}. Alerts and scores are as in REST; an event has its seq, its id and the "
             "body that webhooks get.",
    .options = db_options,
    .notes = STATUS_NOTES,
    .run = command_export,
};
