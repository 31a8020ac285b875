/* A new file is there complete or not at all, and nothing but a regular file is replaced. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/base/new_file.h"
#include "tests/folder.h"
#include "tests/suite.h"

static char path[96];

static void setup(void)
{
    make_folder();
    snprintf(path, sizeof path, "%s/place", folder);
}

static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void check_text(const char *text)
{
    char found[64] = "";
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(found, 1, sizeof found - 1, f), strlen(text));
    fclose(f);
    ck_assert_str_eq(found, text);
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    ck_assert_int_eq(lstat(name, &st), 0);
    return st.st_mode & 0777;
}

static int write_text(const char *text, bool is_private)
{
    struct new_file file;
    int r = new_file_open(&file, path, is_private, &err);
    if (r < 0)
        return r;
    ck_assert_int_eq(new_file_write(&file, text, strlen(text), &err), 0);
    return new_file_commit(&file, &err);
}

START_TEST(complete_or_not_at_all)
{
    struct new_file file;
    umask(022);
    ck_assert_int_eq(new_file_open(&file, path, true, &err), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(mode_of(file.temporary), 0600);
    ck_assert_int_eq(new_file_write(&file, "one", 3, &err), 0);
    ck_assert_int_eq(new_file_write(&file, NULL, 1, &err), -EFAULT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    new_file_abandon(&file);
    ck_assert_int_eq(count_files(), 0);

    ck_assert_int_eq(write_text("one", true), 0);
    check_text("one");
    ck_assert_int_eq(mode_of(path), 0600);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(write_text("two", true), 0);       /* the new file gets the old one's permissions */
    check_text("two");
    ck_assert_int_eq(mode_of(path), 0640);
    ck_assert_int_eq(count_files(), 1);
    unlink(path);
    ck_assert_int_eq(write_text("three", false), 0);
    ck_assert_int_eq(mode_of(path), 0644);
}
END_TEST

/* A link, a folder, a pipe or a device at the place stays as it is, and so does the file that a link leads to. */
START_TEST(replaces_regular_files_only)
{
    char target[96];
    snprintf(target, sizeof target, "%s/target", folder);
    close(open(target, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(write_text("x", true), -EEXIST);
    ck_assert_ptr_nonnull(strstr(err.text, "place: expected a file, got a symbolic link"));
    unlink(path);
    ck_assert_int_eq(symlink("none", path), 0);
    ck_assert_int_eq(new_file_check(path, &err), -EEXIST);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(new_file_check(path, &err), -EISDIR);
    ck_assert_ptr_nonnull(strstr(err.text, "place: expected a file, got a folder"));
    rmdir(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(new_file_check(path, &err), -EEXIST);
    ck_assert_ptr_nonnull(strstr(err.text, "place: expected a regular file"));
    unlink(path);
    ck_assert_int_eq(new_file_check("/dev/null", &err), -EEXIST);
    struct stat st;
    ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    ck_assert(stat(target, &st) == 0 && st.st_size == 0);
    char beneath[128], long_name[PATH_MAX];
    snprintf(beneath, sizeof beneath, "%s/none/x", folder);
    ck_assert_int_eq(new_file_check(beneath, &err), -ENOENT);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    ck_assert_int_eq(new_file_check(long_name, &err), -ENAMETOOLONG);
    ck_assert_int_eq(count_files(), 1);

    struct new_file file;                       /* a link appears while the file is written */
    ck_assert_int_eq(new_file_open(&file, path, true, &err), 0);
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(new_file_commit(&file, &err), -EEXIST);
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

/* A killed process leaves its temporary file, and the next process removes it. It removes neither the temporary file of a process
 * that lives, nor files with other names. */
START_TEST(removes_what_was_left)
{
    struct new_file living;
    char other[2][128];
    snprintf(other[0], sizeof other[0], "%s.0123456789abcdef.party", path);
    snprintf(other[1], sizeof other[1], "%s/another.0123456789abcdef.part", folder);
    for (int i = 0; i < 2; i++)
        close(open(other[i], O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(new_file_open(&living, path, true, &err), 0);
    pid_t child = fork();
    if (child == 0) {
        struct new_file file;
        _exit(new_file_open(&file, path, true, NULL) == 0 && raise(SIGKILL) == 0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(count_files(), 4);
    ck_assert_int_eq(write_text("x", true), 0);
    ck_assert_int_eq(count_files(), 4);         /* the file itself, that of the living process, two others */
    ck_assert_int_eq(new_file_commit(&living, &err), 0);
    ck_assert_int_eq(count_files(), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("new_file");
    TCase *tcase = tcase_create("new_file");
    tcase_add_checked_fixture(tcase, setup, delete_folder);
    tcase_add_test(tcase, complete_or_not_at_all);
    tcase_add_test(tcase, replaces_regular_files_only);
    tcase_add_test(tcase, removes_what_was_left);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
