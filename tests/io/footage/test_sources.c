/* An input is one source, or a folder each of whose files is one. Some files are skipped, and some folders are refused. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/footage/sources.h"
#include "tests/suite.h"

static char folder[64], taken[512], told[512];
static bool may_skip;

static void setup(void)
{
    strcpy(folder, "/tmp/memaed-sources-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    taken[0] = told[0] = '\0';
    may_skip = true;
}

static void teardown(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* Files whose names begin with "bad" are not footage. "full" stands for a failure that has nothing to do with the file. */
static int each(void *arg, const char *path, struct error *err)
{
    const char *name = strrchr(path, '/') + 1;
    ck_assert_ptr_eq(arg, taken);
    if (strncmp(name, "bad", 3) == 0)
        return error_set(err, -EINVAL, "%s: bad", name);
    if (strncmp(name, "full", 4) == 0) {
        may_skip = false;
        return error_set(err, -ENOSPC, "%s: full", name);
    }
    strcat(strcat(taken, name), " ");
    return 0;
}

static bool skips(void *arg, const char *reason)
{
    ck_assert_ptr_eq(arg, taken);
    if (may_skip)
        strcat(strcat(told, reason), "; ");
    return may_skip;
}

static int run(const char *input, struct error *err)
{
    return sources_each(input, &(struct sources_user){each, skips, taken}, err);
}

START_TEST(one_source)
{
    struct error err = {""};
    ck_assert_int_eq(run("/none/such.mkv", &err), 0);
    ck_assert_str_eq(taken, "such.mkv ");
    ck_assert_int_eq(run("/none/bad.mkv", &err), -EINVAL);      /* outside a folder, no file is skipped */
    ck_assert_str_eq(told, "");
    ck_assert_int_eq(run("rtsp://u:p@h/x", &err), -EINVAL);
    ck_assert_str_eq(err.text, "rtsp://***@h/x: a live stream has no end; record it to a file first");
}
END_TEST

START_TEST(folders)
{
    struct error err = {""};
    char expected[256], link[128];
    ck_assert_int_eq(run(folder, &err), -ENOENT);
    put(".hidden.mkv");
    put("bad.mkv");
    ck_assert_int_eq(run(folder, &err), -ENODATA);
    ck_assert_ptr_nonnull(strstr(err.text, "none of the 1 files in this folder is footage"));
    put("b.jpg");                               /* pictures beside files that are no films are one sequence */
    put("a.png");
    ck_assert_int_eq(run(folder, &err), 0);
    ck_assert_str_eq(taken, strcat(strcpy(expected, strrchr(folder, '/') + 1), " "));
    taken[0] = told[0] = '\0';
    put("z.mkv");
    put("c.mkv");
    snprintf(link, sizeof link, "%s/y.mkv", folder);
    ck_assert_int_eq(symlink("none", link), 0);
    ck_assert_int_eq(run(folder, &err), 0);
    ck_assert_str_eq(taken, "c.mkv z.mkv ");
    snprintf(expected, sizeof expected, "bad.mkv: bad; %s: 2 pictures beside films, from a.png to b.jpg; ", folder);
    ck_assert_str_eq(told, expected);
    may_skip = false;
    ck_assert_int_eq(run(folder, &err), -EINVAL);
    ck_assert_str_eq(err.text, "bad.mkv: bad");
    snprintf(link, sizeof link, "%s/bad.mkv", folder);
    unlink(link);
    ck_assert_int_eq(run(folder, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "expected films or pictures, got 2 films and 2 pictures"));
    may_skip = true;
    put("full.mkv");
    taken[0] = '\0';
    ck_assert_int_eq(run(folder, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "full.mkv: full");
    ck_assert_str_eq(taken, "c.mkv ");          /* no file is taken after the failure */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sources");
    TCase *tcase = tcase_create("sources");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_source);
    tcase_add_test(tcase, folders);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
