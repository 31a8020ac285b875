/* Packets of a SOCK_SEQPACKET socket that carry descriptors (SCM_RIGHTS). Any thread. */
#ifndef MEMAED_IO_CAPTURE_PASSING_H
#define MEMAED_IO_CAPTURE_PASSING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PASSING_MOST = 4 };      /* descriptors in a packet */

/* Sends a packet with copies of n descriptors. flags are those of sendmsg(2). 0 or -errno. */
int passing_send(int socket, const void *data, size_t size, const int *fds, size_t n, int flags);
/* Receives a packet into data [room], and exactly n descriptors, which are the caller's then and close on exec. If `optional`, a
 * packet without descriptors is accepted, too. Returns the bytes of the packet; 0: it is empty, or nobody sends any more;
 * -EPROTO: it carries another number of descriptors; -errno. If the caller gets no descriptors, fds is all -1, and those that
 * came are closed. */
ssize_t passing_receive(int socket, void *data, size_t room, int *fds, size_t n, bool optional);

#endif
