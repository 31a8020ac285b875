/* The connections of the server, so that none holds it up and no address crowds out the others.
 *   - A client has request_ms from when it connects, or from the end of its last answer, until its next answer is
 *     received whole; then it is cut. One that sends or reads a byte now and then gains nothing by that.
 *   - Past `max` connections, the address that holds most of them loses the one that is idle longest. So a thousand
 *     connections from one host don't lock out another, nor a new one from the same host.
 *   - One that the server closes first is read a little longer (linger): closing a socket with unread bytes resets it, and
 *     the client would lose the answer that told it what was wrong.
 * Cutting is shutdown(2): libmicrohttpd sees the end, and closes. For the web's thread alone. */
#ifndef MEMAED_WEB_CLIENTS_H
#define MEMAED_WEB_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <poll.h>

enum { CLIENTS_LINGER_MAX = 32 };

struct client {
    int fd;                             /* libmicrohttpd's */
    unsigned char address[8];           /* that counts as one: all of IPv4, the upper half of IPv6 */
    int64_t since_us;                   /* connected, or last answered */
    struct client *before, *after;      /* by since_us, oldest first; itself where it has been cut */
};

struct clients {
    size_t max, n;                      /* n: not cut */
    int64_t request_us;
    struct client *oldest, *newest;
    struct { int fd; int64_t until_us; size_t budget; } lingering[CLIENTS_LINGER_MAX];
    size_t n_lingering;
};

void clients_init(struct clients *clients, size_t max, int64_t request_ms);
void clients_clear(struct clients *clients);        /* closes what lingers; all clients have been removed */

/* NULL: out of memory; the connection is then one that nobody cuts but libmicrohttpd. */
struct client *clients_add(struct clients *clients, int fd, const struct sockaddr *address, int64_t now_us);
void clients_answered(struct clients *clients, struct client *client, int64_t now_us);
/* Before fd is closed. Frees client; it may be NULL. */
void clients_remove(struct clients *clients, struct client *client, int64_t now_us);

void clients_expire(struct clients *clients, int64_t now_us);           /* cuts who is late */
int64_t clients_deadline_us(const struct clients *clients);             /* when clients_expire() has work; INT64_MAX: never */

/* fds gets up to CLIENTS_LINGER_MAX entries to poll; returns how many. After poll(), the same array goes to _drain(). */
size_t clients_poll(const struct clients *clients, struct pollfd *fds);
void clients_drain(struct clients *clients, const struct pollfd *fds, size_t n);

#endif
