#include "web/request.h"

#include <errno.h>
#include <string.h>

#include "core/utc.h"
#include "io/base/printable.h"

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

/* Percent-decodes text into out and ends it with a 0. -EINVAL: the encoding is broken, or a byte is 0, which would hide the
 * rest. -E2BIG: the result does not fit; no name or value that memaed knows is as long. */
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

/* Moves the text before the first c from *rest to *ret, and drops that c. Without a c, it moves all of *rest. false: *rest
 * was used up before. */
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

int web_parse_name(const char *text, char ret[RECORD_NAME_SIZE])
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (n < 1 || n >= RECORD_NAME_SIZE || text[n] != '\0')
        return -EINVAL;
    memcpy(ret, text, n + 1);
    return 0;
}

int web_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t x = 0;
    if (text[0] < '1' || text[0] > '9')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(*text - '0');
        if (digit > max || x > (max - digit) / 10)
            return -EINVAL;
        x = x * 10 + digit;
    }
    *ret = x;
    return 0;
}

int web_parse_path(const char *target, size_t size, struct web_path *ret, struct error *err)
{
    struct web_path path = {0};
    struct text rest = {target, size}, text = {"", 0}, segment;
    cut(&rest, '?', &text);
    if (text.size == 0 || text.at[0] != '/')
        return -ENOENT;
    rest = (struct text){text.at + 1, text.size - 1};
    while (cut(&rest, '/', &segment)) {
        if (path.n == WEB_SEGMENTS_MAX)
            return -ENOENT;
        int r = decode(path.segments[path.n++], WEB_SEGMENT_SIZE, segment);
        if (r == -EINVAL)
            return error_set(err, r, "path: expected %%XX with two hexadecimal digits other than 00 after each %%");
        if (r < 0)
            return -ENOENT;
    }
    *ret = path;
    return 0;
}

static const struct parameter {
    const char *name;
    unsigned bit;
    const char *expected;
} parameters[] = {
    {"since", WEB_SINCE, "a cursor, the value of next or oldest in an earlier answer, or latest"},
    {"limit", WEB_LIMIT, "a whole number from 1 to 1000"},
    {"minutes", WEB_MINUTES, "a whole number from 1 to 527040"},
    {"by", WEB_BY, "a name of at most 64 printable characters"},
    {"suppressed", WEB_SUPPRESSED, "all or only"},
    {"camera", WEB_CAMERA, "a camera's name, 1 to 64 of a-z, 0-9, _ and -"},
    {"from", WEB_FROM, "a time of RFC 3339 in UTC, such as 2026-11-28T02:13:25.702Z"},
    {"to", WEB_TO, "a time of RFC 3339 in UTC, such as 2026-11-28T02:13:25.702Z"},
    {"step", WEB_STEP, "raw or minute"},
};

static int parse_who(const char *text, char ret[RECORD_NAME_SIZE])
{
    bool control;
    size_t n = 0;
    for (size_t length; text[n]; n += length) {
        length = printable_next(text + n, &control);
        if (control)
            return -EINVAL;
    }
    if (n < 1 || n >= RECORD_NAME_SIZE)
        return -EINVAL;
    memcpy(ret, text, n + 1);
    return 0;
}

static int set_parameter(unsigned bit, const char *value, struct web_request *request)
{
    uint64_t limit, minutes;
    switch (bit) {
    case WEB_SINCE:
        request->latest = strcmp(value, "latest") == 0;
        request->has_since = !request->latest;
        if (request->latest)
            return 0;
        return web_parse_cursor(value, strlen(value), &request->since);
    case WEB_LIMIT:
        if (web_parse_number(value, WEB_LIMIT_MAX, &limit) < 0)
            return -EINVAL;
        request->limit = limit;
        return 0;
    case WEB_FROM:
        request->has_from = true;
        return utc_parse(value, &request->from_us);
    case WEB_TO:
        request->has_to = true;
        return utc_parse(value, &request->to_us);
    case WEB_STEP:
        request->by_minute = strcmp(value, "minute") == 0;
        return request->by_minute || strcmp(value, "raw") == 0 ? 0 : -EINVAL;
    case WEB_MINUTES:
        if (web_parse_number(value, WEB_MINUTES_MAX, &minutes) < 0)
            return -EINVAL;
        request->minutes = (int)minutes;
        return 0;
    case WEB_BY:
        return parse_who(value, request->by);
    case WEB_SUPPRESSED:
        if (strcmp(value, "all") != 0 && strcmp(value, "only") != 0)
            return -EINVAL;
        request->suppressed = *value == 'a' ? VIEW_ALL : VIEW_SUPPRESSED_ONLY;
        return 0;
    default:
        return web_parse_name(value, request->camera);
    }
}

int web_parse_query(const char *target, size_t size, unsigned known, struct web_request *ret, const char **parameter,
                    struct error *err)
{
    struct web_request request = *ret;
    unsigned seen = 0;
    struct text query = {target, size}, path, pair, name;
    *parameter = NULL;
    cut(&query, '?', &path);
    while (cut(&query, '&', &pair)) {
        if (pair.size == 0)
            continue;
        char text[128];
        cut(&pair, '=', &name);
        int r = decode(text, sizeof text, name);
        if (r == -EINVAL)
            return error_set(err, r, "query: expected %%XX with two hexadecimal digits other than 00 after each %%");
        if (r < 0)
            continue;
        for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
            const struct parameter *p = &parameters[i];
            if (!(known & p->bit) || strcmp(text, p->name) != 0)
                continue;
            *parameter = p->name;
            if (seen & p->bit)
                return error_set(err, -EINVAL, "%s: given twice", p->name);
            seen |= p->bit;
            char value[128];
            const struct text raw = pair.at ? pair : (struct text){"", 0};
            if (decode(value, sizeof value, raw) < 0 || set_parameter(p->bit, value, &request) < 0)
                return error_set(err, -EINVAL, "%s: expected %s", p->name, p->expected);
            *parameter = NULL;
            break;
        }
    }
    *ret = request;
    return 0;
}
