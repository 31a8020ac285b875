/* The table of routes: which handler answers which method and path, and which headers its answers have. Immutable; any
 * thread may read it. A new route is a row in web/routes.c, a line in web/handlers.h and a function in web/handlers/. */
#ifndef MEMAED_WEB_ROUTES_H
#define MEMAED_WEB_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "web/answer.h"
#include "web/request.h"
#include "web/view.h"

/* Answers at once: writes *ret whole. Must not block. */
typedef void web_handler(const struct view *view, const struct web_request *request, struct web_answer *ret);

struct web_waiter;
/* Starts work on another thread, which answers when it is done. Must not block. true: that thread calls web_waiter_answer()
 * (web/waiters.h) once, maybe before this returns, and *ret is untouched. false: no work was started, and *ret is the answer.
 * Nobody may use waiter any more. */
typedef bool web_begin(const struct view *view, const struct web_request *request, struct web_waiter *waiter,
                       struct web_answer *ret);

enum web_method { WEB_GET = 1, WEB_POST = 2 };      /* bits; WEB_GET is GET and HEAD */

struct web_header {
    const char *name, *value;
};

struct web_route {
    enum web_method method;
    const char *pattern;        /* "/api/v1/cameras/NAME". Variables: NAME, a camera's name or a webhook's id; ID, a number
                                 * from 1 on */
    unsigned parameters;        /* that the query may have, as bits: WEB_SINCE … */
    web_handler *handler;       /* one of the two is NULL */
    web_begin *begin;
    const struct web_header *headers;   /* of its answers; ends with a name NULL */
};

struct web_routes {
    const struct web_route *routes;     /* [n] */
    size_t n;
};

extern const struct web_routes web_routes;              /* memaed's own */
/* Headers of an answer for programs. They forbid caches to keep it. They forbid browsers to run it, to show it in a frame, and to
 * give it to a page of another site. */
extern const struct web_header web_api_headers[];

/* Finds the route of a path, and writes the path's variables into request. method is that of the request line.
 * 0; -ENOENT: no route has that path; -ENOTSUP: one has, but for other methods, which are in *methods (bits of web_method).
 * *ret and request are written on success only. */
int web_find_route(const struct web_routes *routes, const char *method, const struct web_path *path,
                   const struct web_route **ret, struct web_request *request, unsigned *methods);

/* "GET, HEAD", as the header Allow has it. */
void web_format_methods(char out[WEB_ALLOW_SIZE], unsigned methods);

/* Returns true if a method only reads, as HTTP defines it: GET and HEAD. */
bool web_is_safe_method(const char *method);

#endif
