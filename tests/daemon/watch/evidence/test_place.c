/* daemon/watch/evidence/place: where a file of an alert is written, and how it is found and read again. */
#include "daemon/watch/evidence/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/folder.h"
#include "tests/suite.h"

#define DAY_US INT64_C(86400000000)

/* It opened at 1970-07-19T23:59:59.999999Z. */
static const struct place gate = {.camera = "gate", .opened_us = 200 * DAY_US - 1, .alert = 300};

static void put(const char *name, const char *text)
{
    char path[PLACE_PATH_SIZE], expected[PLACE_PATH_SIZE];
    must(place_put(folder, &gate, name, text, strlen(text), path, &err));
    snprintf(expected, sizeof expected, "evidence/gate/1970-07-19/300/%s", name);
    ck_assert_str_eq(path, expected);
    must(place_path(path, &gate, name));
    ck_assert_str_eq(path, expected);
}

START_TEST(a_file_is_found_where_it_was_put)
{
    struct stat file;
    put("clip.mp4", "a clip");
    int fd = place_read(folder, &gate, "clip.mp4"), there = place_open(folder, &gate);
    ck_assert(fd >= 0 && fstat(fd, &file) == 0 && file.st_size == 6 && (file.st_mode & 0777) == 0600);
    ck_assert(there >= 0 && faccessat(there, "clip.mp4", F_OK, 0) == 0);
    close(fd);
    close(there);
    ck_assert_int_eq(place_read(folder, &gate, "clip.mkv"), -ENOENT);
    ck_assert_int_eq(place_open(folder, &(struct place){.camera = "gate", .opened_us = gate.opened_us, .alert = 301}), -ENOENT);
    ck_assert_int_eq(place_open(folder, &(struct place){.camera = "gate", .opened_us = 200 * DAY_US, .alert = 300}), -ENOENT);
    ck_assert_int_eq(place_open("/nowhere/at/all", &gate), -ENOENT);
}
END_TEST

START_TEST(a_file_is_read_up_to_a_size)
{
    static char none;
    void *data = &none;
    size_t size;
    put("snapshot.jpg", "a picture");
    must(place_get(folder, &gate, "snapshot.jpg", 8, &data, &size));
    ck_assert(size == 9 && data == &none);              /* the file is too large: only its size is told */
    must(place_get(folder, &gate, "snapshot.jpg", 9, NULL, &size));
    ck_assert_uint_eq(size, 9);
    must(place_get(folder, &gate, "snapshot.jpg", 9, &data, &size));
    ck_assert(size == 9 && memcmp(data, "a picture", 9) == 0);
    free(data);
    ck_assert_int_eq(place_get(folder, &gate, "why.jpg", 9, &data, &size), -ENOENT);
}
END_TEST

/* The process that wrote a clip may keep a descriptor a moment longer. The file is unlocked all the same. */
START_TEST(a_closed_file_is_not_locked)
{
    struct place_file file;
    must(place_create(&file, folder, &gate, "clip.mp4", &err));
    char path[32];
    int copy = dup(file.fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    int other = open(path, O_RDONLY);               /* it is opened anew, so it has locks of its own */
    ck_assert(copy >= 0 && other >= 0);
    ck_assert(flock(other, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    must(place_publish(&file, &err));
    place_close(&file);
    ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), 0);
    close(copy);
    close(other);
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
    put("clip.mp4", "a clip");
    shell("echo secret > outside && cd evidence/gate/1970-07-19/300 && mkfifo why.jpg && mkdir copy.mp4 && "
          "ln -s ../../../../outside snapshot.jpg");
    ck_assert_int_eq(place_read(folder, &gate, "why.jpg"), -EINVAL);
    ck_assert_int_eq(place_read(folder, &gate, "copy.mp4"), -EINVAL);
    ck_assert_int_eq(place_read(folder, &gate, "snapshot.jpg"), -ELOOP);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("place");
    tcase_add_checked_fixture(tcase, make_folder, delete_folder);
    tcase_add_test(tcase, a_file_is_found_where_it_was_put);
    tcase_add_test(tcase, a_file_is_read_up_to_a_size);
    tcase_add_test(tcase, a_closed_file_is_not_locked);
    tcase_add_test(tcase, what_is_no_file_is_not_read);
    Suite *suite = suite_create("place");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
