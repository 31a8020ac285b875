/* libFuzzer target: the parsers of request lines, of Host, Origin, Sec-Fetch-Site and Last-Event-ID, and of cursors. They neither
 * crash nor read past the end, and their results obey web/dispatch.h and web/origin.h. A cursor or the id of an event that is
 * accepted has no other spelling: it is written back as the same text. */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "web/cursor.h"
#include "web/dispatch.h"
#include "web/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_name(const char *name)
{
    size_t n = strnlen(name, RECORD_NAME_SIZE);
    check(n >= 1 && n <= 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n);
}

static void check_filters(const struct web_route *route, const struct web_request *r)
{
    const struct alert_filter *a = &r->alerts;
    if (*a->camera)
        check_name(a->camera);
    check(a->state <= ALERT_IS_INTERRUPTED && a->kind < ALERT_KINDS && a->suppressed <= ALERT_NOT_TOLD);
    check(a->acknowledged <= FILTER_YES && a->marked <= FILTER_YES);
    check(!(*a->camera || a->state || a->has_kind || a->acknowledged || a->marked) || (route->parameters & WEB_ALERT_FILTER));
    check(r->events.n_cameras <= EVENT_FILTER_CAMERAS_MAX && !(r->events.types & ~(unsigned)EVENT_ALL));
    for (size_t i = 0; i < r->events.n_cameras; i++)
        check_name(r->events.cameras[i]);
    check(!(r->events.n_cameras || r->events.types) || (route->parameters & WEB_EVENT_FILTER));
    check(r->events.alerts.n_zones <= ZONES_MOST && (!alert_limits_any(&r->events.alerts) ||
                                                     (route->parameters & WEB_EVENT_FILTER)));
    check(!r->has_last_event_id || ((route->parameters & WEB_LAST_EVENT_ID) && r->last_event_id < UINT64_MAX));
}

static void check_request(const struct web_route *route, const struct web_request *r)
{
    check(r->limit >= 1 && r->limit <= WEB_LIMIT_MAX);
    check((route->parameters & WEB_LIMIT) || r->limit == WEB_LIMIT_DEFAULT);
    size_t n = strnlen(r->camera, sizeof r->camera);
    check(n <= 64 && strspn(r->camera, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n);
    check((strstr(route->pattern, "NAME") != NULL) == (n > 0));
    check_filters(route, r);
    check((strstr(route->pattern, "/ID") != NULL) == (r->alert > 0));
    check(r->alerts.suppressed == ALERT_TOLD || (route->parameters & WEB_SUPPRESSED));
    check(!r->has_since || (route->parameters & WEB_SINCE));
    check((!r->has_from || (route->parameters & WEB_FROM)) && (!r->has_to || (route->parameters & WEB_TO)));
    check(strnlen(r->note, sizeof r->note) < sizeof r->note && (!r->has_note || (route->parameters & WEB_NOTE)));
    check(!r->by_minute || (route->parameters & WEB_STEP));
    const int64_t day_us = 86400000000;              /* more than any offset from UTC */
    const int64_t first_us = -62167219200000000 - day_us, end_us = 253402300801000000 + day_us;
    check(!r->has_from || (r->from_us >= first_us && r->from_us < end_us));
    check(!r->has_to || (r->to_us >= first_us && r->to_us < end_us));
    check((route->handler != NULL) != (route->begin != NULL));
}

static void check_dispatch(const char *method, const char *text, size_t size)
{
    struct web_request request;
    struct web_answer answer;
    struct web_headers headers = {0};
    web_headers_add(&headers, "Host", "localhost:8787");
    const struct web_route *route = web_dispatch(&web_routes, method, text, size, &headers, &request, &answer);
    if (route) {
        check_request(route, &request);
        check(((route->method == WEB_POST) == (strcmp(method, "POST") == 0)));
        return;
    }
    check(answer.status == 400 || answer.status == 421 || answer.status == 404 || answer.status == 405 || answer.status == 414);
    check(answer.body && answer.size == strlen(answer.body) && (answer.allow[0] != '\0') == (answer.status == 405));
    web_answer_clear(&answer);
}

static void check_event_id(const char *text)
{
    uint64_t id;
    char again[24];
    if (web_parse_event_id(text, &id) < 0)
        return;
    snprintf(again, sizeof again, "%" PRIu64, id);
    check(strcmp(again, text) == 0 && id < UINT64_MAX);
}

static void check_headers(const char *text)
{
    web_parse_loopback_host(text);
    web_is_known_host(text, NULL, 0);
    check(!web_is_same_origin("null", text) && !web_is_same_origin("", text));
    size_t size = strlen(text) + 1;
    char *origin = malloc(7 + size), *other = malloc(1 + size);
    if (origin && other) {
        memcpy(origin, "http://", 7);
        memcpy(origin + 7, text, size);
        other[0] = 'x';
        memcpy(other + 1, text, size);
        /* The host of an origin has no character that ends a host in a URL: it could name another host. */
        if (web_is_same_origin(origin, text))
            check(!strpbrk(text, "/@?#\\ ") && !web_is_same_origin(origin, other) && !web_is_same_origin(text, text));
    }
    free(origin);
    free(other);
    check(!web_is_same_origin(text, "localhost:8787") || strncasecmp(text, "http", 4) == 0);
    check(!web_is_same_site(text) || strcmp(text, "none") == 0 || strcmp(text, "same-origin") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    check_dispatch("GET", text, size);
    check_dispatch("POST", text, size);

    struct web_cursor cursor;
    if (web_parse_cursor(text, size, &cursor) == 0) {
        char again[WEB_CURSOR_SIZE];
        web_format_cursor(again, &cursor);
        check(size == WEB_CURSOR_SIZE - 1 && memcmp(again, text, size) == 0);
    }

    char *ended = malloc(size + 1);
    if (ended) {
        memcpy(ended, data, size);
        ended[size] = '\0';
        check_headers(ended);
        check_event_id(ended);
        free(ended);
    }
    return 0;
}
