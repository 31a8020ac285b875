/* The folder state_dir: it is created with mode 0700, and one memaed at a time uses it. Main's thread. */
#ifndef MEMAED_DAEMON_WATCH_STORE_STATE_FOLDER_H
#define MEMAED_DAEMON_WATCH_STORE_STATE_FOLDER_H

#include "core/error.h"

/* Creates the folder where it is missing, with the folders above it, and locks it. Returns a descriptor that holds the lock until
 * it is closed, or -errno with path and cause: -EBUSY where another memaed has it. */
int state_folder_open(const char *path, struct error *err);

/* Creates nothing, and locks nothing. 0: the folder is there and can be written to, or can be created; else -errno with the
 * cause. */
int state_folder_check(const char *path, struct error *err);

#endif
