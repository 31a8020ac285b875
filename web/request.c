#include "web/request.h"

#include <errno.h>
#include <stdlib.h>
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
 * rest. -E2BIG: the result does not fit, so it is no name or value that memaed knows. */
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

int web_parse_event_id(const char *text, uint64_t *ret)
{
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    return web_parse_number(text, UINT64_MAX - 1, ret);
}

/* ---- the parameters: one function and one row of the table each ------------------------------------------------------ */

static int set_since(const char *value, struct web_request *request)
{
    request->latest = strcmp(value, "latest") == 0;
    request->has_since = !request->latest;
    return request->latest ? 0 : web_parse_cursor(value, strlen(value), &request->since);
}

static int set_limit(const char *value, struct web_request *request)
{
    uint64_t limit;
    if (web_parse_number(value, WEB_LIMIT_MAX, &limit) < 0)
        return -EINVAL;
    request->limit = limit;
    return 0;
}

static int set_minutes(const char *value, struct web_request *request)
{
    uint64_t minutes;
    if (web_parse_number(value, WEB_MINUTES_MAX, &minutes) < 0)
        return -EINVAL;
    request->minutes = (int)minutes;
    return 0;
}

/* Takes printable UTF-8 of at most size - 1 bytes; with has_lines, line feeds too. */
static int set_text(const char *value, bool has_lines, char *ret, size_t size)
{
    bool control;
    size_t n = 0;
    for (size_t length; value[n]; n += length) {
        length = printable_next(value + n, &control);
        if (control && !(has_lines && value[n] == '\n'))
            return -EINVAL;
    }
    if (n >= size)
        return -EINVAL;
    memcpy(ret, value, n + 1);
    return 0;
}

static int set_by(const char *value, struct web_request *request)
{
    return *value ? set_text(value, false, request->by, sizeof request->by) : -EINVAL;
}

static int set_note(const char *value, struct web_request *request)
{
    request->has_note = true;
    return set_text(value, true, request->note, sizeof request->note);
}

static int set_camera(const char *value, struct web_request *request)
{
    return web_parse_name(value, request->alerts.camera);
}

static int set_state(const char *value, struct web_request *request)
{
    static const char *const names[] = {
        [ALERT_IS_OPEN] = "open", [ALERT_IS_CLOSED] = "closed", [ALERT_IS_INTERRUPTED] = "interrupted",
    };
    for (int i = ALERT_IS_OPEN; i <= ALERT_IS_INTERRUPTED; i++)
        if (strcmp(value, names[i]) == 0) {
            request->alerts.state = (enum alert_filter_state)i;
            return 0;
        }
    return -EINVAL;
}

static int set_kind(const char *value, struct web_request *request)
{
    request->alerts.has_kind = true;
    return alert_kind_find(&request->alerts.kind, value) ? 0 : -EINVAL;
}

static int parse_flag(const char *value, enum filter_flag *ret)
{
    bool yes = strcmp(value, "true") == 0;
    *ret = yes ? FILTER_YES : FILTER_NO;
    return yes || strcmp(value, "false") == 0 ? 0 : -EINVAL;
}

static int set_acknowledged(const char *value, struct web_request *request)
{
    return parse_flag(value, &request->alerts.acknowledged);
}

static int set_marked(const char *value, struct web_request *request)
{
    return parse_flag(value, &request->alerts.marked);
}

static int set_from(const char *value, struct web_request *request)
{
    request->has_from = true;
    return utc_parse(value, &request->from_us);
}

static int set_to(const char *value, struct web_request *request)
{
    request->has_to = true;
    return utc_parse(value, &request->to_us);
}

static int set_suppressed(const char *value, struct web_request *request)
{
    bool all = strcmp(value, "all") == 0;
    request->alerts.suppressed = all ? ALERT_TOLD_OR_NOT : ALERT_NOT_TOLD;
    return all || strcmp(value, "only") == 0 ? 0 : -EINVAL;
}

static int set_step(const char *value, struct web_request *request)
{
    request->by_minute = strcmp(value, "minute") == 0;
    return request->by_minute || strcmp(value, "raw") == 0 ? 0 : -EINVAL;
}

static int add_camera(const char *value, struct web_request *request)
{
    struct event_filter *filter = &request->events;
    if (filter->n_cameras == EVENT_FILTER_CAMERAS_MAX)
        return -EINVAL;
    return web_parse_name(value, filter->cameras[filter->n_cameras++]);
}

