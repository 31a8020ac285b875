/* io/base/beneath: files of a folder can be opened, but no path and no link leads out of it, with openat2() and without. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/beneath.h"
#include "tests/suite.h"

static char folder[] = "/tmp/memaed-beneath-XXXXXX";

static void make(const char *name, const char *target)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!target) {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
    } else if (*target) {
        ck_assert_int_eq(symlink(target, path), 0);
    } else {
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    make("root", "");
    make("root/a", "");
    make("root/a/b", "");
    make("root/a/b/file", NULL);
    make("outside", NULL);
    make("root/out", "../outside");
    make("root/up", "..");
    make("root/passwd", "/etc/passwd");
    make("root/inner", "a/b/file");
    make("root/a/there", "b");
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(paths)
{
    static const struct { const char *path; int r; } cases[] = {
        {"a/b/file", 0}, {"a/b", 0}, {"a", 0}, {"a/b/none", -ENOENT}, {"none/file", -ENOENT}, {"a/b/file/x", -ENOTDIR},
        {"", -EINVAL}, {"/", -EINVAL}, {"/etc/passwd", -EINVAL}, {"..", -EINVAL}, {"../outside", -EINVAL},
        {"a/../../outside", -EINVAL},
        {".", -EINVAL}, {"a/./b", -EINVAL}, {"a//b", -EINVAL}, {"a/", -EINVAL}, {"a/..", -EINVAL},
        {"out", -ELOOP}, {"passwd", -ELOOP}, {"inner", -ELOOP}, {"up/outside", -ELOOP}, {"a/there/file", -ELOOP},
    };
    char path[128];
    snprintf(path, sizeof path, "%s/root", folder);
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int stepwise = 0; stepwise < 2; stepwise++) {
            int r = (stepwise ? beneath_open_stepwise : beneath_open)(root, cases[i].path, O_RDONLY);
            /* Without openat2() a link within a path counts as something that is no folder. */
            bool same = r == cases[i].r || (cases[i].r == 0 && r >= 0) || (stepwise && cases[i].r == -ELOOP && r == -ENOTDIR);
            ck_assert_msg(same, "%s, %d: %d", cases[i].path, stepwise, r);
            if (r >= 0) {
                ck_assert_int_eq(fcntl(r, F_GETFD), FD_CLOEXEC);
                close(r);
            }
        }
    close(root);
    char name[300];
    memset(name, 'x', sizeof name);
    name[299] = '\0';
    ck_assert_int_eq(beneath_open(AT_FDCWD, name, O_RDONLY), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("beneath");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, paths);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
