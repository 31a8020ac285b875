/* Where the evidence of an alert lies under state_dir: evidence/CAMERA/DATE/ALERT/NAME, with the UTC date on which the alert
 * opened. Folders are made with mode 0700 and files with 0600. No symbolic link is followed below state_dir, and no file is
 * replaced. A file is locked (flock) until its descriptor is closed in all processes, so that retention knows that it is being
 * written. Any thread. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_PLACE_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum { PLACE_PATH_SIZE = 160 };

struct place {
    const char *camera;         /* a name of the configuration: [a-z0-9_-]{1,64} */
    int64_t opened_us;          /* UTC */
    uint64_t alert;
};

/* Makes the file and the folders that are missing, state_dir among them. Returns a descriptor for writing, and the path below
 * state_dir; or -errno with the cause in err. */
int place_create(const char *state_dir, const struct place *place, const char *name, char path[PLACE_PATH_SIZE],
                 struct error *err);
/* A file that is written under another name, and appears under its own complete, or not at all. What a crash leaves of it is replaced by
 * the next attempt, or removed by evidence_tree_read(). */
struct place_file {
    int fd;                     /* for writing */
    char path[PLACE_PATH_SIZE]; /* below state_dir, under its own name */
    int folder;
    char name[32], temporary[40];
};
int place_begin(const char *state_dir, const struct place *place, const char *name, struct place_file *ret, struct error *err);
/* Both close the file. place_keep(): 0, and it has its name; -errno with the cause in err, and it is gone. */
int place_keep(struct place_file *file, struct error *err);
void place_drop(struct place_file *file);

/* Opens a regular file of the alert for reading; no folder is made. A descriptor or -errno. */
int place_read(const char *state_dir, const struct place *place, const char *name);

/* Writes the bytes to such a file, which appears under its name complete, or not at all. 0 or -errno. */
int place_put(const char *state_dir, const struct place *place, const char *name, const void *data, size_t size,
              char path[PLACE_PATH_SIZE], struct error *err);

#endif
