#include "io/base/redact.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char hidden[] = "***";

struct output {
    char *at, *end;             /* end: the last byte, reserved for the final 0 */
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

/* Copies path, query and fragment of a URL, with the values of secret parameters hidden. */
static void put_parameters(struct output *out, const char *at, const char *end)
{
    const char *name = at;
    while (at < end) {
        char c = *at++;
        put(out, at - 1, 1);
        if (c == '=' && is_secret(name, (size_t)(at - 1 - name))) {
            const char *value_end = at;
            while (value_end < end && *value_end != '&')
                value_end++;
            const char *tail = value_end;
            if (value_end == end)       /* keep the colon of "…?token=x: Connection refused" */
                while (tail > at && strchr(":,'\")", tail[-1]))
                    tail--;
            if (tail > at)
                put(out, hidden, strlen(hidden));
            put(out, tail, (size_t)(value_end - tail));
            at = name = value_end;
        } else if (!is_name(c)) {
            name = at;
        }
    }
}

void redact(char *out_text, size_t size, const char *text)
{
    if (!size)
        return;
    struct output out = {out_text, out_text + size - 1};
    const char *mark;
    while ((mark = strstr(text, "://"))) {
        const char *start = mark + 3;
        put(&out, text, (size_t)(start - text));

        const char *end = start, *host_end, *query, *at = NULL;
        while (*end && !is_space(*end))
            end++;
        for (host_end = start; host_end < end && !strchr("/?#", *host_end);)
            host_end++;
        query = memchr(start, '?', (size_t)(end - start));
        if (!query)
            query = end;
        at = memrchr(start, '@', (size_t)(query - start));
        if (!at && !may_be_host(start, host_end)) {
            at = memrchr(start, '@', (size_t)(end - start));
            if (!at) {
                /* A blank in the password, or a URL cut short: hide all of it. */
                const char *next = strstr(end, "://"), *far = strchr(end, '@');
                if (far && (!next || far < next)) {
                    at = far;
                    for (end = far; *end && !is_space(*end);)
                        end++;
                } else {
                    put(&out, hidden, strlen(hidden));
                    text = end;
                    continue;
                }
            }
        }
        if (at) {
            put(&out, hidden, strlen(hidden));
            start = at;
        }
        put_parameters(&out, start, end);
        text = end;
    }
    put(&out, text, strlen(text));
    *out.at = 0;
}
