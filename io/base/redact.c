#include "io/base/redact.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char hidden[] = "***";

struct output {
    char *at, *end;             /* end: the last byte, reserved for the final 0 */
    int deepest;                /* how often the addresses of this word are percent-encoded at most */
};

static void put(struct output *out, const char *text, size_t n)
{
    size_t room = (size_t)(out->end - out->at);
    if (n > room)
        n = room;
    memcpy(out->at, text, n);
    out->at += n;
}

static bool is_space(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
}

/* Returns true if the text is NAME, NAME:PORT, [V6], [V6]:PORT or empty. Punctuation that a message puts after a URL is
 * ignored. */
static bool may_be_host(const char *at, const char *end)
{
    while (end > at && strchr(":,.;)'\"", end[-1]))
        end--;
    if (at < end && *at == '[') {
        while (at < end && *at != ']')
            at++;
        if (at == end)
            return false;
        at++;
    } else {
        while (at < end && *at != ':')
            at++;
    }
    if (at == end)
        return true;
    if (*at++ != ':' || end - at > 5)
        return false;
    while (at < end && is_digit(*at))
        at++;
    return at == end;
}

static bool is_secret(const char *name, size_t n)
{
    static const char *const parts[] = {"pass", "pwd", "psw", "token", "key", "secret", "auth", "sign", "cred", "user", "usr",
                                        "login", "account", "session"};
    static const char *const whole[] = {"sig", "sid", "pw", "u", "p"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strlen(whole[i]) == n && strncasecmp(name, whole[i], n) == 0)
            return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t m = strlen(parts[i]);
        for (size_t j = 0; j + m <= n; j++)
            if (strncasecmp(name + j, parts[i], m) == 0)
                return true;
    }
    return false;
}

/* ---- percent-encoding --------------------------------------------------------------------------------------------------- */

/* A character of a URL. It may be percent-encoded once or several times: "@", "%40" and "%2540" are '@' of depth 0, 1 and 2. */
struct letter {
    char c;
    int depth;
    size_t n;                   /* bytes of text */
};

