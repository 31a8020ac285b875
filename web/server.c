#include "web/server.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "io/base/clock.h"
#include "io/base/thread.h"
#include "web/api.h"
#include "web/clients.h"
#include "web/request.h"

enum { CONNECTION_MEMORY = 32 << 10, HEADERS_MAX = 8 << 10, CONNECTIONS_MAX = 1000, BUSY_US = 10000000 };

const struct web_limits web_default_limits = {.connections = 64, .request_ms = 10000};

/* The thread runs libmicrohttpd's epoll set itself (not its internal thread), to see clients come and go and cut those who
 * are late. libmicrohttpd's panic handler is left as it is: it aborts, and is called for faults of the library's own. */
struct web_server {
    const struct view *view;
    struct MHD_Daemon *daemon;
    int epoll_fd;                   /* the daemon's */
    int wake_fd;                    /* eventfd: close */
    int port;
    bool loopback;
    pthread_t thread;
    bool has_thread;
    _Atomic int64_t deadline_us;
    /* The thread's own. */
    struct clients clients;
    uint64_t closed;                /* connections, ever */
};

/* One request of a connection. */
struct request {
    size_t size;
    bool seen;                      /* the headers have been looked at */
    char target[];                  /* as it stands in the request line */
};

/* ---- answers -------------------------------------------------------------------------------------------------------- */

static enum MHD_Result queue(struct MHD_Connection *connection, struct web_answer *answer)
{
    static char no_memory[] = "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
                              "\"detail\":\"out of memory\"}";
    struct MHD_Response *response;
    if (answer->body)
        response = MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
    else
        response = MHD_create_response_from_buffer(sizeof no_memory - 1, no_memory, MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(answer->body);
        return MHD_NO;
    }
    const char *const headers[][2] = {
        {"Content-Type", answer->type},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Allow", answer->status == 405 ? "GET, HEAD" : NULL},
    };
    enum MHD_Result r = MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && r == MHD_YES; i++)
        if (headers[i][1])
            r = MHD_add_response_header(response, headers[i][0], headers[i][1]);
    if (r == MHD_YES)
        r = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return r;
}

struct headers {
    size_t size;
    bool has_body, foreign_host;
    bool loopback;                  /* in: whether the Host counts */
};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct headers *h = arg;
    (void)kind;
    if (!value)
        value = "";
    h->size += strlen(name) + strlen(value);
    if (strcasecmp(name, "Transfer-Encoding") == 0 ||
        (strcasecmp(name, "Content-Length") == 0 && value[strspn(value, "0")] != '\0'))
        h->has_body = true;
    if (h->loopback && strcasecmp(name, "Host") == 0 && !web_parse_loopback_host(value))
        h->foreign_host = true;
    return MHD_YES;
}

static void answer(const struct web_server *server, const struct request *request, const char *method,
                   const struct headers *headers, struct web_answer *ret)
{
    if (headers->foreign_host) {
        web_answer_problem(421, "the Host is none of this machine's loopback", NULL, ret);
        return;
    }
    if (request->size > WEB_TARGET_MAX) {
        web_answer_problem(414, "the request's target is longer than 2048 bytes", NULL, ret);
        return;
    }
    if (headers->size > HEADERS_MAX) {
        web_answer_problem(431, "the request's header fields are longer than 8192 bytes", NULL, ret);
        return;
    }
    struct web_request parsed;
    struct error err = {""};
    const char *parameter;
    int r = web_parse_target(request->target, request->size, &parsed, &parameter, &err);
    if (r == -ENOENT)
        web_answer_problem(404, "nothing has that path", NULL, ret);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        web_answer_problem(405, "GET and HEAD are the methods here", NULL, ret);
    else if (headers->has_body)
        web_answer_problem(413, "requests have no body here", NULL, ret);
    else if (r < 0)
        web_answer_problem(400, err.text, parameter, ret);
    else
        web_answer_request(server->view, &parsed, ret);
}

/* ---- what libmicrohttpd calls, on the server's thread --------------------------------------------------------------- */

