/* The connections of the server. No client delays the others, and no address takes all connections.
 *   - A client has request_ms to receive its next answer whole. The time begins when it connects, or with the end of its
 *     last answer. When it is over, the server cuts the connection. A byte sent or read now and then does not prolong it. In a
 *     stream (web/answer.h) the time begins anew with each piece.
 *   - No time runs while a request waits for the server (web/waiters.h), or a stream rests (web/streams.h).
 *   - Past `max` connections, the address that holds most of them loses its oldest. So a thousand connections from one host
 *     lock out neither another host nor a new connection from the same host. Streams of events and files have limits of their
 *     own, which one address may use up (web/streams.h).
 *   - The server reads a connection that it closes first for up to a second more (it lingers). Closing a socket with unread
 *     bytes resets it, and the client would lose the answer that told it what was wrong.
 * The server cuts a connection with shutdown(2); libmicrohttpd then sees its end and closes it. For the web's thread alone.
 * Times are monotonic. */
#ifndef MEMAED_WEB_CLIENTS_H
#define MEMAED_WEB_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <poll.h>

enum { CLIENTS_LINGER_MAX = 32, CLIENTS_WAITING_MAX = 16 };

enum client_state { CLIENT_TIMED, CLIENT_WAITING, CLIENT_RESTING, CLIENT_CUT };

struct client {
    int fd;                             /* libmicrohttpd's */
    enum client_state state;
    unsigned char address[8];           /* counts as one address: all of an IPv4 one, the upper half of an IPv6 one */
    int64_t since_us;                   /* timed: when it connected, was answered or took a piece */
    struct client *before, *after;      /* timed: neighbours by since_us, oldest first */
};

struct clients {
    size_t max, n;                      /* n: timed clients */
    size_t n_waiting;
    int64_t request_us;
    struct client *oldest, *newest;
    struct { int fd; int64_t until_us; size_t budget_bytes; } lingering[CLIENTS_LINGER_MAX];
    size_t n_lingering;
};

void clients_init(struct clients *clients, size_t max, int64_t request_ms);
void clients_clear(struct clients *clients);        /* closes what lingers; all clients have been removed */

/* Adds a client, and cuts another if there are `max` already. NULL: out of memory; no time limit then holds for this
 * connection. */
struct client *clients_add(struct clients *clients, int fd, const struct sockaddr *address, int64_t now_us);
/* The client was answered or took a piece: its time begins anew. client may be NULL, here and in the next three. */
void clients_renew(struct clients *clients, struct client *client, int64_t now_us);
/* The client's request waits for the server until clients_renew(). false: CLIENTS_WAITING_MAX wait already, the client was cut,
 * or it is NULL. */
bool clients_wait(struct clients *clients, struct client *client);
/* The client's stream has nothing to send until clients_renew(). false: the client was cut. */
bool clients_rest(struct clients *clients, struct client *client);
/* Call before fd is closed. Frees client. */
void clients_remove(struct clients *clients, struct client *client, int64_t now_us);

void clients_expire(struct clients *clients, int64_t now_us);           /* cuts the clients whose time is over */
int64_t clients_deadline_us(const struct clients *clients);             /* when clients_expire() has work; INT64_MAX: never */

/* fds gets up to CLIENTS_LINGER_MAX entries to poll; returns how many. After poll(), the same array goes to
 * clients_drain(). */
size_t clients_poll(const struct clients *clients, struct pollfd *fds);
void clients_drain(struct clients *clients, const struct pollfd *fds, size_t n);

#endif
