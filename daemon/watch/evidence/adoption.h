/* Gives rows in the database to files of evidence that have none. A crash between a file and its row leaves such a file, as with
 * the clip of an alert that is open. After a start, files of alerts of earlier runs are given rows, once. If a file had no row,
 * the row of its alert would be deleted before it.
 *
 * A file gets a row if it lies where the evidence of a known alert lies (place.h), under a name that memaed gives. It must be a
 * plain file behind no symbolic link. All others are left alone. The row of a video names no codec: no file is parsed here. If
 * the row of a new copy comes at the same moment, its codec stays (evidence_rows_add()).
 *
 * For one thread, which waits for the disk. Never logs. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_ADOPTION_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_ADOPTION_H

#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/evidence/evidence_tree.h"
#include "io/database/evidence_rows.h"

enum { ADOPTION_ALERTS = 64 };          /* most alerts of one step */

struct adoption {
    uint64_t below;                     /* alerts below are still to be looked at, the newest first; 0: none */
    unsigned files;                     /* number of files that were given rows */
};

struct adoption_options {
    const char *state_dir;
    struct database *database;          /* to read */
    const struct evidence_tree *tree;
    void (*step)(void *arg);            /* called before each alert */
    void (*add)(void *arg, const struct evidence_row *row);     /* called for each file; the row is borrowed for the call */
    void *arg;
};

/* Looks at further alerts of the tree. Sets adoption->below; it stays where a file of the next alert is still being written. 0;
 * -errno with the cause in err: what was done before is done. */
int adoption_step(struct adoption *adoption, const struct adoption_options *options, struct error *err);

#endif
