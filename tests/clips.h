/* Makes footage for tests by the ffmpeg program, in a folder of its own that clips_close() removes. */
#ifndef MEMAED_TESTS_CLIPS_H
#define MEMAED_TESTS_CLIPS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the folder. false: there is no ffmpeg program, so that tests that need it cannot run; a line on stdout says so. */
bool clips_open(void);
void clips_close(void);

/* The end of a test program whose tests all need clips. Opens the folder, runs the tests as a suite of that name, and removes the
 * folder. Returns the exit status of the program. */
int clips_run(const char *name, TCase *tests);

/* Returns FOLDER/NAME in one of eight static buffers, which take turns. */
const char *clip_path(const char *name);

/* Runs `ffmpeg ARGS`, with every "@" replaced by the folder. The test fails if ffmpeg does. */
void clips_ffmpeg(const char *args, ...) __attribute__((format(printf, 1, 2)));

/* Writes n gray pictures [n, height, width] as NAME at fps, lossless FFV1; options go before the name. */
void clip_gray(const char *name, const uint8_t *pixels, int n, int width, int height, double fps, const char *options);

/* The same for n pictures in which every pixel of picture i has gray level i. */
void clip_levels(const char *name, int n, int width, int height, double fps, const char *options);

void clip_write(const char *name, const void *data, size_t size);
/* Returns the bytes of a file; the caller frees them. */
uint8_t *clip_read(const char *name, size_t *size);
/* Writes the bytes of two files to a third, one after the other. */
void clip_join(const char *name, const char *first, const char *second);

/* Returns the pictures [*n, height, width] that `ffmpeg -i NAME -vf scale=…:flags=bilinear,format=gray` makes of a file. The
 * caller frees them. */
uint8_t *clip_reference(const char *path, int width, int height, int *n);

#endif
