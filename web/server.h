/* HTTP by libmicrohttpd: routes, JSON and Prometheus text over a view (web/view.h). One thread of its own, "web".
 * Limits: connections in all and how they are shared among addresses, time for a request (web/clients.h); memory of a
 * connection, size of target and headers; no bodies. GET and HEAD alone. No CORS: pages of other origins can't read it.
 * Where it listens on loopback, requests whose Host is no loopback name are refused (421), against DNS rebinding.
 *
 * What libmicrohttpd itself refuses (a request line or header past 32 KiB, no HTTP) it answers with a text of its own;
 * all other errors are problem details. */
#ifndef MEMAED_WEB_SERVER_H
#define MEMAED_WEB_SERVER_H

#include "core/error.h"
#include "web/view.h"

struct web_server;

struct web_limits {
    int connections;                /* at most 1000 */
    int request_ms;                 /* from a connection, or the answer before, to the end of the answer */
};

extern const struct web_limits web_default_limits;

/* Listens on address:port (port 0: any free one); address is IPv4, IPv6 or a name of /etc/hosts. view is borrowed until
 * close. 0 or -errno with the cause in err. */
int web_server_open(struct web_server **ret, const char *address, int port, const struct view *view, struct error *err);
/* The same with limits other than the default. */
int web_server_open_limited(struct web_server **ret, const char *address, int port, const struct view *view,
                            const struct web_limits *limits, struct error *err);
void web_server_close(struct web_server *server);       /* takes NULL; does not wait for slow clients */
int web_server_port(const struct web_server *server);   /* the port that it listens on */

/* Monotonic microseconds until which the server's thread may be silent and healthy (for the watchdog): INT64_MAX while it
 * waits for clients. Any thread. */
int64_t web_server_deadline_us(const struct web_server *server);

#endif
