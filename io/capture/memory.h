/* Memory that a process shares with those that it hands the descriptor to. It is a sealed memfd, which nobody can shrink or grow,
 * so no access to a mapping can fail. Pages that nobody has written take no memory. Any thread. */
#ifndef MEMAED_IO_CAPTURE_MEMORY_H
#define MEMAED_IO_CAPTURE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct capture_memory {
    int fd;                     /* -1: closed by its owner, who shares it with nobody further */
    uint8_t *bytes;             /* [size], all 0 at first; aligned to a page */
    size_t size;
};

/* 0, or -errno. *ret is untouched then. */
int capture_memory_open(struct capture_memory *ret, size_t size);
/* Maps memory that another process has opened, and takes over fd. 0; -EINVAL (not sealed, not `size` bytes), or -errno; fd is the
 * caller's then. */
int capture_memory_map(struct capture_memory *ret, int fd, size_t size);
/* Takes zeroes. */
void capture_memory_close(struct capture_memory *memory);

#endif
