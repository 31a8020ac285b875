/* A file that appears under its name complete, or not at all.
 *
 * The bytes go to a temporary file in the same folder. Its name is unpredictable, and it is created exclusively, so nobody else
 * can have put a link there. On commit it is synced and renamed; then the folder is synced. It takes over the permissions of a
 * file that it replaces.
 *
 * Only a regular file is replaced: never a symbolic link, a folder, a device or a pipe. Files that a killed run left are removed
 * by the next run that writes to the same place. A lock (flock) marks those that are still being written.
 *
 * One thread for each file. Functions that fail return a negative errno, with the path and the cause in err. */
#ifndef MEMAED_IO_BASE_NEW_FILE_H
#define MEMAED_IO_BASE_NEW_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

struct new_file {
    int fd;                         /* may be written to directly, too */
    bool replaces;                  /* there is a file, with this mode: */
    mode_t mode;
    char path[PATH_MAX], temporary[PATH_MAX];
};

/* Begins a file for path. is_private: its owner alone may read it, unless it replaces a file that others may read. After success,
 * the caller ends with new_file_commit() or new_file_abandon(). */
int new_file_open(struct new_file *ret, const char *path, bool is_private, struct error *err);
/* Appends. */
int new_file_write(struct new_file *file, const void *data, size_t size, struct error *err);
/* Puts the file into its place. On failure the file is abandoned, and what was there before stays. */
int new_file_commit(struct new_file *file, struct error *err);
void new_file_abandon(struct new_file *file);

/* Syncs the folder of path, so that a name in it survives a power cut. Some file systems (FAT, some network file systems) cannot
 * do this. Such a failure is no error, because the file has its name by now. */
void new_file_sync_folder(const char *path);

/* Checks early that a file can be written to path: begins one and abandons it. */
int new_file_check(const char *path, struct error *err);

#endif
