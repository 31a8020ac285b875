#include "web/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "io/base/clock.h"
#include "io/base/thread.h"
#include "web/clients.h"
#include "web/dispatch.h"
#include "web/response.h"
#include "web/routes.h"
#include "web/streams.h"
#include "web/waiters.h"

enum { CONNECTION_MEMORY = 32 << 10, CONNECTIONS_MAX = 1000, BUSY_US = 10000000, REST_MS = 1000 };

const struct web_limits web_default_limits = {.connections = 64, .request_ms = 10000};

/* The most connections that there can be. It is twice the limit, because those that were cut stay until the next MHD_run(). Those
 * that wait or rest are added, since the limit leaves them out. */
static unsigned connections_of(const struct web_limits *limits)
{
    return 2 * (unsigned)limits->connections + 16 + CLIENTS_WAITING_MAX + WEB_EVENT_STREAMS_MAX;
}

/* The thread runs libmicrohttpd's epoll set itself, without libmicrohttpd's internal thread. So it sees clients come and go,
 * and can cut those that are late. libmicrohttpd's panic handler stays: it aborts when the library finds a fault of its own. */
struct web_server {
    const struct view *view;
    const struct web_routes *routes;
    struct MHD_Daemon *daemon;
    int epoll_fd;                   /* the daemon's */
    int wake_fd;                    /* eventfd; tells the thread to end */
    int port;
    pthread_t thread;
    bool has_thread;
    _Atomic int64_t deadline_us;
    struct web_waiters *waiters;
    /* The thread's own. */
    int reserve_fd;                 /* closed if no other is left, so that one client can be accepted; -1: it is closed */
    struct clients clients;
    struct request *waiting[CLIENTS_WAITING_MAX];   /* [n_waiting]: suspended until their answer arrives */
    size_t n_waiting;
    struct web_streams streams;
    uint64_t closed;                /* connections closed since the start */
};

/* One request of a connection. libmicrohttpd keeps it from on_target() to on_completed(). */
struct request {
    enum { REQUEST_NEW, REQUEST_READ, REQUEST_WAITING, REQUEST_ANSWERED, REQUEST_QUEUED } state;
    struct MHD_Connection *connection;
    const struct web_header *headers;   /* of the answer */
    struct web_answer answer;       /* ANSWERED: not yet handed to libmicrohttpd */
    size_t size;
    char target[];                  /* as it stands in the request line */
};

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

