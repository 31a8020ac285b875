#include "web/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct authority {
    char host[256];     /* an IPv6 address without its brackets */
    bool bracketed;
    int port;           /* -1: none given */
};

static int parse_port(const char *text)
{
    size_t n = strspn(text, "0123456789");
    if (n > 5 || text[n] != '\0')
        return -2;
    int port = -1;
    for (size_t i = 0; i < n; i++)
        port = (port < 0 ? 0 : port * 10) + (text[i] - '0');
    return port <= 65535 ? port : -2;
}

/* HOST, HOST: or HOST:PORT; an IPv6 address has brackets. */
static bool parse_authority(const char *text, struct authority *ret)
{
    ret->bracketed = text[0] == '[';
    if (ret->bracketed)
        text++;
    size_t n = strcspn(text, ret->bracketed ? "]" : ":");
    if (n == 0 || n >= sizeof ret->host)
        return false;
    memcpy(ret->host, text, n);
    ret->host[n] = '\0';
    const char *rest = text + n;
    if (ret->bracketed && *rest++ != ']')
        return false;
    ret->port = -1;
    if (*rest == ':')
        ret->port = parse_port(++rest);
    else if (*rest)
        return false;
    return ret->port >= -1;
}

bool web_parse_loopback_host(const char *host)
{
    struct authority a;
    struct in_addr v4;
    struct in6_addr v6;
    if (!parse_authority(host, &a))
        return false;
    if (a.bracketed)
        return inet_pton(AF_INET6, a.host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(a.host, "localhost") == 0 || (inet_pton(AF_INET, a.host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}
