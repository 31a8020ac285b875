/* An answer (web/answer.h) as a response of libmicrohttpd. For the web's thread alone. */
#ifndef MEMAED_WEB_RESPONSE_H
#define MEMAED_WEB_RESPONSE_H

#include <microhttpd.h>

#include "web/answer.h"
#include "web/clients.h"
#include "web/routes.h"

/* Takes the answer's body or stream. headers is a route's, for the call. client may be NULL; each piece of a stream renews
 * its time, so it must live as long as libmicrohttpd reads, which its connection does. NULL: out of memory; the body is then
 * freed, or its stream closed. */
struct MHD_Response *web_response(struct web_answer *answer, const struct web_header *headers, struct clients *clients,
                                  struct client *client);

#endif
