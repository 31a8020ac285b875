/* A file of gray pictures of one size, compressed without loss. Each picture is coded by itself, so that any picture can be
 * read without the others.
 *
 * Codec: FFmpeg's ffvhuff (Huffman codes, median prediction). On Ped2 at 128x128 the file is 2.2 times smaller than the
 * pixels. One core writes 500 MB of pixels a second and reads 190; training reads about 10.
 *
 * Layout, little-endian: a header with the pictures' size, their rate and the codec's tables; then one record per picture.
 * A record is the picture's length, a checksum, the caller's two numbers, and the picture.
 *
 * A file that stays is checked when it is opened again: every record is read, and its checksum compared. A damaged picture is
 * left out, and the pictures before and behind it are kept. The file is cut behind its last sound record. If the length in a
 * record is damaged, what follows cannot be found, and is cut too. A picture that is left out gets the number run = 0 and a new
 * checksum, so that it is reported once. Opening took 11 s for 4.9 GB (200,000 pictures of 176x96) from memory and 23 s from the
 * disk, on a busy machine; decoding them took 60 s.
 *
 * A power cut leaves what was synced: the file is synced when it is created, by picture_file_sync(), and while pictures are
 * added.
 *
 * One thread adds. While none adds, any number of threads read at once. */
#ifndef MEMAED_IO_FOOTAGE_PICTURE_FILE_H
#define MEMAED_IO_FOOTAGE_PICTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct picture_file;

struct picture_file_options {
    int width, height;          /* of the pictures */
    double fps;                 /* frames a second; serves only to refuse a file that was written at another rate */
    size_t max_bytes;           /* of the file */
    bool keep;                  /* true: an existing file is continued, and the file stays after closing. false: the file is
                                 * beside path and loses its name at once, so that it never stays. What is at path stays. */
    int64_t sync_us;            /* with keep: the interval at which picture_file_add() syncs; 0: it never does */
};

/* Creates the file at path, or continues it. 0; -EINVAL: with keep, the existing file is not one of pictures of this size and
 * rate; -EBUSY: another process has it open; -ENOMEM; another -errno. A file that the disk cannot read is left as it is. err
 * names path and cause; *ret is untouched then. */
int picture_file_open(struct picture_file **ret, const char *path, const struct picture_file_options *options,
                      struct error *err);
void picture_file_close(struct picture_file *file);             /* takes NULL */

/* Reads the size of the pictures in the file at path, so that it can be continued. 1; 0: there is no file, or it is empty;
 * -EINVAL: it is not a file of pictures; another -errno. width and height are written with 1 only. Another process may have
 * it open. */
int picture_file_size(const char *path, int *width, int *height, struct error *err);

/* Opening leaves damaged pictures out. Returns how many: those with a bad checksum are counted, those that were cut are
 * estimated from their bytes. *bytes is their size in the file; it may be NULL. */
size_t picture_file_lost(const struct picture_file *file, uint64_t *bytes);

/* Adds a picture, pixels [height * width], with two numbers of the caller's; run > 0. 0; -EFBIG: the file would exceed max_bytes;
 * another -errno, such as -ENOSPC, also of a sync. Nothing was added then. */
int picture_file_add(struct picture_file *file, const uint8_t *pixels, uint32_t run, float interval, struct error *err);
/* Waits until all pictures are on the disk. 0, also at once if they are; -errno: pictures added since the last sync may be
 * lost. */
int picture_file_sync(struct picture_file *file, struct error *err);
/* Removes all pictures. 0; -errno: they are still there. */
int picture_file_clear(struct picture_file *file, struct error *err);
size_t picture_file_count(const struct picture_file *file);
/* Returns true if picture i < count stands directly behind picture i - 1 in the file. false: it is the first, or damaged
 * pictures between the two were left out. */
bool picture_file_follows(const struct picture_file *file, size_t i);
/* The caller's numbers of picture i < count. Not while another thread adds. */
void picture_file_numbers(const struct picture_file *file, size_t i, uint32_t *run, float *interval);
/* Reads picture i < count into pixels [height * width], the caller's. 0; -EIO: the picture has been damaged since it was added,
 * or since the file was opened (its checksum differs); another -errno, with the cause in err. Any thread, several at once, but
 * not while another thread adds. */
int picture_file_read(struct picture_file *file, size_t i, uint8_t *pixels, struct error *err);
size_t picture_file_bytes(const struct picture_file *file);

#endif