static int hex(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* at < end */
static struct letter letter_at(const char *at, const char *end)
{
    struct letter letter = {*at, 0, 1};
    const char *digits = at + 1;
    if (*at != '%')
        return letter;
    int depth = 1;
    while (end - digits >= 4 && digits[0] == '2' && digits[1] == '5' && hex(digits[2]) >= 0 && hex(digits[3]) >= 0) {
        digits += 2;
        depth++;
    }
    if (end - digits >= 2 && hex(digits[0]) >= 0 && hex(digits[1]) >= 0)
        letter = (struct letter){(char)(hex(digits[0]) << 4 | hex(digits[1])), depth, (size_t)(digits + 2 - at)};
    return letter;
}

/* The place behind "://" at at, encoded or not; NULL: something else stands there. *depth is that of its deepest character. */
static const char *behind_mark(const char *at, const char *end, int *depth)
{
    *depth = 0;
    for (const char *mark = "://"; *mark; mark++) {
        if (at == end)
            return NULL;
        struct letter letter = letter_at(at, end);
        if (letter.c != *mark)
            return NULL;
        if (letter.depth > *depth)
            *depth = letter.depth;
        at += letter.n;
    }
    return at;
}

/* may_be_host() of text that may be encoded. No host has a '=', which could hide where it ends. */
static bool may_be_encoded_host(const char *at, const char *end)
{
    char host[256];
    size_t n = 0;
    while (at < end && n < sizeof host) {
        struct letter letter = letter_at(at, end);
        host[n++] = letter.c;
        at += letter.n;
    }
    return at == end && !memchr(host, '=', n) && may_be_host(host, host + n);
}

/* ---- parts of a URL ----------------------------------------------------------------------------------------------------- */

/* The part of an address that holds user and password, which is to be hidden. */
struct user {
    const char *end;            /* the start of the address: it names no user */
    bool has_path;              /* the part may be host, path and parameters instead: "host/token=a@b" */
};

/* Finds user and password of an address inside another, which begins at start, behind a "://" of that depth. */
static struct user find_nested_user(const char *start, const char *end, int depth)
{
    const char *p = start, *host_end = NULL, *query = NULL, *at = NULL, *any = NULL;
    while (p < end) {
        struct letter letter = letter_at(p, end);
        if (letter.c == '&' && letter.depth < depth)
            break;              /* the parameter of the outer address ends */
        if (!host_end && letter.c && strchr("/?#&", letter.c))
            host_end = p;
        if (!query && depth == 0 && letter.depth == 0 && letter.c == '?')
            query = p;
        if (letter.c == '@' && letter.depth <= depth) {
            any = p;
            if (!query)
                at = p;
        }
        p += letter.n;
    }
    if (!at && may_be_encoded_host(start, host_end ? host_end : p))
        return (struct user){start, false};
    const char *user_end = at ? at : any ? any : p;
    return (struct user){user_end, host_end && host_end < user_end};
}

/* Hides [start, end). A '?' in it stays, and so does an '&' that ends an address before it. They decide up to which '@' a
 * second call looks for a password. */
static void hide(struct output *out, const char *start, const char *end)
{
    if (start == end)
        return;
    put(out, hidden, strlen(hidden));
    if (memchr(start, '?', (size_t)(end - start)))
        put(out, "?", 1);
    const char *border = NULL;
    struct letter letter, shallowest = {.depth = out->deepest};
    for (; start < end; start += letter.n) {
        letter = letter_at(start, end);
        if (letter.c == '&' && letter.depth < shallowest.depth) {
            shallowest = letter;
            border = start;
        }
    }
    if (border)
        put(out, border, shallowest.n);
}

/* Copies a URL from `from` on. Hides the values of secret parameters, and user and password of addresses inside. The text between
 * at and from was hidden. If a value or a password begins there and goes on behind it, all of the rest is hidden, too. */
static void put_parameters(struct output *out, const char *at, const char *from, const char *end)
{
    char name[128];             /* decoded; the end of a longer one */
    size_t n = 0;
    while (at < end) {
        int depth;
        const char *nested = behind_mark(at, end, &depth);
        if (nested) {
            struct user user = find_nested_user(nested, end, depth);
            if (at >= from && depth > out->deepest)     /* a second call does not see hidden text */
                out->deepest = depth;
            if (at < from && user.end > from)
                return;
            if (at >= from) {
                put(out, at, (size_t)(nested - at));
                hide(out, nested, user.end);
                from = user.end;
            }
            at = user.has_path ? nested : user.end;
            n = 0;
            continue;
        }
        struct letter letter = letter_at(at, end);
        if (at >= from)
            put(out, at, letter.n);
        at += letter.n;
        if (letter.c == '=' && is_secret(name, n)) {
            const char *value_end = at;
            while (value_end < end) {
                struct letter next = letter_at(value_end, end);
                if (next.c == '&' && next.depth <= letter.depth)
                    break;
                value_end += next.n;
            }
            const char *tail = value_end;
            if (value_end == end)       /* keep the colon of "…?token=x: Connection refused" */
                while (tail > at && strchr(":,'\")", tail[-1]))
                    tail--;
            if (at <= from && value_end > from)     /* at from: the value's name was hidden */
                return;
            if (at >= from) {
                hide(out, at, tail);
                put(out, tail, (size_t)(value_end - tail));
            }
            at = value_end;
            n = 0;
        } else if (is_name(letter.c)) {
            if (n == sizeof name)
                memmove(name, name + 1, --n);
            name[n++] = letter.c;
        } else {
            n = 0;
        }
    }
}

/* The first "://" of the text, encoded or not: *behind is the place behind it. NULL: there is none. */
static const char *find_mark(const char *text, const char **behind, int *depth)
{
    const char *end = text + strlen(text);
    for (; text < end; text++)
        if ((*text == ':' || *text == '%') && (*behind = behind_mark(text, end, depth)))
            return text;
    return NULL;
}

/* A password may begin with digits and go on with '?': "user:12?34@host" looks like host, port and query. Returns true if a
 * port stands directly before such a query, and an '@' in it. */
static bool may_be_password(const char *start, const char *host_end, const char *query, const char *end)
{
    return query == host_end && memchr(start, ':', (size_t)(host_end - start)) && memchr(query, '@', (size_t)(end - query));
}

void redact(char *out_text, size_t size, const char *text)
{
    if (!size)
        return;
    struct output out = {out_text, out_text + size - 1, 0};
    const char *start;
    int depth;
    while (find_mark(text, &start, &depth)) {
        put(&out, text, (size_t)(start - text));
        out.deepest = depth;

        const char *end = start, *host_end, *query, *at = NULL;
        while (*end && !is_space(*end))
            end++;
        if (depth > 0) {
            struct user user = find_nested_user(start, end, depth);
            hide(&out, start, user.end);
            put_parameters(&out, user.has_path ? start : user.end, user.end, end);
            text = end;
            continue;
        }
        for (host_end = start; host_end < end && !strchr("/?#", *host_end);)
            host_end++;
        query = memchr(start, '?', (size_t)(end - start));
        if (!query)
            query = end;
        at = memrchr(start, '@', (size_t)(query - start));
        if (!at && (!may_be_encoded_host(start, host_end) || may_be_password(start, host_end, query, end))) {
            at = memrchr(start, '@', (size_t)(end - start));
            if (!at) {
                /* A blank in the password, or a URL cut short: hide all of it. */
                const char *behind, *next = find_mark(end, &behind, &depth), *far = strchr(end, '@');
                if (far && (!next || far < next)) {
                    for (end = far; *end && !is_space(*end);)
                        end++;
                    query = memchr(far, '?', (size_t)(end - far));
                    at = memrchr(far, '@', (size_t)((query ? query : end) - far));
                } else {
                    put(&out, hidden, strlen(hidden));
                    text = end;
                    continue;
                }
            }
        }
        if (at)
            put(&out, hidden, strlen(hidden));
        else
            at = start;
        put_parameters(&out, host_end < at ? start : at, at, end);
        text = end;
    }
    put(&out, text, strlen(text));
    *out.at = 0;
}
