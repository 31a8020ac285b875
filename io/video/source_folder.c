#include "io/video/source_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/video/source_url.h"

enum { MAX_SIZE = 256 << 20 };

struct folder {
    int fd;
    char *path;                 /* for error texts */
    char **names;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(struct folder *folder, const char *name)
{
    if (!(folder->n & (folder->n - 1))) {       /* the room is full at each power of two */
        char **names = realloc(folder->names, (folder->n ? folder->n * 2 : 1) * sizeof *names);
        if (!names)
            return -ENOMEM;
        folder->names = names;
    }
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    folder->names[folder->n++] = copy;
    return 0;
}

int folder_open(struct folder **ret, const char *path, struct error *err)
{
    int r = 0;
    DIR *dir = NULL;
    struct folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return error_set(err, -ENOMEM, "out of memory");
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder->fd < 0 ? -1 : fcntl(folder->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || !(dir = fdopendir(fd))) {
        r = error_set(err, -errno, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        goto fail;
    }
    folder->path = strdup(path);
    if (!folder->path)
        r = -ENOMEM;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(dir))) {
        struct stat st;
        if (entry->d_name[0] == '.' || !source_image_codec(entry->d_name))
            continue;
        if (fstatat(folder->fd, entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            r = add(folder, entry->d_name);
    }
    if (r < 0) {
        error_set(err, r, "out of memory");
        goto fail;
    }
    if (!folder->n) {
        r = error_set(err, -EINVAL, "%s: the folder holds no image files", path);
        goto fail;
    }
    qsort(folder->names, folder->n, sizeof *folder->names, compare);
    closedir(dir);
    *ret = folder;
    return 0;
fail:
    if (dir)
        closedir(dir);
    folder_close(folder);
    return r;
}

void folder_close(struct folder *folder)
{
    if (!folder)
        return;
    for (size_t i = 0; i < folder->n; i++)
        free(folder->names[i]);
    free(folder->names);
    free(folder->path);
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder);
}

size_t folder_count(const struct folder *folder)
{
    return folder->n;
}

int folder_codec(const struct folder *folder, size_t i)
{
    return source_image_codec(folder->names[i]);
}

int folder_read(const struct folder *folder, size_t i, AVPacket *packet, struct error *err)
{
    const char *name = folder->names[i];
    /* O_NONBLOCK: the file was regular when it was listed, but may be a pipe by now. */
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        r = -EINVAL;
    else if (st.st_size > MAX_SIZE)
        r = -EFBIG;
    else
        r = av_new_packet(packet, (int)st.st_size);
    for (int done = 0; r == 0 && done < packet->size;) {
        ssize_t got = read(fd, packet->data + done, (size_t)(packet->size - done));
        if (got > 0)
            done += (int)got;
        else if (got == 0)
            av_shrink_packet(packet, done);     /* it was cut meanwhile; the decoder will notice */
        else if (errno != EINTR)
            r = -errno;
    }
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        av_packet_unref(packet);
        return error_set(err, r, "%s/%s: %s", folder->path, name, r == -EINVAL ? "the file is empty" : strerror(-r));
    }
    packet->pts = packet->dts = (int64_t)i;
    packet->duration = 1;
    packet->flags |= AV_PKT_FLAG_KEY;
    return 0;
}
