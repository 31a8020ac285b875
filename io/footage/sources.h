/* Lists the sources of an input that holds footage: the input itself, or what is in a folder. A folder of image files is one
 * sequence. In another folder each file is a source, in name order; hidden files are left out. In a folder with both, the other
 * files are the sources, and the images are skipped. But if none of the others is of use, the images are the source. Any
 * thread. */
#ifndef MEMAED_IO_FOOTAGE_SOURCES_H
#define MEMAED_IO_FOOTAGE_SOURCES_H

#include <stdbool.h>

#include "core/error.h"

struct sources_user {
    /* Takes a source; path is borrowed for the call. Negative: a failure, with the cause in err. */
    int (*each)(void *arg, const char *path, struct error *err);
    /* Called in a folder after each() failed, and where images are skipped; reason names the file. True: the file is skipped, and
     * the next is taken. False: sources_each() fails. */
    bool (*skips)(void *arg, const char *reason);
    void *arg;
};

/* Calls each() for every source, in order. Returns 0; what each() returned; -EINVAL: a live stream, which has no end; -ENOENT:
 * a folder without files; -ENODATA: a folder of which all was skipped; -ENOMEM; or the errno of reading the folder. err has the
 * cause. */
int sources_each(const char *input, const struct sources_user *user, struct error *err);

#endif
