#include "io/base/new_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The temporary name is PATH.XXXXXXXXXXXXXXXX.part, with 16 hexadecimal digits. */
#define ENDING ".part"
enum { DIGITS = 16, ADDED = 1 + DIGITS + sizeof ENDING - 1 };

static int failed(const char *path, int r, struct error *err)
{
    return error_set(err, r, "%s: %s", path, strerror(-r));
}

/* Checks that nothing is at the path, or a regular file, whose permissions the new file then takes over. */
static int check_place(struct new_file *file, struct error *err)
{
    struct stat st;
    if (lstat(file->path, &st) < 0)
        return errno == ENOENT ? 0 : failed(file->path, -errno, err);
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "%s: expected a file, got a folder", file->path);
    if (S_ISLNK(st.st_mode))
        return error_set(err, -EEXIST, "%s: expected a file, got a symbolic link; name the file that it leads to", file->path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EEXIST, "%s: expected a regular file, got a device, a pipe or a socket", file->path);
    file->replaces = true;
    file->mode = st.st_mode & 0777;
    return 0;
}

static bool is_left_over(const char *name, const char *base)
{
    size_t n = strlen(base);
    return strlen(name) == n + ADDED && strncmp(name, base, n) == 0 && name[n] == '.' &&
           strspn(name + n + 1, "0123456789abcdef") == DIGITS && strcmp(name + n + 1 + DIGITS, ENDING) == 0;
}

/* Removes the files that killed runs left. A file that cannot be removed stays, and that is no failure. */
static void remove_left_overs(const char *path)
{
    char folder[PATH_MAX], copy[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(copy, sizeof copy, "%s", path);
    const char *base = basename(copy);
    DIR *dir = opendir(dirname(folder));
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!is_left_over(e->d_name, base))
            continue;
        int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        closedir(dir);
}

int new_file_open(struct new_file *ret, const char *path, bool is_private, struct error *err)
{
    uint64_t random;
    if (strlen(path) + ADDED >= sizeof ret->temporary)
        return error_set(err, -ENAMETOOLONG, "%.200s…: %s", path, strerror(ENAMETOOLONG));
    snprintf(ret->path, sizeof ret->path, "%s", path);
    ret->replaces = false;
    int r = check_place(ret, err);
    if (r < 0)
        return r;
    remove_left_overs(path);
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return failed(path, -errno, err);
    snprintf(ret->temporary, sizeof ret->temporary, "%s.%016" PRIx64 ENDING, path, random);
    ret->fd = open(ret->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, is_private ? 0600 : 0666);
    if (ret->fd < 0)
        return failed(path, -errno, err);
    flock(ret->fd, LOCK_EX | LOCK_NB);      /* on a file system without locks, left-over files stay */
    return 0;
}

int new_file_write(struct new_file *file, const void *data, size_t size, struct error *err)
{
    for (const char *p = data; size > 0;) {
        ssize_t n = write(file->fd, p, size < (1u << 30) ? size : (1u << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(file->path, -errno, err);
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

void new_file_sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

int new_file_commit(struct new_file *file, struct error *err)
{
    int r = (file->replaces && fchmod(file->fd, file->mode) < 0) || fsync(file->fd) < 0 ? -errno : 0;
    r = r < 0 ? failed(file->path, r, err) : check_place(file, err);    /* what is there may have changed since */
    if (r == 0 && rename(file->temporary, file->path) < 0)
        r = failed(file->path, -errno, err);
    if (r < 0) {
        new_file_abandon(file);
        return r;
    }
    close(file->fd);
    new_file_sync_folder(file->path);
    return 0;
}

void new_file_abandon(struct new_file *file)
{
    unlink(file->temporary);
    close(file->fd);
}

int new_file_check(const char *path, struct error *err)
{
    struct new_file file;
    int r = new_file_open(&file, path, true, err);
    if (r == 0)
        new_file_abandon(&file);
    return r;
}
