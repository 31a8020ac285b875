/* HTTP by libmicrohttpd: a table of routes (web/routes.h) over a view (web/view.h). It runs one thread of its own, "web".
 * Limits: connections in all and how addresses share them, time for a request (web/clients.h), memory of a connection, size
 * of target and header fields. A request with a body is refused. No CORS header is ever sent, so pages of other origins cannot
 * read answers. Some requests are refused before a route sees them (docs/rest.md lists all statuses):
 *   - 421: Host is neither an address nor localhost nor one of view.host_names (against DNS rebinding);
 *   - 403: the method is neither GET nor HEAD, and Origin or Sec-Fetch-Site shows that a page of another site sent it.
 *
 * If the process has no file descriptor left, one client at a time is still accepted; the others wait in the kernel's queue.
 *
 * libmicrohttpd itself answers text that is not HTTP, and a request line or header past 32 KiB, with a short text. All other
 * errors are problem details. */
#ifndef MEMAED_WEB_SERVER_H
#define MEMAED_WEB_SERVER_H

#include "core/error.h"
#include "web/routes.h"
#include "web/view.h"

struct web_server;

struct web_limits {
    int connections;                /* 1 to 1000 */
    int request_ms;                 /* see web/clients.h */
};

extern const struct web_limits web_default_limits;

/* Listens on address:port (port 0: any free one); address is IPv4, IPv6 or a name of /etc/hosts. It serves web_routes within
 * web_default_limits. view is borrowed until close. 0 or -errno with the cause in err (ret untouched). */
int web_server_open(struct web_server **ret, const char *address, int port, const struct view *view, struct error *err);
/* The same with a table and limits of the caller's. routes is borrowed until close; limits for the call. */
int web_server_open_with(struct web_server **ret, const char *address, int port, const struct view *view,
                         const struct web_routes *routes, const struct web_limits *limits, struct error *err);
/* Takes NULL. Waits neither for slow clients nor for threads that answer requests later. Such a thread may still call
 * web_waiter_answer() afterwards. */
void web_server_close(struct web_server *server);
int web_server_port(const struct web_server *server);   /* the port that it listens on */

/* The most file descriptors that a server with these limits has open. */
int web_server_descriptors(const struct web_limits *limits);

/* Monotonic microseconds until which the server's thread may be silent and healthy (for the watchdog): INT64_MAX while it
 * waits for clients. Any thread. */
int64_t web_server_deadline_us(const struct web_server *server);

#endif