/* Takes the answer's body. */
static enum MHD_Result queue(struct web_server *server, struct request *request, struct web_answer *answer)
{
    struct MHD_Response *response = web_response(answer, request->headers, &(struct web_receiver){
        request->connection, client_of(request->connection), &server->clients, &server->streams});
    if (!response)
        return MHD_NO;
    enum MHD_Result r = MHD_queue_response(request->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    web_headers_add(arg, name, value ? value : "");
    return MHD_YES;
}

/* true: *ret is the answer. false: the answer comes later, and the connection is suspended. */
static bool handle(struct web_server *server, struct request *request, const char *method, const struct web_headers *headers,
                   struct web_answer *ret)
{
    struct web_request parsed;
    request->headers = web_api_headers;
    const struct web_route *route = web_dispatch(server->routes, method, request->target, request->size, headers, &parsed,
                                                 ret);
    if (!route)
        return true;
    request->headers = route->headers;
    parsed.streams = &server->streams;
    if (route->handler) {
        route->handler(server->view, &parsed, ret);
        return true;
    }
    struct client *client = client_of(request->connection);
    if (!clients_wait(&server->clients, client)) {
        web_answer_problem(503, "too many requests wait; try again later", ret);
        ret->retry_after_s = 1;
        return true;
    }
    struct web_waiter *waiter = web_waiter_add(server->waiters, request);
    if (!waiter)
        web_answer_no_memory(ret);
    if (waiter && route->begin(server->view, &parsed, waiter, ret)) {
        request->state = REQUEST_WAITING;
        server->waiting[server->n_waiting++] = request;
        MHD_suspend_connection(request->connection);
        return false;
    }
    if (waiter)
        web_waiter_remove(waiter);
    clients_renew(&server->clients, client, monotonic_us());
    return true;
}

/* ---- what libmicrohttpd calls, on the server's thread --------------------------------------------------------------- */

static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg;
    size_t size = strlen(target);
    struct request *request = calloc(1, sizeof *request + size + 1);
    if (!request)
        return NULL;
    request->connection = connection;
    request->size = size;
    memcpy(request->target, target, size + 1);
    return request;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **context)
{
    struct web_server *server = arg;
    struct request *request = *context;
    (void)url, (void)version, (void)upload;
    if (!request || request->state == REQUEST_WAITING)
        return MHD_NO;
    if (request->state == REQUEST_ANSWERED) {
        request->state = REQUEST_QUEUED;
        return queue(server, request, &request->answer);
    }
    struct web_headers headers = {.names = server->view->host_names, .n_names = server->view->n_host_names};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &headers);
    /* libmicrohttpd closes the connection after an answer to the first call. That is right where a body would follow;
     * without a body the answer waits for the second call, and the connection may stay. */
    if (request->state == REQUEST_NEW && !headers.has_body) {
        request->state = REQUEST_READ;
        return MHD_YES;
    }
    *upload_size = 0;
    struct web_answer ret;
    if (!handle(server, request, method, &headers, &ret))
        return MHD_YES;
    request->state = REQUEST_QUEUED;
    return queue(server, request, &ret);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    struct web_server *server = arg;
    struct request *request = *context;
    (void)code;
    if (request && request->state == REQUEST_ANSWERED)
        web_answer_clear(&request->answer);
    free(request);
    *context = NULL;
    clients_renew(&server->clients, client_of(connection), monotonic_us());
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web_server *server = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *context = clients_add(&server->clients, fd->connect_fd, address ? address->client_addr : NULL, monotonic_us());
    } else {
        clients_remove(&server->clients, *context, monotonic_us());
        *context = NULL;
        server->closed++;
    }
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static int timeout_ms(struct web_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int64_t wait_ms = INT64_MAX, deadline = clients_deadline_us(&server->clients), due = web_streams_due_us(&server->streams);
    if (due < deadline)
        deadline = due;
    if (deadline != INT64_MAX) {
        int64_t left = deadline - monotonic_us();
        wait_ms = left > 0 ? (left + 999) / 1000 : 0;
    }
    if (MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms < (MHD_UNSIGNED_LONG_LONG)wait_ms)
        wait_ms = (int64_t)ms;
    return wait_ms == INT64_MAX ? -1 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

/* Gives the answers that arrived to their requests, and resumes their connections. */
static void resume(struct web_server *server)
{
    void *owner;
    struct web_answer ret;
    while (web_waiters_take(server->waiters, &owner, &ret)) {
        struct request *request = owner;
        request->answer = ret;
        request->state = REQUEST_ANSWERED;
        for (size_t i = 0; i < server->n_waiting; i++) {
            if (server->waiting[i] == request) {
                server->waiting[i] = server->waiting[--server->n_waiting];
                break;
            }
        }
        clients_renew(&server->clients, client_of(request->connection), monotonic_us());
        MHD_resume_connection(request->connection);
    }
}

/* Wakes the streams that are due; all of them after an event. */
static void wake_streams(struct web_server *server, bool has_event)
{
    uint64_t count;
    while (has_event && read(server->view->events_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    int64_t now = monotonic_us();
    web_streams_wake(&server->streams, &server->clients, has_event ? INT64_MAX : now, now);
}

/* Returns false if accepting has to rest, because there is neither a descriptor left nor one in reserve. Without a descriptor,
 * accept() fails, and the client stays in the queue. libmicrohttpd then waits until one of its connections closes. If it has no
 * connection, it tries again at once, for ever. So the first connection needs a descriptor in reserve. */
static bool can_accept(struct web_server *server)
{
    if (MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections > 0)
        return true;
    if (server->reserve_fd < 0)
        server->reserve_fd = fcntl(server->wake_fd, F_DUPFD_CLOEXEC, 0);
    int fd = fcntl(server->wake_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 && server->reserve_fd < 0)
        return false;
    close(fd < 0 ? server->reserve_fd : fd);
    if (fd < 0)
        server->reserve_fd = -1;
    return true;
}

static void *serve(void *arg)
{
    struct web_server *server = arg;
    bool rests = false;             /* no connection is accepted now */
    for (;;) {
        clients_expire(&server->clients, monotonic_us());
        enum { WAKE, ANSWERS, EVENTS, OWN };
        struct pollfd fds[OWN + CLIENTS_LINGER_MAX + WEB_EVENT_STREAMS_MAX + 1] = {
            [WAKE] = {.fd = server->wake_fd, .events = POLLIN},
            [ANSWERS] = {.fd = web_waiters_fd(server->waiters), .events = POLLIN},
            [EVENTS] = {.fd = server->view->events_fd, .events = POLLIN},
        };
        size_t n = clients_poll(&server->clients, fds + OWN);
        size_t n_streams = web_streams_poll(&server->streams, fds + OWN + n);
        struct pollfd *connections = &fds[OWN + n + n_streams];
        *connections = (struct pollfd){.fd = server->epoll_fd, .events = POLLIN};
        int wait = timeout_ms(server);
        if (rests && (wait < 0 || wait > REST_MS))
            wait = REST_MS;
        atomic_store(&server->deadline_us, wait < 0 ? INT64_MAX : monotonic_us() + wait * INT64_C(1000) + BUSY_US);
        /* poll() refuses more entries than the process may have descriptors. This thread then waits for its wake-up alone. */
        if (poll(fds, (nfds_t)(OWN + n + n_streams + !rests), wait) < 0 && errno == EINVAL)
            poll(fds, 1, REST_MS);
        atomic_store(&server->deadline_us, monotonic_us() + BUSY_US);
        if (fds[WAKE].revents)
            return NULL;
        clients_drain(&server->clients, fds + OWN, n);
        if (fds[ANSWERS].revents)
            resume(server);
        web_streams_hang_up(&server->streams, &server->clients, fds + OWN + n, n_streams, monotonic_us());
        wake_streams(server, fds[EVENTS].revents != 0);
        rests = connections->revents && !can_accept(server);
        if (rests)
            continue;
        /* At its limit of connections libmicrohttpd takes the listening socket out of the set, and puts it back when a run
         * begins. So a run that closed connections needs another one after it; else nothing wakes this thread for the
         * clients that wait to be accepted. */
        uint64_t before;
        do {
            before = server->closed;
            MHD_run(server->daemon);
        } while (server->closed != before);
    }
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

struct listener {
    int fd;
    int port;           /* that it listens on */
};

/* *ret is untouched on failure. */
static int listen_on(struct listener *ret, const char *address, int port, struct error *err)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int r = getaddrinfo(address, service, &hints, &found);
    if (r != 0)
        return error_set(err, -EINVAL, "http.listen: expected an address of this machine, got %s: %s", address,
                         gai_strerror(r));
    const int on = 1, off = 0;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (found->ai_family == AF_INET6)       /* so that "::" takes IPv4, too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
        goto fail;
    freeaddrinfo(found);
    *ret = (struct listener){
        .fd = fd,
        .port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                 : ((struct sockaddr_in6 *)&bound)->sin6_port)};
    return 0;
fail:
    r = -errno;
    error_set(err, r, "http.listen: cannot listen on %s port %d: %s", address, port, strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return r;
}

int web_server_open_with(struct web_server **ret, const char *address, int port, const struct view *view,
                         const struct web_routes *routes, const struct web_limits *limits, struct error *err)
{
    assert(limits->connections >= 1 && limits->connections <= CONNECTIONS_MAX && limits->request_ms >= 1);
    struct web_server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, -ENOMEM, "http: out of memory");
    server->view = view;
    server->routes = routes;
    atomic_init(&server->deadline_us, INT64_MAX);
    clients_init(&server->clients, (size_t)limits->connections, limits->request_ms);

    struct listener listener = {.fd = -1};
    int r;
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->reserve_fd = server->wake_fd < 0 ? -1 : fcntl(server->wake_fd, F_DUPFD_CLOEXEC, 0);
    if (server->reserve_fd < 0) {
        r = error_set(err, -errno, "http: eventfd: %s", strerror(errno));
        goto fail;
    }
    r = web_waiters_open(&server->waiters);
    if (r < 0) {
        error_set(err, r, "http: eventfd: %s", strerror(-r));
        goto fail;
    }
    r = listen_on(&listener, address, port, err);
    if (r < 0)
        goto fail;
    server->port = listener.port;
    /* libmicrohttpd closes the listening socket, even where it fails. */
    server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
                                      MHD_OPTION_LISTEN_SOCKET, listener.fd,
                                      MHD_OPTION_CONNECTION_LIMIT, connections_of(limits),
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                      MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                      MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
                                      MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                                      MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (!server->daemon) {
        r = error_set(err, -EIO, "http: libmicrohttpd cannot start");
        goto fail;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0) {
        r = error_set(err, -EIO, "http: expected a libmicrohttpd with epoll, got one without");
        goto fail;
    }
    server->epoll_fd = info->epoll_fd;
    MHD_run(server->daemon);        /* adds the listening socket to the set */
    r = thread_start(&server->thread, "web", serve, server);
    server->has_thread = r == 0;
    if (r < 0) {
        error_set(err, r, "http: cannot start the web thread: %s", strerror(-r));
        goto fail;
    }
    *ret = server;
    return 0;
fail:
    web_server_close(server);
    return r;
}

int web_server_open(struct web_server **ret, const char *address, int port, const struct view *view, struct error *err)
{
    return web_server_open_with(ret, address, port, view, &web_routes, &web_default_limits, err);
}

void web_server_close(struct web_server *server)
{
    if (!server)
        return;
    if (server->has_thread) {
        const uint64_t one = 1;
        while (write(server->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
        pthread_join(server->thread, NULL);
    }
    /* After this, no thread that answers touches a request. libmicrohttpd can stop only when no connection is suspended; it
     * does not call on_request() for them again. */
    web_waiters_close(server->waiters);
    for (size_t i = 0; i < server->n_waiting; i++)
        MHD_resume_connection(server->waiting[i]->connection);
    web_streams_wake(&server->streams, &server->clients, INT64_MAX, monotonic_us());
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    clients_clear(&server->clients);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    if (server->reserve_fd >= 0)
        close(server->reserve_fd);
    free(server);
}

int web_server_port(const struct web_server *server)
{
    return server->port;
}

int web_server_descriptors(const struct web_limits *limits)
{
    enum { OWN = 8 };           /* wake-ups, epoll, the listening socket, the reserve */
    return (int)connections_of(limits) + CLIENTS_LINGER_MAX + WEB_FILES_MAX + OWN;
}

int64_t web_server_deadline_us(const struct web_server *server)
{
    return atomic_load(&server->deadline_us);
}
