/* Takes rights away from the calling process, for good. Afterwards it can read the files that it was given, write to open files,
 * and use the network if that is its purpose. It cannot start a program or a process, signal or watch another process, or listen
 * for connections. It cannot open a file for writing, create, rename or delete one. Memory cannot be writable and executable at
 * once. The process can still see names and sizes of files, because Landlock cannot hide them.
 *
 * Four layers: no new privileges and no core dumps; limits of resources (RLIMIT_AS, RLIMIT_NOFILE, RLIMIT_FSIZE); Landlock, for
 * the files that may be read, if the kernel has it; an allow list of system calls (seccomp). A system call that only an attacker
 * would make ends the process by SIGSYS. Others that are not on the list fail with EPERM.
 *
 * Builds with sanitizers have no RLIMIT_AS, because their shadow memory takes terabytes of addresses. */
#ifndef MEMAED_IO_CAPTURE_SANDBOX_H
#define MEMAED_IO_CAPTURE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

enum { SANDBOX_MAX_PATHS = 4 };

struct sandbox_options {
    bool network;               /* IPv4 and IPv6 as a client, and the system's files for names and certificates */
    const char *paths[SANDBOX_MAX_PATHS];       /* files, or folders with all below, that may be read; NULL: none. One that does
                                 * not exist is left out. */
    size_t file_bytes;          /* the largest size of a file that is open for writing; 0: none is written */
    size_t memory_bytes;        /* of address space beyond that in use now; 0: any */
};

/* To be called by the only thread of a process. 0; -errno with the cause in err, and some rights may be gone: the process must
 * end. */
int sandbox_enter(const struct sandbox_options *options, struct error *err);

/* The version of the kernel's Landlock; 0: it has none, or none that is switched on. Any thread. */
int sandbox_landlock(void);

#endif
