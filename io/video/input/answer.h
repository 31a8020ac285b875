/* The answer of a server over HTTP (or FTP), by its headers and its first bytes. It tells whether it is a download or comes
 * live, and whether it is Motion JPEG (io/video/input/jpegs.h). Any thread. */
#ifndef MEMAED_IO_VIDEO_INPUT_ANSWER_H
#define MEMAED_IO_VIDEO_INPUT_ANSWER_H

#include <stdbool.h>

#include "core/error.h"

struct AVIOContext;

struct answer {
    char type[64];              /* its Content-Type, without parameters, printable; "": it names none */
    bool empty;                 /* it ended before its first byte */
    bool finite;                /* it tells its length, or takes requests for parts of it: a download, which the reader paces.
                                 * Multipart never is, for cameras make up a length */
    bool jpegs;                 /* multipart, whatever its type; or JPEGs in a row, unless it is finite */
};

/* Reads the beginning of the answer, which io gives again: to be called before anything else is read. Waits for the first
 * byte. 0, or FFmpeg's code. */
int answer_open(struct answer *ret, struct AVIOContext *io);

/* Judges an answer in which no video was found. -EINVAL: it is empty, or by its type no video; err says so. 0: neither; err is
 * untouched. */
int answer_blame(const struct answer *answer, const char *shown, struct error *err);

#endif
