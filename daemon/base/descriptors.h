/* Counts the file descriptors that `memaed run` needs, and compares them with the limit of this process. Any thread. */
#ifndef MEMAED_DAEMON_BASE_DESCRIPTORS_H
#define MEMAED_DAEMON_BASE_DESCRIPTORS_H

#include <stddef.h>

#include "core/error.h"

enum {
    /* A camera takes a socket, a pipe and shared memory, and three more while its process is started. (With isolation: thread,
     * RTP over UDP takes three sockets.) The clip of its alert takes a file, a socket and a pipe. A stream that is kept for
     * clips beside the analysed one counts as a camera. */
    DESCRIPTORS_CAMERA = 9,
    /* A webhook takes its connection, the pair of sockets by which the look-up of its name reports, and one in reserve. */
    DESCRIPTORS_WEBHOOK = 4,
    /* The process itself takes the standard streams, signals, timers, epoll, the notification socket, a file that is read. */
    DESCRIPTORS_BASE = 32,
};

/* Returns how many a configuration with this many cameras and webhooks needs at most. The web server needs `web` of them. */
size_t descriptors_needed(size_t cameras, size_t webhooks, size_t web);

/* Raises the soft limit (RLIMIT_NOFILE) to the hard one. Where that fails, the soft limit stays as it is. */
void descriptors_raise(void);

/* Compares what is needed with the soft limit. 0; -EMFILE with both numbers in err. */
int descriptors_check(size_t cameras, size_t webhooks, size_t web, struct error *err);

#endif
