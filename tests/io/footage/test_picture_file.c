/* Pictures of any size are read as they were added. A file that was cut or damaged is continued with all undamaged pictures.
 * Added pictures are synced. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/footage/picture_file.h"
#include "tests/suite.h"

static struct error err;
static char path[] = "/tmp/memaed-picture-file-XXXXXX";

enum { W = 48, H = 32, N = 20 };      /* width, height and number of pictures in most files */

static int data_syncs, folder_syncs;    /* calls of the functions below */
static bool disk_fails;

/* These take the place of the C library's. */
int fdatasync(int fd)
{
    data_syncs++;
    errno = EIO;
    return disk_fails ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    struct stat st;
    folder_syncs += fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return (int)syscall(SYS_fsync, fd);
}

/* Draws picture i, of n pixels: noise, a ramp, or one tone, in turn. */
static void picture(uint8_t *pixels, size_t n, size_t i)
{
    struct rng rng;
    rng_seed(&rng, i);
    for (size_t k = 0; k < n; k++)
        pixels[k] = i % 3 == 0 ? (uint8_t)rng_next(&rng) : i % 3 == 1 ? (uint8_t)(k * 3 + i) : (uint8_t)i;
}

static struct picture_file *open_file(int w, int h, bool keep, size_t max)
{
    struct picture_file *file;
    const struct picture_file_options options = {.width = w, .height = h, .fps = 10, .max_bytes = max, .keep = keep};
    int r = picture_file_open(&file, path, &options, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return file;
}

static void add(struct picture_file *file, size_t n, size_t from, size_t to)
{
    uint8_t *pixels = malloc(n);
    for (size_t i = from; i < to; i++) {
        picture(pixels, n, i);
        int r = picture_file_add(file, pixels, (uint32_t)i + 1, (float)i * 0.5f, &err);
        ck_assert_msg(r == 0, "%s", err.text);
    }
    free(pixels);
}

static void check(struct picture_file *file, size_t n, size_t count)
{
    uint8_t *expected = malloc(n), *found = malloc(n);
    ck_assert_uint_eq(picture_file_count(file), count);
    for (size_t k = 0; k < count; k++) {
        size_t i = k * 7 % count;
        uint32_t run;
        float interval;
        picture(expected, n, i);
        ck_assert_int_eq(picture_file_read(file, i, found, &err), 0);
        ck_assert_mem_eq(found, expected, n);
        picture_file_numbers(file, i, &run, &interval);
        ck_assert_uint_eq(run, i + 1);
        ck_assert(interval == (float)i * 0.5f);
    }
    free(expected);
    free(found);
}

START_TEST(bit_for_bit)
{
    static const int sizes[][2] = {{128, 128}, {48, 32}, {17, 9}, {16, 16}, {255, 3}, {4, 4}, {1, 1}, {2, 5}, {512, 16}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = (size_t)sizes[s][0] * (size_t)sizes[s][1];
        struct picture_file *file = open_file(sizes[s][0], sizes[s][1], false, 1 << 30);
        ck_assert_int_ne(access(path, F_OK), 0);        /* the file never has a name, so it cannot stay */
        add(file, n, 0, 40);
        check(file, n, 40);
        picture_file_close(file);
    }
}
END_TEST

START_TEST(a_cut_file_goes_on)
{
    struct picture_file *file = open_file(W, H, true, 1 << 30);
    add(file, W * H, 0, 20);
    off_t size = (off_t)picture_file_bytes(file);
    picture_file_close(file);
    ck_assert_int_eq(truncate(path, size - 1), 0);      /* within the last picture */
    file = open_file(W, H, true, 1 << 30);
    check(file, W * H, 19);
    add(file, W * H, 19, 30);
    struct picture_file *second = NULL;
    const struct picture_file_options options = {.width = W, .height = H, .fps = 10, .max_bytes = 1 << 20, .keep = true};
    ck_assert_int_eq(picture_file_open(&second, path, &options, &err), -EBUSY);
    picture_file_close(file);
    file = open_file(W, H, true, 1 << 30);
    check(file, W * H, 30);
    picture_file_close(file);

    struct picture_file_options other = options;
    other.width = 32;
    ck_assert_int_eq(picture_file_open(&second, path, &other, &err), -EINVAL);
    other = options;
    other.fps = 5;
    ck_assert_int_eq(picture_file_open(&second, path, &other, &err), -EINVAL);
    unlink(path);
}
END_TEST

/* Writes a file of N pictures. end[i]: where picture i ends; end[-1]: where the first one begins. */
static void write_pictures(uint64_t *end)
{
    unlink(path);
    struct picture_file *file = open_file(W, H, true, 1 << 30);
    end[-1] = picture_file_bytes(file);
    for (size_t i = 0; i < N; i++) {
        add(file, W * H, i, i + 1);
        end[i] = picture_file_bytes(file);
    }
    picture_file_close(file);
}

static void overwrite(uint64_t offset, const void *bytes, size_t size)
{
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(pwrite(fd, bytes, size, (off_t)offset), (ssize_t)size);
    close(fd);
}

/* Opens the file. It must hold pictures 0 … N - 1 without those from `first` to `end` - 1, and must have lost `lost` pictures of
 * `bytes` bytes. */
static struct picture_file *reopen(size_t first, size_t end, size_t lost, uint64_t bytes)
{
    struct picture_file *file = open_file(W, H, true, 1 << 30);
    uint8_t expected[W * H], found[W * H];
    uint64_t lost_bytes;
    ck_assert_uint_eq(picture_file_count(file), N - (end - first));
    for (size_t k = 0; k < picture_file_count(file); k++) {
        size_t i = k < first ? k : k + end - first;
        uint32_t run;
        float interval;
        picture(expected, W * H, i);
        ck_assert_int_eq(picture_file_read(file, k, found, &err), 0);
        ck_assert_mem_eq(found, expected, W * H);
        picture_file_numbers(file, k, &run, &interval);
        ck_assert_uint_eq(run, i + 1);
        ck_assert(interval == (float)i * 0.5f);
        ck_assert(picture_file_follows(file, k) == (k > 0 && (k != first || end == first)));
    }
    ck_assert_uint_eq(picture_file_lost(file, &lost_bytes), lost);
    ck_assert_uint_eq(lost_bytes, bytes);
    return file;
}

/* One byte of a picture, of its checksum or of a number is wrong. Only that picture is left out, and it is reported once. */
START_TEST(a_damaged_picture_is_left_out)
{
    static const size_t pictures[] = {0, 9, N - 2};
    static const int bytes[] = {4, 9, 13, 16, -1};  /* of the record: checksum, run, interval, first and last of the picture */
    uint64_t ends[N + 1], *end = ends + 1;
    for (size_t p = 0; p < sizeof pictures / sizeof pictures[0]; p++)
        for (size_t b = 0; b < sizeof bytes / sizeof bytes[0]; b++) {
            size_t i = pictures[p];
            write_pictures(end);
            uint64_t begin = ends[i], at = bytes[b] < 0 ? end[i] - 1 : begin + (uint64_t)bytes[b];
            uint8_t byte;
            int fd = open(path, O_RDONLY);
            ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
            close(fd);
            byte ^= 0x10;
            overwrite(at, &byte, 1);
            picture_file_close(reopen(i, i + 1, 1, end[i] - begin));
            picture_file_close(reopen(i, i + 1, 0, 0));
            struct picture_file *file = open_file(W, H, true, 1 << 30);
            add(file, W * H, N, N + 5);
            picture_file_close(file);
            file = open_file(W, H, true, 1 << 30);
            ck_assert_uint_eq(picture_file_count(file), N + 4);
            ck_assert_uint_eq(picture_file_lost(file, NULL), 0);
            picture_file_close(file);
        }
    unlink(path);
}
END_TEST

/* The damaged end that a power cut or a kill leaves is cut off: a record in part, zeros, an impossible length, an old record. */
START_TEST(a_damaged_end_is_cut)
{
    static const uint8_t zeros[20000];
    static const uint32_t lengths[] = {0, UINT32_MAX, 0x7fffffff, 200000, 5000};
    uint64_t ends[N + 1], *end = ends + 1;
    struct stat st;

    write_pictures(end);
    for (uint64_t at = end[N - 2] + 1; at < end[N - 1]; at += at < end[N - 2] + 20 ? 1 : 97) {
        write_pictures(end);
        ck_assert_int_eq(truncate(path, (off_t)at), 0);
        picture_file_close(reopen(N - 1, N, 1, at - end[N - 2]));
        picture_file_close(reopen(N - 1, N, 0, 0));
        ck_assert(stat(path, &st) == 0 && (uint64_t)st.st_size == end[N - 2]);
    }
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {        /* of the 15th record; nothing after it is found */
        write_pictures(end);
        overwrite(end[13], &lengths[l], sizeof lengths[l]);
        uint64_t size = end[N - 1] + (lengths[l] == 200000 ? 300000 : 0);
        ck_assert_int_eq(truncate(path, (off_t)size), 0);
        struct picture_file *file = open_file(W, H, true, 1 << 30);
        uint64_t bytes;
        size_t lost = picture_file_lost(file, &bytes);
        ck_assert_uint_eq(picture_file_count(file), 14);
        ck_assert_uint_eq(bytes, size - end[13]);
        ck_assert_msg(size > end[N - 1] || (lost >= 3 && lost <= 8), "%zu, about 6 expected", lost);
        add(file, W * H, 14, N);
        picture_file_close(file);
        picture_file_close(reopen(N, N, 0, 0));
    }
    write_pictures(end);        /* zeros in the place of the last four pictures, and beyond */
    overwrite(end[15], zeros, sizeof zeros);
    picture_file_close(reopen(16, N, (sizeof zeros + end[15] / 16) / (end[15] / 16), sizeof zeros));
    write_pictures(end);        /* zeros within one picture */
    overwrite(end[9] + 100, zeros, 200);
    picture_file_close(reopen(10, 11, 1, end[10] - end[9]));
    unlink(path);
}
END_TEST

START_TEST(a_cleared_file_begins_anew)
{
    uint64_t ends[N + 1];
    struct stat st;
    struct picture_file *file = open_file(W, H, true, 1 << 30);
    ck_assert_int_eq(picture_file_clear(file, &err), 0);
    picture_file_close(file);
    write_pictures(ends + 1);
    file = open_file(W, H, true, 1 << 30);
    ck_assert_int_eq(picture_file_clear(file, &err), 0);
    ck_assert_uint_eq(picture_file_count(file), 0);
    ck_assert(stat(path, &st) == 0 && (uint64_t)st.st_size == ends[0]);
    add(file, W * H, 0, N);
    picture_file_close(file);
    picture_file_close(reopen(N, N, 0, 0));
    ck_assert(stat(path, &st) == 0 && (uint64_t)st.st_size == ends[N]);
    unlink(path);
}
END_TEST

/* A picture that is damaged after opening is an error when it is read. The error names the file. */
START_TEST(damage_after_opening)
{
    uint64_t ends[N + 1];
    uint8_t pixels[W * H];
    write_pictures(ends + 1);
    struct picture_file *file = open_file(W, H, true, 1 << 30);
    overwrite(ends[7] + 40, "damage", 6);
    ck_assert_int_eq(picture_file_read(file, 6, pixels, &err), 0);
    ck_assert_int_eq(picture_file_read(file, 7, pixels, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "picture 7 is damaged"));
    ck_assert_int_eq(picture_file_read(file, 8, pixels, &err), 0);
    picture_file_close(file);
    unlink(path);
}
END_TEST

START_TEST(what_was_added_is_synced)
{
    struct picture_file_options options = {.width = W, .height = H, .fps = 10, .max_bytes = 1 << 20, .keep = true};
    static const int64_t every[] = {0, 1, INT64_C(3600000000)};
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        struct picture_file *file;
        options.sync_us = every[i];
        data_syncs = folder_syncs = 0;
        ck_assert_int_eq(picture_file_open(&file, path, &options, &err), 0);
        ck_assert(data_syncs == 1 && folder_syncs == 1);        /* the header and the file's name are synced */
        for (size_t k = 0; k < 10; k++) {
            usleep(2);
            add(file, W * H, k, k + 1);
        }
        ck_assert_int_eq(data_syncs - 1, every[i] == 1 ? 9 : 0);        /* before the first picture there is nothing to sync */
        int before = data_syncs;
        ck_assert_int_eq(picture_file_sync(file, &err), 0);
        ck_assert_int_eq(picture_file_sync(file, &err), 0);
        ck_assert_int_eq(data_syncs, before + 1);
        picture_file_close(file);
        unlink(path);
    }
    options.keep = false;               /* a file without a name is not synced */
    struct picture_file *file = open_file(W, H, false, 1 << 20);
    data_syncs = folder_syncs = 0;
    add(file, W * H, 0, 10);
    picture_file_close(file);
    ck_assert(data_syncs == 0 && folder_syncs == 0);
}
END_TEST

