/* The process of one source. It gives up its rights (io/capture/sandbox.h), opens the source that the daemon names, and answers
 * requests (io/capture/wire.h) until it is told to close. It knows that source's address and password, and nothing else. */
#ifndef MEMAED_IO_CAPTURE_CHILD_H
#define MEMAED_IO_CAPTURE_CHILD_H

enum { CHILD_NO_START = 10, CHILD_NOT_UNDERSTOOD };     /* exit statuses */

/* Serves until the other end of the socket closes. control_fd is that of io/capture/host.h; it takes both over. Returns the
 * exit status; nothing is freed that ends with the process. */
int capture_child_main(int socket, int control_fd);

#endif
