/* The files of evidence as they lie under state_dir: evidence/CAMERA/DATE/ALERT/ (place.h). What is on the disk counts, whether
 * the database knows it or not. Names of other forms are left alone, and no symbolic link is followed below state_dir.
 *
 * One thread at a time; it waits for the disk. Never logs. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_TREE_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_EVIDENCE_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/record.h"
#include "daemon/watch/evidence/retention_policy.h"

/* The place of an alert's folder. */
struct evidence_folder {
    uint32_t camera;            /* of the tree's cameras */
    char date[11];              /* 2026-11-28 */
};

struct evidence_tree {
    struct retention_alert *alerts;     /* [n], in the order of their ids; those without a file, too */
    struct evidence_folder *folders;    /* [n] */
    size_t n, room;
    char (*cameras)[RECORD_NAME_SIZE];
    size_t n_cameras;
    int64_t bytes, files;
};

/* Reads the whole tree; *ret is new. Deletes files that a crash has left before they were published (place.h). Calls
 * step(arg), if it is not NULL, from time to time. 0, also where there is no evidence; -ENOMEM; -errno of a folder that cannot
 * be read. */
int evidence_tree_read(struct evidence_tree *ret, const char *state_dir, void (*step)(void *arg), void *arg, struct error *err);
void evidence_tree_clear(struct evidence_tree *tree);

/* Deletes the files of alert i, its folder, and the folders above that are empty then. 0; -EBUSY: one of its files is being
 * written, and none was deleted, unless there are more than 16; -errno: some may be. The tree is untouched. */
int evidence_tree_delete(const struct evidence_tree *tree, size_t i, const char *state_dir, struct error *err);
/* Takes the alerts with bytes < 0 out of the tree, and adds up the others. */
void evidence_tree_sum(struct evidence_tree *tree);

#endif
