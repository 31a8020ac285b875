/* Long answers of the server: how many there are, and the streams that rest. A stream rests while it has nothing to send, after a
 * read() that returned -EAGAIN (web/answer.h). Its connection is suspended, and libmicrohttpd does not see that its client
 * leaves. So the server polls its socket. For the web's thread alone. */
#ifndef MEMAED_WEB_STREAMS_H
#define MEMAED_WEB_STREAMS_H

#include <microhttpd.h>
#include <poll.h>

#include "core/delays.h"
#include "web/clients.h"

/* The limits hold for all addresses together, because behind a proxy all clients have the same one. */
enum { WEB_EVENT_STREAMS_MAX = 32, WEB_FILES_MAX = 32 };

/* A stream that may rest, and its connection. */
struct web_resting {
    struct MHD_Connection *connection;
    struct client *client;              /* or NULL */
    int64_t due_us;                     /* monotonic */
    bool gone;                          /* the client closed, or the server ends */
};

/* Begins as zeros. Handlers count the streams and files that they open and close. */
struct web_streams {
    size_t n_events;                    /* streams of events, at most WEB_EVENT_STREAMS_MAX */
    size_t n_files;                     /* files that are being sent, at most WEB_FILES_MAX */
    uint64_t dropped;                   /* streams of events whose client did not read in time */
    struct delays delays;               /* of events, until a connection took them */
    struct web_resting *resting[WEB_EVENT_STREAMS_MAX];
    size_t n_resting;
};

/* Suspends the connection. Borrows stream until it wakes. */
void web_streams_rest(struct web_streams *streams, struct web_resting *stream);
int64_t web_streams_due_us(const struct web_streams *streams);     /* when web_streams_wake() has work; INT64_MAX: never */
/* fds gets up to WEB_EVENT_STREAMS_MAX entries to poll; returns how many. After poll(), the same array goes to
 * web_streams_hang_up(), before any other call. */
size_t web_streams_poll(const struct web_streams *streams, struct pollfd *fds);
/* Wakes the streams whose client is gone; they end. */
void web_streams_hang_up(struct web_streams *streams, struct clients *clients, const struct pollfd *fds, size_t n,
                         int64_t now_us);
/* Wakes the streams that are due by now_us; INT64_MAX: all. */
void web_streams_wake(struct web_streams *streams, struct clients *clients, int64_t until_us, int64_t now_us);

#endif
