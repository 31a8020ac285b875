#include "web/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

enum { MAX_SEGMENTS = 5 };

struct text {
    const char *at;
    size_t size;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decodes text into out and ends it. -EINVAL: broken encoding, or a byte 0, which would hide what follows it.
 * -E2BIG: longer than anything that is known. */
static int decode(char *out, size_t size, struct text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++) {
        int c = (unsigned char)text.at[i];
        if (c == '%') {
            if (text.size - i < 3)
                return -EINVAL;
            int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
            if (high < 0 || low < 0)
                return -EINVAL;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0)
            return -EINVAL;
        if (n + 1 >= size)
            return -E2BIG;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return 0;
}

/* Cuts what stands before the first c off *rest, or all of it; false where *rest is used up. */
static bool cut(struct text *rest, char c, struct text *ret)
{
    if (!rest->at)
        return false;
    const char *end = memchr(rest->at, c, rest->size);
    ret->at = rest->at;
    if (end) {
        ret->size = (size_t)(end - rest->at);
        rest->size -= ret->size + 1;
        rest->at = end + 1;
    } else {
        ret->size = rest->size;
        rest->at = NULL;
    }
    return true;
}

static bool valid_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= 64 && name[n] == '\0';
}

/* A number without sign, blank or leading zero. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t x = 0;
    if (text[0] < '1' || text[0] > '9')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(*text - '0');
        if (x > (max - digit) / 10)
            return -EINVAL;
        x = x * 10 + digit;
    }
    *ret = x;
    return 0;
}

static int parse_path(struct text path, struct web_request *request, struct error *err)
{
    char segments[MAX_SEGMENTS][128];
    size_t n = 0;
    struct text segment;
    if (path.size == 0 || path.at[0] != '/')
        return -ENOENT;
    struct text rest = {path.at + 1, path.size - 1};
    while (cut(&rest, '/', &segment)) {
        if (n == MAX_SEGMENTS)
            return -ENOENT;
        int r = decode(segments[n++], sizeof segments[0], segment);
        if (r == -EINVAL)
            return error_set(err, r, "the path's percent-encoding is broken");
        if (r < 0)
            return -ENOENT;
    }

    if (n == 1 && strcmp(segments[0], "healthz") == 0)
        request->route = WEB_HEALTHZ;
    else if (n == 1 && strcmp(segments[0], "readyz") == 0)
        request->route = WEB_READYZ;
    else if (n == 1 && strcmp(segments[0], "metrics") == 0)
        request->route = WEB_METRICS;
    else if (n < 3 || strcmp(segments[0], "api") != 0 || strcmp(segments[1], "v1") != 0)
        return -ENOENT;
    else if (strcmp(segments[2], "cameras") == 0) {
        if (n >= 4) {
            if (!valid_name(segments[3]))
                return -ENOENT;
            memcpy(request->camera, segments[3], strlen(segments[3]) + 1);
        }
        if (n == 5 && strcmp(segments[4], "scores") != 0)
            return -ENOENT;
        request->route = n == 3 ? WEB_CAMERAS : n == 4 ? WEB_CAMERA : WEB_SCORES;
    } else if (strcmp(segments[2], "alerts") == 0) {
        if (n > 4 || (n == 4 && parse_number(segments[3], UINT64_MAX, &request->alert) < 0))
            return -ENOENT;
        request->route = n == 3 ? WEB_ALERTS : WEB_ALERT;
    } else
        return -ENOENT;
    return 0;
}

enum { SINCE = 1, LIMIT = 2, CAMERA = 4 };

static const struct parameter {
    const char *name;
    unsigned bit;
    const char *rule;
} parameters[] = {
    {"since", SINCE, "since must be a cursor: the text of next or oldest from an earlier answer"},
    {"limit", LIMIT, "limit must be a whole number from 1 to 1000"},
    {"camera", CAMERA, "camera must be a camera's name: 1 to 64 of a-z, 0-9, _ and -"},
};

static int set_parameter(unsigned bit, const char *value, struct web_request *request)
{
    uint64_t limit;
    switch (bit) {
    case SINCE:
        request->has_since = true;
        return web_parse_cursor(value, strlen(value), &request->since);
    case LIMIT:
        if (parse_number(value, WEB_LIMIT_MAX, &limit) < 0)
            return -EINVAL;
        request->limit = limit;
        return 0;
    default:
        if (!valid_name(value))
            return -EINVAL;
        memcpy(request->camera, value, strlen(value) + 1);
        return 0;
    }
}

static int parse_query(struct text query, unsigned known, struct web_request *request, const char **wrong, struct error *err)
{
    unsigned seen = 0;
    struct text pair, name;
    while (cut(&query, '&', &pair)) {
        if (pair.size == 0)
            continue;
        char text[128];
        cut(&pair, '=', &name);
        int r = decode(text, sizeof text, name);
        if (r == -EINVAL)
            return error_set(err, r, "the query's percent-encoding is broken");
        if (r < 0)
            continue;
        for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
            const struct parameter *p = &parameters[i];
            if (!(known & p->bit) || strcmp(text, p->name) != 0)
                continue;
            *wrong = p->name;
            if (seen & p->bit)
                return error_set(err, -EINVAL, "%s stands there twice", p->name);
            seen |= p->bit;
            char value[128];
            const struct text raw = pair.at ? pair : (struct text){"", 0};
            if (decode(value, sizeof value, raw) < 0 || set_parameter(p->bit, value, request) < 0)
                return error_set(err, -EINVAL, "%s", p->rule);
            *wrong = NULL;
            break;
        }
    }
    return 0;
}

int web_parse_target(const char *target, size_t size, struct web_request *ret, const char **parameter, struct error *err)
{
    struct web_request request = {.limit = WEB_LIMIT_DEFAULT};
    struct text path = {"", 0}, query = {target, size};
    *parameter = NULL;
    cut(&query, '?', &path);
    int r = parse_path(path, &request, err);
    if (r < 0)
        return r;
    unsigned known = request.route == WEB_SCORES ? SINCE | LIMIT : request.route == WEB_ALERTS ? SINCE | LIMIT | CAMERA : 0;
    r = parse_query(query, known, &request, parameter, err);
    if (r < 0)
        return r;
    *ret = request;
    return 0;
}

bool web_parse_loopback_host(const char *host)
{
    char name[64];
    bool bracketed = host[0] == '[';
    if (bracketed)
        host++;
    size_t n = strcspn(host, bracketed ? "]" : ":");
    if (n >= sizeof name)
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    const char *port = host + n;
    if (bracketed && *port++ != ']')
        return false;
    if (*port == ':') {
        size_t digits = strspn(++port, "0123456789");
        if (digits > 5)
            return false;
        port += digits;
    }
    if (*port)
        return false;

    struct in_addr v4;
    struct in6_addr v6;
    if (bracketed)
        return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(name, "localhost") == 0 || (inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}