static int add_type(const char *value, struct web_request *request)
{
    enum event_type type;
    if (!event_type_find(&type, value))
        return -EINVAL;
    request->events.types |= event_bit(type);
    return 0;
}

static int add_zone(const char *value, struct web_request *request)
{
    struct alert_limits *limits = &request->events.alerts;
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (limits->n_zones == ZONES_MOST || n < 1 || n >= ZONE_NAME_SIZE || value[n] != '\0')
        return -EINVAL;
    memcpy(limits->zones[limits->n_zones++], value, n + 1);
    return 0;
}

/* A decimal number, without blanks and exponents. */
static int set_min_score(const char *value, struct web_request *request)
{
    const char *at = value + (*value == '-');
    size_t whole = strspn(at, "0123456789"), n = whole;
    if (at[n] == '.')
        n += 1 + strspn(at + n + 1, "0123456789");
    if (whole == 0 || at[n] != '\0' || at[n - 1] == '.')
        return -EINVAL;
    request->events.alerts.has_min_score = true;
    request->events.alerts.min_score = strtod(value, NULL);
    return 0;
}

static int set_last_event_id(const char *value, struct web_request *request)
{
    request->has_last_event_id = true;
    return web_parse_event_id(value, &request->last_event_id);
}

#define A_TIME "a time of RFC 3339 such as 2026-11-28T10:15:00Z"

static const struct parameter {
    const char *name;
    unsigned bit;
    bool is_list;
    const char *expected;
    int (*set)(const char *value, struct web_request *request);     /* 0 or -EINVAL; for each value of a list */
} parameters[] = {
    {"since", WEB_SINCE, false, "a cursor, the value of next or oldest in an earlier answer, or latest", set_since},
    {"limit", WEB_LIMIT, false, "a whole number from 1 to 1000", set_limit},
    {"minutes", WEB_MINUTES, false, "a whole number from 1 to 527040", set_minutes},
    {"by", WEB_BY, false, "a name of at most 64 printable characters", set_by},
    {"note", WEB_NOTE, false, "a text of at most 1024 bytes, in lines of printable characters", set_note},
    {"camera", WEB_CAMERA, false, "a camera's name, 1 to 64 of a-z, 0-9, _ and -", set_camera},
    {"state", WEB_STATE, false, "open, closed or interrupted", set_state},
    {"kind", WEB_KIND, false, "anomaly or still", set_kind},
    {"from", WEB_FROM, false, A_TIME, set_from},
    {"to", WEB_TO, false, A_TIME, set_to},
    {"acknowledged", WEB_ACKNOWLEDGED, false, "true or false", set_acknowledged},
    {"marked", WEB_MARKED, false, "true or false", set_marked},
    {"suppressed", WEB_SUPPRESSED, false, "all or only", set_suppressed},
    {"step", WEB_STEP, false, "raw or minute", set_step},
    {"camera", WEB_CAMERAS, true, "at most 16 names of cameras, each 1 to 64 of a-z, 0-9, _ and -", add_camera},
    {"type", WEB_TYPES, true, "types of events such as alert.opened", add_type},
    {"zone", WEB_ZONES, true, "at most 16 names of zones, each 1 to 32 of a-z, 0-9, _ and -", add_zone},
    {"min_score", WEB_MIN_SCORE, false, "a number such as 2.5", set_min_score},
    {"last_event_id", WEB_LAST_EVENT_ID, false, "the id of an event, a whole number", set_last_event_id},
};

static int set_parameter(const struct parameter *p, char *value, struct web_request *request)
{
    if (!p->is_list)
        return p->set(value, request);
    for (char *next; value; value = next) {
        next = strchr(value, ',');
        if (next)
            *next++ = '\0';
        if (p->set(value, request) < 0)
            return -EINVAL;
    }
    return 0;
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
            if (seen & p->bit && !p->is_list)
                return error_set(err, -EINVAL, "%s: given twice", p->name);
            seen |= p->bit;
            char value[WEB_TARGET_MAX];
            const struct text raw = pair.at ? pair : (struct text){"", 0};
            if (decode(value, sizeof value, raw) < 0 || set_parameter(p, value, &request) < 0)
                return error_set(err, -EINVAL, "%s: expected %s", p->name, p->expected);
            *parameter = NULL;
            break;
        }
    }
    *ret = request;
    return 0;
}
