/* The host of the processes that read sources (io/capture/capture.h): one process, from which they are forked.
 *
 * The host is this program, executed anew with no environment, before anybody has read a secret into it. So nothing of the
 * daemon's memory is in it: no configuration, no password, no key, and other random addresses. It reads no source itself. A fork
 * of it costs a millisecond, and shares the pages of all libraries with the host and the other processes.
 *
 * A process belongs to its host, which tells the daemon how it ended, over a pipe. It lives for as long as the daemon holds the
 * other end of that pipe. When the daemon closes it, or dies, the host kills the process. It does not outlive its host. The host
 * also kills a process whose processor time exceeds its share of the elapsed time by more than ten seconds. A host that dies is
 * started again with the next process. */
#ifndef MEMAED_IO_CAPTURE_HOST_H
#define MEMAED_IO_CAPTURE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "io/capture/memory.h"

struct capture_host;

/* The end of a process, as the host writes it into the process's pipe. */
enum capture_end {
    CAPTURE_ENDED,              /* by itself, or by a signal; status is that of waitpid() */
    CAPTURE_NOT_FORKED,         /* there was none; status is an errno */
    CAPTURE_TOO_LONG,           /* killed by the host, because it took more processor time than it may */
};
struct capture_exit {
    int32_t end;                /* enum capture_end */
    int32_t status;
};

/* The memory that both processes share during one opening, beside the pictures. */
struct capture_control {
    _Atomic bool stop;          /* the daemon's to set: what the source is doing ends within a fifth of a second */
};

/* Starts the host. 0; -errno with the cause in err. */
int capture_host_open(struct capture_host **ret, struct error *err);
/* Takes NULL. Kills the processes that are left, and waits for the host, half a second at most; then kills it. No process can be
 * forked afterwards. It is for a program that ends while a thread may still call capture_host_fork(). */
void capture_host_end(struct capture_host *host);
/* Takes NULL. Does the same, and frees the memory. */
void capture_host_close(struct capture_host *host);

struct capture_process {
    int socket;                 /* SOCK_SEQPACKET: requests and replies (io/capture/wire.h) */
    int pipe;                   /* a struct capture_exit, then the end; to be closed */
};

/* Forks a process, which waits for a first request (io/capture/wire.h). It gets a copy of the memory's descriptor. cpu_percent:
 * of one core, how much it may take over time. 0; -ECANCELED after capture_host_end(); -errno; with the cause
 * in err. Any thread. */
int capture_host_fork(struct capture_host *host, struct capture_process *ret, const struct capture_memory *control,
                      int cpu_percent, struct error *err);

/* Returns true if the program was executed as a host. */
bool capture_host_is_asked(int argc, char **argv);
/* The host itself: for main(), before anything else. Returns the exit status. */
int capture_host_main(void);

#endif
