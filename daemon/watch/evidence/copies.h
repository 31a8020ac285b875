/* Copies of clips in H.264, which every browser plays: the thread "copies" makes those that somebody asks for, one after the
 * other (io/capture/copying/copy_process.h). A copy shows no more than the camera's present privacy masks allow, whatever its
 * clip shows. It lies beside its clip (place.h), appears under its name complete, and goes with it.
 *
 * Jobs that wait are forgotten at the end of the process. Any thread may call, but for open, end and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_COPIES_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_COPIES_H

#include "core/record.h"
#include "daemon/watch/evidence/evidence.h"
#include "web/view.h"

enum {
    COPIES_WAITING_MAX = 16,    /* jobs that wait; a further one is refused */
    COPIES_LONGEST = 1920,      /* pixels of the longer side at most */
    COPIES_LENGTH_S = 600,      /* a longer clip is copied up to there */
    COPIES_LIMIT_S = 1800,      /* a copy that takes longer is given up */
};

struct copies;

struct copies_options {
    const char *state_dir;              /* copied */
    /* Borrowed until close. */
    struct evidence *evidence;          /* is given copies, and says whether there is room */
    struct capture_host *host;          /* forks the process that copies; NULL: the thread does */
    struct heartbeats *heartbeats;
};

/* Starts the thread. 0 or -errno with the cause in err. */
int copies_open(struct copies **ret, const struct copies_options *options, struct error *err);
/* The copy at hand is given up. Takes NULL. */
void copies_stop(struct copies *copies);
/* Ends the thread. Takes NULL. false: it is still stuck at deadline_us (CLOCK_MONOTONIC). */
bool copies_end(struct copies *copies, int64_t deadline_us);
void copies_close(struct copies *copies);               /* after copies_end() returned true; takes NULL */

/* The masks of cameras are those of this configuration from now on; takes a reference. */
void copies_configure(struct copies *copies, struct config *config);

/* Writes what becomes of the alert's copy to *ret: VIEW_COPY_NONE where nobody has asked for one, or it is complete. */
void copies_status(struct copies *copies, uint64_t alert, struct view_copy *ret);
/* Has a copy of the alert's clip made, unless one is waiting or being made; then as copies_status(). 0; -ENOENT: there is no
 * clip; -EBUSY: it is still being written; -EAGAIN: COPIES_WAITING_MAX wait; -ENOSPC: the disk is full; -ENOSYS: there is no
 * encoder; or another -errno of opening the clip. */
int copies_ask(struct copies *copies, const struct alert_record *alert, struct view_copy *ret);

#endif
