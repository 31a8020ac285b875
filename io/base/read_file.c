#include "io/base/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct error *err)
{
    int r = -errno;
    return error_set(err, r, "%s", strerror(-r));
}

static int read_all(int fd, char *bytes, size_t size, struct error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(err);
        if (n == 0)
            return error_set(err, -EINVAL, "expected %zu bytes, got %zu: the file was cut while it was read", size, done);
        done += (size_t)n;
    }
    return 0;
}

int read_file(char **ret, size_t *size, const char *path, size_t most, struct error *err)
{
    /* O_NONBLOCK: if the path is a pipe, open() must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r = 0;
    struct stat st;
    char *bytes = NULL;
    if (fd < 0)
        return failed(err);
    if (fstat(fd, &st) < 0)
        r = failed(err);
    else if (S_ISDIR(st.st_mode))
        r = error_set(err, -EISDIR, "expected a file, got a folder");
    else if (!S_ISREG(st.st_mode))
        r = error_set(err, -EINVAL, "expected a regular file, got a device, a pipe or a socket");
    else if ((uintmax_t)st.st_size > most)
        r = error_set(err, -EFBIG, "expected at most %zu bytes, got %lld", most, (long long)st.st_size);
    else if (!(bytes = malloc((size_t)st.st_size + 1)))
        r = error_set(err, -ENOMEM, "out of memory for %lld bytes", (long long)st.st_size);
    else if ((r = read_all(fd, bytes, (size_t)st.st_size, err)) == 0)
        bytes[st.st_size] = '\0';
    close(fd);
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret = bytes;
    *size = (size_t)st.st_size;
    return 0;
}
