/* Reads the frame labels of `memaed eval`. They are a text file with one line per clip: the clip's name, then 0 (normal) or
 * 1 (abnormal) per frame, separated by blanks. Empty lines are ignored. Anything else is an error that names line and
 * column. Any thread. */
#ifndef MEMAED_IO_FOOTAGE_LABELS_H
#define MEMAED_IO_FOOTAGE_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct labels_clip {
    char *name;                 /* of a file without extension, or of a folder; holds no '/', is not "." or ".." */
    int line;                   /* in the file, from 1 */
    uint8_t *labels;            /* [n], 0 or 1 */
    size_t n;                   /* at least 1 */
};

struct labels {
    struct labels_clip *clips;  /* [n], each of another name */
    size_t n;                   /* at least 1 */
};

/* Reads a file. 0; -errno: the file cannot be read; -EINVAL: it has a fault, err is "FILE:LINE:COLUMN: …"; -ENOMEM. *ret is
 * untouched on failure; the caller frees its contents with labels_clear(). */
int labels_load(struct labels *ret, const char *path, struct error *err);
/* The same for text in memory; error texts call it name. */
int labels_load_memory(struct labels *ret, const char *text, size_t size, const char *name, struct error *err);
void labels_clear(struct labels *labels);

#endif
