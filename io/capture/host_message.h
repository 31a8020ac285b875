/* The message from the daemon to the host of the cameras' processes: an order for one process, with its descriptors
 * (SCM_RIGHTS). */
#ifndef MEMAED_IO_CAPTURE_HOST_MESSAGE_H
#define MEMAED_IO_CAPTURE_HOST_MESSAGE_H

#include <stdint.h>

#define HOST_ARGUMENT "capture-host"

enum { HOST_FD_SOCKET, HOST_FD_PIPE, HOST_FD_CONTROL, HOST_FDS };

struct host_order {
    int32_t cpu_percent;        /* of one core, how much the process may take over time: 1 or more */
};

#endif
