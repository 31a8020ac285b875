#include "io/footage/labels.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int load(struct labels *ret, const char *text, struct error *err)
{
    return labels_load_memory(ret, text, strlen(text), "L", err);
}

START_TEST(reads_clips)
{
    struct labels labels;

    ck_assert_int_eq(load(&labels, "01 0 1 1\n\n  b.c\t1  0 \r\n02 0", NULL), 0);
    ck_assert_uint_eq(labels.n, 3);
    ck_assert_str_eq(labels.clips[0].name, "01");
    ck_assert_uint_eq(labels.clips[0].n, 3);
    ck_assert(!memcmp(labels.clips[0].labels, "\0\1\1", 3));
    ck_assert_str_eq(labels.clips[1].name, "b.c");
    ck_assert_int_eq(labels.clips[1].line, 3);
    ck_assert(labels.clips[1].n == 2 && !memcmp(labels.clips[1].labels, "\1\0", 2));
    ck_assert(labels.clips[2].n == 1 && labels.clips[2].labels[0] == 0);
    labels_clear(&labels);
    ck_assert_ptr_null(labels.clips);
}
END_TEST

static const struct {
    const char *text, *place;
} faults[] = {
    {"", "L: expected one line per clip"},
    {"\n \n", "L: expected one line per clip"},
    {"01 0 2\n", "L:1:6: expected 0 or 1"},
    {"01 0\n02 0 01 1\n", "L:2:7: expected 0 or 1"},
    {"01 0 x", "L:1:6: expected 0 or 1"},
    {"01\n", "L:1:3: expected 0 or 1 per frame after"},
    {"01 \n", "L:1:4: expected 0 or 1 per frame after"},
    {"01", "L:1:3: expected 0 or 1 per frame after"},
    {"01 0\n../x 0\n", "L:2:3: expected a clip's name without"},
    {".. 0\n", "L:1:1: expected a clip's name, got"},
    {"01 0\n02 1\n01 1\n", "L:3: clip 01 is given twice, first in line 1"},
    {"01 0 \r 1\n", "L:1:6: expected 0 or 1"},
};

START_TEST(names_the_place_of_a_fault)
{
    struct labels labels = {.n = 77};
    struct error err;

    ck_assert_int_eq(load(&labels, faults[_i].text, &err), -EINVAL);
    ck_assert_msg(strncmp(err.text, faults[_i].place, strlen(faults[_i].place)) == 0, "got '%s', wanted '%s…'", err.text,
                  faults[_i].place);
    ck_assert_uint_eq(labels.n, 77);
}
END_TEST

START_TEST(a_zero_byte_is_a_fault)
{
    struct labels labels;
    struct error err;

    ck_assert_int_eq(labels_load_memory(&labels, "a 0\0 1", 6, "L", &err), -EINVAL);
    ck_assert_int_eq(labels_load_memory(&labels, "a\0b 1", 5, "L", &err), -EINVAL);
    ck_assert_str_eq(err.text, "L:1:2: expected a clip's name without folders");
}
END_TEST

START_TEST(reads_a_file)
{
    char path[] = "/tmp/memaed-labels-XXXXXX";
    struct labels labels;
    struct error err;
    FILE *file;
    enum { N = 100000 };        /* more bytes than one read takes */

    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    file = fdopen(fd, "w");
    fputs("long", file);
    for (int i = 0; i < N; i++)
        fputs(i % 3 ? " 0" : " 1", file);
    fclose(file);
    ck_assert_int_eq(labels_load(&labels, path, &err), 0);
    ck_assert_uint_eq(labels.clips[0].n, N);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(labels.clips[0].labels[i], i % 3 == 0);
    labels_clear(&labels);
    remove(path);
    ck_assert_int_eq(labels_load(&labels, path, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_int_eq(labels_load(&labels, "/tmp", &err), -EISDIR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("labels");
    TCase *tests = tcase_create("labels");
    tcase_add_test(tests, reads_clips);
    tcase_add_loop_test(tests, names_the_place_of_a_fault, 0, (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(tests, a_zero_byte_is_a_fault);
    tcase_add_test(tests, reads_a_file);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
