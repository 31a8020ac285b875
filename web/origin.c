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

/* Reads HOST, HOST: or HOST:PORT; an IPv6 address has brackets. */
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

bool web_is_known_host(const char *host, char *const *names, size_t n)
{
    struct authority a;
    unsigned char address[sizeof(struct in6_addr)];
    if (!parse_authority(host, &a))
        return false;
    if (a.bracketed || inet_pton(AF_INET, a.host, address) == 1)
        return !a.bracketed || inet_pton(AF_INET6, a.host, address) == 1;
    bool known = strcasecmp(a.host, "localhost") == 0;
    for (size_t i = 0; !known && i < n; i++)
        known = strcasecmp(a.host, names[i]) == 0;
    return known;
}

/* Returns true if the host has characters of names and addresses alone; none of them ends a host within a URL. */
static bool is_plain_host(const struct authority *a)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    return a->host[strspn(a->host, a->bracketed ? "0123456789abcdefABCDEF:." : name)] == '\0';
}

bool web_is_same_origin(const char *origin, const char *host)
{
    static const struct { const char *prefix; int port; } schemes[] = {{"http://", 80}, {"https://", 443}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i].prefix);
        if (strncasecmp(origin, schemes[i].prefix, n) != 0)
            continue;
        struct authority page, here;
        if (!parse_authority(origin + n, &page) || !parse_authority(host, &here) || !is_plain_host(&page))
            return false;
        int port = page.port >= 0 ? page.port : schemes[i].port, own_port = here.port >= 0 ? here.port : schemes[i].port;
        return page.bracketed == here.bracketed && port == own_port && strcasecmp(page.host, here.host) == 0;
    }
    return false;
}

bool web_is_same_site(const char *value)
{
    return strcmp(value, "same-origin") == 0 || strcmp(value, "none") == 0;
}
