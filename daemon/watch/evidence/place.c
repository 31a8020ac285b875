#include "daemon/watch/evidence/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/base/beneath.h"

/* Retention may delete an empty folder, or a file that is not locked yet, between two steps. Then all is made again, this many
 * times at most. */
enum { ATTEMPTS = 5 };
enum { DATE_SIZE = 16 };

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

bool place_delete_leftover(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool gone = flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(folder, name, 0) == 0;
    close(fd);
    return gone;
}

/* Makes the hidden file and locks it. A descriptor or -errno; -ENOENT, too, where it is to be tried again: a leftover had the
 * name, or retention deleted the file as one before it was locked. */
static int create(int folder, const char *name)
{
    struct stat st;
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        int failed = errno;
        return failed == EEXIST && place_delete_leftover(folder, name) ? -ENOENT : -failed;
    }
    flock(fd, LOCK_EX);         /* waits an instant for a thread that deletes files */
    int r = fstat(fd, &st) < 0 ? -errno : st.st_nlink == 0 ? -ENOENT : 0;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static void hidden_name(char ret[40], const char *name)
{
    snprintf(ret, 40, ".%s", name);
}

/* The date on which the alert opened. 0 or -EOVERFLOW. */
static int format_date(char ret[DATE_SIZE], const struct place *place)
{
    time_t seconds = (time_t)(place->opened_us / 1000000);
    struct tm tm;
    return gmtime_r(&seconds, &tm) && strftime(ret, DATE_SIZE, "%Y-%m-%d", &tm) > 0 ? 0 : -EOVERFLOW;
}

/* The path of the alert's folder below state_dir. 0 or -EOVERFLOW. */
static int folder_path(char ret[PLACE_PATH_SIZE], const struct place *place)
{
    char date[DATE_SIZE];
    int r = format_date(date, place);
    if (r == 0)
        snprintf(ret, PLACE_PATH_SIZE, "evidence/%s/%s/%" PRIu64, place->camera, date, place->alert);
    return r;
}

int place_path(char ret[PLACE_PATH_SIZE], const struct place *place, const char *name)
{
    char folder[PLACE_PATH_SIZE];
    int r = folder_path(folder, place);
    if (r == 0)
        snprintf(ret, PLACE_PATH_SIZE, "%s/%s", folder, name);
    return r;
}

int place_create(struct place_file *ret, const char *state_dir, const struct place *place, const char *name, struct error *err)
{
    char date[DATE_SIZE], alert[24], hidden[40];
    struct place_file file = {.folder = -1};
    if (format_date(date, place) < 0 || place_path(file.path, place, name) < 0)
        return error_set(err, -EOVERFLOW, "cannot name a file for the alert: its date is out of range");
    snprintf(alert, sizeof alert, "%llu", (unsigned long long)place->alert);
    snprintf(file.name, sizeof file.name, "%s", name);
    hidden_name(hidden, file.name);

    if (mkdir(state_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "%s: %s", state_dir, strerror(errno));
    const char *const folders[] = {"evidence", place->camera, date, alert};
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < ATTEMPTS; i++) {
        file.folder = enter_folders(state_dir, folders, sizeof folders / sizeof *folders);
        r = file.folder < 0 ? file.folder : create(file.folder, hidden);
        if (r < 0 && file.folder >= 0)
            close(file.folder);
    }
    if (r < 0)
        return error_set(err, r, "%s/%s: %s", state_dir, file.path, strerror(-r));
    file.fd = r;
    *ret = file;
    return 0;
}

int place_publish(struct place_file *file, struct error *err)
{
    char hidden[40];
    hidden_name(hidden, file->name);
    if (fdatasync(file->fd) < 0 || renameat2(file->folder, hidden, file->folder, file->name, RENAME_NOREPLACE) < 0) {
        int failed = errno;
        return error_set(err, -failed, "%s: %s", file->path, strerror(failed));
    }
    close(file->folder);
    file->folder = -1;
    return 0;
}

void place_close(struct place_file *file)
{
    char hidden[40];
    if (file->fd < 0)
        return;
    if (file->folder >= 0) {
        hidden_name(hidden, file->name);
        unlinkat(file->folder, hidden, 0);
        close(file->folder);
    }
    flock(file->fd, LOCK_UN);       /* also for a process that wrote to it, and has not ended yet */
    close(file->fd);
    file->fd = -1;
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

int place_put(const char *state_dir, const struct place *place, const char *name, const void *data, size_t size,
              char path[PLACE_PATH_SIZE], struct error *err)
{
    struct place_file file;
    int r = place_create(&file, state_dir, place, name, err);
    if (r < 0)
        return r;
    if ((r = write_all(file.fd, data, size)) < 0)
        error_set(err, r, "%s: %s", file.path, strerror(-r));
    else if ((r = place_publish(&file, err)) == 0)
        memcpy(path, file.path, sizeof file.path);
    place_close(&file);
    return r;
}

int place_open(const char *state_dir, const struct place *place)
{
    char path[PLACE_PATH_SIZE];
    if (folder_path(path, place) < 0)
        return -ENOENT;
    int state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state_fd < 0)
        return -errno;
    int r = beneath_open(state_fd, path, O_PATH | O_DIRECTORY);
    close(state_fd);
    return r;
}

int place_read(const char *state_dir, const struct place *place, const char *name)
{
    struct stat s;
    int folder = place_open(state_dir, place);
    if (folder < 0)
        return folder;
    int fd = beneath_open(folder, name, O_RDONLY | O_NONBLOCK);         /* a pipe would block */
    close(folder);
    if (fd < 0)
        return fd;
    int r = fstat(fd, &s) < 0 ? -errno : !S_ISREG(s.st_mode) ? -EINVAL : 0;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int read_all(int fd, void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = read(fd, (char *)data + at, size - at);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;                /* it shrank */
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int place_get(const char *state_dir, const struct place *place, const char *name, size_t most, void **ret, size_t *size)
{
    struct stat s;
    void *data = NULL;
    int fd = place_read(state_dir, place, name);
    if (fd < 0)
        return fd;
    int r = fstat(fd, &s) < 0 ? -errno : 0;
    if (r == 0 && ret && (size_t)s.st_size <= most) {
        data = malloc((size_t)s.st_size + 1);
        r = data ? read_all(fd, data, (size_t)s.st_size) : -ENOMEM;
    }
    close(fd);
    if (r < 0) {
        free(data);
        return r;
    }
    if (data)
        *ret = data;
    *size = (size_t)s.st_size;
    return 0;
}
