/* Bytes are split into JPEGs, whatever lies between the JPEGs and however the bytes arrive. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "io/video/input/jpegs.h"
#include "tests/clips.h"

enum { MOST = 32 };

static struct {
    uint8_t *data;
    size_t size;
} jpeg[3];

/* The pictures that were found, in their order. */
static struct {
    int n, which[MOST], width[MOST], height[MOST];      /* which: the index in jpeg[]; -1: none of them */
} found;

static void take(struct jpegs *jpegs)
{
    struct jpegs_picture picture;
    while (jpegs_next(jpegs, &picture) == 1) {
        ck_assert_int_lt(found.n, MOST);
        found.which[found.n] = -1;
        for (int k = 0; k < 3; k++)
            if (picture.size == jpeg[k].size && memcmp(picture.data, jpeg[k].data, picture.size) == 0)
                found.which[found.n] = k;
        found.width[found.n] = picture.width;
        found.height[found.n++] = picture.height;
    }
}

/* Splits data that arrive `chunk` bytes at a time. */
static void split(const uint8_t *data, size_t size, size_t chunk)
{
    struct jpegs *jpegs;
    ck_assert_int_eq(jpegs_open(&jpegs), 0);
    found.n = 0;
    for (size_t at = 0; at < size; at += chunk) {
        ck_assert_int_eq(jpegs_add(jpegs, data + at, chunk < size - at ? chunk : size - at), 0);
        take(jpegs);
    }
    jpegs_close(jpegs);
}

static uint8_t stream[1 << 20];
static size_t length;

static void put(const void *data, size_t size)
{
    ck_assert_uint_lt(length + size, sizeof stream);
    memcpy(stream + length, data, size);
    length += size;
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void check_all(const char *what)
{
    for (size_t chunk = 1; chunk < 4000; chunk = chunk * 3 + 1) {
        split(stream, length, chunk);
        ck_assert_msg(found.n == 3, "%s: %d pictures, %zu bytes at a time", what, found.n, chunk);
        for (int k = 0; k < 3; k++) {
            ck_assert_msg(found.which[k] == k, "%s: picture %d, %zu bytes at a time", what, k, chunk);
            ck_assert_int_eq(found.width[k], 64 + 16 * k);
            ck_assert_int_eq(found.height[k], 48);
        }
    }
}

START_TEST(whatever_stands_between)
{
    static const char *const parts[] = {
        "", "\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: 12\r\n\r\n", "--b\nContent-type: text/plain\n\n", "\r\n\r\n",
        "--", "\xff", "\xff\xd8", "\xff\xff\xff", "\xff\xd9", "\r\nb\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        length = 0;
        for (int k = 0; k < 3; k++) {
            put_text(parts[i]);
            put(jpeg[k].data, jpeg[k].size);
        }
        check_all(parts[i]);
    }
}
END_TEST

/* A picture is given out as soon as its last byte is there. */
START_TEST(no_byte_late)
{
    struct jpegs *jpegs;
    ck_assert_int_eq(jpegs_open(&jpegs), 0);
    found.n = 0;
    ck_assert_int_eq(jpegs_add(jpegs, jpeg[0].data, jpeg[0].size - 1), 0);
    take(jpegs);
    ck_assert_int_eq(found.n, 0);
    ck_assert_int_eq(jpegs_add(jpegs, jpeg[0].data + jpeg[0].size - 1, 1), 0);
    take(jpegs);
    ck_assert_int_eq(found.n, 1);
    jpegs_close(jpegs);
}
END_TEST

/* A comment that holds a whole JPEG, as EXIF holds a thumbnail. */
START_TEST(a_thumbnail_is_no_picture)
{
    length = 0;
    size_t n = jpeg[1].size + 2;
    ck_assert_uint_lt(n, 65536);
    put(jpeg[0].data, 2);
    put((uint8_t[]){0xff, 0xe1, (uint8_t)(n >> 8), (uint8_t)n}, 4);
    put(jpeg[1].data, jpeg[1].size);
    put(jpeg[0].data + 2, jpeg[0].size - 2);
    split(stream, length, 777);
    ck_assert_int_eq(found.n, 1);
    ck_assert_int_eq(found.width[0], 64);
}
END_TEST

START_TEST(a_picture_without_end_ends_at_the_next)
{
    length = 0;
    put(jpeg[0].data, jpeg[0].size - 2);
    put_text("\r\n--b\r\n\r\n");
    put(jpeg[1].data, jpeg[1].size);
    split(stream, length, 100);
    ck_assert(found.n == 2 && found.which[0] == -1 && found.width[0] == 64 && found.which[1] == 1);
}
END_TEST

/* Behind any damage, pictures are found again. */
START_TEST(damage_ends)
{
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 200; round++) {
        length = 0;
        put(jpeg[0].data, jpeg[0].size);
        for (int k = 0; k < 10; k++)
            stream[2 + rng_below(&rng, (uint32_t)(jpeg[0].size - 2))] = (uint8_t)rng_below(&rng, 256);
        /* A segment may claim 64 KiB. */
        for (int k = 0; length < 100000; k++)
            put(jpeg[1].data, jpeg[1].size);
        put(jpeg[2].data, jpeg[2].size);
        struct jpegs *jpegs;
        ck_assert_int_eq(jpegs_open(&jpegs), 0);
        struct jpegs_picture picture;
        ck_assert_int_eq(jpegs_add(jpegs, stream, length), 0);
        int last = 0;
        while (jpegs_next(jpegs, &picture) == 1)
            last = picture.width;
        ck_assert_int_eq(last, 96);
        jpegs_close(jpegs);
    }
}
END_TEST

static void make_jpegs(void)
{
    for (int k = 0; k < 3; k++) {
        char name[16];
        snprintf(name, sizeof name, "%d.jpg", k);
        clips_ffmpeg("-f lavfi -i testsrc2=s=%dx48:r=25 -frames:v 1 @/%s", 64 + 16 * k, name);
        jpeg[k].data = clip_read(name, &jpeg[k].size);
    }
}

static void free_jpegs(void)
{
    for (int k = 0; k < 3; k++)
        free(jpeg[k].data);
}

int main(void)
{
    TCase *tc = tcase_create("jpegs");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, make_jpegs, free_jpegs);
    tcase_add_test(tc, whatever_stands_between);
    tcase_add_test(tc, no_byte_late);
    tcase_add_test(tc, a_thumbnail_is_no_picture);
    tcase_add_test(tc, a_picture_without_end_ends_at_the_next);
    tcase_add_test(tc, damage_ends);
    return clips_run("jpegs", tc);
}
