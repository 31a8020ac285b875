/* Keeps evidence within its age and its room (retention_policy.h). The thread "retention" looks at the disk once a second, four
 * times where it is nearly short. It looks at the files (evidence_tree.h) each minute, and some seconds after one was written.
 *
 * The files are what counts. First an alert's files are deleted, then its rows in the database, by the store. A crash in between
 * leaves rows without files, which the next start removes. It also gives rows to files of known alerts that have none
 * (adoption.h). Files of alerts that the database does not know are kept for as long as others, and go when they are the oldest.
 * Before the files of an alert go, the database is asked if it is marked or open. While it cannot be read, nothing is deleted.
 *
 * EVENT_STORAGE_FULL reports that the disk is short, and EVENT_STORAGE_RECOVERED that there is room again. If less is free than
 * evidence.free_mib, and nothing can be deleted, no clip and no copy is written until there is room.
 *
 * Any thread may call, but for open, end and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_RETENTION_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/events.h"
#include "daemon/watch/evidence/evidence.h"
#include "daemon/watch/evidence/retention_policy.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/store/store.h"
#include "io/config/config.h"

struct retention;

struct retention_options {
    const char *state_dir;              /* copied */
    const struct config_retention *config;      /* copied */
    /* Borrowed until retention_end() has returned true. */
    struct store *store;
    struct events *events;
    struct evidence *evidence;
    struct heartbeats *heartbeats;
};

/* Starts the thread. 0 or -errno with the cause in err. */
int retention_open(struct retention **ret, const struct retention_options *options, struct error *err);
/* Ends the thread. Takes NULL. false: it is still stuck at deadline_us (CLOCK_MONOTONIC). */
bool retention_end(struct retention *retention, int64_t deadline_us);
void retention_close(struct retention *retention);      /* after retention_end() returned true; takes NULL */

/* The new limits apply from the next look at the disk on. */
void retention_configure(struct retention *retention, const struct config_retention *config);

struct retention_stats {
    int64_t bytes, files;               /* of evidence, when they were looked at last */
    int64_t free_bytes;                 /* of the disk */
    int64_t oldest_us;                  /* UTC: when the oldest alert with files opened; 0: there is none */
    uint64_t pruned[RETENTION_REASONS]; /* alerts whose files were deleted */
    bool paused;
};

void retention_stats(struct retention *retention, struct retention_stats *ret);

#endif
