#include "web/streams.h"

#include <assert.h>

void web_streams_rest(struct web_streams *streams, struct web_resting *stream)
{
    assert(streams->n_resting < WEB_EVENT_STREAMS_MAX);
    streams->resting[streams->n_resting++] = stream;
    MHD_suspend_connection(stream->connection);
}

static void wake(struct web_streams *streams, struct clients *clients, size_t i, int64_t now_us)
{
    struct web_resting *stream = streams->resting[i];
    streams->resting[i] = streams->resting[--streams->n_resting];
    clients_renew(clients, stream->client, now_us);
    MHD_resume_connection(stream->connection);
}

int64_t web_streams_due_us(const struct web_streams *streams)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < streams->n_resting; i++)
        if (streams->resting[i]->due_us < due)
            due = streams->resting[i]->due_us;
    return due;
}

size_t web_streams_poll(const struct web_streams *streams, struct pollfd *fds)
{
    for (size_t i = 0; i < streams->n_resting; i++) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(streams->resting[i]->connection,
                                                                       MHD_CONNECTION_INFO_CONNECTION_FD);
        fds[i] = (struct pollfd){.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    }
    return streams->n_resting;
}

void web_streams_hang_up(struct web_streams *streams, struct clients *clients, const struct pollfd *fds, size_t n,
                         int64_t now_us)
{
    /* Backwards, because wake() moves the last entry into the gap. */
    for (size_t i = n; i-- > 0;)
        if (fds[i].revents) {
            streams->resting[i]->gone = true;
            wake(streams, clients, i, now_us);
        }
}

void web_streams_wake(struct web_streams *streams, struct clients *clients, int64_t until_us, int64_t now_us)
{
    for (size_t i = streams->n_resting; i-- > 0;)
        if (streams->resting[i]->due_us <= until_us)
            wake(streams, clients, i, now_us);
}
