/* An answer (web/answer.h) as a response of libmicrohttpd. For the web's thread alone. */
#ifndef MEMAED_WEB_RESPONSE_H
#define MEMAED_WEB_RESPONSE_H

#include <microhttpd.h>

#include "web/answer.h"
#include "web/clients.h"
#include "web/routes.h"
#include "web/streams.h"

/* The receiver of a response. client may be NULL; each piece of a stream renews its time. All of this must live until
 * libmicrohttpd has read the body. */
struct web_receiver {
    struct MHD_Connection *connection;
    struct client *client;
    struct clients *clients;
    struct web_streams *streams;
};

/* Takes the answer's body or stream. headers is a route's, for the call. NULL: out of memory; the body is then freed, or its
 * stream closed. */
struct MHD_Response *web_response(struct web_answer *answer, const struct web_header *headers,
                                  const struct web_receiver *receiver);

#endif
