/* daemon/watch/store/state_folder: the folder is created, one memaed uses it at a time, and faults name path and cause. */
#include "daemon/watch/store/state_folder.h"

#include <errno.h>
#include <unistd.h>

#include "tests/io/database/state_folder.h"

START_TEST(one_folder_one_daemon)
{
    char deep[128], text[256];
    snprintf(deep, sizeof deep, "%s/a/b", folder);
    ck_assert_int_eq(state_folder_check(deep, &err), 0);
    int fd = state_folder_open(deep, &err);
    must(fd);
    ck_assert_int_eq(state_folder_open(deep, &err), -EBUSY);
    snprintf(text, sizeof text, "state_dir: %s: another memaed uses this folder; stop it, or give each a state_dir of its own",
             deep);
    ck_assert_str_eq(err.text, text);
    close(fd);
    fd = state_folder_open(deep, &err);
    must(fd);
    close(fd);
    ck_assert_int_eq(state_folder_check("/proc/none", &err), geteuid() == 0 ? 0 : -EACCES);
    ck_assert_int_lt(state_folder_open("/proc/none", &err), 0);
    ck_assert_int_eq(state_folder_check("/etc/passwd/x", &err), -ENOTDIR);
    ck_assert_int_eq(state_folder_open("/etc/passwd/x", &err), -ENOTDIR);
    ck_assert_ptr_nonnull(strstr(err.text, "state_dir: /etc/passwd/x: Not a directory"));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("state folder");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, one_folder_one_daemon);
    Suite *suite = suite_create("state folder");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