START_TEST(a_sync_that_fails)
{
    struct picture_file_options options = {.width = W, .height = H, .fps = 10, .max_bytes = 1 << 20, .keep = true, .sync_us = 1};
    struct picture_file *file;
    uint8_t pixels[W * H] = {0};
    ck_assert_int_eq(picture_file_open(&file, path, &options, &err), 0);
    add(file, W * H, 0, 3);
    usleep(2);
    disk_fails = true;
    ck_assert_int_eq(picture_file_add(file, pixels, 4, 0, &err), -EIO);
    disk_fails = false;
    ck_assert_ptr_nonnull(strstr(err.text, "cannot be written to the disk"));
    ck_assert_uint_eq(picture_file_count(file), 3);
    add(file, W * H, 3, 6);
    picture_file_close(file);
    file = open_file(W, H, true, 1 << 30);
    check(file, W * H, 6);
    picture_file_close(file);
    unlink(path);
}
END_TEST


START_TEST(the_size_of_what_is_there)
{
    int w = 7, h = 7;
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), 0);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), 0);
    unlink(path);
    struct picture_file *file = open_file(48, 32, true, 1 << 30);
    ck_assert(w == 7 && h == 7);
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), 1);        /* while it is open, too */
    ck_assert(w == 48 && h == 32);
    picture_file_close(file);
    close(fd);

    fd = open(path, O_RDWR);
    static const int32_t sides[] = {0, -1, 8193, INT32_MAX};
    for (size_t i = 0; i < 2 * sizeof sides / sizeof sides[0]; i++) {
        const int32_t good[2] = {48, 32};
        int32_t bad[2] = {48, 32};
        bad[i % 2] = sides[i / 2];
        ck_assert_int_eq(pwrite(fd, bad, sizeof bad, 16), sizeof bad);
        ck_assert_int_eq(picture_file_size(path, &w, &h, &err), -EINVAL);
        ck_assert_int_eq(pwrite(fd, good, sizeof good, 16), sizeof good);
    }
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), 1);
    ck_assert_int_eq(ftruncate(fd, 20), 0);
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), -EINVAL);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, "a text that is longer than a header would be\n", 46, 0), 46);
    ck_assert_int_eq(picture_file_size(path, &w, &h, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    close(fd);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_lt(picture_file_size(path, &w, &h, &err), 0);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert(w == 48 && h == 32);
}
END_TEST

START_TEST(disk_is_bounded)
{
    struct picture_file *file = open_file(32, 32, false, 10000);
    uint8_t pixels[32 * 32];
    size_t i = 0;
    for (;; i++) {
        picture(pixels, sizeof pixels, 0);
        int r = picture_file_add(file, pixels, 1, 0, &err);
        if (r < 0) {
            ck_assert_int_eq(r, -EFBIG);
            break;
        }
    }
    ck_assert(i > 3 && i == picture_file_count(file) && picture_file_bytes(file) <= 10000);
    picture_file_close(file);
}
END_TEST

/* Neither kind of file is written through a link or over another file. A pipe in its place does not block. */
START_TEST(through_no_link)
{
    char target[160];
    struct picture_file *file;
    struct picture_file_options options = {.width = 32, .height = 32, .fps = 10, .max_bytes = 1 << 20, .keep = true};
    int width, height;
    snprintf(target, sizeof target, "%s.target", path);
    FILE *f = fopen(target, "w");
    ck_assert(f && fputs("mine", f) >= 0 && fclose(f) == 0);
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(picture_file_open(&file, path, &options, &err), -ELOOP);
    ck_assert_ptr_nonnull(strstr(err.text, "expected a file, got a symbolic link"));
    ck_assert_int_eq(picture_file_size(path, &width, &height, &err), -ELOOP);
    options.keep = false;
    ck_assert_int_lt(picture_file_open(&file, path, &options, &err), 0);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    options.keep = true;
    ck_assert_int_eq(picture_file_open(&file, path, &options, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "expected a regular file"));
    unlink(path);
    ck_assert_int_eq(rename(target, path), 0);
    options.keep = false;
    ck_assert_int_eq(picture_file_open(&file, path, &options, &err), 0);
    picture_file_close(file);
    char text[8] = "";
    f = fopen(path, "r");
    ck_assert(f && fgets(text, sizeof text, f) && fclose(f) == 0);
    ck_assert_str_eq(text, "mine");
}
END_TEST

static void *read_all(void *arg)
{
    uint8_t expected[W * H], found[W * H];
    for (size_t k = 0; k < 300; k++) {
        picture(expected, W * H, k % 40);
        struct error e;
        if (picture_file_read(arg, k % 40, found, &e) < 0 || memcmp(found, expected, W * H) != 0)
            return arg;
    }
    return NULL;
}

START_TEST(many_read_at_once)
{
    struct picture_file *file = open_file(48, 32, false, 1 << 30);
    pthread_t threads[4];
    add(file, 48 * 32, 0, 40);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, file), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    picture_file_close(file);
}
END_TEST

int main(void)
{
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    Suite *suite = suite_create("picture_file");
    TCase *tc = tcase_create("picture_file");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, bit_for_bit);
    tcase_add_test(tc, a_cut_file_goes_on);
    tcase_add_test(tc, a_damaged_picture_is_left_out);
    tcase_add_test(tc, a_damaged_end_is_cut);
    tcase_add_test(tc, a_cleared_file_begins_anew);
    tcase_add_test(tc, damage_after_opening);
    tcase_add_test(tc, what_was_added_is_synced);
    tcase_add_test(tc, a_sync_that_fails);
    tcase_add_test(tc, the_size_of_what_is_there);
    tcase_add_test(tc, disk_is_bounded);
    tcase_add_test(tc, through_no_link);
    tcase_add_test(tc, many_read_at_once);
    suite_add_tcase(suite, tc);
    int failed = suite_run(suite);
    unlink(path);
    return failed;
}
