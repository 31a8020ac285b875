/* Footage for tests, made on the spot by the ffmpeg program, in a folder of its own that goes at the end. */
#ifndef MEMAED_TESTS_CLIPS_H
#define MEMAED_TESTS_CLIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the folder. false, with a loud line, where there is no ffmpeg program: the tests that need it can't run. */
bool clips_open(void);
void clips_close(void);

/* FOLDER/NAME, in one of a few static buffers. */
const char *clip_path(const char *name);

/* Runs `ffmpeg ARGS`, with every "@" of them turned to the folder; aborts the test where it fails. */
void clips_ffmpeg(const char *args, ...) __attribute__((format(printf, 1, 2)));

/* Writes n gray pictures [n, height, width] as NAME at fps, lossless FFV1; options go before the name. */
void clip_gray(const char *name, const uint8_t *pixels, int n, int width, int height, double fps, const char *options);

/* The same whose picture i is all of the gray level i. */
void clip_levels(const char *name, int n, int width, int height, double fps, const char *options);

void clip_write(const char *name, const void *data, size_t size);
/* All of a file; the caller's to free. */
uint8_t *clip_read(const char *name, size_t *size);
/* Joins two files byte by byte. */
void clip_join(const char *name, const char *first, const char *second);

/* What `ffmpeg -i NAME -vf scale=…:flags=bilinear,format=gray` makes of a file: [*n, height, width]; the caller's. */
uint8_t *clip_reference(const char *path, int width, int height, int *n);

#endif
