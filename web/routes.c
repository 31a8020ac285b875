#include "web/routes.h"

#include <errno.h>
#include <string.h>

#include "web/handlers.h"

const struct web_header web_api_headers[] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL},
};

#define API web_api_headers

static const struct web_route table[] = {
    {WEB_GET,  "/",                           0,                                   web_handle_index,    NULL, API},
    {WEB_GET,  "/api/v1",                     0,                                   web_handle_index,    NULL, API},
    {WEB_GET,  "/api/v1/cameras",             0,                                   web_handle_cameras,  NULL, API},
    {WEB_GET,  "/api/v1/cameras/NAME",        0,                                   web_handle_camera,   NULL, API},
    {WEB_GET,  "/api/v1/cameras/NAME/scores", WEB_SINCE | WEB_LIMIT,               web_handle_scores,   NULL, API},
    {WEB_GET,  "/api/v1/cameras/NAME/history", WEB_FROM | WEB_TO | WEB_STEP | WEB_LIMIT, web_handle_history, NULL, API},
    {WEB_POST, "/api/v1/cameras/NAME/arm",    0,                                   web_handle_arm,      NULL, API},
    {WEB_POST, "/api/v1/cameras/NAME/disarm", WEB_BY | WEB_MINUTES,                web_handle_disarm,   NULL, API},
    {WEB_POST, "/api/v1/cameras/NAME/snooze", WEB_BY | WEB_MINUTES,                web_handle_snooze,   NULL, API},
    {WEB_POST, "/api/v1/cameras/NAME/health/learn", 0,                             web_handle_health_learn, NULL, API},
    {WEB_GET,  "/api/v1/cameras/NAME/faults/ID/before", 0,                 web_handle_fault_before, NULL, web_file_headers},
    {WEB_GET,  "/api/v1/cameras/NAME/faults/ID/fault", 0,                          web_handle_fault, NULL, web_file_headers},
    {WEB_GET,  "/api/v1/cameras/NAME/faults/ID/after", 0,                    web_handle_fault_after, NULL, web_file_headers},
    {WEB_GET,  "/api/v1/alerts",              WEB_SINCE | WEB_LIMIT | WEB_ALERT_FILTER, web_handle_alerts, NULL, API},
    {WEB_GET,  "/api/v1/alerts/ID",           0,                                   web_handle_alert,    NULL, API},
    {WEB_GET,  "/api/v1/alerts/ID/snapshot",  0,                                   web_handle_snapshot, NULL, web_file_headers},
    {WEB_GET,  "/api/v1/alerts/ID/why",       0,                                   web_handle_why,      NULL, web_file_headers},
    {WEB_GET,  "/api/v1/alerts/ID/clip",      0,                                   web_handle_clip,     NULL, web_file_headers},
    {WEB_GET,  "/api/v1/alerts/ID/copy",      0,                                   web_handle_copy,     NULL, web_file_headers},
    {WEB_POST, "/api/v1/alerts/ID/copy",      0,                                   web_handle_copy_ask, NULL, API},
    {WEB_GET,  "/api/v1/alerts/ID/copy/state", 0,                                  web_handle_copy_state, NULL, API},
    {WEB_POST, "/api/v1/alerts/ID/acknowledge", WEB_BY,                            NULL, web_begin_acknowledge, API},
    {WEB_POST, "/api/v1/alerts/ID/mark",      0,                                   NULL, web_begin_mark,      API},
    {WEB_POST, "/api/v1/alerts/ID/unmark",    0,                                   NULL, web_begin_unmark,    API},
    {WEB_POST, "/api/v1/alerts/ID/note",      WEB_NOTE,                            NULL, web_begin_note,      API},
    {WEB_POST, "/api/v1/alerts/ID/normal",    WEB_BY,                              NULL, web_begin_normal,    API},
    {WEB_POST, "/api/v1/alerts/ID/normal/undo", WEB_BY,                            NULL, web_begin_normal_undo, API},
    {WEB_GET,  "/api/v1/events",              WEB_LAST_EVENT_ID | WEB_EVENT_FILTER, web_handle_events,  NULL, web_event_headers},
    {WEB_POST, "/api/v1/alerts/test",         WEB_CAMERA,                          web_handle_test_alert,     NULL, API},
    {WEB_GET,  "/api/v1/webhooks",            0,                                   web_handle_webhooks,       NULL, API},
    {WEB_GET,  "/api/v1/webhooks/NAME/dead",  WEB_LIMIT,                           web_handle_dead_letters,   NULL, API},
    {WEB_POST, "/api/v1/webhooks/NAME/enable", 0,                                  web_handle_webhook_enable, NULL, API},
    {WEB_POST, "/api/v1/webhooks/NAME/retry", 0,                                   web_handle_webhook_retry,  NULL, API},
    {WEB_POST, "/api/v1/reload",              0,                                   NULL, web_begin_reload,    API},
    {WEB_GET,  "/healthz",                    0,                                   web_handle_healthz,  NULL, API},
    {WEB_GET,  "/readyz",                     0,                                   web_handle_readyz,   NULL, API},
    {WEB_GET,  "/metrics",                    0,                                   web_handle_metrics,  NULL, API},
};

const struct web_routes web_routes = {table, sizeof table / sizeof table[0]};

static const struct { const char *name; enum web_method method; } methods_known[] = {
    {"GET", WEB_GET}, {"HEAD", WEB_GET}, {"POST", WEB_POST},
};

static bool match_segment(const char *pattern, size_t n, const char *segment, struct web_request *request)
{
    if (n == 4 && memcmp(pattern, "NAME", 4) == 0)
        return web_parse_name(segment, request->camera) == 0;
    if (n == 2 && memcmp(pattern, "ID", 2) == 0)
        return web_parse_number(segment, UINT64_MAX, &request->alert) == 0;
    return strlen(segment) == n && memcmp(pattern, segment, n) == 0;
}

static bool match_path(const char *pattern, const struct web_path *path, struct web_request *request)
{
    size_t i = 0;
    for (; *pattern == '/' && i < path->n; i++) {
        size_t n = strcspn(++pattern, "/");
        if (!match_segment(pattern, n, path->segments[i], request))
            return false;
        pattern += n;
    }
    return *pattern == '\0' && i == path->n;
}

int web_find_route(const struct web_routes *routes, const char *method, const struct web_path *path,
                   const struct web_route **ret, struct web_request *request, unsigned *methods)
{
    unsigned wanted = 0;
    for (size_t i = 0; i < sizeof methods_known / sizeof methods_known[0]; i++)
        if (strcmp(methods_known[i].name, method) == 0)
            wanted = methods_known[i].method;
    *methods = 0;
    for (size_t i = 0; i < routes->n; i++) {
        const struct web_route *route = &routes->routes[i];
        struct web_request found = *request;
        if (!match_path(route->pattern, path, &found))
            continue;
        *methods |= route->method;
        if (!(route->method & wanted))
            continue;
        *ret = route;
        *request = found;
        return 0;
    }
    return *methods ? -ENOTSUP : -ENOENT;
}

void web_format_methods(char out[WEB_ALLOW_SIZE], unsigned methods)
{
    out[0] = '\0';
    for (size_t i = 0; i < sizeof methods_known / sizeof methods_known[0]; i++) {
        if (!(methods_known[i].method & methods))
            continue;
        if (*out)
            strcat(out, ", ");
        strcat(out, methods_known[i].name);
    }
}

bool web_is_safe_method(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}
