#include "daemon/watch/store/state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Creates each folder of the path that is missing. */
static int create(const char *path, struct error *err)
{
    char text[PATH_MAX];
    if (snprintf(text, sizeof text, "%s", path) >= (int)sizeof text)
        return error_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
    for (char *at = text + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(text, 0700) < 0 && errno != EEXIST)
            return error_set(err, -errno, "%s: cannot create this folder: %s", text, strerror(errno));
        *at = end;
        if (end == '\0')
            return 0;
    }
}

int state_folder_open(const char *path, struct error *err)
{
    struct error own;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    if (fd < 0 && errno == ENOENT) {
        r = create(path, &own);
        fd = r == 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    }
    if (r == 0 && fd < 0)
        r = error_set(&own, -errno, "%s: %s", path, strerror(errno));
    if (r == 0 && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        r = error_set(&own, -errno, "%s: cannot write to this folder: %s", path, strerror(errno));
    if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? error_set(&own, -EBUSY, "%s: another memaed uses this folder; stop it, or give each a "
                                             "state_dir of its own", path)
                                 : error_set(&own, -errno, "%s: cannot lock this folder: %s", path, strerror(errno));
    if (r == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return error_set(err, r, "state_dir: %s", own.text);
}

/* The nearest folder above the path that is there. */
static void go_up(char path[PATH_MAX])
{
    while (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            snprintf(path, PATH_MAX, slash ? "/" : ".");
            return;
        }
        *slash = '\0';
    }
}

int state_folder_check(const char *path, struct error *err)
{
    char there[PATH_MAX];
    struct stat file;
    if (snprintf(there, sizeof there, "%s", path) >= (int)sizeof there)
        return error_set(err, -ENAMETOOLONG, "the path is too long");
    go_up(there);
    if (stat(there, &file) < 0)
        return error_set(err, -errno, "%s: %s", there, strerror(errno));
    if (!S_ISDIR(file.st_mode))
        return error_set(err, -ENOTDIR, "%s: %s", there, strerror(ENOTDIR));
    if (faccessat(AT_FDCWD, there, W_OK | X_OK, AT_EACCESS) < 0)
        return error_set(err, -errno, "%s: cannot write to this folder: %s", there, strerror(errno));
    return 0;
}
