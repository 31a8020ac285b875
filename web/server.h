/* HTTP by libmicrohttpd: routes, JSON and Prometheus text over a view (web/view.h). One thread of its own. Limits:
 * connections in all and per address, header and body size, time without progress. */
#ifndef MEMAED_WEB_SERVER_H
#define MEMAED_WEB_SERVER_H

#include "core/error.h"
#include "web/view.h"

struct web_server;

/* Listens on address:port (port 0: any free one). view is borrowed until close. 0 or -errno with the cause in err. */
int web_server_open(struct web_server **ret, const char *address, int port, const struct view *view, struct error *err);
void web_server_close(struct web_server *server);       /* takes NULL; does not wait for slow clients */
int web_server_port(const struct web_server *server);   /* the port that it listens on */

/* {"id": …, "camera": …, …} of an alert as REST and webhooks show it; the caller frees. NULL: out of memory. */
char *web_alert_json(const struct view_alert *alert);

#endif
