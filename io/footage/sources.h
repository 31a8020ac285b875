/* Lists the sources of an input that holds footage: the input itself, which may be a folder of image files (one sequence),
 * or each file of a folder of videos, in name order; hidden files are left out. Any thread. */
#ifndef MEMAED_IO_FOOTAGE_SOURCES_H
#define MEMAED_IO_FOOTAGE_SOURCES_H

#include "core/error.h"

/* Calls each() for every source, in order, until it returns a negative errno. path is borrowed for the call. Returns 0; what
 * each() returned; -EINVAL: the input is a live stream, which has no end; -ENOENT: a folder without files; -ENOMEM; or the
 * errno of reading the folder, with the cause in err. It does not check that the files are videos. */
int sources_each(const char *input, int (*each)(void *arg, const char *path, struct error *err), void *arg,
                 struct error *err);

#endif
