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

int place_create(const char *state_dir, const struct place *place, const char *name, char path[PLACE_PATH_SIZE],
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
    int r = fd;
    if (fd >= 0) {
        r = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (r < 0)
            r = -errno;
        close(fd);
    }
    return r < 0 ? error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r)) : r;
}