static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg, (void)connection;
    size_t size = strlen(target);
    struct request *request = malloc(sizeof *request + size + 1);
    if (!request)
        return NULL;
    request->size = size;
    request->seen = false;
    memcpy(request->target, target, size + 1);
    return request;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **context)
{
    const struct web_server *server = arg;
    struct request *request = *context;
    (void)url, (void)version, (void)upload;
    if (!request)
        return MHD_NO;
    struct headers headers = {.loopback = server->loopback};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_header, &headers);
    /* An answer to the first call closes the connection: right where a body would follow, else it may stay. */
    if (!request->seen && !headers.has_body) {
        request->seen = true;
        return MHD_YES;
    }
    *upload_size = 0;
    struct web_answer ret;
    answer(server, request, method, &headers, &ret);
    return queue(connection, &ret);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    struct web_server *server = arg;
    (void)code;
    free(*context);
    *context = NULL;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context)
        clients_answered(&server->clients, info->socket_context, monotonic_us());
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
    int64_t wait_ms = INT64_MAX, deadline = clients_deadline_us(&server->clients);
    if (deadline != INT64_MAX) {
        int64_t left = deadline - monotonic_us();
        wait_ms = left > 0 ? (left + 999) / 1000 : 0;
    }
    if (MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms < (MHD_UNSIGNED_LONG_LONG)wait_ms)
        wait_ms = (int64_t)ms;
    return wait_ms == INT64_MAX ? -1 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

static void *serve(void *arg)
{
    struct web_server *server = arg;
    for (;;) {
        clients_expire(&server->clients, monotonic_us());
        struct pollfd fds[2 + CLIENTS_LINGER_MAX] = {
            {.fd = server->wake_fd, .events = POLLIN},
            {.fd = server->epoll_fd, .events = POLLIN},
        };
        size_t n = clients_poll(&server->clients, fds + 2);
        int wait = timeout_ms(server);
        atomic_store(&server->deadline_us, wait < 0 ? INT64_MAX : monotonic_us() + wait * INT64_C(1000) + BUSY_US);
        poll(fds, (nfds_t)(2 + n), wait);
        atomic_store(&server->deadline_us, monotonic_us() + BUSY_US);
        if (fds[0].revents)
            return NULL;
        clients_drain(&server->clients, fds + 2, n);
        /* At its limit libmicrohttpd takes the listening socket out of the set, and puts it back at the start of a run:
         * after a run that closed connections there must be another, or nobody wakes us for those who wait. */
        uint64_t before;
        do {
            before = server->closed;
            MHD_run(server->daemon);
        } while (server->closed != before);
    }
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int listen_on(struct web_server *server, const char *address, int port, int *ret, struct error *err)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int r = getaddrinfo(address, service, &hints, &found);
    if (r != 0)
        return error_set(err, -EINVAL, "http: no address to listen on: %s: %s", address, gai_strerror(r));
    const int on = 1, off = 0;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (found->ai_family == AF_INET6)       /* "::" is every address, of IPv4 too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
        goto fail;
    freeaddrinfo(found);
    server->loopback = is_loopback(&bound);
    server->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                    : ((struct sockaddr_in6 *)&bound)->sin6_port);
    *ret = fd;
    return 0;
fail:
    r = -errno;
    error_set(err, r, "http: can't listen on %s port %d: %s", address, port, strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return r;
}

int web_server_open_limited(struct web_server **ret, const char *address, int port, const struct view *view,
                            const struct web_limits *limits, struct error *err)
{
    if (limits->connections < 1 || limits->connections > CONNECTIONS_MAX || limits->request_ms < 1)
        return error_set(err, -EINVAL, "http: limits out of range");
    struct web_server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, -ENOMEM, "http: out of memory");
    server->view = view;
    atomic_init(&server->deadline_us, INT64_MAX);
    clients_init(&server->clients, (size_t)limits->connections, limits->request_ms);

    int fd = -1, r;
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake_fd < 0) {
        r = error_set(err, -errno, "http: eventfd: %s", strerror(errno));
        goto fail;
    }
    r = listen_on(server, address, port, &fd, err);
    if (r < 0)
        goto fail;
    /* Twice the connections: those that were cut are there until the next run. libmicrohttpd closes fd, even where it
     * fails. */
    server->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
                                      MHD_OPTION_LISTEN_SOCKET, fd,
                                      MHD_OPTION_CONNECTION_LIMIT, 2 * (unsigned)limits->connections + 16,
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                      MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                      MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
                                      MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                                      MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (!server->daemon) {
        r = error_set(err, -EIO, "http: libmicrohttpd doesn't start");
        goto fail;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0) {
        r = error_set(err, -EIO, "http: libmicrohttpd has no epoll here");
        goto fail;
    }
    server->epoll_fd = info->epoll_fd;
    MHD_run(server->daemon);        /* puts the listening socket into the set */
    r = thread_start(&server->thread, "web", serve, server);
    server->has_thread = r == 0;
    if (r < 0) {
        error_set(err, r, "http: can't start a thread: %s", strerror(-r));
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
    return web_server_open_limited(ret, address, port, view, &web_default_limits, err);
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
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    clients_clear(&server->clients);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    free(server);
}

int web_server_port(const struct web_server *server)
{
    return server->port;
}

int64_t web_server_deadline_us(const struct web_server *server)
{
    return atomic_load(&server->deadline_us);
}
