/* libFuzzer target: the parsers of request lines, Host headers and cursors. They neither crash nor read past the end, and
 * their results obey web/request.h. A cursor that is accepted has no other spelling: it is written back as the same text. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "web/cursor.h"
#include "web/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_request(const struct web_request *r)
{
    check(r->limit >= 1 && r->limit <= WEB_LIMIT_MAX);
    size_t n = strnlen(r->camera, sizeof r->camera);
    check(n <= 64 && strspn(r->camera, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n);
    check((r->route != WEB_CAMERA && r->route != WEB_SCORES) || n > 0);
    check((r->route == WEB_ALERT) == (r->alert > 0));
    check(!r->has_since || r->route == WEB_SCORES || r->route == WEB_ALERTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_request request;
    struct web_cursor cursor;
    struct error err = {""};
    const char *parameter, *text = (const char *)data;

    int r = web_parse_target(text, size, &request, &parameter, &err);
    check(r == 0 || r == -ENOENT || r == -EINVAL);
    check(r == -EINVAL ? err.text[0] != '\0' : parameter == NULL);
    if (r == 0)
        check_request(&request);

    if (web_parse_cursor(text, size, &cursor) == 0) {
        char again[WEB_CURSOR_SIZE];
        web_format_cursor(again, &cursor);
        check(size == WEB_CURSOR_SIZE - 1 && memcmp(again, text, size) == 0);
    }

    char *host = malloc(size + 1);
    if (host) {
        memcpy(host, data, size);
        host[size] = '\0';
        web_parse_loopback_host(host);
        free(host);
    }
    return 0;
}
