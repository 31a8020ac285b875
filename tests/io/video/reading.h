/* For the tests of io/video: reads a whole source, with its pictures, their times and flags, its counts and its end. */
#ifndef MEMAED_TESTS_IO_VIDEO_READING_H
#define MEMAED_TESTS_IO_VIDEO_READING_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/suite.h"

enum { MAX_FRAMES = 512 };

struct all {
    int n, result, gaps, corrupt;
    struct source_frame frames[MAX_FRAMES];
    uint8_t *pixels;            /* [n, height, width] */
    struct source_stats stats;
    struct error err;
};

static struct all all;

static const struct source_options small = {.width = 32, .height = 24, .decoder_threads = 1};

static inline void read_on(struct source *source, const struct source_options *options)
{
    size_t size = (size_t)options->width * (size_t)options->height;
    int64_t last = -1;
    free(all.pixels);
    all = (struct all){.pixels = malloc(MAX_FRAMES * size)};
    while ((all.result = source_read(source, all.pixels + (size_t)all.n * size, &all.frames[all.n], &all.err)) == 1) {
        ck_assert_int_gt(all.frames[all.n].pts_us, last);
        last = all.frames[all.n].pts_us;
        all.gaps += all.frames[all.n].gap;
        all.corrupt += all.frames[all.n].corrupt;
        all.n++;
        ck_assert_int_lt(all.n, MAX_FRAMES);
    }
    if (all.n)
        ck_assert(all.frames[0].pts_us == 0 && !all.frames[0].gap);
    source_stats(source, &all.stats);
    struct error again = {0};
    struct source_frame frame;
    ck_assert_int_eq(source_read(source, all.pixels, &frame, &again), all.result);      /* the end stays the end */
    ck_assert_str_eq(again.text, all.err.text);
}

static inline void read_all(const char *url, const struct source_options *options)
{
    struct source *source = NULL;
    struct error err = {0};
    int r = source_open(&source, url, options, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    read_on(source, options);
    source_close(source);
}

static inline int open_fails(const char *url, const struct source_options *options, const char *cause)
{
    struct source *source = NULL;
    struct error err = {0};
    int r = source_open(&source, url, options, &err);
    ck_assert_int_lt(r, 0);
    ck_assert_ptr_null(source);
    ck_assert_msg(strstr(err.text, cause), "%s", err.text);
    return r;
}

/* The gray level of the middle of picture i, whose size is that of `small`. */
static inline int level(int i)
{
    return all.pixels[(size_t)i * 32 * 24 + 32 * 12 + 16];
}

/* Runs the case as a suite. Returns the status of main(). */
static inline int run_case(TCase *tc, const char *name)
{
    tcase_set_timeout(tc, 120);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tc);
    int failed = suite_run(suite);
    clips_close();
    return failed;
}

#endif
