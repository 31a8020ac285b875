#include "daemon/watch/evidence/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/base/beneath.h"

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

/* Opens the alert's folder, and makes those that are missing. A descriptor or -errno. */
static int enter_folders(const char *state_dir, const char *const *folders, size_t n)
{
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = enter(r, folders[i]);
    return r;
}

/* Removes a file that nobody is writing: what a crash has left of it. */
static void remove_stale(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

/* Makes the file. A descriptor or -errno. */
static int create(int folder, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, name, flags, 0600);
    if (fd < 0 && errno == EEXIST && name[0] == '.') {
        remove_stale(folder, name);
        fd = openat(folder, name, flags, 0600);
    }
    if (fd < 0)
        return -errno;
    flock(fd, LOCK_EX | LOCK_NB);
    return fd;
}

/* Folders of the alert. */
struct names {
    char date[16], alert[24];
};

/* 0; -EOVERFLOW: the time has no date. */
static int names_of(struct names *ret, const struct place *place)
{
    time_t seconds = (time_t)(place->opened_us / 1000000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || strftime(ret->date, sizeof ret->date, "%Y-%m-%d", &tm) == 0)
        return -EOVERFLOW;
    snprintf(ret->alert, sizeof ret->alert, "%llu", (unsigned long long)place->alert);
    return 0;
}

/* Makes the file `name` in the alert's folder, which is in *folder then. path becomes that of `final` below state_dir. A descriptor
 * or -errno with the cause in err. */
static int create_in_place(const char *state_dir, const struct place *place, const char *name, const char *final,
                           char path[PLACE_PATH_SIZE], int *folder, struct error *err)
{
    struct names names;
    if (names_of(&names, place) < 0)
        return error_set(err, -EOVERFLOW, "the date of an alert is out of range");
    snprintf(path, PLACE_PATH_SIZE, "evidence/%s/%s/%s/%s", place->camera, names.date, names.alert, final);

    if (mkdir(state_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "%s: %s", state_dir, strerror(errno));
    const char *const folders[] = {"evidence", place->camera, names.date, names.alert};
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < ATTEMPTS; i++) {        /* retention may remove an empty folder in between */
        *folder = enter_folders(state_dir, folders, sizeof folders / sizeof *folders);
        r = *folder < 0 ? *folder : create(*folder, name);
        if (r < 0 && *folder >= 0)
            close(*folder);
    }
    return r < 0 ? error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r)) : r;
}

int place_create(const char *state_dir, const struct place *place, const char *name, char path[PLACE_PATH_SIZE],
                 struct error *err)
{
    int folder, r = create_in_place(state_dir, place, name, name, path, &folder, err);
    if (r >= 0)
        close(folder);
    return r;
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
    return 0;
}

int place_begin(const char *state_dir, const struct place *place, const char *name, struct place_file *ret, struct error *err)
{
    struct place_file file;
    snprintf(file.name, sizeof file.name, "%s", name);
    snprintf(file.temporary, sizeof file.temporary, ".%s", file.name);
    file.fd = create_in_place(state_dir, place, file.temporary, file.name, file.path, &file.folder, err);
    if (file.fd < 0)
        return file.fd;
    *ret = file;
    return 0;
}

static void close_file(struct place_file *file)
{
    close(file->fd);
    close(file->folder);
}

int place_keep(struct place_file *file, struct error *err)
{
    int r = fdatasync(file->fd) < 0 || renameat2(file->folder, file->temporary, file->folder, file->name, RENAME_NOREPLACE) < 0 ? -errno : 0;
    if (r < 0) {
        unlinkat(file->folder, file->temporary, 0);
        error_set(err, r, "%s: %s", file->path, strerror(-r));
    }
    close_file(file);
    return r;
}

void place_drop(struct place_file *file)
{
    unlinkat(file->folder, file->temporary, 0);
    close_file(file);
}

int place_read(const char *state_dir, const struct place *place, const char *name)
{
    struct names names;
    struct stat st;
    char path[PLACE_PATH_SIZE];
    if (names_of(&names, place) < 0)
        return -EOVERFLOW;
    snprintf(path, sizeof path, "evidence/%s/%s/%s/%s", place->camera, names.date, names.alert, name);
    int state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state_fd < 0)
        return -errno;
    int fd = beneath_open(state_fd, path, O_RDONLY | O_NONBLOCK);       /* a pipe would block */
    close(state_fd);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    return -ENOENT;
}

int place_put(const char *state_dir, const struct place *place, const char *name, const void *data, size_t size,
              char path[PLACE_PATH_SIZE], struct error *err)
{
    struct place_file file;
    int r = place_begin(state_dir, place, name, &file, err);
    if (r < 0)
        return r;
    memcpy(path, file.path, PLACE_PATH_SIZE);
    r = write_all(file.fd, data, size);
    if (r == 0)
        return place_keep(&file, err);
    place_drop(&file);
    return error_set(err, r, "%s/%s: %s", state_dir, path, strerror(-r));
}
