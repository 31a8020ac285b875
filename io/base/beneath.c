#include "io/base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_plain(const char *path)
{
    for (;;) {
        size_t n = strcspn(path, "/");
        if (n == 0 || n > NAME_MAX || (n <= 2 && strncmp(path, "..", n) == 0))
            return false;
        if (path[n] == '\0')
            return true;
        path += n + 1;
    }
}

int beneath_open_stepwise(int folder_fd, const char *path, int flags)
{
    if (!is_plain(path))
        return -EINVAL;
    int at = folder_fd;
    for (;;) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(path, "/");
        bool last = path[n] == '\0';
        memcpy(name, path, n);
        name[n] = '\0';
        int fd = openat(at, name, (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : fd;
        if (at != folder_fd)
            close(at);
        if (r < 0 || last)
            return r;
        at = fd;
        path += n + 1;
    }
}

int beneath_open(int folder_fd, const char *path, int flags)
{
    if (!is_plain(path))
        return -EINVAL;
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
    if (fd >= 0)
        return (int)fd;
    /* The kernel is old, a filter forbids the call, or a folder was renamed meanwhile. */
    if (errno == ENOSYS || errno == EPERM || errno == EAGAIN)
        return beneath_open_stepwise(folder_fd, path, flags);
    return -errno;
}
