/* Reads a whole file into memory. Only a regular file is read, so that a pipe without a writer or an endless device cannot hold
 * the program up. Any thread. */
#ifndef MEMAED_IO_BASE_READ_FILE_H
#define MEMAED_IO_BASE_READ_FILE_H

#include <stddef.h>

#include "core/error.h"

/* *ret is the caller's, [*size + 1] bytes with a 0 behind the last. Returns 0; -EISDIR: a folder; -EINVAL: not a regular file,
 * or it shrank meanwhile; -EFBIG: more than `most` bytes; -ENOMEM; or the errno of open(2) or read(2). Then err has the cause
 * without the path. On failure *ret and *size are untouched. */
int read_file(char **ret, size_t *size, const char *path, size_t most, struct error *err);

#endif
