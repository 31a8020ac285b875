#include "io/capture/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static int map(struct capture_memory *ret, int fd, size_t size)
{
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    *ret = (struct capture_memory){.fd = fd, .bytes = bytes, .size = size};
    return 0;
}

int capture_memory_open(struct capture_memory *ret, size_t size)
{
    int fd = memfd_create("memaed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 || ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : map(ret, fd, size);
    if (r < 0 && fd >= 0)
        close(fd);
    return r;
}

int capture_memory_map(struct capture_memory *ret, int fd, size_t size)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &st) < 0)
        return -errno;
    if ((seals & SEALS) != SEALS || size == 0 || st.st_size < 0 || (size_t)st.st_size != size)
        return -EINVAL;
    return map(ret, fd, size);
}

void capture_memory_close(struct capture_memory *memory)
{
    if (!memory->bytes)
        return;
    munmap(memory->bytes, memory->size);
    if (memory->fd >= 0)
        close(memory->fd);
    *memory = (struct capture_memory){.fd = -1};
}
