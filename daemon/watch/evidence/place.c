#include "daemon/watch/evidence/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Retention may delete a folder that is empty between two steps; then all is made again, so many times. */
enum { ATTEMPTS = 5 };

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

/* Makes the folders below state_dir, and the file. A descriptor or -errno. */
static int create(const char *state_dir, const char *const *folders, size_t n, const char *name)
{
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = enter(r, folders[i]);
    if (r < 0)
        return r;
    int folder = r;
    r = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (r < 0)
        r = -errno;
    else
        flock(r, LOCK_EX | LOCK_NB);
    close(folder);
    return r;
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
    const char *const folders[] = {"evidence", place->camera, date, alert};
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < ATTEMPTS; i++)
        r = create(state_dir, folders, sizeof folders / sizeof *folders, name);
    return r < 0 ? error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r)) : r;
}
