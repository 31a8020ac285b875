/* Gray pictures of one size on disk, compressed without loss, each by itself, so that any can be read at once: Huffman
 * coded (FFmpeg's ffvhuff with median prediction; on Ped2 scaled to 128x128 2.2 times smaller, written at 500 MB/s
 * and read at 190 MB/s on one core, where training takes about 10 MB/s).
 *
 * The file is a header (size of pictures, rate, codec's tables), then records: length, checksum, and the caller's two
 * numbers, little-endian, then the picture. A file cut anywhere loses no whole record: what follows the last is dropped
 * when it is opened again. One thread adds; any number read at once what has been added before. */
#ifndef MEMAED_IO_FOOTAGE_PICTURE_FILE_H
#define MEMAED_IO_FOOTAGE_PICTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct picture_file;

struct picture_file_options {
    int width, height;
    double fps;                 /* told apart by, no more: a file that is opened again must have the same */
    size_t max_bytes;           /* of the file */
    bool keep;                  /* the file stays, and is gone on with where it is there; else it has no name from the start */
};

/* 0; -EINVAL where the file that is there is none of these pictures, -errno; err names path and cause. */
int picture_file_open(struct picture_file **ret, const char *path, const struct picture_file_options *options, struct error *err);
void picture_file_close(struct picture_file *file);          /* takes NULL */

/* The size of the pictures in the file at path, so that it can be gone on with. 1; 0 where there is no file, or an empty one;
 * -EINVAL where it is none of pictures, -errno; width and height are written with 1 only. */
int picture_file_size(const char *path, int *width, int *height, struct error *err);

/* Adds pixels [height * width] with two numbers of the caller's. -EFBIG beyond max_bytes, -errno (-ENOSPC): nothing was added. */
int picture_file_add(struct picture_file *file, const uint8_t *pixels, uint32_t run, float interval, struct error *err);
size_t picture_file_count(const struct picture_file *file);
/* The numbers of picture i. Not while another thread adds. */
void picture_file_numbers(const struct picture_file *file, size_t i, uint32_t *run, float *interval);
/* Picture i, checked against its checksum: -EIO where it is damaged. Any thread. */
int picture_file_read(struct picture_file *file, size_t i, uint8_t *pixels, struct error *err);
size_t picture_file_bytes(const struct picture_file *file);

#endif
