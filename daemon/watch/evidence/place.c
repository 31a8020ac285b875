#include "daemon/watch/evidence/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Opens a folder of `in`, which it closes; it makes the folder if there is none. -errno on failure. */
static int enter(int in, const char *name)
{
    int fd = -1, r = mkdirat(in, name, 0700) < 0 && errno != EEXIST ? -errno : 0;
    if (r == 0) {
        fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
    }
    close(in);
    return r < 0 ? r : fd;
}

/* Opens the alert's folder, and makes those that are missing. Writes the path of the file below state_dir. */
static int enter_place(const char *state_dir, const struct place *place, const char *name, char path[PLACE_PATH_SIZE],
                       struct error *err)
{
    char date[16], alert[24];
    time_t seconds = (time_t)(place->opened_us / 1000000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%d", &tm) == 0)
        return error_set(err, -EOVERFLOW, "the date of an alert is out of range");
    snprintf(alert, sizeof alert, "%llu", (unsigned long long)place->alert);
    snprintf(path, PLACE_PATH_SIZE, "evidence/%s/%s/%s/%s", place->camera, date, alert, name);

    if (mkdir(state_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "%s: %s", state_dir, strerror(errno));
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, -errno, "%s: %s", state_dir, strerror(errno));
    const char *const folders[] = {"evidence", place->camera, date, alert};
    for (size_t i = 0; fd >= 0 && i < sizeof folders / sizeof *folders; i++)
        fd = enter(fd, folders[i]);
    return fd < 0 ? error_set(err, fd, "%s/%s: %s", state_dir, path, strerror(-fd)) : fd;
}

static int create(int folder, const char *name)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

int place_create(const char *state_dir, const struct place *place, const char *name, char path[PLACE_PATH_SIZE],
                 struct error *err)
{
    int folder = enter_place(state_dir, place, name, path, err);
    if (folder < 0)
        return folder;
    int r = create(folder, name);
    close(folder);
    return r < 0 ? error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r)) : r;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return fdatasync(fd) < 0 ? -errno : 0;
}

int place_put(const char *state_dir, const struct place *place, const char *name, const void *data, size_t size,
              char path[PLACE_PATH_SIZE], struct error *err)
{
    char temporary[64];
    int folder = enter_place(state_dir, place, name, path, err);
    if (folder < 0)
        return folder;
    snprintf(temporary, sizeof temporary, ".%s", name);
    int fd = create(folder, temporary), r = fd;
    if (fd >= 0) {
        r = write_all(fd, data, size);
        close(fd);
        if (r == 0 && renameat2(folder, temporary, folder, name, RENAME_NOREPLACE) < 0)
            r = -errno;
        if (r < 0)
            unlinkat(folder, temporary, 0);
    }
    close(folder);
    return r < 0 ? error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r)) : 0;
}
