#include "web/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_US = 1000000, LINGER_BYTES = 1 << 20 };

void clients_init(struct clients *clients, size_t max, int64_t request_ms)
{
    *clients = (struct clients){.max = max, .request_us = request_ms * 1000};
}

void clients_clear(struct clients *clients)
{
    for (size_t i = 0; i < clients->n_lingering; i++)
        close(clients->lingering[i].fd);
    clients->n_lingering = 0;
}

static void append(struct clients *clients, struct client *client)
{
    client->state = CLIENT_TIMED;
    client->before = clients->newest;
    client->after = NULL;
    if (clients->newest)
        clients->newest->after = client;
    else
        clients->oldest = client;
    clients->newest = client;
    clients->n++;
}

static void take_out(struct clients *clients, struct client *client)
{
    if (client->before)
        client->before->after = client->after;
    else
        clients->oldest = client->after;
    if (client->after)
        client->after->before = client->before;
    else
        clients->newest = client->before;
    clients->n--;
}

static void cut(struct clients *clients, struct client *client)
{
    take_out(clients, client);
    client->state = CLIENT_CUT;
    shutdown(client->fd, SHUT_RDWR);
}

/* The oldest client of the address that holds most connections; there is at least one. It counts anew at each call, because max
 * is small. */
static struct client *crowding(const struct clients *clients)
{
    struct client *worst = NULL;
    size_t most = 0;
    for (struct client *a = clients->oldest; a; a = a->after) {
        size_t n = 0;
        for (const struct client *b = a; b; b = b->after)
            n += memcmp(a->address, b->address, sizeof a->address) == 0;
        if (n > most) {
            most = n;
            worst = a;
        }
    }
    return worst;
}

struct client *clients_add(struct clients *clients, int fd, const struct sockaddr *address, int64_t now_us)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->fd = fd;
    client->since_us = now_us;
    if (address && address->sa_family == AF_INET6)
        memcpy(client->address, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof client->address);
    else if (address && address->sa_family == AF_INET)
        memcpy(client->address, &((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
    if (clients->n >= clients->max)
        cut(clients, crowding(clients));
    append(clients, client);
    return client;
}

void clients_renew(struct clients *clients, struct client *client, int64_t now_us)
{
    if (!client || client->state == CLIENT_CUT)
        return;
    if (client->state == CLIENT_WAITING)
        clients->n_waiting--;
    else if (client->state == CLIENT_TIMED)
        take_out(clients, client);
    client->since_us = now_us;
    append(clients, client);
}

bool clients_wait(struct clients *clients, struct client *client)
{
    if (!client || clients->n_waiting == CLIENTS_WAITING_MAX)
        return false;
    if (client->state != CLIENT_TIMED)
        return client->state == CLIENT_WAITING;
    take_out(clients, client);
    client->state = CLIENT_WAITING;
    clients->n_waiting++;
    return true;
}

bool clients_rest(struct clients *clients, struct client *client)
{
    if (!client)
        return true;
    if (client->state == CLIENT_TIMED) {
        take_out(clients, client);
        client->state = CLIENT_RESTING;
    }
    return client->state == CLIENT_RESTING;
}

static void forget(struct clients *clients, size_t i)
{
    close(clients->lingering[i].fd);
    clients->lingering[i] = clients->lingering[--clients->n_lingering];
}

/* Keeps a second descriptor of the socket, so that closing the first does not reset it. */
static void linger(struct clients *clients, int fd, int64_t now_us)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
        return;         /* the client closed first */
    if (clients->n_lingering == CLIENTS_LINGER_MAX)
        forget(clients, 0);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return;
    shutdown(own, SHUT_WR);
    size_t i = clients->n_lingering++;
    clients->lingering[i].fd = own;
    clients->lingering[i].until_us = now_us + LINGER_US;
    clients->lingering[i].budget_bytes = LINGER_BYTES;
}

void clients_remove(struct clients *clients, struct client *client, int64_t now_us)
{
    if (!client)
        return;
    if (client->state == CLIENT_WAITING)
        clients->n_waiting--;
    if (client->state == CLIENT_TIMED) {
        take_out(clients, client);
        linger(clients, client->fd, now_us);
    }
    free(client);
}

void clients_expire(struct clients *clients, int64_t now_us)
{
    while (clients->oldest && clients->oldest->since_us + clients->request_us <= now_us)
        cut(clients, clients->oldest);
    for (size_t i = clients->n_lingering; i-- > 0;)
        if (clients->lingering[i].until_us <= now_us)
            forget(clients, i);
}

int64_t clients_deadline_us(const struct clients *clients)
{
    int64_t deadline = INT64_MAX;
    if (clients->oldest)
        deadline = clients->oldest->since_us + clients->request_us;
    for (size_t i = 0; i < clients->n_lingering; i++)
        if (clients->lingering[i].until_us < deadline)
            deadline = clients->lingering[i].until_us;
    return deadline;
}

size_t clients_poll(const struct clients *clients, struct pollfd *fds)
{
    for (size_t i = 0; i < clients->n_lingering; i++)
        fds[i] = (struct pollfd){.fd = clients->lingering[i].fd, .events = POLLIN};
    return clients->n_lingering;
}

void clients_drain(struct clients *clients, const struct pollfd *fds, size_t n)
{
    char waste[16384];
    /* Backwards, because forget() moves the last entry into the gap. */
    for (size_t i = n; i-- > 0;) {
        if (!fds[i].revents)
            continue;
        ssize_t got = recv(fds[i].fd, waste, sizeof waste, MSG_DONTWAIT);
        if (got > 0 && (size_t)got < clients->lingering[i].budget_bytes)
            clients->lingering[i].budget_bytes -= (size_t)got;
        else if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            forget(clients, i);
    }
}
