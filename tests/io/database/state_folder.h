/* A folder of its own for each test of io/database, with a database in it. */
#ifndef MEMAED_TESTS_IO_DATABASE_STATE_FOLDER_H
#define MEMAED_TESTS_IO_DATABASE_STATE_FOLDER_H

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/record_json.h"
#include "io/database/alert_rows.h"
#include "io/database/database.h"
#include "io/database/event_rows.h"
#include "tests/folder.h"
#include "tests/suite.h"

static struct database *database;

static inline void open_database(void)
{
    struct database_opening opening;
    must(database_open(&database, folder, &opening, &err));
}

static inline void close_database(void)
{
    database_close(database);
    database = NULL;
}

static inline void remove_folder(void)
{
    close_database();
    delete_folder();
}

static inline void set_up(void)
{
    make_folder();
    open_database();
}

/* Puts an alert into the database. It is open if closed_us is 0. */
static inline struct alert_record put_alert(uint64_t id, const char *camera, int64_t closed_us)
{
    struct alert_record alert = {.id = id, .kind = ALERT_ANOMALY, .opened_us = (int64_t)id * 1000, .closed_us = closed_us,
                                 .peak_score = 1.5, .peak_us = (int64_t)id * 1000 + 500};
    snprintf(alert.camera, sizeof alert.camera, "%s", camera);
    must(database_begin(database, &err));
    must(alert_rows_put(database, &alert, &err));
    must(database_commit(database, &err));
    return alert;
}

/* Puts an event into the database. Returns its seq. */
static inline int64_t put_event(int64_t time_us, uint64_t alert)
{
    char id[EVENT_ID_SIZE];
    ck_assert_int_eq(event_new_id(id), 0);
    struct event_row row = {.id = id, .type = alert ? "alert.opened" : "camera.lost", .time_us = time_us, .camera = "gate",
                            .alert = alert, .body = "{}", .ready = true};
    must(event_rows_add(database, &row, &err));
    return row.seq;
}

#endif
