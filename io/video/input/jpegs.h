/* Splits a stream of bytes into JPEGs, as cameras send Motion JPEG by HTTP. A picture is followed marker by marker from its
 * start (SOI) to its end (EOI). So it is whole as soon as its last byte has come. All between two pictures is ignored:
 * boundaries and headers of multipart, which cameras write in many ways, or nothing. Segments are skipped by their lengths, so
 * a thumbnail within a picture is no picture. A picture without an end ends where the next one begins, with what stands
 * between.
 *
 * Format: ITU-T T.81, annex B. One thread at a time. */
#ifndef MEMAED_IO_VIDEO_INPUT_JPEGS_H
#define MEMAED_IO_VIDEO_INPUT_JPEGS_H

#include <stddef.h>
#include <stdint.h>

struct jpegs;

/* A picture that is longer is dropped. */
enum { JPEGS_MAX_BYTES = 64 << 20 };

struct jpegs_picture {
    const uint8_t *data;        /* borrowed until the next call of jpegs_add() or jpegs_next() */
    size_t size;                /* bytes */
    int width, height;          /* as its frame header says; 0: it has none */
};

/* 0, -ENOMEM; *ret is untouched then. */
int jpegs_open(struct jpegs **ret);
void jpegs_close(struct jpegs *jpegs);          /* takes NULL */

/* Takes the stream's next bytes; data is borrowed for the call. 0, -ENOMEM (nothing was taken). */
int jpegs_add(struct jpegs *jpegs, const uint8_t *data, size_t size);

/* 1: the next picture; 0: more bytes are needed, *picture is untouched. */
int jpegs_next(struct jpegs *jpegs, struct jpegs_picture *picture);

#endif
