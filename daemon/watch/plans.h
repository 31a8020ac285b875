/* The plans that cameras run. There is one for each distinct model and precision, shared by all cameras that want it, until the
 * last of them gives it back. The fleet's thread alone. */
#ifndef MEMAED_DAEMON_WATCH_PLANS_H
#define MEMAED_DAEMON_WATCH_PLANS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "core/network/plan.h"
#include "io/model/model_file.h"

struct plans;

/* Identifies the bytes that a path led to: it changes when a model file is replaced or written anew. */
struct model_identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

/* Returns the identity of the file at path; all zero if stat() fails. */
struct model_identity model_identity_of(const char *path);
bool model_identity_equal(const struct model_identity *a, const struct model_identity *b);

int plans_open(struct plans **ret);             /* 0, -ENOMEM */
void plans_close(struct plans *plans);          /* takes NULL; every plan has been given back */

/* Takes a plan of the model at path, in the precision that the camera wishes and the calibration allows
 * (calibration_precision()). 0, or what calibration_open_plan() returns, with the cause in err. The caller gives it back. */
int plans_take(struct plans *plans, const struct plan **ret, const char *path, const struct model_identity *identity,
               const struct model_file *file, enum precision wish, struct error *err);
void plans_give(struct plans *plans, const struct plan *plan);

#endif
