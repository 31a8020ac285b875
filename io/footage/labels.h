/* Frame labels, as `memaed eval` takes them: a text file, one line a clip: the clip's name, a blank, then 0 or 1 per
 * frame, separated by blanks. Empty lines are passed over; anything else is an error that names line and column. Any
 * thread. */
#ifndef MEMAED_IO_FOOTAGE_LABELS_H
#define MEMAED_IO_FOOTAGE_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct labels_clip {
    char *name;                 /* a file's name without extension, or a folder's: no '/', not "." or ".." */
    int line;
    uint8_t *labels;            /* [n], 0 or 1 */
    size_t n;                   /* at least 1 */
};

struct labels {
    struct labels_clip *clips;  /* no two of a name */
    size_t n;                   /* at least 1 */
};

/* 0; -errno where the file can't be read; -EINVAL ("FILE:LINE:COLUMN: …"); -ENOMEM. ret is untouched on failure;
 * labels_clear() frees what it holds. */
int labels_load(struct labels *ret, const char *path, struct error *err);
/* The same on bytes in memory; name stands for the path in errors. */
int labels_load_memory(struct labels *ret, const char *text, size_t size, const char *name, struct error *err);
void labels_clear(struct labels *labels);

#endif
