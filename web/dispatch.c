#include "web/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "web/origin.h"

enum { HEADERS_MAX = 8 << 10 };

void web_headers_add(struct web_headers *h, const char *name, const char *value)
{
    h->size += strlen(name) + strlen(value);
    if (strcasecmp(name, "Transfer-Encoding") == 0 ||
        (strcasecmp(name, "Content-Length") == 0 && value[strspn(value, "0")] != '\0'))
        h->has_body = true;
    if (strcasecmp(name, "Host") == 0) {
        h->host = value;
        h->hosts++;
        if (!web_is_known_host(value, h->names, h->n_names))
            h->foreign_host = true;
    }
    if (strcasecmp(name, "Origin") == 0) {
        h->origin = value;
        h->origins++;
    }
    if (strcasecmp(name, "Sec-Fetch-Site") == 0 && !web_is_same_site(value))
        h->foreign_site = true;
    const struct { const char *name, **field; } fields[] = {
        {"Range", &h->fields.range}, {"If-Range", &h->fields.if_range}, {"If-None-Match", &h->fields.if_none_match},
        {"If-Modified-Since", &h->fields.if_modified_since}, {"Last-Event-ID", &h->fields.last_event_id},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcasecmp(name, fields[i].name) == 0)
            *fields[i].field = value;
}

/* The reason to refuse a request that may change something: a page of another site sent it. NULL: it is allowed. */
static const char *foreign_page(const struct web_headers *h)
{
    if (h->foreign_site)
        return "Sec-Fetch-Site: expected same-origin or none; memaed changes nothing for pages of other sites";
    if (h->origins > 1)
        return "Origin: expected once, got twice";
    if (h->origins == 1 && (h->hosts != 1 || !web_is_same_origin(h->origin, h->host)))
        return "Origin: expected the scheme, host and port under which memaed was reached, as in Host; "
               "memaed changes nothing for pages of other sites";
    return NULL;
}

/* Returns true if the request may go to a route. Otherwise *ret is the refusal. */
static bool admit(const char *method, size_t target_size, const struct web_headers *headers, struct web_answer *ret)
{
    const char *why;
    if (headers->foreign_host)
        web_answer_problem(421, "Host: expected localhost, a numeric address, or a name of http.names in the configuration", ret);
    else if (!web_is_safe_method(method) && (why = foreign_page(headers)) != NULL)
        web_answer_problem(403, why, ret);
    else if (target_size > WEB_TARGET_MAX)
        web_answer_problem(414, "target: expected at most 2048 bytes", ret);
    else if (headers->size > HEADERS_MAX)
        web_answer_problem(431, "header fields: expected at most 8192 bytes", ret);
    else
        return true;
    return false;
}

/* Takes scheme and host off a target in absolute form, "http://HOST/PATH", which a client sends to a proxy. Returns false if
 * memaed does not know the host. */
static bool take_origin_form(const char **target, size_t *size, const struct web_headers *headers)
{
    static const char scheme[] = "http://";
    const size_t n = sizeof scheme - 1;
    char host[256];
    size_t length = 0;
    if (*size < n || strncasecmp(*target, scheme, n) != 0)
        return true;
    const char *begin = *target + n;
    while (length < *size - n && begin[length] && !strchr("/?#", begin[length]))
        length++;
    if (length >= sizeof host)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    *size -= n + length;
    *target = *size > 0 ? begin + length : "/";
    *size += *size == 0;
    return web_is_known_host(host, headers->names, headers->n_names);
}

const struct web_route *web_dispatch(const struct web_routes *routes, const char *method, const char *target, size_t size,
                                     const struct web_headers *headers, struct web_request *request, struct web_answer *ret)
{
    if (!admit(method, size, headers, ret))
        return NULL;
    if (!take_origin_form(&target, &size, headers)) {
        web_answer_problem(421, "target: expected a path, or localhost, a numeric address or a name of http.names as its host",
                           ret);
        return NULL;
    }
    const struct web_route *route = NULL;
    struct web_path path;
    struct error err = {""};
    const char *parameter = NULL;
    unsigned methods = 0;
    struct web_request found = {.limit = WEB_LIMIT_DEFAULT, .is_head = strcmp(method, "HEAD") == 0, .fields = headers->fields};
    int r = web_parse_path(target, size, &path, &err);
    if (r == 0)
        r = web_find_route(routes, method, &path, &route, &found, &methods);
    if (r == 0 && headers->has_body) {
        web_answer_problem(413, "body: expected none, got one", ret);
        return NULL;
    }
    if (r == 0)
        r = web_parse_query(target, size, route->parameters, &found, &parameter, &err);
    if (r == 0) {
        *request = found;
        return route;
    }
    if (r == -ENOENT)
        web_answer_problem(404, "no route has that path; GET /api/v1 lists them", ret);
    else if (r == -ENOTSUP) {
        char allow[WEB_ALLOW_SIZE], detail[64];
        web_format_methods(allow, methods);
        snprintf(detail, sizeof detail, "method: expected %s", allow);
        web_answer_problem(405, detail, ret);
        memcpy(ret->allow, allow, sizeof allow);
    } else if (parameter)
        web_answer_problem_with(400, err.text, "parameter", json_string(parameter), ret);
    else
        web_answer_problem(400, err.text, ret);
    return NULL;
}
