/* The place of an alert's evidence under state_dir: evidence/CAMERA/DATE/ALERT/NAME, with the UTC date on which the alert
 * opened. Folders are made with mode 0700 and files with 0600. No symbolic link is followed below state_dir, and no file is
 * replaced. A file is locked (flock) until place_close(), or until a killed daemon's processes have ended. So retention knows
 * that it is being written. Any thread; one at a time uses a file. */
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

/* A file that is being written. Until it is published it is called ".NAME", and a crash leaves it under that name:
 * evidence_tree_read() deletes it then, or place_create() of the same file. */
struct place_file {
    int fd;                     /* for writing; -1: there is no file */
    int folder;                 /* of the alert; -1: the file is published */
    char name[32];
    char path[PLACE_PATH_SIZE]; /* below state_dir, once it is published */
};

/* Writes the path below state_dir of a file of that name. 0; -EOVERFLOW: the date is out of range (ret untouched). */
int place_path(char ret[PLACE_PATH_SIZE], const struct place *place, const char *name);

/* Makes an empty file, and the folders that are missing, state_dir among them. 0; -errno with the cause in err: *ret is
 * untouched. */
int place_create(struct place_file *ret, const char *state_dir, const struct place *place, const char *name, struct error *err);
/* Waits until what was written is on the disk, and gives the file its name. 0; -errno with the cause in err (-EEXIST: the name is
 * taken): it is not published. */
int place_publish(struct place_file *file, struct error *err);
/* Unlocks and closes the file. Deletes it if it was not published. Takes one without a file. */
void place_close(struct place_file *file);

/* Publishes a file with these bytes, and writes its path below state_dir to path. 0 or -errno with the cause in err. */
int place_put(const char *state_dir, const struct place *place, const char *name, const void *data, size_t size,
              char path[PLACE_PATH_SIZE], struct error *err);

/* Deletes the file of that name in the folder if nobody has locked it: a crash has left it before it was published. Returns true
 * if it is gone. */
bool place_delete_leftover(int folder, const char *name);

/* Opens the alert's folder, as O_PATH. No symbolic link is followed below state_dir. A descriptor; -ENOENT; another -errno. */
int place_open(const char *state_dir, const struct place *place);
/* Opens a regular file of the alert for reading. A descriptor; -ENOENT: there is none; another -errno. */
int place_read(const char *state_dir, const struct place *place, const char *name);
/* Finds a file of the alert, and reads it if it has at most `most` bytes and ret is not NULL: *ret is the caller's, by malloc(),
 * else untouched. *size is that of the file. 0; -ENOENT: there is none; another -errno. */
int place_get(const char *state_dir, const struct place *place, const char *name, size_t most, void **ret, size_t *size);

#endif
